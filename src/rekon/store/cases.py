"""Cases (what an agent sees as one problem), their breaks and their chronology."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, text, update

from rekon.domain.breaks import NEXT_BREAK_STATES, BreakKind, BreakState
from rekon.domain.decision import stable_id
from rekon.domain.transaction import Transaction
from rekon.store import schema
from rekon.store.inserts import upsert
from rekon.store.tables_cases import AWAITS_AFTERCARE, IS_UNPLANNED

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NUMBER_LENGTH = 8


def case_number(transaction_key: str) -> str:
    """Derive the number an agent quotes, e.g. `K7Q2M9XB4`, from the purchase itself."""
    value = int.from_bytes(hashlib.sha256(transaction_key.encode()).digest()[:8], "big")
    letters = []
    for _ in range(_NUMBER_LENGTH):
        value, rest = divmod(value, len(_ALPHABET))
        letters.append(_ALPHABET[rest])
    return "K" + "".join(letters)


def _break_id(transaction_key: str, kind: BreakKind) -> str:
    """Derive the id of a purchase's break of one kind."""
    return stable_id("brk", transaction_key, kind.value)


def open_case(connection: Connection, transaction: Transaction, *, now: datetime) -> str:
    """Return the case of a purchase, opening it the first time."""
    case_id = stable_id("case", transaction.key)
    statement = upsert(connection, schema.cases).values(
        case_id=case_id,
        number=case_number(transaction.key),
        transaction_key=transaction.key,
        agent_id=transaction.agent_id,
        state="open",
        felt=False,
        opened_at=now,
        version=0,
    )
    connection.execute(statement.on_conflict_do_nothing())
    return case_id


def add_event(connection: Connection, case_id: str, *, kind: str, text: str, now: datetime) -> None:
    """Append one line to the chronology. The text never holds a full number."""
    connection.execute(insert(schema.case_events).values(case_id=case_id, at=now, kind=kind, text=text))


def open_break(
    connection: Connection,
    transaction: Transaction,
    *,
    kind: BreakKind,
    amount: int | None,
    rule: str,
    note: str,
    ask_staff: bool,
    now: datetime,
) -> bool:
    """Write a break down, once a kind and purchase. Returns whether it is new or newly with staff."""
    case_id = open_case(connection, transaction, now=now)
    b = schema.breaks.c
    state = BreakState.IN_REVIEW if ask_staff else BreakState.OPEN
    statement = upsert(connection, schema.breaks).values(
        break_id=_break_id(transaction.key, kind),
        transaction_key=transaction.key,
        case_id=case_id,
        kind=kind,
        state=state,
        amount=amount,
        note=note,
        rule=rule,
        staff_asked=ask_staff,
        opened_at=now,
        version=0,
    )
    is_new = connection.execute(statement.on_conflict_do_nothing().returning(b.break_id)).first() is not None
    if not is_new and not (
        ask_staff and _hand_to_staff(connection, transaction, kind, amount=amount, note=note, rule=rule)
    ):
        return False
    _open_again(connection, case_id)
    event = "break.staff_asked" if ask_staff else "break.opened"
    add_event(connection, case_id, kind=event, text=f"{kind.value} {rule}", now=now)
    return True


def _open_again(connection: Connection, case_id: str) -> None:
    """Open a resolved or closed case; the aftercare planned for it is planned anew when it is resolved again."""
    c = schema.cases.c
    connection.execute(
        update(schema.cases)
        .where(c.case_id == case_id, c.state != "open")
        .values(state="open", resolved_at=None, aftercare_due_at=None, version=c.version + 1)
    )


def _hand_to_staff(
    connection: Connection, transaction: Transaction, kind: BreakKind, *, amount: int | None, note: str, rule: str
) -> bool:
    b = schema.breaks.c
    change = (
        update(schema.breaks)
        .where(b.break_id == _break_id(transaction.key, kind), b.staff_asked.is_(False), _may_be_reviewed())
        .values(**_in_review(note), amount=amount, rule=rule)
    )
    return connection.execute(change.returning(b.break_id)).first() is not None


def _may_be_reviewed() -> ColumnElement[bool]:
    """A written-off break stays written off: a person accepted that loss."""
    return schema.breaks.c.state != BreakState.WRITTEN_OFF


def _in_review(note: str) -> dict[str, Any]:
    version = schema.breaks.c.version + 1
    return {"state": BreakState.IN_REVIEW, "staff_asked": True, "note": note, "resolved_at": None, "version": version}


def ask_staff(connection: Connection, transaction_key: str, kind: BreakKind, *, note: str, now: datetime) -> None:
    """Put an existing break before a person because an action of ours did not work."""
    b = schema.breaks.c
    change = update(schema.breaks).where(b.break_id == _break_id(transaction_key, kind), _may_be_reviewed())
    case_id = stable_id("case", transaction_key)
    if connection.execute(change.values(**_in_review(note)).returning(b.break_id)).first() is not None:
        _open_again(connection, case_id)
    add_event(connection, case_id, kind="break.staff_asked", text=f"{kind.value} {note}", now=now)


def move_break(connection: Connection, break_id: str, *, to: BreakState, now: datetime) -> bool:
    """Move a break along its state machine by compare-and-set. Returns whether it moved."""
    b = schema.breaks.c
    allowed = [before for before, after in NEXT_BREAK_STATES.items() if to in after]
    closed = to in (BreakState.RESOLVED, BreakState.WRITTEN_OFF)
    change = (
        update(schema.breaks)
        .where(b.break_id == break_id, b.state.in_(allowed))
        .values(state=to, resolved_at=now if closed else None, version=b.version + 1)
    )
    return connection.execute(change.returning(b.break_id)).first() is not None


def resolve(connection: Connection, transaction: Transaction, *, kind: BreakKind, rule: str, now: datetime) -> bool:
    """Close a break, and its case once every break of it is closed."""
    if not move_break(connection, _break_id(transaction.key, kind), to=BreakState.RESOLVED, now=now):
        return False
    case_id = stable_id("case", transaction.key)
    add_event(connection, case_id, kind="break.resolved", text=f"{kind.value} {rule}", now=now)
    close_if_done(connection, case_id, now=now)
    return True


def close_if_done(connection: Connection, case_id: str, *, now: datetime) -> None:
    """Resolve a case without open breaks."""
    b, c = schema.breaks.c, schema.cases.c
    still = (
        select(b.break_id).where(b.case_id == case_id, b.state.in_([BreakState.OPEN, BreakState.IN_REVIEW])).limit(1)
    )
    if connection.execute(still).first() is None:
        connection.execute(
            update(schema.cases)
            .where(c.case_id == case_id, c.state == "open")
            .values(state="resolved", resolved_at=now, version=c.version + 1)
        )


def mark_felt(connection: Connection, case_id: str) -> None:
    """Note that the agent was told: he gets an aftercare message later."""
    connection.execute(update(schema.cases).where(schema.cases.c.case_id == case_id).values(felt=True))


def reopen(connection: Connection, case_id: str, *, reason: str, now: datetime) -> None:
    """Open a case again because the agent said so, and put its breaks before a person."""
    b = schema.breaks.c
    _open_again(connection, case_id)
    change = update(schema.breaks).where(b.case_id == case_id, b.state == BreakState.RESOLVED)
    connection.execute(change.values(**_in_review(reason)))
    add_event(connection, case_id, kind="case.reopened", text=reason, now=now)


def felt_without_aftercare(connection: Connection, *, limit: int) -> list[Mapping[Any, Any]]:
    """Find felt cases that were resolved and have no aftercare planned yet."""
    c, t = schema.cases.c, schema.transactions.c
    query = (
        select(c.case_id, c.agent_id, c.resolved_at, t.family)
        .join(schema.transactions, t.key == c.transaction_key)
        .where(text(IS_UNPLANNED))
        .order_by(c.resolved_at, c.case_id)
        .limit(limit)
    )
    return list(connection.execute(query).mappings())


def due_aftercare(connection: Connection, *, now: datetime, limit: int) -> list[Mapping[Any, Any]]:
    """Find cases whose aftercare is due."""
    c = schema.cases.c
    query = select(schema.cases).where(c.aftercare_due_at <= now, text(AWAITS_AFTERCARE))
    query = query.order_by(c.aftercare_due_at, c.case_id).limit(limit)
    return list(connection.execute(query).mappings())


def plan_aftercare(connection: Connection, case_id: str, *, due_at: datetime) -> None:
    """Plan the aftercare of a resolved case."""
    c = schema.cases.c
    connection.execute(update(schema.cases).where(c.case_id == case_id).values(aftercare_due_at=due_at))


def close(connection: Connection, case_id: str, *, now: datetime) -> None:
    """Close a resolved case for good after its aftercare."""
    c = schema.cases.c
    change = update(schema.cases).where(c.case_id == case_id, c.state == "resolved")
    change = change.values(state="closed", version=c.version + 1)
    if connection.execute(change.returning(c.case_id)).first() is not None:
        add_event(connection, case_id, kind="case.closed", text="Tindak lanjut selesai", now=now)


def recent_aftercare(connection: Connection, agent_id: str, *, since: datetime) -> bool:
    """Say whether this agent had an aftercare message since `since`."""
    m = schema.messages.c
    query = select(m.message_id).where(m.agent_id == agent_id, m.created_at >= since, m.template == "M22").limit(1)
    return connection.execute(query).first() is not None


def numbers(connection: Connection, case_ids: Sequence[str]) -> dict[str, str]:
    """Map case ids to the numbers agents quote."""
    c = schema.cases.c
    return dict(connection.execute(select(c.case_id, c.number).where(c.case_id.in_(case_ids))).all())


AFTERCARE_GAP = timedelta(hours=24)
"""Never two aftercare messages to one agent in this span (rulebook 3.3)."""


def case_of(connection: Connection, transaction_key: str) -> str | None:
    """Find the case of a purchase."""
    c = schema.cases.c
    return connection.execute(select(c.case_id).where(c.transaction_key == transaction_key)).scalar_one_or_none()


def get(connection: Connection, case_id: str) -> Mapping[Any, Any]:
    """Read a case.

    Raises:
        sqlalchemy.exc.NoResultFound: if there is none.
    """
    return connection.execute(select(schema.cases).where(schema.cases.c.case_id == case_id)).mappings().one()


def open_kinds(connection: Connection, case_id: str) -> tuple[BreakKind, ...]:
    """List the kinds of a case's open breaks."""
    b = schema.breaks.c
    query = select(b.kind).where(b.case_id == case_id, b.resolved_at.is_(None)).order_by(b.kind)
    return tuple(BreakKind(kind) for kind in connection.execute(query).scalars())


def purchase(connection: Connection, transaction_key: str) -> Mapping[Any, Any]:
    """Read the purchase a case is about.

    Raises:
        sqlalchemy.exc.NoResultFound: if there is none.
    """
    t = schema.transactions
    return connection.execute(select(t).where(t.c.key == transaction_key)).mappings().one()


def given_back(connection: Connection, transaction_key: str) -> int:
    """Say how much came back for a purchase: our own settled refund, else the server's credits."""
    r, w = schema.refunds.c, schema.wallet_lines.c
    own = select(func.sum(r.amount)).where(r.transaction_key == transaction_key, r.state == "settled")
    settled = connection.execute(own).scalar_one()
    if settled:
        return int(settled)
    lines = select(func.sum(w.amount)).where(w.transaction_key == transaction_key, w.amount > 0, w.kind == "refund")
    return int(connection.execute(lines).scalar_one() or 0)
