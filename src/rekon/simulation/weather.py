"""What goes wrong in one simulated run, drawn from its seed: each run has its own mix, and some are fair days."""

from dataclasses import dataclass, replace
from random import Random
from typing import Final

from rekon.sandbox.story import Sale, Story

PROBABILITIES: Final = (0.0, 0.0, 0.05, 0.2, 0.4)
PROVIDER_FAULTS: Final = (
    "refused",
    "timeout_before",
    "timeout_after",
    "page",
    "truncated",
    "error",
    "busy",
    "other_ref",
)
GATEWAY_FAULTS: Final = ("refused", "timeout_before", "timeout_after", "page", "error")
DEATHS_MAX: Final = 4
_EARLY_POINTS: Final = 600
_NOISES: Final = ("twice", "times:5", "sent,forged", "sent,forged", "late:40", "late:900", "lost")
_STACKED: Final = (2, 5, 11, 23)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """The faults of one run. Probabilities are a call's; hours count from the start of the story."""

    daemons: int = 1
    gateway_class: str = "G2"
    provider_fault: float = 0.0
    gateway_fault: float = 0.0
    message_fault: float = 0.0
    slow_share: float = 0.0
    """Share of calls that take seconds instead of a blink."""
    deaths: tuple[int, ...] = ()
    """Numbers of the places at which the process dies, counted from the start over all lives."""
    outages: tuple[tuple[str, float, float], ...] = ()
    """Provider, first and last hour of a silence."""
    stale: tuple[tuple[str, float, float], ...] = ()
    """Source, first and last hour in which its books do not come."""
    noise: float = 0.0
    """Probability that a callback comes several times, late, or with a forged one beside it."""
    own_side: tuple[str, float, float] | None = None
    """Code, first and last hour in which Digiflazz answers that we are at fault: address, key or deposit."""
    has_staff: bool = False
    skew_seconds: float = 0.0
    """How far the machine's clock is behind true time at the second life and later. One that runs ahead shortens a hold
    by as much, up to the minute that is tolerated; the oracles measure by true time and would be right to complain."""
    tight_limits: bool = False
    """From the second life on the configuration allows less."""
    restores: bool = False
    """The second life starts on an old backup."""


FAIR: Final = Weather()


def draw(rng: Random) -> Weather:
    """Draw the weather of one run."""
    daemons = rng.choices((1, 2, 3), weights=(7, 2, 1))[0]
    return Weather(
        daemons=daemons,
        gateway_class=rng.choice(("G0", "G1", "G2", "G2")),
        provider_fault=rng.choice(PROBABILITIES),
        gateway_fault=rng.choice(PROBABILITIES),
        message_fault=rng.choice(PROBABILITIES),
        slow_share=rng.choice((0.0, 0.05, 0.3)),
        deaths=_deaths(rng),
        outages=tuple(_window(rng, name) for name in ("digiflazz", "iak", "otomax") if _happens(rng, 0.2)),
        stale=tuple(_window(rng, name) for name in ("toko", "mandiri") if _happens(rng, 0.2)),
        noise=rng.choice((0.0, 0.3, 0.8)),
        own_side=_window(rng, rng.choice(("41", "44", "45", "85"))) if _happens(rng, 0.2) else None,
        has_staff=_happens(rng, 0.6),
        skew_seconds=rng.choice((0.0, 0.0, -20.0, -45.0)) if daemons == 1 else 0.0,
        tight_limits=_happens(rng, 0.2),
    )


def _happens(rng: Random, probability: float) -> bool:
    return rng.random() < probability


def noisy(story: Story, probability: float, rng: Random) -> Story:
    """Repeat, delay and forge callbacks of a story's sales."""
    return replace(story, sales=tuple(_noisy(sale, probability, rng) for sale in story.sales))


def _noisy(sale: Sale, probability: float, rng: Random) -> Sale:
    steps = tuple(
        replace(step, callback=rng.choice(_NOISES)) if step.callback == "sent" and _happens(rng, probability) else step
        for step in sale.traits.steps
    )
    return replace(sale, traits=replace(sale.traits, steps=steps))


def _deaths(rng: Random) -> tuple[int, ...]:
    """Draw where the process dies; sometimes it dies again while it recovers."""
    places: set[int] = set()
    for _ in range(rng.randrange(DEATHS_MAX + 1)):
        place = rng.randrange(1, _EARLY_POINTS)
        places.add(place)
        if _happens(rng, 0.3):
            places.add(place + rng.choice(_STACKED))
    return tuple(sorted(places))


def _window(rng: Random, name: str) -> tuple[str, float, float]:
    start = rng.uniform(0.0, 3.0)
    return name, start, start + rng.choice((0.1, 0.5, 2.0))
