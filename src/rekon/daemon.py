"""The life of the daemon: beats, pages, graceful stop.

APScheduler only beats; what is due stands in rows, so a late or missed beat loses nothing. Under a granted clock (the
demo) a beat runs until nothing is due, then asks the owner of time for more.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import Connection

from rekon import logs
from rekon.bootstrap import GrantedClock, Installation, open_installation
from rekon.connectors.channels.telegram_updates import acknowledgement, read_update
from rekon.desk.app import Desk, make_app
from rekon.domain.policy import CheckKind
from rekon.stages import FLOW, Stage, intake
from rekon.stages.context import Context
from rekon.store import audit, due, health, leases, limits

log = structlog.get_logger()

BEAT_SECONDS = 1.0
INTAKE_SECONDS = 5.0
ANCHOR_SECONDS = 60.0
"""How much of the audit a cut could take unseen."""
_NEVER_MISSED: dict[str, Any] = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
STOP_SECONDS = 10.0
_ROUNDS_MAX = 200
_HIGH_WATER = "high_water"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK_BACK_MAX = timedelta(seconds=60)


class AlreadyRunningError(Exception):
    """Another daemon holds this installation. Stop it first; several daemons need PostgreSQL."""


class ClockWentBackError(Exception):
    """The machine's clock is behind what the books have seen. Correct the clock; nothing moves until then."""


class Heart:
    """Walks the flow until nothing is due."""

    def __init__(self, context: Context) -> None:
        """Take the tools."""
        self._context = context
        self._turn = asyncio.Lock()
        self.last_beat: datetime | None = None
        self.healthy = True

    async def beat(self) -> datetime | None:
        """Run due stages until nothing is due now. Returns when the next thing is due.

        A stage that breaks does not keep the others from their work; its failure is raised when they are done.
        """
        broken: dict[str, Exception] = {}
        async with self._turn:
            if self._context.restored_epoch:
                await self._context.look_at_epoch()
            for _ in range(_ROUNDS_MAX):
                now = self._context.clock()
                found = await self._context.read(due.times)
                ripe = [stage for stage in FLOW if (at := found[stage.name]) is not None and at <= now]
                ripe = [stage for stage in ripe if stage.name not in broken]
                if not ripe:
                    break
                for stage in ripe:
                    await self._run(stage, broken)
            self.last_beat, self.healthy = self._context.clock(), not broken
            if broken:
                raise next(iter(broken.values()))
            return min((at for at in found.values() if at is not None), default=None)

    async def rest(self) -> None:
        """Wait until no beat is running."""
        async with self._turn:
            return

    async def _run(self, stage: Stage, broken: dict[str, Exception]) -> None:
        """A stage that breaks is logged; its rows come back when their lease ends."""
        try:
            await stage.work(self._context)
        except Exception as error:
            log.exception("stage.failed", stage=stage.name)
            broken[stage.name] = error


@contextmanager
def only_one(state_dir: Path, *, is_sqlite: bool) -> Iterator[None]:
    """Hold the installation's lock: one SQLite file has one daemon.

    Raises:
        AlreadyRunningError: when another one holds it.
    """
    if not is_sqlite:
        yield
        return
    path = state_dir / "rekon.lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = f"another rekon daemon runs on {state_dir}; stop it first"
            raise AlreadyRunningError(text) from error
        file.write(str(os.getpid()))
        file.flush()
        yield


def check_clock(connection: Connection, now: datetime) -> None:
    """Refuse a clock behind the high-water mark, and raise the mark (I23).

    Raises:
        ClockWentBackError: when the clock is more than a minute behind.
    """
    seen = health.fact(connection, _HIGH_WATER)
    mark = datetime.fromisoformat(seen) if seen else _LONG_AGO
    if now < mark - _CLOCK_BACK_MAX:
        text = f"the clock says {now.isoformat()}, but the books have seen {mark.isoformat()}; correct the clock"
        raise ClockWentBackError(text)
    if now > mark:
        health.set_fact(connection, _HIGH_WATER, now.isoformat())


async def run_once(config: Path) -> datetime | None:
    """Do everything that is due now, once. Returns when the next thing is due."""
    house = open_installation(config)
    try:
        with only_one(house.state_dir, is_sqlite=house.store.is_sqlite):
            await house.context.write(check_clock, house.context.clock())
            await house.context.look_at_epoch()
            await _check_audit(house)
            await _release_leases(house.context)
            await intake.work(house.context)
            return await Heart(house.context).beat()
    finally:
        _anchor_audit(house)
        await house.close()


async def _check_audit(house: Installation) -> None:
    """Refuse to work on a tampered audit: HALT, then say so. A restored backup has its own way out.

    Raises:
        BrokenChainError: naming the first bad row.
    """
    context, path = house.context, audit.path_of(house.store, house.state_dir)
    fault = await context.read(audit.first_fault, path)
    if fault is None:
        await context.run(lambda: audit.move_anchor(house.store, path))
        return
    if context.restored_epoch and fault.kind in (audit.FaultKind.CUT_OFF, audit.FaultKind.REWRITTEN):
        return
    reason = f"jejak audit rusak, {fault}"
    await context.write(limits.halt, scope=limits.GLOBAL, reason=reason, by="rule", now=context.clock())
    raise audit.BrokenChainError(str(fault))


def _anchor_audit(house: Installation) -> None:
    """Name the newest row of the audit outside the database: in the anchor file, and in the log."""
    moved = audit.move_anchor(house.store, audit.path_of(house.store, house.state_dir))
    if moved is not None:
        log.info("audit.anchored", number=moved.number, link=moved.link)


async def _release_leases(context: Context) -> None:
    """Take over what a daemon before this one was working on."""
    resent = [name for name, rules in context.providers.items() if rules.check is CheckKind.RESEND]
    await context.write(leases.release_all, context.clock(), resent=resent)


async def serve(config: Path) -> None:
    """Run until told to stop."""
    logs.configure()
    house = open_installation(config)
    try:
        with only_one(house.state_dir, is_sqlite=house.store.is_sqlite):
            await house.context.write(check_clock, house.context.clock())
            await house.context.look_at_epoch()
            await _check_audit(house)
            if house.store.is_sqlite:
                await _release_leases(house.context)
            await _live(house)
    finally:
        _anchor_audit(house)
        await house.close()


async def _live(house: Installation) -> None:
    heart = Heart(house.context)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = _web_server(house, heart)
    web = asyncio.create_task(server.serve())
    log.info("daemon.started", host=house.settings.server.host, port=house.settings.server.port)
    try:
        async with _beating(house, heart, stop):
            await _first(stop, web)
    finally:
        server.should_exit = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(web, STOP_SECONDS)
        log.info("daemon.stopped")


async def _first(stop: asyncio.Event, web: asyncio.Task[None]) -> None:
    """Wait for a stop signal, or for the web server to end by itself."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, web}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


@asynccontextmanager
async def _beating(house: Installation, heart: Heart, stop: asyncio.Event) -> AsyncIterator[None]:
    """Beat until the block ends, then let the work in flight finish (at most ten seconds)."""
    if isinstance(house.clock, GrantedClock):
        task = asyncio.create_task(_beat_by_grants(house.clock, heart, stop))
    else:
        task = asyncio.create_task(_beat_by_seconds(house, heart, stop))
    try:
        yield
    finally:
        stop.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(task, STOP_SECONDS)


async def _beat_by_grants(clock: GrantedClock, heart: Heart, stop: asyncio.Event) -> None:
    """The demo: the sandbox owns time. Each beat empties what is due, then asks for more time."""
    while not stop.is_set():
        try:
            next_due = await heart.beat()
            over = await clock.grant(next_due)
        except Exception:
            log.exception("beat.failed")
            await asyncio.sleep(0.2)
            continue
        if over:
            log.info("story.over")
            await asyncio.sleep(0.2)


async def _beat_by_seconds(house: Installation, heart: Heart, stop: asyncio.Event) -> None:
    scheduler = AsyncIOScheduler(timezone="UTC")

    async def tick() -> None:
        try:
            await house.context.write(check_clock, house.context.clock())
            await heart.beat()
        except Exception:
            log.exception("beat.failed")

    async def read_sources() -> None:
        try:
            await intake.work(house.context)
        except Exception:
            log.exception("intake.failed")

    async def anchor() -> None:
        try:
            await house.context.run(lambda: _anchor_audit(house))
        except Exception:
            log.exception("audit.anchor_failed")

    await tick()
    if house.context.connectors.feeds:
        scheduler.add_job(read_sources, "interval", seconds=INTAKE_SECONDS, **_NEVER_MISSED)
    scheduler.add_job(tick, "interval", seconds=BEAT_SECONDS, **_NEVER_MISSED)
    scheduler.add_job(anchor, "interval", seconds=ANCHOR_SECONDS, **_NEVER_MISSED)
    scheduler.start()
    await stop.wait()
    scheduler.pause()
    async with asyncio.timeout(STOP_SECONDS):
        await heart.rest()
    scheduler.shutdown(wait=False)


def _web_server(house: Installation, heart: Heart) -> uvicorn.Server:
    settings = house.settings.server
    desk = Desk(
        context_write=house.context.write,
        context_read=house.context.read,
        clock=house.context.clock,
        door=house.door,
        secret=house.context.secret,
        api_keys=frozenset(key.get_secret_value() for key in settings.api_keys.values()),
        callback_token=settings.callback_token.get_secret_value(),
        telegram_token=settings.telegram_token.get_secret_value() if settings.telegram_token else "",
        read_telegram=read_update,
        acknowledge_telegram=acknowledgement,
        zones={name: source.zone for name, source in house.settings.sources.items()},
        fronts=frozenset(house.context.connectors.relays),
        copies=frozenset(
            t.definition or name for name, t in house.settings.providers.items() if t.callbacks == "behind"
        ),
        is_alive=lambda: heart.healthy and heart.last_beat is not None,
    )
    config = uvicorn.Config(
        make_app(desk),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # the daemon owns the signals
    return server
