"""What every test may ask for: a real PostgreSQL, empty databases on it, and no way out of this machine."""

import itertools
import os
import secrets
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import loopback, postgres

_NUMBERS = itertools.count(1)

settings.register_profile("rekon", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rekon")


@pytest.fixture(scope="session", autouse=True)
def _stay_on_this_machine() -> Iterator[None]:
    """Refuse every socket outside loopback for the whole run."""
    with loopback.only_loopback():
        yield


@pytest.fixture(scope="session")
def pg_dsn() -> Iterator[str]:
    """Give the URL of a running PostgreSQL server; one that cannot be had is a failure, never a skip.

    The order: REKON_TEST_PG_DSN, the machine's own programs, the ones that came with the test tools.
    """
    given = os.environ.get(postgres.DSN_VARIABLE)
    if given:
        yield postgres.as_url(given)
        return
    with postgres.running_server(postgres.find_install()) as url:
        yield url


@pytest.fixture
def pg_url(pg_dsn: str) -> Iterator[str]:
    """Give the URL of an empty database that lives as long as the test."""
    with postgres.fresh_database(pg_dsn, _new_name()) as url:
        yield url


@pytest.fixture(scope="module")
def pg_module_url(pg_dsn: str) -> Iterator[str]:
    """Give the URL of an empty database that all tests of one module share."""
    with postgres.fresh_database(pg_dsn, _new_name()) as url:
        yield url


def _new_name() -> str:
    return f"rekon_test_{os.getpid()}_{next(_NUMBERS)}_{secrets.token_hex(3)}"
