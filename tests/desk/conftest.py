"""The desk on a real socket, over a real database, with a clock the test holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from rekon.store.engine import Store
from tests.desk import counter
from tests.stages import switchboard
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
def client(board: switchboard.Switchboard) -> Iterator[httpx.Client]:
    # A new connection for every call: after a defect the server hangs up, and a kept one would be dead.
    with httpx.Client(base_url=board.url, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)) as one:
        yield one


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "rekon.sqlite3"
    databases.fill_template(databases.sqlite_url(path))
    return path


@pytest.fixture
def store(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    with databases.opened(databases.copy_file(sqlite_template, tmp_path)) as opened:
        yield opened


@pytest.fixture
def desk(store: Store, board: switchboard.Switchboard, client: httpx.Client) -> counter.Counter:
    return counter.open_counter(store, board, client)
