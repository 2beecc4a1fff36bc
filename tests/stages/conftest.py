"""A store on each database, a loopback server for the run, and a bench that puts them together."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog

from rekon import bootstrap, settings
from rekon.cli import demo_setup
from rekon.store.engine import Store
from tests import postgres
from tests.stages import bench as benches
from tests.stages import switchboard
from tests.stages.bench import Bench
from tests.store import databases


@pytest.fixture(autouse=True)
def log() -> Iterator[list[Any]]:
    """Give what is logged instead of printing it."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture(scope="session")
def board() -> Iterator[switchboard.Switchboard]:
    with switchboard.running() as served:
        yield served


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "rekon.sqlite3"
    databases.fill_template(databases.sqlite_url(path))
    return path


def _demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_setup.set_up(tmp_path_factory.mktemp("key")).config


@pytest.fixture(scope="session")
def audit_key(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the key of the demo's installation, which the program under test opens too."""
    return bootstrap.audit_key(settings.load(_demo(tmp_path_factory)))


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path, audit_key: bytes) -> Iterator[Store]:
    with databases.opened(databases.copy_file(sqlite_template, tmp_path), audit_key) as store:
        yield store


@pytest.fixture(scope="session")
def pg_stage_url(pg_dsn: str) -> Iterator[str]:
    with postgres.fresh_database(pg_dsn, databases.new_name()) as url:
        databases.fill_template(url)
        yield url


@pytest.fixture
def pg_store(pg_stage_url: str) -> Iterator[Store]:
    with databases.opened(pg_stage_url) as store:
        store.write(databases.empty)
        yield store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    """Give a store on each database in turn."""
    opened: Store = request.getfixturevalue("sqlite_store" if request.param == "sqlite" else "pg_store")
    return opened


@pytest_asyncio.fixture
async def set_up(sqlite_store: Store, board: switchboard.Switchboard) -> AsyncIterator[Callable[..., Any]]:
    """Give a function that sets a bench up on SQLite; `await set_up(story, …)`."""
    async with AsyncExitStack() as stack:

        async def make(story: Any, *, store: Store | None = None, **more: Any) -> Bench:
            return await stack.enter_async_context(benches.prepared(store or sqlite_store, board, story, **more))

        yield make
