import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from rekon.domain import ledger
from rekon.store import forbidden_writes, guards, journal, schema
from tests import builders
from tests.store import databases, filling

KEY = "refund:toko:T1001:B01:1"


@pytest.fixture
def posted(store):
    entry = ledger.refund_submitted(KEY, provider="iak", amount=50_600, at=builders.T0)
    store.write(journal.post, entry, now=builders.T0)
    return store


def _run(store, statement):
    return store.write(lambda connection: connection.execute(text(statement)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal_entries SET description = 'x'",
        "UPDATE postings SET amount = 1",
        "UPDATE postings SET amount = amount",
        "DELETE FROM postings",
        "DELETE FROM postings WHERE id = 1",
    ],
)
def test_the_journal_refuses_every_change(posted, statement):
    with pytest.raises(DBAPIError, match="append-only"):
        _run(posted, statement)
    assert [row["amount"] for row in filling.rows(posted, schema.postings)] == [50_600, 50_600]


@pytest.mark.parametrize("table", [table.name for table in schema.APPEND_ONLY])
def test_postgresql_refuses_to_empty_a_table(pg_store, table):
    with pytest.raises(DBAPIError, match="append-only"):
        _run(pg_store, f"TRUNCATE {table} CASCADE")


def test_sqlite_refuses_a_replacement_too(sqlite_store):
    filling.order(sqlite_store)
    row = filling.one(sqlite_store, schema.observations)
    statement = schema.observations.insert().prefix_with("OR REPLACE").values({**row, "order_status": "success"})
    with pytest.raises(IntegrityError, match="append-only"):
        sqlite_store.write(lambda connection: connection.execute(statement))
    assert filling.one(sqlite_store, schema.observations)["order_status"] == "failed"


def test_no_guard_is_missing_after_the_migrations(store):
    assert store.read(guards.missing_guards) == []


def test_every_append_only_table_really_refuses(store):
    assert forbidden_writes.not_refused(store) == []


def test_trying_leaves_nothing_behind(store):
    forbidden_writes.not_refused(store)
    assert [table.name for table in schema.APPEND_ONLY if filling.rows(store, table)] == []


def _drop(store, table):
    names = [f"guard_{table}_update", f"guard_{table}_delete"] if store.is_sqlite else [f"guard_{table}"]
    for name in names:
        _run(store, f"DROP TRIGGER {name}" + ("" if store.is_sqlite else f" ON {table}"))
    return names


def test_a_dropped_guard_is_missed_and_its_table_gives_way(own_store):
    names = _drop(own_store, "postings")
    assert own_store.read(guards.missing_guards) == names
    assert forbidden_writes.not_refused(own_store) == [("postings", "UPDATE"), ("postings", "DELETE")]


def test_a_guard_can_be_put_on_again(own_store):
    _drop(own_store, "postings")
    own_store.write(guards.install_guards)
    own_store.write(guards.install_guards)
    assert forbidden_writes.not_refused(own_store) == []


def test_a_guard_that_was_emptied_is_not_taken_for_one(own_store):
    if own_store.is_sqlite:
        _run(own_store, "DROP TRIGGER guard_audit_update")
        _run(own_store, "CREATE TRIGGER guard_audit_update BEFORE UPDATE ON audit BEGIN SELECT 1; END")
        wanted = [("audit", "UPDATE")]
    else:
        _run(own_store, "ALTER TABLE audit DISABLE TRIGGER guard_audit")
        wanted = [("audit", "UPDATE"), ("audit", "DELETE")]
    assert forbidden_writes.not_refused(own_store) == wanted
    own_store.write(guards.install_guards)
    assert forbidden_writes.not_refused(own_store) == []


def test_a_guard_switched_off_is_a_missing_guard(pg_store_url):
    with databases.opened(pg_store_url) as store, store.unit_of_work() as connection:
        connection.execute(text("ALTER TABLE audit DISABLE TRIGGER guard_audit"))
        assert guards.missing_guards(connection) == ["guard_audit"]
