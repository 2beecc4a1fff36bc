import sqlite3

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from rekon.connectors.sources.read_only import UnsupportedDatabaseError, read_only_engine, reading
from tests.connectors.databases import ask, change, laravel, put

WRITES = [
    "INSERT INTO users (name) VALUES ('x')",
    "UPDATE users SET saldo = 1",
    "DELETE FROM users",
    "DROP TABLE users",
    "CREATE TABLE x (a INTEGER)",
]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("pg_url")
    return f"sqlite:///{tmp_path / 'server.db'}"


@pytest.fixture
def server(url):
    engine = laravel(url)
    put(engine, "users", name="Budi", saldo=100)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("statement", WRITES)
def test_a_write_through_a_read_only_engine_changes_nothing(server, url, statement):
    engine = read_only_engine(url)
    try:
        with engine.connect() as connection, pytest.raises(SQLAlchemyError):
            connection.execute(text(statement))
    finally:
        engine.dispose()
    assert ask(server, "SELECT name, saldo FROM users") == [("Budi", 100.0)]


@pytest.mark.parametrize("statement", WRITES)
def test_a_write_while_reading_through_any_engine_changes_nothing(server, statement):
    with pytest.raises(SQLAlchemyError), reading(server) as connection:
        connection.execute(text(statement))
    assert ask(server, "SELECT name, saldo FROM users") == [("Budi", 100.0)]


def test_the_engine_writes_again_after_reading(server):
    with reading(server) as connection:
        connection.execute(text("SELECT 1"))
    with pytest.raises(SQLAlchemyError), reading(server) as connection:
        connection.execute(text("SELECT no_such_column FROM users"))
    change(server, "UPDATE users SET saldo = 7")
    assert ask(server, "SELECT saldo FROM users") == [(7.0,)]


@pytest.mark.parametrize(
    "statement", ["ATTACH DATABASE ':memory:' AS other", "PRAGMA query_only = 0", "SELECT load_extension('x')"]
)
def test_sqlite_does_nothing_but_read(tmp_path, statement):
    engine = laravel(f"sqlite:///{tmp_path / 'server.db'}")
    with pytest.raises(SQLAlchemyError), reading(engine) as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_statement_that_never_ends_is_ended(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'server.db'}")
    change(engine, "CREATE TABLE n (i INTEGER)")
    for number in range(100):
        put(engine, "n", i=number)
    endless = "SELECT COUNT(*) FROM n a, n b, n c, n d, n e, n f"
    with pytest.raises(SQLAlchemyError, match="interrupted"), reading(engine) as connection:
        connection.execute(text(endless))
    engine.dispose()


def test_postgresql_is_given_seconds_not_minutes(pg_url):
    engine = create_engine(pg_url)
    with reading(engine) as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "5s"
        assert connection.execute(text("SHOW lock_timeout")).scalar() == "5s"
        assert connection.execute(text("SHOW transaction_read_only")).scalar() == "on"
    engine.dispose()


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    engine = read_only_engine(f"sqlite:///{tmp_path / 'missing.db'}")
    with pytest.raises(SQLAlchemyError):
        engine.connect()
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_signs_of_an_address_is_still_a_path(tmp_path):
    path = tmp_path / "a?b#c%20d.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    engine = read_only_engine(str(create_engine("sqlite://").url.set(database=str(path))))
    with engine.connect() as found:
        assert found.execute(text("SELECT name FROM sqlite_master")).scalar() == "t"


def test_a_database_that_cannot_be_held_to_reading_is_refused():
    with pytest.raises(UnsupportedDatabaseError):
        read_only_engine("oracle://a/b")
