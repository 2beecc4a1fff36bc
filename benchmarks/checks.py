"""Status checks end to end: claim, question over HTTP, durable outcome. Against the bare client and the naive loop."""

import asyncio
import json
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import aiohttp
import httpx
from benchmarks import fast_server, installation
from benchmarks.figures import Figure, Options, main, paired, percentile, say, stopwatch
from httpx_aiohttp import AiohttpTransport
from sqlalchemy import func, select

from rekon import bootstrap
from rekon.connectors.providers.client import InquiryResult, ProviderClient
from rekon.connectors.providers.inquiry import CheckProof
from rekon.domain.decision import stable_id
from rekon.domain.transaction import Leg, LegState
from rekon.stages import check
from rekon.stages.context import Context
from rekon.store import schema
from rekon.store.engine import Connection, Store
from rekon.store.types import micros

P = ParamSpec("P")
T = TypeVar("T")

ROUNDS = 5
PATH = "/api/check-status"
_CREDENTIALS = {"username": "081234567890", "sign": "0" * 32}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How slow the provider is, how many questions are in flight, and how much is asked."""

    delay_ms: int
    concurrency: int
    checks: int
    naive: int
    of_bare: float
    of_naive: float | None


SMALL = (
    Load(delay_ms=0, concurrency=128, checks=1_500, naive=400, of_bare=0.6, of_naive=None),
    Load(delay_ms=50, concurrency=128, checks=2_000, naive=20, of_bare=0.85, of_naive=100),
    Load(delay_ms=200, concurrency=512, checks=3_000, naive=6, of_bare=0.85, of_naive=300),
)
TIMES_FULL = 5
TINY = 40


@dataclass(slots=True)
class Seen:
    """When each leg's answer came, and when its outcome was committed."""

    replied: dict[str, float] = field(default_factory=dict)
    durable: dict[str, float] = field(default_factory=dict)

    def waits_ms(self) -> list[float]:
        """Return how long each answer waited for its commit."""
        return [1000 * (at - self.replied[key]) for key, at in self.durable.items()]


class _SeenStore(Store):
    """A store that notes when answers became durable."""

    def __init__(self, url: str, seen: Seen) -> None:
        super().__init__(url)
        self._seen = seen

    def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        result = super().write(function, *args, **kwargs)
        if function is check.record:
            at = time.perf_counter()
            answered = cast("Sequence[Any]", kwargs["answered"])
            self._seen.durable.update((one.case.leg.key, at) for one in answered)
        return result


class _SeenClient(ProviderClient):
    """A client that notes when answers came."""

    def __init__(self, inner: ProviderClient, seen: Seen) -> None:
        self._inner = inner
        self._seen = seen

    async def inquire(self, leg: Leg, *, now: datetime, proof: CheckProof | None) -> InquiryResult:
        result = await self._inner.inquire(leg, now=now, proof=proof)
        self._seen.replied[leg.key] = time.perf_counter()
        return result


def benchmark(options: Options) -> Iterator[Figure]:
    """Measure at each delay; every bar compares with a baseline of the same run."""
    wanted = [one for one in SMALL if options.workload in ("", str(one.delay_ms))]
    with fast_server.running() as server, installation.quiet():
        for load in wanted:
            checks = options.pick(tiny=TINY, usual=load.checks, full=TIMES_FULL * load.checks)
            sized = replace(load, checks=checks, naive=min(load.naive, checks))
            yield from _measure(sized, server, rounds=1 if options.tiny else ROUNDS)


def _measure(load: Load, server: fast_server.FastServer, *, rounds: int) -> Iterator[Figure]:
    say(f"checks: {load.checks:,} at {load.delay_ms} ms, {load.concurrency} in flight, {rounds} rounds")
    bare, ours, waits, opened = [], [], [], []
    with installation.folder() as place:
        config = installation.make(place, base_url=server.url(load.delay_ms), concurrency=load.concurrency)
        for number in range(rounds):
            bare.append(load.checks / asyncio.run(_ask_bare(load, server)))
            _fill(config, count=load.checks, first=number * load.checks)
            before, seen = server.connections(), Seen()
            ours.append(load.checks / asyncio.run(_ask_through_rekon(config, seen)))
            opened.append(server.connections() - before)
            waits += seen.waits_ms()
        _fill(config, count=load.naive, first=rounds * load.checks)
        naive = load.naive / _ask_naively(place / bootstrap.SQLITE_FILE, load, server)
    rate = statistics.median(ours)
    name = f"checks at {load.delay_ms} ms"
    detail = {"concurrency": load.concurrency, "checks": load.checks}
    yield Figure(
        name=name,
        value=rate,
        unit="/s",
        baseline=statistics.median(bare),
        against="/s bare",
        paired=paired(ours, bare),
        at_least=load.of_bare,
        detail=detail,
    )
    yield Figure(name=name, value=rate, unit="/s", baseline=naive, against="/s naive", at_least=load.of_naive)
    allowed = load.concurrency + load.checks / 100
    yield Figure(
        name=f"{name}: connections", value=max(opened), unit="", baseline=allowed, against="allowed", at_most=1
    )
    yield Figure(name=f"{name}: durable p99", value=percentile(waits, 99), unit="ms", at_most=100)


def _fill(config: Path, *, count: int, first: int) -> None:
    """Store orders that were sent two minutes ago, so that each leg is due."""
    store = Store(f"sqlite:///{config.parent / bootstrap.SQLITE_FILE}")
    sent = installation.minutes_ago(2)
    installation.take(store, [installation.order(number, at=sent) for number in range(first, first + count)])
    store.close()


async def _ask_through_rekon(config: Path, seen: Seen) -> float:
    """Run the check stage until nothing is due. Returns the seconds."""
    house = bootstrap.open_installation(config)
    try:
        context = _watched(house.context, seen)
        with stopwatch() as taken:
            while await check.work(context):
                pass
        _check_all_final(context.store)
        context.store.close()
    finally:
        await house.close()
    return taken[0]


def _watched(context: Context, seen: Seen) -> Context:
    clients = {key: _SeenClient(client, seen) for key, client in context.connectors.clients.items()}
    store = _SeenStore(str(context.store.url), seen)
    return replace(context, store=store, connectors=replace(context.connectors, clients=clients))


def _check_all_final(store: Store) -> None:
    def count(connection: Connection) -> int:
        query = select(func.count()).where(schema.legs.c.state != LegState.FINAL.value)
        return connection.execute(query.select_from(schema.legs)).scalar_one()

    assert store.read(count) == 0, "every leg has its last word"


async def _ask_bare(load: Load, server: fast_server.FastServer) -> float:
    """Ask as often with the same transport and nothing else. Returns the seconds."""
    url = f"{server.url(load.delay_ms)}{PATH}"
    waiting = iter([_question(f"T{number:08d}") for number in range(load.checks)])

    async def ask(client: httpx.AsyncClient) -> None:
        for body in waiting:
            answer = await client.post(url, content=body, headers={"content-type": "application/json"})
            assert answer.status_code == httpx.codes.OK

    async with _bare_client(load.concurrency) as client:
        with stopwatch() as taken:
            await asyncio.gather(*(ask(client) for _ in range(load.concurrency)))
    return taken[0]


@asynccontextmanager
async def _bare_client(concurrency: int) -> AsyncIterator[httpx.AsyncClient]:
    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency))

    async with httpx.AsyncClient(transport=AiohttpTransport(client=session), timeout=15) as client:
        yield client


def _question(reference: str) -> bytes:
    return json.dumps(
        {"username": _CREDENTIALS["username"], "ref_id": reference, "sign": _CREDENTIALS["sign"]}
    ).encode()


def _ask_naively(database: Path, load: Load, server: fast_server.FastServer) -> float:
    """Ask about one leg after the other, one commit each. Returns the seconds."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA synchronous=FULL")
    due = connection.execute("SELECT leg_key FROM schedule ORDER BY due_at, leg_key").fetchall()
    assert len(due) == load.naive
    with httpx.Client(timeout=15) as client, stopwatch() as taken:
        for (key,) in due:
            _ask_one(connection, client, key, url=f"{server.url(load.delay_ms)}{PATH}")
    connection.close()
    return taken[0]


def _ask_one(connection: sqlite3.Connection, client: httpx.Client, key: str, *, url: str) -> None:
    (reference,) = connection.execute("SELECT ref_id FROM legs WHERE key = ?", (key,)).fetchone()
    answer = client.post(url, content=_question(reference), headers={"content-type": "application/json"})
    said = answer.json()["data"]
    assert said["rc"] == "00"
    connection.execute(
        "INSERT INTO reports"
        " (report_id, leg_key, source, outcome, raw_code, reason, note, serial_number, price, balance,"
        " contacts, raw, received_at, body_signed, contradiction, about_this_leg)"
        " VALUES (?, ?, 'inquiry', 'delivered', '00', '', '', ?, ?, ?, '[]', ?, ?, 0, 0, 1)",
        (
            stable_id("rpt", key),
            key,
            said["sn"],
            str(said["price"]),
            str(said["balance"]),
            answer.content,
            micros(installation.now()),
        ),
    )
    connection.execute("UPDATE legs SET state = 'final', checks_done = 1, version = 1 WHERE key = ?", (key,))
    connection.execute("DELETE FROM schedule WHERE leg_key = ?", (key,))
    connection.commit()


DELAYS: Sequence[str] = tuple(str(load.delay_ms) for load in SMALL)

if __name__ == "__main__":
    main("checks", benchmark, workloads=DELAYS)
