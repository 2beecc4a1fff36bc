"""Staff, their personal tokens and their approvals. Only hashes of tokens are kept."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from rekon.domain.decision import stable_id
from rekon.store import schema

Row = Mapping[Any, Any]

SETTLE_AGREED = "refund.settle_agreed"
"""Audit word of a supervisor who says what became of an UNKNOWN refund."""


def token_hash(token: str) -> str:
    """Hash a personal token. Tokens are 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def add(connection: Connection, *, name: str, role: str, token: str, now: datetime) -> str:
    """Add a member of staff.

    Raises:
        sqlalchemy.exc.IntegrityError: if the name is taken.
    """
    staff_id = stable_id("stf", name.lower())
    statement = insert(schema.staff).values(
        staff_id=staff_id, name=name, role=role, token_hash=token_hash(token), active=True, added_at=now
    )
    connection.execute(statement)
    return staff_id


def disable(connection: Connection, name: str) -> bool:
    """Take a member of staff's access away."""
    s = schema.staff.c
    change = update(schema.staff).where(s.name == name, s.active.is_(True)).values(active=False)
    return connection.execute(change.returning(s.staff_id)).first() is not None


def listed(connection: Connection) -> list[Row]:
    """List staff by name."""
    s = schema.staff.c
    return list(connection.execute(select(s.name, s.role, s.active, s.added_at).order_by(s.name)).mappings())


def record_decision(
    connection: Connection, *, refund_id: str, staff_id: str, decision: str, reason: str, digest: str, now: datetime
) -> None:
    """Append one person's decision.

    Raises:
        sqlalchemy.exc.IntegrityError: if this person decided about this refund on this evidence before.
    """
    statement = insert(schema.approvals).values(
        refund_id=refund_id, staff_id=staff_id, decision=decision, reason=reason, digest=digest, at=now
    )
    connection.execute(statement)
