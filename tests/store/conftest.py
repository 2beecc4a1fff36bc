"""A store with the whole schema, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rekon.store.engine import Store
from tests import postgres
from tests.store import databases

BOTH = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "rekon.sqlite3"
    databases.fill_template(databases.sqlite_url(path))
    return path


@pytest.fixture(scope="session")
def pg_template(pg_dsn: str) -> Iterator[str]:
    with postgres.fresh_database(pg_dsn, databases.new_name()) as url:
        databases.fill_template(url)
        yield url


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database without any table."""
    if request.param == "sqlite":
        return databases.sqlite_url(tmp_path / "rekon.sqlite3")
    url: str = request.getfixturevalue("pg_url")
    return url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    return databases.copy_file(sqlite_template, tmp_path)


@pytest.fixture
def pg_store_url(pg_template: str, pg_dsn: str) -> Iterator[str]:
    with databases.copied_database(pg_template, pg_dsn) as url:
        yield url


@pytest.fixture(scope="session")
def pg_shared_url(pg_template: str, pg_dsn: str) -> Iterator[str]:
    with databases.copied_database(pg_template, pg_dsn) as url:
        yield url


@pytest.fixture
def pg_store(pg_shared_url: str) -> Iterator[Store]:
    """Give a store whose database is shared by the run and emptied for each test."""
    with databases.opened(pg_shared_url) as opened:
        opened.write(databases.empty)
        yield opened


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    with databases.opened(sqlite_url) as opened:
        yield opened


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest) -> Store:
    """Give a store on each database in turn."""
    opened: Store = request.getfixturevalue("sqlite_store" if request.param == "sqlite" else "pg_store")
    return opened


@pytest.fixture(params=BOTH)
def own_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Give a store whose schema and guards a test may damage."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "pg_store_url")
    with databases.opened(url) as opened:
        yield opened
