"""The agents of the two played servers, invented from parts."""

from dataclasses import dataclass
from random import Random
from typing import Final

TOKO: Final = "toko"
"""The server that leaves refunds to rekon."""
MANDIRI: Final = "mandiri"
"""The server that gives money back by itself."""
SOURCES: Final = (TOKO, MANDIRI)
OWN_SHOP: Final = "LOKET"
"""The agent id under which the operator's own shop sells, for cash or straight from a provider deposit."""

AGENTS: Final = {TOKO: 38, MANDIRI: 18}
_KINDS: Final = ("Konter", "Kios", "Toko", "Warung")
_NAMES: Final = (
    "Melati", "Kenanga", "Cempaka", "Anggrek", "Dahlia", "Mawar", "Teratai", "Bougenvil", "Flamboyan", "Seruni",
    "Merapi", "Rinjani", "Semeru", "Kerinci", "Tambora", "Bromo", "Lawu", "Slamet", "Sumbing", "Muria",
)  # fmt: skip
_ZONES: Final = ("WIB", "WIB", "WIB", "WIB", "WITA", "WITA", "WIT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent and the balance he starts the story with."""

    source: str
    agent_id: str
    name: str
    zone: str
    """WIB, WITA or WIT."""
    opening: int
    top_up: int
    """What he deposits in the middle of the story; 0 for most."""


def draw_agents(rng: Random) -> tuple[Agent, ...]:
    """Draw every agent of both servers; the same generator state gives the same agents."""
    names = [f"{kind} {name}" for kind in _KINDS for name in _NAMES]
    rng.shuffle(names)
    return tuple(
        _agent(rng, source=source, number=number, name=names.pop())
        for source, count in AGENTS.items()
        for number in range(1, count + 1)
    )


def _agent(rng: Random, *, source: str, number: int, name: str) -> Agent:
    return Agent(
        source=source,
        agent_id=f"{source[0].upper()}{number:03d}",
        name=name,
        zone=rng.choice(_ZONES),
        opening=rng.randrange(80, 200) * 50_000,
        top_up=rng.choice((0, 0, 0, 500_000, 1_000_000)),
    )
