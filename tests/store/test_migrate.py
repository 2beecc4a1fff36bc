import shutil

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from rekon.store import forbidden_writes, guards, migrate, schema
from rekon.store.engine import OrphanRowError
from rekon.store.migrate import SchemaMismatchError
from tests import builders
from tests.store import databases, filling

MIGRATIONS = databases.MIGRATIONS


@pytest.fixture
def empty(empty_url):
    with databases.opened(empty_url) as store:
        yield store


@pytest.fixture
def steps(tmp_path):
    """Give a copy of the steps that a test may add to or take from."""
    return shutil.copytree(MIGRATIONS, tmp_path / "100% steps", ignore=shutil.ignore_patterns("__pycache__"))


def _add_step(steps, body, *, number="9001"):
    text_ = f'''"""Another step."""
import sqlalchemy as sa
from alembic import op
revision = "{number}"
down_revision = "{migrate.head(steps)}"


def upgrade():
{body}


def downgrade():
    pass
'''
    (steps / "versions" / f"{number}_another.py").write_text(text_, encoding="utf-8")


def test_an_empty_database_is_filled(empty):
    assert migrate.current(empty) is None
    with pytest.raises(SchemaMismatchError, match="no schema yet; run `rekon db upgrade`"):
        migrate.check(empty, MIGRATIONS)
    migrate.upgrade(empty, MIGRATIONS)
    assert migrate.current(empty) == migrate.head(MIGRATIONS)
    migrate.check(empty, MIGRATIONS)
    filling.order(empty)


def test_upgrading_again_changes_nothing(own_store):
    filling.order(own_store)
    migrate.upgrade(own_store, MIGRATIONS)
    assert len(filling.rows(own_store, schema.transactions)) == 1


def test_the_steps_make_exactly_the_tables_of_the_program(store):
    with store.reading() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), schema.metadata) == []


@pytest.fixture
def bare(store, request, tmp_path):
    """Give a store on the same kind of database whose tables the program made without the steps."""
    url = databases.sqlite_url(tmp_path / "bare.sqlite3") if store.is_sqlite else request.getfixturevalue("pg_url")
    with databases.opened(url) as opened:
        opened.write(schema.metadata.create_all)
        yield opened


def test_the_steps_name_every_constraint_and_index_as_the_program_does(store, bare):
    assert store.read(_outline) == bare.read(_outline)


def _outline(connection):
    """Write down every constraint and index; conditions as the database itself shows them."""
    seen = inspect(connection)
    outline = {}
    for table in schema.metadata.tables:
        outline[table] = [
            seen.get_pk_constraint(table),
            sorted(seen.get_foreign_keys(table), key=str),
            sorted(seen.get_unique_constraints(table), key=str),
            sorted(seen.get_check_constraints(table), key=str),
            [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in seen.get_columns(table)
            ],
        ]
    if connection.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        kinds = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%WITHOUT ROWID%'"
        outline["rowid"] = sorted(connection.execute(text(kinds)).scalars())
    else:
        query = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        )
    outline["indexes"] = sorted(tuple(row) for row in connection.execute(text(query)))
    return outline


def test_there_is_a_way_back_and_forth_again(empty):
    migrate.upgrade(empty, MIGRATIONS)
    migrate.downgrade(empty, MIGRATIONS, to="base")
    assert migrate.current(empty) is None
    with empty.reading() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    migrate.upgrade(empty, MIGRATIONS)
    assert forbidden_writes.not_refused(empty) == []


def test_an_older_schema_is_refused_until_it_is_upgraded(own_store):
    migrate.downgrade(own_store, MIGRATIONS, to="0001")
    with pytest.raises(SchemaMismatchError, match=r"at schema 0001, this rekon needs .* run `rekon db upgrade`"):
        migrate.check(own_store, MIGRATIONS)
    migrate.upgrade(own_store, MIGRATIONS)
    migrate.check(own_store, MIGRATIONS)


def test_a_newer_schema_is_refused_and_never_touched(own_store):
    own_store.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    for refused in (migrate.check, migrate.upgrade):
        with pytest.raises(SchemaMismatchError, match="9999, which this rekon does not know"):
            refused(own_store, MIGRATIONS)
    with pytest.raises(SchemaMismatchError):
        migrate.downgrade(own_store, MIGRATIONS, to="base")
    assert migrate.current(own_store) == "9999"


def test_a_step_that_fails_leaves_nothing_behind(own_store, steps):
    before = migrate.current(own_store)
    body = '    op.create_table("half", sa.Column("a", sa.Integer()))\n    op.execute("SELECT * FROM no_such_table")'
    _add_step(steps, body)
    with pytest.raises(DBAPIError):
        migrate.upgrade(own_store, steps)
    assert migrate.current(own_store) == before
    with own_store.reading() as connection:
        assert "half" not in inspect(connection).get_table_names()
    assert own_store.read(guards.missing_guards) == []


def test_a_step_that_rebuilds_a_table_loses_neither_rows_nor_guards(own_store, steps):
    filling.order(own_store)
    body = (
        '    with op.batch_alter_table("observations", recreate="auto") as batch:\n'
        '        batch.add_column(sa.Column("more", sa.Integer()))\n'
        '        batch.alter_column("order_status", type_=sa.String(20))'
    )
    _add_step(steps, body)
    migrate.upgrade(own_store, steps)
    assert own_store.read(guards.missing_guards) == []
    assert forbidden_writes.not_refused(own_store) == []
    assert len(filling.rows(own_store, schema.observations)) == 1


def test_a_step_may_rebuild_a_table_others_point_at(own_store, steps):
    filling.order(own_store)
    body = (
        '    with op.batch_alter_table("transactions") as batch:\n'
        '        batch.alter_column("product", type_=sa.String(256))'
    )
    _add_step(steps, body)
    migrate.upgrade(own_store, steps)
    assert len(filling.rows(own_store, schema.legs)) == 1
    assert filling.orders(own_store, [(builders.build_transaction(), builders.build_leg())]).unchanged == 1


def test_a_step_that_orphans_rows_is_undone(sqlite_store, steps):
    filling.order(sqlite_store)
    _add_step(steps, '    op.execute("DELETE FROM transactions")')
    with pytest.raises(OrphanRowError):
        migrate.upgrade(sqlite_store, steps)
    assert len(filling.rows(sqlite_store, schema.transactions)) == 1
    assert migrate.current(sqlite_store) == migrate.head(MIGRATIONS)


def test_two_newest_steps_are_no_order(steps):
    _add_step(steps, "    pass", number="9001")
    (steps / "versions" / "9002_fork.py").write_text(
        (steps / "versions" / "9001_another.py").read_text(encoding="utf-8").replace('"9001"', '"9002"'),
        encoding="utf-8",
    )
    with pytest.raises(ValueError, match="2 newest steps"):
        migrate.head(steps)


def test_postgresql_gives_up_on_a_table_somebody_holds(pg_store_url, steps):
    fast = (steps / "env.py").read_text(encoding="utf-8").replace('"10s"', '"50ms"')
    (steps / "env.py").write_text(fast, encoding="utf-8")
    _add_step(steps, '    op.add_column("agents", sa.Column("more", sa.Integer()))')
    with databases.opened(pg_store_url) as busy, databases.opened(pg_store_url) as store:
        with busy.unit_of_work() as connection:
            connection.execute(text("LOCK TABLE agents IN ACCESS SHARE MODE"))
            with pytest.raises(DBAPIError, match="lock timeout"):
                migrate.upgrade(store, steps)
        migrate.upgrade(store, steps)
        assert migrate.current(store) == "9001"
