"""One simulated run: a short story, its weather, one or more lives of rekon, and the oracles at its end."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final

from rekon.connectors.gateways.contract import GatewayClass
from rekon.domain.policy import Policy
from rekon.sandbox.dialects.core import PlannedCore
from rekon.sandbox.fates import tell_short_story
from rekon.sandbox.story import Story
from rekon.sandbox.world import Knobs, World
from rekon.simulation import loop, oracles, staff, weather
from rekon.simulation.door import Desk, SimulatedDoor
from rekon.simulation.life import Life, Setting, automatic, with_less
from rekon.simulation.memory import Crash, Memory
from rekon.simulation.network import Outside
from rekon.simulation.weather import Weather

FATES_MIN: Final = 3
FATES_MAX: Final = 5
_HOURS: Final = 1.5
_TAIL_HOURS: Final = 46.5
_CALM_AFTER: Final = timedelta(hours=30)
_QUIET: Final = {
    "push_seconds": 30,
    "heartbeat_seconds": 240,
    "statement_seconds": 1_800,
    "rest_seconds": 900,
}
"""A server pushes less often than in the demonstration, and rests when nothing happens: two days have to be short."""
_RETRY: Final = 5.0
_DEAD_SECONDS: Final = (1.0, 90.0)


def _lives_on(simulation: "Simulation", place: str) -> bool:
    del simulation, place
    return False


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a run is played beside its story and its weather."""

    policy: Policy = field(default_factory=automatic)
    knobs: Mapping[str, Any] = field(default_factory=dict)
    """What the world does otherwise than in a quiet run."""
    calm_after: timedelta = _CALM_AFTER
    """From then on nothing goes wrong any more, so that everything can come to rest."""
    dies: Callable[["Simulation", str], bool] = _lives_on
    """Asked at every place at which the process could die, with the place's name."""
    trace: Callable[[str], object] | None = None
    """Takes every line of the trace."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run showed."""

    seed: int
    violations: tuple[str, ...]
    trace_hash: str
    points: int
    """How many places there were at which the process could have died."""
    seen: Counter[str] = field(default_factory=Counter)
    """How often each fault was met."""


def run(seed: int, *, deaths: tuple[int, ...] | None = None, fair: bool = False) -> Result:
    """Play one seed. `deaths` replaces the drawn places of death; `fair` takes every other fault away."""
    rng = Random(f"sim/{seed}")
    drawn = weather.FAIR if fair else weather.draw(rng)
    if deaths is not None:
        drawn = replace(drawn, deaths=deaths)
    story = tell_short_story(seed, fates=rng.randrange(FATES_MIN, FATES_MAX + 1), hours=_HOURS, tail_hours=_TAIL_HOURS)
    simulation = Simulation(story, drawn, rng)
    return simulation.play(seed)


class Simulation:
    """The stage of one run."""

    def __init__(self, story: Story, drawn: Weather, rng: Random, *, terms: Terms | None = None) -> None:
        """Set the stage; nothing moves yet."""
        self.story = story = weather.noisy(story, drawn.noise, rng)
        self.weather = drawn
        self.rng = rng
        self.terms = terms or Terms()
        self.memory = Memory()
        self.seen: Counter[str] = Counter()
        self.points = 0
        self._alive: dict[int, Life | None] = {}
        self._born = 0
        self._digest = hashlib.sha256()
        self._sentinel = oracles.Sentinel(self.memory)
        self._broken: list[str] = []
        self._stirred: asyncio.Event | None = None
        door = SimulatedDoor(self._anybody, self._stands_open)
        knobs = Knobs(gateway_class=drawn.gateway_class, lost_replies=(), **{**_QUIET, **self.terms.knobs})
        self.world = World(story, door=door, knobs=knobs)

    def play(self, seed: int) -> Result:
        """Play to the end and let the oracles speak."""
        found = self.perform()
        self.memory.close()
        return Result(
            seed=seed,
            violations=found,
            trace_hash=self._digest.hexdigest(),
            points=self.points,
            seen=self.seen,
        )

    def perform(self) -> tuple[str, ...]:
        """Play to the end and name what must not be so. The database stays open for whoever reads it."""
        loop.run(self._play(), rng=self.rng)
        return (*self._broken, *self._sentinel.violations, *oracles.violations(self.world, self.memory))

    async def _play(self) -> None:
        self._stirred = asyncio.Event()
        self.world.start()
        self._plan_own_side()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._turn_the_world())
            for number in range(self.weather.daemons):
                tasks.create_task(self._live(number))
            if self.weather.has_staff:
                tasks.create_task(staff.work(self.memory, self.now, self.rng, until=self.story.ends_at))
        self.world.close(self.now())

    def _plan_own_side(self) -> None:
        """Have Digiflazz refuse every question for a while, as if our address or key were wrong."""
        if self.weather.own_side is None:
            return
        code, first, last = self.weather.own_side
        core = self.world.cores["digiflazz"]
        for hour, word in ((first, code), (last, "")):
            at = self.story.starts_at + timedelta(hours=hour)
            self.world.agenda.add(at, partial(_refuse, core, word))
        self.seen["own side"] += 1

    def now(self) -> datetime:
        """Tell true business time."""
        seconds = asyncio.get_running_loop().time()
        return self.story.starts_at + timedelta(microseconds=round(seconds * 1_000_000))

    # The world.

    async def _turn_the_world(self) -> None:
        while (now := self.now()) < self.story.ends_at:
            self.world.advance(now)
            if await self.world.courier.deliver(now):
                self._wake_everybody()
            await self._until_something()

    async def _until_something(self) -> None:
        now = self.now()
        times = [at for at in (self.world.next_event_at(), self.story.ends_at) if at is not None]
        seconds = (min(times) - now).total_seconds()
        if self.world.courier.is_open(now):
            seconds = min(seconds, _RETRY)
        assert self._stirred is not None  # noqa: S101 - set before any task starts
        self._stirred.clear()
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._stirred.wait()
        except TimeoutError:
            return

    def _wake_everybody(self) -> None:
        for life in self._alive.values():
            if life is not None:
                life.wake.set()

    def _stands_open(self, source: str) -> bool:
        hours = (self.now() - self.story.starts_at) / timedelta(hours=1)
        shut = any(name == source and first <= hours < last for name, first, last in self.weather.stale)
        self.seen["stale books"] += shut
        return not shut

    # rekon.

    def _anybody(self) -> Desk | None:
        living = [life for life in self._alive.values() if life is not None]
        return self.rng.choice(living).desk if living else None

    async def _live(self, number: int) -> None:
        """Live, die and be started again until the story ends."""
        while self.now() < self.story.ends_at:
            await self._one_life()
            await asyncio.sleep(self.rng.uniform(*_DEAD_SECONDS))
        self.note("rest", number)

    async def _one_life(self) -> None:
        self._born += 1
        mine = self._born
        self._alive[mine] = None
        try:
            life = self._alive[mine] = Life(self._setting(mine))
            await life.live(self.story.ends_at)
        except BaseException as error:
            if mine in self._alive:
                self._broken.append(f"a life ended by {error!r}")
                raise
        finally:
            self._alive.pop(mine, None)

    def _setting(self, mine: int) -> Setting:
        later = mine > self.weather.daemons
        skew = timedelta(seconds=self.weather.skew_seconds if later else 0.0)
        policy = self.terms.policy

        def clock() -> datetime:
            return self.now() + skew

        def point(name: str) -> None:
            self._point(mine, name)

        return Setting(
            memory=self.memory,
            clock=clock,
            policy=with_less(policy) if later and self.weather.tight_limits else policy,
            gateway_class=GatewayClass(self.weather.gateway_class),
            transport=Outside(
                self.world,
                clock=self.now,
                weather=self._weather_now(),
                rng=self.rng,
                point=point,
                note=self.note,
                watch=self._sentinel,
            ),
            point=point,
            rng=self.rng,
            is_alone=self.weather.daemons == 1,
        )

    def _weather_now(self) -> Callable[[], Weather]:
        def present() -> Weather:
            calm = self.now() - self.story.starts_at > self.terms.calm_after
            return replace(weather.FAIR, gateway_class=self.weather.gateway_class) if calm else self.weather

        return present

    def _point(self, mine: int, name: str) -> None:
        """Let this life go on, or end it here."""
        if mine not in self._alive:
            raise Crash
        self.points += 1
        if self.points in self.weather.deaths or self.terms.dies(self, name):
            life = self._alive.pop(mine)
            if life is not None:
                life.wake.set()
            self.seen[f"death {name}"] += 1
            self.note("death", name)
            raise Crash
        if name == "after effect" and self._stirred is not None:
            self._stirred.set()

    def note(self, kind: str, *facts: object) -> None:
        """Write one line of the trace."""
        self.seen[kind if kind != "call" else f"call {facts[-1]}"] += 1
        line = f"{asyncio.get_running_loop().time():.6f} {kind} {facts}\n"
        self._digest.update(line.encode())
        if self.terms.trace is not None:
            self.terms.trace(line)


def _refuse(core: PlannedCore, word: str, _at: datetime) -> None:
    core.refuse_with = word
