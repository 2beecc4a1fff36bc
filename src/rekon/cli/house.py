"""One installation, opened for the length of one command: configuration, database, the present instant.

The command line is a short writer beside the daemon: units of work are small, and nothing outside is called in one.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rekon.cli import failures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from rekon.domain.policy import Policy
    from rekon.settings import Settings
    from rekon.store.engine import Store


@dataclass(frozen=True, kw_only=True)
class House:
    """What a command works with. `now` is business time, aware UTC."""

    config: Path
    state_dir: Path
    settings: Settings
    store: Store
    now: datetime

    @property
    def policy(self) -> Policy:
        """The rules' numbers as configured."""
        from rekon import bootstrap

        return bootstrap.policy_of(self.settings)


@contextmanager
def opened(config: Path) -> Iterator[House]:
    """Open an installation whose database is fit for money; afterwards move the audit's anchor up and close it.

    Raises:
        CommandError: when its SQLite file does not exist yet.
    """
    from rekon import bootstrap
    from rekon.settings import load
    from rekon.store import audit

    settings = load(config)
    state_dir = bootstrap.state_dir_of(config)
    must_exist(settings, state_dir)
    store = bootstrap.open_store(settings, state_dir)
    try:
        yield House(config=config, state_dir=state_dir, settings=settings, store=store, now=now_of(settings))
        audit.move_anchor(store, audit.path_of(store, state_dir))
    finally:
        store.close()


def now_of(settings: Settings) -> datetime:
    """Read business time: the machine's clock, or the demo's granted one."""
    from rekon import bootstrap

    if settings.clock.kind == "granted":
        return bootstrap.GrantedClock(settings.clock.url).now()
    return bootstrap.SystemClock().now()


def must_exist(settings: Settings, state_dir: Path) -> None:
    """Refuse to make an empty database out of a mistyped path.

    Raises:
        CommandError: when the SQLite file is not there.
    """
    from sqlalchemy import make_url

    from rekon import bootstrap

    url = make_url(bootstrap.store_url(settings, state_dir))
    path = url.database
    if url.get_backend_name() != "sqlite" or path in (None, "", ":memory:"):
        return
    from pathlib import Path

    if not Path(path).is_file():
        text = f"Basis data {path} belum ada. Jalankan `rekon init` untuk pemasangan baru, atau `rekon db upgrade`."
        failures.wrong_use(text, reason="no_database")


def check_clock(house: House) -> None:
    """Refuse to decide about money while the clock is behind what the books have seen (I23).

    Raises:
        rekon.daemon.ClockWentBackError: when it is more than a minute behind.
    """
    from rekon import daemon

    house.store.write(daemon.check_clock, house.now)
