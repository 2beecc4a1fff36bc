"""People's decisions about money: each with its audit row and its effect in one unit of work (I17, I20).

A function that raises `NotAllowedError` may have written already: its caller lets the unit of work roll back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import IntegrityError

from rekon.domain import approval, ledger
from rekon.domain.approval import NotAllowedError, Person, Question, Refusal, Role, Said, Word
from rekon.domain.breaks import BreakKind
from rekon.domain.policy import Policy
from rekon.domain.refund import RefundState
from rekon.store import audit as audit_rows
from rekon.store import cases, evaluations, journal, limits, refunds, schema, staff
from rekon.store.tables_books import IS_OURS

Row = Mapping[Any, Any]

_ABOUT_UNKNOWN = frozenset({Word.SETTLED, Word.FAILED})
_RESUME_AGREED = "halt.resume_agreed"
_MADE_BY_STAFF = ("refund.requested", "refund.edited")
"""Audit words of whoever asked for a refund or changed its amount; that person cannot be its checker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a person's word changed. `missing` says in Indonesian who has to agree too; empty when nobody."""

    refund_id: str
    state: RefundState
    amount: int
    digest: str
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One person's word about one refund. `seen_digest` is the beginning of the digest he was shown, if any."""

    refund_id: str
    person: Person
    word: Word
    reason: str = ""
    seen_digest: str | None = None


def person_of(row: Row) -> Person:
    """Read a member of staff."""
    return Person(staff_id=row["staff_id"], name=row["name"], role=Role(row["role"]), active=bool(row["active"]))


def find_person(connection: Connection, token: str) -> Person | None:
    """Find the person a personal token belongs to, also one whose access was taken away."""
    query = select(schema.staff).where(schema.staff.c.token_hash == staff.token_hash(token))
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else person_of(row)


def count_approvers(connection: Connection) -> int:
    """Count active staff who may agree to refunds."""
    s = schema.staff.c
    wanted = select(func.count()).where(s.active.is_(True), s.role.in_([Role.BILLING, Role.SUPERVISOR]))
    return connection.execute(wanted).scalar_one()


def question_of(connection: Connection, row: Row) -> Question:
    """Put a refund before people, with everything they said about it."""
    return Question(
        state=RefundState(row["state"]),
        amount=row["amount"],
        digest=row["digest"],
        makers=_makers(connection, row["refund_id"]),
        said=(*_approvals(connection, row["refund_id"]), *_agreed(connection, staff.SETTLE_AGREED, row["refund_id"])),
    )


def take(connection: Connection, ballot: Ballot, *, policy: Policy, now: datetime) -> Decided:
    """Take a person's word about a refund: APPROVE or REJECT while it waits, SETTLED or FAILED while it is UNKNOWN.

    With enough approvals the refund is APPROVED and due now; ACT compares the digest again before money moves. What
    supervisors say of an UNKNOWN one is posted in the journal.

    Raises:
        NotAllowedError: when the person may not say this, or somebody changed the refund meanwhile.
        sqlalchemy.exc.NoResultFound: when there is no such refund.
    """
    row = refunds.get(connection, ballot.refund_id)
    _allow(connection, row, ballot, now=now)
    if ballot.word in _ABOUT_UNKNOWN:
        return _settle(connection, row, ballot, policy=policy, now=now)
    _record(connection, row, ballot, now=now)
    if ballot.word is Word.REJECT:
        return _reject(connection, row, ballot, now=now)
    return _approve(connection, row, ballot, policy=policy, now=now)


def _allow(connection: Connection, row: Row, ballot: Ballot, *, now: datetime) -> None:
    person = ballot.person
    refusal = approval.refuse(
        question_of(connection, row),
        person,
        ballot.word,
        seen_digest=ballot.seen_digest,
        reason=ballot.reason,
        approved_today=_approved_since(connection, person.staff_id, now - approval.VALID_FOR),
        now=now,
    )
    if refusal is None and ballot.word is Word.FAILED and _money_was_seen(connection, row["key"]):
        refusal = Refusal.MONEY_SEEN
    if refusal is not None:
        raise NotAllowedError(refusal)


def _record(connection: Connection, row: Row, ballot: Ballot, *, now: datetime) -> None:
    try:
        staff.record_decision(
            connection,
            refund_id=row["refund_id"],
            staff_id=ballot.person.staff_id,
            decision=ballot.word,
            reason=ballot.reason,
            digest=row["digest"],
            now=now,
        )
    except IntegrityError as error:
        raise NotAllowedError(Refusal.ALREADY) from error
    _audit(connection, row, ballot, what=f"refund.{ballot.word}", now=now)


def _audit(connection: Connection, row: Row, ballot: Ballot, *, what: str, now: datetime) -> None:
    detail = {
        "staff_id": ballot.person.staff_id,
        "word": ballot.word,
        "amount": row["amount"],
        "digest": row["digest"],
        "reason": ballot.reason,
    }
    audit(connection, who=ballot.person.name, what=what, about=row["refund_id"], detail=detail, now=now)


def _approve(connection: Connection, row: Row, ballot: Ballot, *, policy: Policy, now: datetime) -> Decided:
    question = question_of(connection, row)
    done = approval.is_enough(question, Word.APPROVE, policy=policy, now=now)
    to = RefundState.APPROVED if done else RefundState.AWAITING_APPROVAL
    _move(connection, row, to=to, due_at=now if done else None)
    _tell_case(connection, row, kind="refund.approved", text=f"Disetujui {ballot.person.name}", now=now)
    return _decided(row, to, missing=approval.still_missing(question, policy=policy, now=now))


def _reject(connection: Connection, row: Row, ballot: Ballot, *, now: datetime) -> Decided:
    """The break stays before a person: the agent's money is still out, and only the remedy was refused."""
    note = f"Pengembalian ditolak {ballot.person.name}: {ballot.reason}"
    _move(connection, row, to=RefundState.REJECTED, due_at=None, note=note[:400])
    _ask_staff(connection, row, note=note, now=now)
    return _decided(row, RefundState.REJECTED)


def _settle(connection: Connection, row: Row, ballot: Ballot, *, policy: Policy, now: datetime) -> Decided:
    """Take a supervisor's word on an UNKNOWN refund. It stands in the audit; above the limit two must say the same."""
    _audit(connection, row, ballot, what=staff.SETTLE_AGREED, now=now)
    question = question_of(connection, row)
    if not approval.is_enough(question, ballot.word, policy=policy, now=now):
        _move(connection, row, to=RefundState.UNKNOWN, due_at=None)
        return _decided(row, RefundState.UNKNOWN, missing="seorang penyelia lain")
    note = f"Ditetapkan {ballot.person.name}: {ballot.reason}"
    if ballot.word is Word.SETTLED:
        return _mark_settled(connection, row, note=note, now=now)
    return _mark_failed(connection, row, note=note, now=now)


def _mark_settled(connection: Connection, row: Row, *, note: str, now: datetime) -> Decided:
    _move(connection, row, to=RefundState.SETTLED, due_at=None, settled_at=now, note=note[:400])
    journal.post(connection, ledger.refund_settled(row["key"], amount=row["amount"], at=now), now=now)
    _tell_case(connection, row, kind="refund.settled", text=note, now=now)
    return _decided(row, RefundState.SETTLED)


def _mark_failed(connection: Connection, row: Row, *, note: str, now: datetime) -> Decided:
    """Take the submission back by a reversing entry and put the break before a person."""
    _move(connection, row, to=RefundState.FAILED, due_at=None, note=note[:400])
    account = journal.debit_account(connection, f"{row['key']}:submitted")
    provider = "" if account == "own_errors" else account.removeprefix("recoverable:")
    entry = ledger.refund_failed(row["key"], provider=provider, amount=row["amount"], at=now)
    journal.post(connection, entry, now=now)
    _ask_staff(connection, row, note=note, now=now)
    return _decided(row, RefundState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What agreeing to lift a HALT did. `missing` says in Indonesian who has to agree too."""

    scope: str
    reason: str
    lifted: bool
    missing: str = ""


def agree_to_resume(connection: Connection, *, scope: str, person: Person, now: datetime) -> Resumed:
    """Take a supervisor's word that automatic money may move again; two different ones lift the HALT.

    Raises:
        NotAllowedError: when nothing is halted, or the person may not say this.
    """
    halt = find_halt(connection, scope)
    if halt is None:
        raise NotAllowedError(Refusal.NOT_HALTED)
    identity = halt["opened_at"].isoformat()
    refusal = approval.refuse_resume(person, agreed=_agreed(connection, _RESUME_AGREED, scope), halt=identity, now=now)
    if refusal is not None:
        raise NotAllowedError(refusal)
    detail = {"staff_id": person.staff_id, "word": Word.RESUME, "digest": identity, "reason": ""}
    audit(connection, who=person.name, what=_RESUME_AGREED, about=scope, detail=detail, now=now)
    agreed = _agreed(connection, _RESUME_AGREED, scope)
    lifted = approval.may_resume(agreed=agreed, halt=identity, now=now) and limits.resume(connection, scope=scope)
    if lifted:
        audit(connection, who=person.name, what="halt.lifted", about=scope, detail={"reason": halt["reason"]}, now=now)
    missing = "" if lifted else "seorang penyelia lain"
    return Resumed(scope=scope, reason=halt["reason"], lifted=lifted, missing=missing)


def find_halt(connection: Connection, scope: str) -> Row | None:
    """Find the HALT of a scope."""
    query = select(schema.halts).where(schema.halts.c.scope == scope)
    return connection.execute(query).mappings().one_or_none()


def list_halts(connection: Connection) -> Sequence[Row]:
    """List every HALT that stands, the oldest first."""
    h = schema.halts.c
    return connection.execute(select(schema.halts).order_by(h.opened_at, h.scope)).mappings().all()


def audit(connection: Connection, *, who: str, what: str, about: str, detail: Mapping[str, Any], now: datetime) -> None:
    """Write down in the caller's unit of work who did what (I20)."""
    audit_rows.record(connection, who=who, what=what, about=about, detail=detail, now=now)


def _makers(connection: Connection, refund_id: str) -> frozenset[str]:
    a = schema.audit.c
    query = select(a.detail).where(a.what.in_(_MADE_BY_STAFF), a.about == refund_id)
    return frozenset(str(detail.get("staff_id", "")) for detail in connection.execute(query).scalars()) - {""}


def _approvals(connection: Connection, refund_id: str) -> Sequence[Said]:
    a = schema.approvals
    query = select(schema.staff, a.c.decision, a.c.digest, a.c.at).join(a, a.c.staff_id == schema.staff.c.staff_id)
    rows = connection.execute(query.where(a.c.refund_id == refund_id).order_by(a.c.id)).mappings()
    return [Said(person=person_of(row), word=Word(row["decision"]), digest=row["digest"], at=row["at"]) for row in rows]


def _agreed(connection: Connection, what: str, about: str) -> Sequence[Said]:
    """Read words that stand in the audit: each is there once and cannot be changed."""
    a = schema.audit.c
    query = select(a.detail, a.at).where(a.what == what, a.about == about).order_by(a.id)
    rows = connection.execute(query).mappings().all()
    people = _people(connection, {str(row["detail"]["staff_id"]) for row in rows})
    return [
        Said(
            person=people[row["detail"]["staff_id"]],
            word=Word(row["detail"]["word"]),
            digest=row["detail"]["digest"],
            at=row["at"],
        )
        for row in rows
    ]


def _people(connection: Connection, ids: set[str]) -> dict[str, Person]:
    query = select(schema.staff).where(schema.staff.c.staff_id.in_(ids))
    return {row["staff_id"]: person_of(row) for row in connection.execute(query).mappings()}


def _approved_since(connection: Connection, staff_id: str, since: datetime) -> int:
    a, r = schema.approvals.c, schema.refunds.c
    query = (
        select(func.coalesce(func.sum(r.amount), 0))
        .join(schema.approvals, a.refund_id == r.refund_id)
        .where(a.staff_id == staff_id, a.decision == Word.APPROVE, a.at > since)
    )
    return int(connection.execute(query).scalar_one())


def _money_was_seen(connection: Connection, key: str) -> bool:
    w = schema.wallet_lines.c
    query = select(w.key).where(w.reference == key, text(IS_OURS)).limit(1)
    return connection.execute(query).first() is not None


def _move(connection: Connection, row: Row, *, to: RefundState, **values: object) -> None:
    """Move by compare-and-set; losing it means that the person decided about something that is no longer there."""
    if not refunds.move(connection, row, to=to, lease=None, **values):
        raise NotAllowedError(Refusal.CHANGED)


def _ask_staff(connection: Connection, row: Row, *, note: str, now: datetime) -> None:
    if cases.case_of(connection, row["transaction_key"]) is not None:
        cases.ask_staff(connection, row["transaction_key"], BreakKind(row["break_kind"]), note=note, now=now)
    evaluations.touch(connection, [row["transaction_key"]], due_at=now)


def _tell_case(connection: Connection, row: Row, *, kind: str, text: str, now: datetime) -> None:
    case_id = cases.case_of(connection, row["transaction_key"])
    if case_id is not None:
        cases.add_event(connection, case_id, kind=kind, text=text, now=now)
    evaluations.touch(connection, [row["transaction_key"]], due_at=now)


def _decided(row: Row, state: RefundState, *, missing: str = "") -> Decided:
    return Decided(refund_id=row["refund_id"], state=state, amount=row["amount"], digest=row["digest"], missing=missing)
