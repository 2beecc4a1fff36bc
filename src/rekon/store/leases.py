"""Give claimed rows back at once after a restart: on one SQLite file nobody else can still hold them."""

from datetime import datetime

from sqlalchemy import Connection, update

from rekon.store import schema

_LEASED = (schema.schedule, schema.refunds, schema.order_results, schema.vouchers, schema.messages)


def release_all(connection: Connection, now: datetime) -> None:
    """Free every lease and make its row due now. Only the one daemon of a SQLite file may do this."""
    for table in _LEASED:
        connection.execute(update(table).where(table.c.lease.is_not(None)).values(lease=None, due_at=now))
