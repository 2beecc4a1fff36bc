"""The durable inbox of callbacks: stored before the sender hears 2xx, read by CHECK (I13)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, case, exists, select, text, update
from sqlalchemy.sql.dml import ReturningInsert

from rekon.domain.callback import Verdict
from rekon.store import relays, schema
from rekon.store.inserts import upsert_in, wait_turn
from rekon.store.recording import among, by_provider
from rekon.store.relays import Envelope
from rekon.store.tables_books import IS_EARLY, IS_NEW

Row = Mapping[Any, Any]

EARLY_MAX = timedelta(days=7)
"""So long a callback waits for its order; a server that reports later than this has other troubles."""
_EARLY_TURN = "early callbacks"
"""Orders that come in and callbacks that come before them take turns, so that neither passes the other unseen."""


_I = schema.inbox.c
_UNREAD = (
    select(schema.inbox).where(text(IS_NEW)).order_by(_I.id).limit(bindparam("most")).with_for_update(skip_locked=True)
)
_MARK = update(schema.inbox).where(_I.id.in_(bindparam("ids", expanding=True)))
_ANY_EARLY = select(_I.id).where(text(IS_EARLY)).limit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCallback:
    """One callback as it arrived."""

    id: int
    provider: str
    fingerprint: str
    body: bytes
    content_type: str
    verdict: Verdict
    received_at: datetime


def store(
    connection: Connection,
    *,
    provider: str,
    body: bytes,
    content_type: str,
    verdict: Verdict,
    now: datetime,
    envelope: Envelope | None = None,
) -> bool:
    """Keep a verified callback. A repetition is counted, not stored again. Returns whether it is new.

    With an envelope a new one is also kept for the server, in the same unit of work.
    """
    fingerprint = hashlib.sha256(body).hexdigest()
    row = {
        "provider": provider,
        "fingerprint": fingerprint,
        "body": body,
        "content_type": content_type,
        "verdict": verdict,
        "state": "new",
        "ref_id": "",
        "copies": 1,
        "received_at": now,
    }
    identity, copies = connection.execute(_storing(connection.dialect.name), row).one()
    if copies == 1 and envelope is not None:
        relays.keep(connection, identity, envelope, provider=provider, now=now)
    return bool(copies == 1)


@cache
def _storing(dialect: str) -> ReturningInsert[int, int]:
    copies = schema.inbox.c.copies
    statement = upsert_in(dialect, schema.inbox).on_conflict_do_update(
        index_elements=["provider", "fingerprint"], set_={"copies": copies + 1}
    )
    return statement.returning(schema.inbox.c.id, copies)


def unread(connection: Connection, *, limit: int) -> list[StoredCallback]:
    """Read callbacks nobody looked at yet, oldest first."""
    return [
        StoredCallback(
            id=row["id"],
            provider=row["provider"],
            fingerprint=row["fingerprint"],
            body=row["body"],
            content_type=row["content_type"],
            verdict=Verdict(row["verdict"]),
            received_at=row["received_at"],
        )
        for row in connection.execute(_UNREAD, {"most": limit}).mappings()
    ]


def mark_read(connection: Connection, ids: Sequence[int], *, state: str = "read") -> None:
    """Note that these callbacks were looked at."""
    if ids:
        connection.execute(_MARK, {"ids": ids, "state": state})


def keep_early(connection: Connection, identity: int, *, ref_id: str) -> None:
    """Keep a callback that came before its order: providers are often quicker than the server's own report.

    When the order was committed since it was looked for, the callback is simply new again.
    """
    if not ref_id:
        return
    wait_turn(connection, _EARLY_TURN)
    i, legs = schema.inbox.c, schema.legs.c
    has_come = exists().where(legs.provider == i.provider, legs.ref_id == ref_id)
    state = case((has_come, "new"), else_="early")
    connection.execute(update(schema.inbox).where(i.id == identity).values(state=state, ref_id=ref_id))


def close_early(connection: Connection, *, now: datetime, limit: int) -> Sequence[Row]:
    """Close callbacks whose order never came. They stay in the inbox, and say `expired`. Returns id and provider."""
    i = schema.inbox.c
    old = select(i.id, i.provider).where(text(IS_EARLY), i.received_at <= now - EARLY_MAX)
    found = connection.execute(old.order_by(i.received_at, i.id).limit(limit)).mappings().all()
    mark_read(connection, [row["id"] for row in found], state="expired")
    return found


def wake(connection: Connection, refs: Sequence[tuple[str, str]]) -> None:
    """Have callbacks read again whose orders came in now: (provider, reference) pairs."""
    wait_turn(connection, _EARLY_TURN)
    i = schema.inbox.c
    if connection.execute(_ANY_EARLY).first() is None:
        return
    for provider, ids in by_provider(refs):
        mine = (i.provider == provider) & among(connection, i.ref_id, ids)
        connection.execute(update(schema.inbox).where(text(IS_EARLY), mine).values(state="new"))
