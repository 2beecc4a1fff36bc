"""Refunds from request to settlement: unique a (transaction, break kind, sequence), moved only by compare-and-set."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text, update

from rekon.domain.decision import RULE_VERSION, Decision, evidence_digest, stable_id
from rekon.domain.refund import RefundState, check_refund_move, refund_key
from rekon.domain.transaction import Transaction
from rekon.store import schema
from rekon.store.inserts import upsert
from rekon.store.tables_effects import NEEDS_A_PERSON

Row = Mapping[Any, Any]


def request(connection: Connection, transaction: Transaction, decision: Decision, *, now: datetime) -> bool:
    """Write down that a rule asks for a refund. Returns whether it is new."""
    if decision.break_kind is None or decision.amount is None:
        text = "a refund decision names its break and amount"
        raise ValueError(text)
    key = refund_key(transaction.key, decision.break_kind, 1)
    waits = decision.needs_approval
    statement = upsert(connection, schema.refunds).values(
        refund_id=stable_id("ref", key),
        key=key,
        transaction_key=transaction.key,
        break_kind=decision.break_kind,
        sequence=1,
        agent_id=transaction.agent_id,
        source=transaction.source,
        amount=decision.amount,
        state=RefundState.AWAITING_APPROVAL if waits else RefundState.REQUESTED,
        automatic=not waits,
        never_formed=decision.never_formed,
        rule=decision.rule,
        rule_version=RULE_VERSION,
        evidence=list(decision.evidence),
        digest=evidence_digest(decision, transaction=transaction.key),
        reason=decision.reason,
        hold_reason=decision.approval_reason,
        note="",
        gateway_ref="",
        requested_at=now,
        due_at=None if waits else now,
        attempts=0,
        version=0,
    )
    created = statement.on_conflict_do_nothing().returning(schema.refunds.c.refund_id)
    return connection.execute(created).first() is not None


def get(connection: Connection, refund_id: str) -> Row:
    """Read one refund.

    Raises:
        sqlalchemy.exc.NoResultFound: if there is none.
    """
    query = select(schema.refunds).where(schema.refunds.c.refund_id == refund_id).with_for_update()
    return connection.execute(query).mappings().one()


def claim_due(connection: Connection, *, now: datetime, limit: int, lease: str, lease_until: datetime) -> Sequence[Row]:
    """Claim refunds that wait for a step; a crash gives them back when the lease ends."""
    r = schema.refunds.c
    query = select(schema.refunds).where(r.due_at <= now).order_by(r.due_at, r.refund_id).limit(limit)
    found = connection.execute(query.with_for_update(skip_locked=True)).mappings().all()
    if found:
        ids = [row["refund_id"] for row in found]
        connection.execute(update(schema.refunds).where(r.refund_id.in_(ids)).values(due_at=lease_until, lease=lease))
    return found


def move(connection: Connection, row: Row, *, to: RefundState, lease: str | None = None, **values: object) -> bool:
    """Move a refund by compare-and-set on state and version, fenced by the lease (I8, I16).

    Returns whether it was still ours.

    Raises:
        IllegalMoveError: when a refund never goes from that state to this one.
    """
    before = RefundState(row["state"])
    if before is not to:
        check_refund_move(before, to)
    r = schema.refunds.c
    change = update(schema.refunds).where(
        r.refund_id == row["refund_id"], r.state == before.value, r.version == row["version"]
    )
    if lease is not None:
        change = change.where(r.lease == lease)
    change = change.values(state=to, version=row["version"] + 1, lease=None, **values)
    return connection.execute(change.returning(r.refund_id)).first() is not None


def waiting(connection: Connection) -> Sequence[Row]:
    """List refunds that wait for a person, oldest first."""
    r = schema.refunds.c
    query = select(schema.refunds).where(text(NEEDS_A_PERSON)).order_by(r.requested_at, r.refund_id)
    return connection.execute(query).mappings().all()


def listed(connection: Connection, *, state: str | None, limit: int) -> Sequence[Row]:
    """List refunds, newest first."""
    r = schema.refunds.c
    query = select(schema.refunds).order_by(r.requested_at.desc(), r.refund_id).limit(limit)
    if state:
        query = query.where(r.state == state)
    return connection.execute(query).mappings().all()


def hold_lease(connection: Connection, refund_id: str, *, lease: str) -> None:
    """Keep a refund claimed across the commit of its intent: the same worker goes on to send it."""
    r = schema.refunds.c
    connection.execute(update(schema.refunds).where(r.refund_id == refund_id).values(lease=lease))
