import threading
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from rekon.store import books, engine, schema
from rekon.store.engine import NestedUnitOfWorkError, OrphanRowError, Store, WeakDurabilityError
from tests import builders
from tests.store import databases, filling

_MARK = {"source": "toko", "book": "wallet", "read_to": builders.T0, "now": builders.T0}


class _StopError(Exception):
    pass


def test_a_unit_of_work_leaves_all_or_nothing(store):
    with pytest.raises(_StopError):
        store.write(_mark_and_stop)
    assert store.read(books.marks) == {}
    store.write(books.advance_mark, **_MARK)
    assert len(store.read(books.marks)) == 1


def test_a_reader_sees_only_what_was_committed(store):
    with store.unit_of_work() as connection:
        books.advance_mark(connection, **_MARK)
        assert store.read(books.marks) == {}
    assert len(store.read(books.marks)) == 1


def test_a_reader_cannot_write_on_sqlite(sqlite_store):
    with pytest.raises(OperationalError, match="readonly"):
        sqlite_store.read(books.advance_mark, **_MARK)


def test_a_unit_of_work_inside_another_is_refused_instead_of_waiting_for_ever(sqlite_store):
    with sqlite_store.unit_of_work() as connection:
        books.advance_mark(connection, **_MARK)
        with pytest.raises(NestedUnitOfWorkError), sqlite_store.unit_of_work():
            pass
    assert len(sqlite_store.read(books.marks)) == 1


def test_writers_of_one_file_follow_each_other(sqlite_store):
    sqlite_store.write(_start_counting)
    threads = [threading.Thread(target=_count_up, args=(sqlite_store, 20)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sqlite_store.read(_counted) == 80


def test_two_programs_on_one_file_lose_no_update(sqlite_url):
    with databases.opened(sqlite_url) as first, databases.opened(sqlite_url) as second:
        first.write(_start_counting)
        threads = [threading.Thread(target=_count_up, args=(store, 20)) for store in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert first.read(_counted) == 40


def test_a_database_in_memory_has_one_connection_for_everything():
    with databases.opened("sqlite://") as store:
        store.write(schema.metadata.create_all)
        store.write(books.advance_mark, **_MARK)
        assert len(store.read(books.marks)) == 1


def test_sqlite_is_opened_so_that_a_commit_lasts(sqlite_store):
    sqlite_store.write(engine.check_durability)
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
    with sqlite_store.unit_of_work() as connection:
        found = [connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in pragmas]
    assert found == ["wal", 2, 1, 1]


def test_sqlite_that_forgets_the_last_commits_is_refused(sqlite_store):
    raw = sqlite_store.engine.raw_connection()
    raw.cursor().execute("PRAGMA synchronous=NORMAL")
    raw.close()
    with pytest.raises(WeakDurabilityError, match="FULL"):
        sqlite_store.write(engine.check_durability)


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
def test_postgresql_that_forgets_commits_is_refused(name):
    engine.check_durability(_Server())
    with pytest.raises(WeakDurabilityError, match=f"{name} = off"):
        engine.check_durability(_Server(**{name: "off"}))


def test_postgresql_itself_is_asked_how_it_commits(pg_store):
    def check(connection):
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        engine.check_durability(connection)

    with pytest.raises(WeakDurabilityError, match=r"PostgreSQL runs with \w+ = off; set it to on"):
        pg_store.write(check)


def test_a_deadlock_is_tried_again_from_the_start(pg_store):
    calls = []

    def unlucky(connection):
        calls.append(1)
        books.advance_mark(connection, **_MARK)
        if len(calls) < 3:
            connection.execute(text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$"))
        return len(calls)

    assert pg_store.write(unlucky) == 3
    assert len(pg_store.read(books.marks)) == 1


def test_a_deadlock_that_does_not_end_is_told(pg_store):
    calls = []

    def hopeless(connection):
        calls.append(1)
        connection.execute(text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(DBAPIError):
        pg_store.write(hopeless)
    assert len(calls) == 5


def test_another_error_is_told_at_once(store):
    calls = []

    def wrong(connection):
        calls.append(1)
        connection.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises(DBAPIError):
        store.write(wrong)
    assert len(calls) == 1


def test_a_change_of_the_schema_that_orphans_rows_is_undone(sqlite_store):
    filling.order(sqlite_store)
    with pytest.raises(OrphanRowError, match="legs"), sqlite_store.changing_schema() as connection:
        connection.execute(text("DELETE FROM transactions"))
    assert len(filling.rows(sqlite_store, schema.transactions)) == 1
    with sqlite_store.unit_of_work() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


def test_opening_a_store_opens_nothing(tmp_path):
    path = tmp_path / "none.sqlite3"
    Store(databases.sqlite_url(path)).close()
    assert not path.exists()


def test_a_store_never_shows_its_password():
    store = Store("postgresql+psycopg://rekon:rahasia@127.0.0.1/rekon")
    assert "rahasia" not in f"{store!r} {store.url}"


def _mark_and_stop(connection):
    books.advance_mark(connection, **_MARK)
    raise _StopError


class _Server:
    """Answers SHOW like a PostgreSQL with these settings; the real one of the tests runs without them, for speed."""

    def __init__(self, **settings):
        self._settings = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"} | settings
        self.dialect = SimpleNamespace(name="postgresql")

    def execute(self, statement):
        value = self._settings[str(statement).removeprefix("SHOW ")]
        return SimpleNamespace(scalar_one=lambda: value)


def _start_counting(connection):
    connection.execute(schema.facts_of_life.insert().values(name="count", value="0"))


def _counted(connection):
    return int(connection.execute(text("SELECT value FROM facts_of_life WHERE name = 'count'")).scalar_one())


def _count_up(store, times):
    def once(connection):
        value = str(_counted(connection) + 1)
        connection.execute(schema.facts_of_life.update().values(value=value))

    for _ in range(times):
        store.write(once)
