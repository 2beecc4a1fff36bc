"""The durable inbox of callbacks: stored before the sender hears 2xx, read by CHECK (I13)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from rekon.domain.callback import Verdict
from rekon.store import schema
from rekon.store.books import upsert


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
    connection: Connection, *, provider: str, body: bytes, content_type: str, verdict: Verdict, now: datetime
) -> bool:
    """Keep a verified callback. A repetition is counted, not stored again. Returns whether it is new."""
    fingerprint = hashlib.sha256(body).hexdigest()
    statement = upsert(connection, schema.inbox).values(
        provider=provider,
        fingerprint=fingerprint,
        body=body,
        content_type=content_type[:100],
        verdict=verdict,
        state="new",
        copies=1,
        received_at=now,
    )
    statement = statement.on_conflict_do_update(
        index_elements=["provider", "fingerprint"], set_={"copies": schema.inbox.c.copies + 1}
    )
    return bool(connection.execute(statement.returning(schema.inbox.c.copies)).scalar_one() == 1)


def unread(connection: Connection, *, limit: int) -> list[StoredCallback]:
    """Read callbacks nobody looked at yet, oldest first."""
    i = schema.inbox.c
    query = select(schema.inbox).where(i.state == "new").order_by(i.id).limit(limit).with_for_update(skip_locked=True)
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
        for row in connection.execute(query).mappings()
    ]


def mark_read(connection: Connection, ids: Sequence[int], *, state: str = "read") -> None:
    """Note that these callbacks were looked at."""
    if ids:
        connection.execute(update(schema.inbox).where(schema.inbox.c.id.in_(ids)).values(state=state))


def has_unread(connection: Connection) -> bool:
    """Say whether a callback waits."""
    query = select(schema.inbox.c.id).where(schema.inbox.c.state == "new").limit(1)
    return connection.execute(query).first() is not None
