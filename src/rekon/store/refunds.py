"""Refunds from request to settlement: unique a (transaction, break kind, sequence), moved only by compare-and-set."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, text, update

from rekon.domain.decision import RULE_VERSION, Decision, evidence_digest, stable_id
from rekon.domain.refund import RefundState, check_refund_move, refund_key
from rekon.domain.transaction import Transaction
from rekon.store import leases, schema
from rekon.store.inserts import upsert
from rekon.store.tables_effects import NEEDS_A_PERSON

Row = Mapping[Any, Any]

_R = schema.refunds.c
_IS_MINE = _R.lease == bindparam("held")
_HELD = (
    select(_R.refund_id, _R.state, _R.version)
    .where(_R.refund_id.in_(bindparam("ids", expanding=True)), _IS_MINE)
    .order_by(_R.refund_id)
    .with_for_update()
)
_MOVE = update(schema.refunds).where(
    _R.refund_id == bindparam("moved"), _R.state == bindparam("before"), _R.version == bindparam("read"), _IS_MINE
)


class OvertakenError(Exception):
    """A refund that this unit of work holds locked was changed by another one. It is a defect; nothing is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One refund's next state. `values` are further columns; a lease among them stays, else the refund is let go."""

    row: Row
    to: RefundState
    values: Mapping[str, object]

    def moved(self) -> Row:
        """Give the row as it stands afterwards."""
        return {**self.row, "lease": None, **self.values, "state": self.to, "version": self.row["version"] + 1}


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


def still_held(connection: Connection, rows: Sequence[Row], *, lease: str) -> list[Row]:
    """Lock those of these refunds that the lease still holds and nobody changed since they were read (I8, I16)."""
    if not rows:
        return []
    found = connection.execute(_HELD, {"ids": [row["refund_id"] for row in rows], "held": lease})
    stored = {refund_id: (state, version) for refund_id, state, version in found}
    return [row for row in rows if stored.get(row["refund_id"]) == (row["state"], row["version"])]


def move_held(connection: Connection, moves: Sequence[Move], *, lease: str) -> None:
    """Move refunds that `still_held` just locked, those that change the same columns in one statement.

    Raises:
        IllegalMoveError: when a refund never goes from its state to the next.
        OvertakenError: when one of them was not ours after all.
    """
    alike: dict[tuple[str, ...], list[dict[str, object]]] = defaultdict(list)
    for one in moves:
        values = _values_of(one, lease=lease)
        alike[tuple(sorted(values))].append(values)
    for rows in alike.values():
        if connection.execute(_MOVE, rows).rowcount != len(rows):
            message = "a refund that was locked changed all the same"
            raise OvertakenError(message)


def _values_of(one: Move, *, lease: str) -> dict[str, object]:
    row, before = one.row, RefundState(one.row["state"])
    if before is not one.to:
        check_refund_move(before, one.to)
    known = {"moved": row["refund_id"], "before": before.value, "read": row["version"], "held": lease}
    return {"lease": None, **one.values, "state": one.to, "version": row["version"] + 1, **known}


def give_back(connection: Connection, rows: Sequence[Row], *, lease: str, now: datetime) -> None:
    """Free refunds that were claimed and not begun."""
    leases.give_back(connection, schema.refunds, [row["refund_id"] for row in rows], lease=lease, now=now)


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
