"""Create the schema and change it in numbered steps, on the store's own connection and in one unit of work.

`migrations` is always the folder the numbered steps stand in; `rekon.resources` knows it.
"""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from rekon.store.engine import Store

_UPGRADE = "run `rekon db upgrade`"


class SchemaMismatchError(Exception):
    """The database was made by another version of rekon. The text says what to do."""


def upgrade(store: Store, migrations: Path) -> None:
    """Bring the schema to the newest step and put every guard on. An empty file is filled; safe to call again.

    Raises:
        SchemaMismatchError: the database is newer than this program.
        OrphanRowError: a step left rows that point at nothing; everything is undone.
    """
    found = current(store)
    if found is not None and not _is_known(found, migrations):
        raise SchemaMismatchError(_newer(found, migrations))
    _run(store, migrations, "head", command.upgrade)


def downgrade(store: Store, migrations: Path, *, to: str) -> None:
    """Take the schema back to a step; what later steps keep is lost. `base` leaves no table.

    Raises:
        SchemaMismatchError: the database is newer than this program and does not know the way back.
    """
    found = current(store)
    if found is not None and not _is_known(found, migrations):
        raise SchemaMismatchError(_newer(found, migrations))
    _run(store, migrations, to, command.downgrade)


def current(store: Store) -> str | None:
    """Read the step the database is at; None where there is no table yet."""
    return store.read(_current)


def head(migrations: Path) -> str:
    """Name the newest step this program knows.

    Raises:
        ValueError: when the folder holds no step, or more than one newest.
    """
    heads = ScriptDirectory(str(migrations)).get_heads()
    if len(heads) != 1:
        text = f"{migrations} has {len(heads)} newest steps instead of one"
        raise ValueError(text)
    return heads[0]


def check(store: Store, migrations: Path) -> None:
    """Refuse a database whose schema is not exactly this program's (D10).

    Raises:
        SchemaMismatchError: saying what to do.
    """
    found, wanted = current(store), head(migrations)
    if found == wanted:
        return
    if found is None:
        text = f"the database has no schema yet; {_UPGRADE}"
    elif _is_known(found, migrations):
        text = f"the database is at schema {found}, this rekon needs {wanted}; make a backup, then {_UPGRADE}"
    else:
        text = _newer(found, migrations)
    raise SchemaMismatchError(text)


def _newer(found: str, migrations: Path) -> str:
    return (
        f"the database is at schema {found}, which this rekon does not know (its newest is {head(migrations)}); "
        "install the version of rekon that made it, or restore a backup of before the upgrade"
    )


def _is_known(revision: str, migrations: Path) -> bool:
    return revision in {script.revision for script in ScriptDirectory(str(migrations)).walk_revisions()}


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _run(store: Store, migrations: Path, revision: str, step: Callable[[Config, str], None]) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    with store.changing_schema() as connection:
        config.attributes["connection"] = connection
        step(config, revision)
