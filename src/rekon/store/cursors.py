"""How far each file and each database was read: written together with the rows it stands behind."""

from datetime import datetime

from sqlalchemy import Connection, select

from rekon.store import schema
from rekon.store.books import upsert


def find(connection: Connection, name: str) -> str | None:
    """Return where to go on, or None to begin."""
    found = connection.execute(
        select(schema.cursors.c.position).where(schema.cursors.c.name == name)
    ).scalar_one_or_none()
    return None if found is None else str(found)


def keep(connection: Connection, name: str, position: str, *, now: datetime) -> None:
    """Note where to go on."""
    statement = upsert(connection, schema.cursors).values(name=name, position=position, recorded_at=now)
    fresh = {"position": statement.excluded.position, "recorded_at": statement.excluded.recorded_at}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=fresh))
