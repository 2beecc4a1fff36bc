"""Give claimed rows back at once after a restart: on one SQLite file nobody else can still hold them."""

from datetime import datetime

from sqlalchemy import Connection, update

from rekon.store import schema

_LEASED = (schema.schedule, schema.refunds, schema.order_results, schema.vouchers, schema.messages)


def release_all(connection: Connection, now: datetime) -> None:
    """Free every lease and make its row due now. On PostgreSQL others may hold them, and nothing happens."""
    if connection.dialect.name != "sqlite":
        return
    for table in _LEASED:
        held = table.c.due_at.is_not(None) & table.c.lease.is_not(None)
        connection.execute(update(table).where(held).values(lease=None, due_at=now))
