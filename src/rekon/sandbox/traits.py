"""What can become of one order: at the provider, at the server, and on the way between them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from rekon.sandbox.plan import Step

SERIAL: Final = "*"
"""Stands in a step for a serial number that fits the product and the instant."""
SECOND: Final = 2
"""Offsets are even seconds, the grid of the story."""
PENDING: Final = {"digiflazz": "03", "iak": "39", "otomax": "2"}
SUCCESS: Final = {"digiflazz": "00", "iak": "00", "otomax": "20"}
UNFORMED: Final = {"digiflazz": ("43", "44", "62", "66", "68", "69"), "iak": ("17", "20"), "otomax": ("43",)}
REFUSED: Final = {"digiflazz": ("51", "52", "54", "57", "59", "72", "84"), "iak": ("13", "14", "16", "131")}
UNSURE: Final = {"digiflazz": ("02", "53", "55", "58", "71"), "iak": ("07", "106"), "otomax": ("40", "52", "53")}
TIMED_OUT: Final = ("01", "70")
TAKEN_BACK: Final = "74"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The fate of one order."""

    steps: tuple[Step, ...]
    charges: int = 1
    faults: tuple[str, ...] = ()
    send: str = "sent"
    """sent; not_sent (the server's own log says so); lost (never arrives, the server cannot tell); reply_lost (arrives,
    but its answer does not come back); resent (reply_lost, and sent again); resent_lost (lost, and sent again)."""
    hears: str = "callback"
    """How the server learns later states: callback (its own copy, if any is sent), always, or never."""
    charged: str = "agent_wallet"
    debited_again_after: int | None = None
    """Seconds until the server takes the price a second time."""
    credited_again_after: int | None = None
    """Seconds from the server's own refund until it gives the same money back again."""
    odd_report_after: int | None = None
    """Seconds until an unsigned report comes whose status number and words disagree."""


Build = Callable[[Random, str], Traits]


def soon(rng: Random, low: int, high: int) -> int:
    """Draw an even number of seconds from `low` up to `high`."""
    return rng.randrange(low, high, SECOND)


def accepted(provider: str, *, callback: str = "lost") -> Step:
    """Word the usual first answer: on its way. Few operators let the provider call back for that."""
    return Step(after=0, state="pending", code=PENDING[provider], callback=callback)


def delivered(provider: str, after: int, *, serial: str = SERIAL, callback: str = "sent") -> Step:
    """Deliver `after` seconds."""
    return Step(after=after, state="success", code=SUCCESS[provider], serial_number=serial, callback=callback)


def failed(after: int, code: str, *, kept: bool = False, callback: str = "sent") -> Step:
    """Fail `after` seconds; `kept` leaves the charge with the provider."""
    return Step(after=after, state="failed", code=code, callback=callback, returns_charge=not kept)


def plain(rng: Random, provider: str) -> Traits:
    """Tell an ordinary success: at once, or after a short while with one callback, sometimes an untidy one."""
    at_once = {"digiflazz": 0.3, "otomax": 0.15}.get(provider, 0.0)
    if rng.random() < at_once:
        return Traits(steps=(delivered(provider, 0, callback="lost"),))
    wait = soon(rng, 90, 190) if rng.random() < 0.02 else soon(rng, 4, 44)  # noqa: PLR2004 - two in a hundred are slow
    callback = rng.choices(("sent", "twice", "sent,forged", "late:12"), weights=(95, 2, 2, 1))[0]
    return Traits(steps=(accepted(provider), delivered(provider, wait, callback=callback)))


def never_formed(rng: Random, provider: str) -> Traits:
    """Tell a purchase that the provider refuses before anything exists."""
    return Traits(steps=(failed(0, rng.choice(UNFORMED[provider]), callback="lost"),))


def refused_at_once(rng: Random, provider: str) -> Traits:
    """Fail for good in the first answer."""
    code = rng.choice(REFUSED[provider])
    return Traits(steps=(failed(0, code, callback=rng.choice(("sent", "lost"))),))


def refused_later(rng: Random, provider: str) -> Traits:
    """Fail for good within two minutes."""
    return Traits(steps=(accepted(provider), failed(soon(rng, 10, 120), rng.choice(REFUSED[provider]))))


def refused_unheard(rng: Random, provider: str) -> Traits:
    """Fail for good while the server stays deaf."""
    steps = (accepted(provider), failed(soon(rng, 10, 120), rng.choice(REFUSED[provider])))
    return Traits(steps=steps, hears="never")


def unsure_at_once(rng: Random, provider: str) -> Traits:
    """Fail in the first answer with a code that sometimes turns."""
    return Traits(steps=(failed(0, rng.choice(UNSURE[provider]), callback="lost"),))


def unsure_later(rng: Random, provider: str) -> Traits:
    """Fail within two minutes with a code that sometimes turns; it does not."""
    return Traits(steps=(accepted(provider), failed(soon(rng, 10, 120), rng.choice(UNSURE[provider]))))


def unsure_then_soon_delivered(rng: Random, provider: str) -> Traits:
    """Fail, keep the charge, and deliver after all a minute or so later."""
    gone = soon(rng, 20, 60)
    back = gone + soon(rng, 40, 100)
    return Traits(
        steps=(accepted(provider), failed(gone, rng.choice(UNSURE[provider]), kept=True), delivered(provider, back))
    )


def unsure_then_late_delivered(rng: Random, provider: str) -> Traits:
    """Fail with the charge returned, then charge and deliver again half an hour to an hour later."""
    gone = soon(rng, 20, 90)
    back = gone + soon(rng, 1800, 3600)
    return Traits(steps=(accepted(provider), failed(gone, rng.choice(UNSURE[provider])), delivered(provider, back)))


def timed_out(rng: Random, _: str) -> Traits:
    """Time out at the biller, the charge given back."""
    return Traits(steps=(failed(0, rng.choice(TIMED_OUT), callback="lost"),))


def timed_out_kept(rng: Random, _: str) -> Traits:
    """Time out at the biller; the charge stays with the provider."""
    return Traits(steps=(failed(0, rng.choice(TIMED_OUT), kept=True, callback="lost"),))


def timed_out_then_delivered(rng: Random, provider: str) -> Traits:
    """Time out at the biller, and deliver ten minutes or more later."""
    first = failed(0, rng.choice(TIMED_OUT), kept=True, callback="lost")
    return Traits(steps=(first, delivered(provider, soon(rng, 600, 1500))))


def slow(rng: Random, provider: str) -> Traits:
    """Deliver after ten minutes to half an hour."""
    fault = rng.choice(("", "", "html", "error_502", "truncated"))
    return Traits(
        steps=(accepted(provider), delivered(provider, soon(rng, 520, 1700))), faults=(fault,) if fault else ()
    )


def very_slow(rng: Random, provider: str) -> Traits:
    """Deliver after more than half an hour."""
    return Traits(steps=(accepted(provider), delivered(provider, soon(rng, 2100, 4500))))


def slow_refused(rng: Random, provider: str) -> Traits:
    """Fail for good after ten minutes to half an hour."""
    return Traits(steps=(accepted(provider), failed(soon(rng, 520, 1700), rng.choice(REFUSED[provider]))))


def very_slow_refused(rng: Random, provider: str) -> Traits:
    """Fail for good after more than half an hour."""
    return Traits(steps=(accepted(provider), failed(soon(rng, 2100, 4500), rng.choice(REFUSED[provider]))))


def never_ends(_: Random, provider: str) -> Traits:
    """Stay on its way for as long as the story lasts."""
    return Traits(steps=(accepted(provider),))


def unreported(rng: Random, provider: str) -> Traits:
    """Deliver after eight minutes without telling anybody; the server never asks."""
    return Traits(steps=(accepted(provider), delivered(provider, soon(rng, 494, 600), callback="lost")))


def unreported_known(rng: Random, provider: str) -> Traits:
    """Deliver after eight minutes without a callback; the server finds out by itself."""
    return Traits(steps=(accepted(provider), delivered(provider, soon(rng, 494, 600), callback="lost")), hears="always")


def unreported_refused(rng: Random, provider: str) -> Traits:
    """Fail for good after eight minutes without telling anybody."""
    code = rng.choice(REFUSED[provider])
    return Traits(steps=(accepted(provider), failed(soon(rng, 494, 600), code, callback="lost")))


def delivered_unheard(rng: Random, provider: str) -> Traits:
    """Deliver at once to everybody's knowledge but the server's."""
    return Traits(steps=(accepted(provider), delivered(provider, soon(rng, 10, 60))), hears="never")


def serial_soon(rng: Random, provider: str) -> Traits:
    """Deliver without a serial number, which follows within two minutes."""
    first = soon(rng, 6, 40)
    steps = (delivered(provider, first, serial=""), delivered(provider, first + soon(rng, 60, 110)))
    return Traits(steps=(accepted(provider), *steps))


def serial_late(rng: Random, provider: str) -> Traits:
    """Deliver without a serial number, which follows after half an hour."""
    first = soon(rng, 6, 40)
    steps = (delivered(provider, first, serial=""), delivered(provider, first + soon(rng, 1800, 3000)))
    return Traits(steps=(accepted(provider), *steps))


def serial_never(rng: Random, provider: str) -> Traits:
    """Deliver without a serial number for good."""
    blank = rng.choice(("", "-", "0"))
    return Traits(steps=(accepted(provider), delivered(provider, soon(rng, 6, 40), serial=blank)))


def debited_twice(rng: Random, provider: str) -> Traits:
    """Deliver, while the server takes the price twice."""
    wait = soon(rng, 4, 44)
    steps = (accepted(provider), delivered(provider, wait))
    return Traits(steps=steps, debited_again_after=soon(rng, 2, 24))


def credited_twice(rng: Random, provider: str) -> Traits:
    """Fail for good, and the server gives the same money back two times."""
    steps = (accepted(provider), failed(soon(rng, 10, 60), rng.choice(REFUSED[provider])))
    return Traits(steps=steps, credited_again_after=soon(rng, 20, 300))


def never_sent(_: Random, provider: str) -> Traits:
    """Take the money and, by the server's own log, send nothing."""
    return Traits(steps=(accepted(provider),), send="not_sent", hears="never")


def sent_not_there(_: Random, provider: str) -> Traits:
    """Send into the void: no answer came, and nothing arrived."""
    return Traits(steps=(accepted(provider),), send="lost", hears="never")


def reply_lost(rng: Random, provider: str) -> Traits:
    """Deliver an order whose first answer never came back."""
    return Traits(steps=(accepted(provider), delivered(provider, soon(rng, 20, 60))), send="reply_lost")


def resent(rng: Random, provider: str) -> Traits:
    """Deliver an order that the server sent twice under one reference."""
    return Traits(steps=(accepted(provider), delivered(provider, soon(rng, 90, 130))), send="resent")


def resent_unformed(_: Random, __: str) -> Traits:
    """Send twice: the first never arrives, the second is refused for lack of balance."""
    return Traits(steps=(failed(0, "44", callback="lost"),), send="resent_lost")


def contradicted(rng: Random, provider: str) -> Traits:
    """End with a status and a code that say opposite things, for good; the server cannot read it either."""
    after = soon(rng, 20, 60)
    code = {"digiflazz": ("02", "51"), "iak": ("07", "14")}[provider]
    good = Step(after=after, state="success", code=rng.choice(code), serial_number=SERIAL)
    bad = Step(after=after, state="failed", code=SUCCESS[provider], returns_charge=False)
    return Traits(steps=(accepted(provider), rng.choice((good, bad))), hears="never")


def odd_report(rng: Random, provider: str) -> Traits:
    """Deliver, but a report comes first whose status says success and whose words say failure."""
    return Traits(
        steps=(accepted(provider), delivered(provider, soon(rng, 40, 56))), odd_report_after=soon(rng, 10, 30)
    )


def taken_back(rng: Random, provider: str) -> Traits:
    """Deliver, take it back after half an hour and return the charge."""
    return _taken_back(rng, provider, kept=False)


def taken_back_kept(rng: Random, provider: str) -> Traits:
    """Deliver, take it back after half an hour and keep the charge."""
    return _taken_back(rng, provider, kept=True)


def _taken_back(rng: Random, provider: str, *, kept: bool) -> Traits:
    first = soon(rng, 6, 40)
    gone = first + soon(rng, 1500, 2400)
    back = Step(after=gone, state="reversed", code=TAKEN_BACK, returns_charge=not kept)
    return Traits(steps=(accepted(provider), delivered(provider, first), back))


def in_cash(build: Build) -> Build:
    """Let a customer pay this order in cash."""
    return lambda rng, provider: replace(build(rng, provider), charged="cash")


def from_deposit(build: Build) -> Build:
    """Let the operator's own shop pay this order from his deposit at the provider."""
    return lambda rng, provider: replace(build(rng, provider), charged="provider_deposit")


def charge_kept(build: Build) -> Build:
    """Let the provider keep the charge of a failure."""

    def kept(rng: Random, provider: str) -> Traits:
        traits = build(rng, provider)
        steps = (replace(s, returns_charge=False) if s.state == "failed" else s for s in traits.steps)
        return replace(traits, steps=tuple(steps))

    return kept
