"""Give claimed rows back before their lease ends: those nobody got to, and all of them after a restart on SQLite."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, Table, update

from rekon.domain.polling import RESEND_GAP
from rekon.store import schema

_LEASED = (
    schema.schedule,
    schema.refunds,
    schema.order_results,
    schema.vouchers,
    schema.messages,
    schema.relay_queue,
)


def release_all(connection: Connection, now: datetime, *, resent: Collection[str] = ()) -> None:
    """Free every lease and make its row due now. On PostgreSQL others may hold them, and nothing happens.

    A leg of a provider in `resent`, whose check is the purchase sent again, may have been asked about just before the
    restart: it waits the whole gap.
    """
    if connection.dialect.name != "sqlite":
        return
    s = schema.schedule.c
    careful = s.lease.is_not(None) & s.provider.in_(sorted(resent))
    connection.execute(update(schema.schedule).where(careful).values(lease=None, due_at=now + RESEND_GAP))
    for table in _LEASED:
        held = table.c.due_at.is_not(None) & table.c.lease.is_not(None)
        connection.execute(update(table).where(held).values(lease=None, due_at=now))


def give_back(connection: Connection, table: Table, keys: Sequence[str], *, lease: str, now: datetime) -> None:
    """Free rows that were claimed and not begun. They stand behind what is due already, so that none waits for ever."""
    (key,) = table.primary_key
    mine = key.in_(keys) & (table.c.lease == lease)
    if keys:
        connection.execute(update(table).where(mine).values(lease=None, due_at=now))
