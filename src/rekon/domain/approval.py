"""Who may agree to money, and when enough people did (rulebook 3.9, reliability 9).

An approval is one person's word about one digest: the amount and the evidence as they were. A word that is older than
24 hours, about another digest, or of somebody who lost access no longer counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from rekon.domain.policy import Policy
from rekon.domain.refund import RefundState

VALID_FOR = timedelta(hours=24)
"""An approval counts this long, and an approver's daily cap looks back as far."""
DAY_MAX = 10_000_000
"""The most one person may approve in that time, whole rupiah."""


class Role(StrEnum):
    """What a member of staff may do."""

    BILLING = "staf_billing"
    """Agrees alone up to `one_approver_max`; above that as one of two."""
    SUPERVISOR = "penyelia"
    """As billing, and the second person above the limit; settles unknown refunds, resumes after a HALT."""
    TECHNICAL = "teknis"
    """Looks after incidents; no money."""
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""


class Word(StrEnum):
    """What a person says about a refund."""

    APPROVE = "approve"
    REJECT = "reject"
    SETTLED = "settled"
    """An unknown refund did reach the agent."""
    FAILED = "failed"
    """An unknown refund did not reach the agent."""
    RESUME = "resume"
    """Automatic money may move again."""


class Refusal(StrEnum):
    """Why a person's word is not taken. The value is the CLI's one-word reason."""

    DISABLED = "disabled"
    ROLE = "role"
    MAKER = "maker"
    NOT_WAITING = "not_waiting"
    CHANGED = "changed"
    ALREADY = "already_decided"
    DAY_CAP = "daily_cap"
    NO_REASON = "no_reason"
    MONEY_SEEN = "money_seen"
    NOT_HALTED = "not_halted"


REFUSAL_TEXTS: dict[Refusal, str] = {
    Refusal.DISABLED: "akses petugas ini sudah dicabut; minta petugas lain",
    Refusal.ROLE: "peran petugas ini tidak boleh memutuskan hal ini; minta staf_billing atau penyelia",
    Refusal.MAKER: "petugas ini ikut membuat atau mengubah pengajuan, jadi orang lain yang harus memutuskan",
    Refusal.NOT_WAITING: "pengembalian ini tidak sedang menunggu keputusan itu; lihat `rekon refunds show`",
    Refusal.CHANGED: "jumlah atau buktinya sudah berubah; baca lagi dengan `rekon refunds show`, lalu putuskan",
    Refusal.ALREADY: "petugas ini sudah memutuskan; untuk selebihnya perlu orang lain",
    Refusal.DAY_CAP: "batas persetujuan petugas ini dalam 24 jam terlampaui; minta petugas lain",
    Refusal.NO_REASON: "alasan wajib diisi (`--reason`)",
    Refusal.MONEY_SEEN: "mutasi dengan kunci pengembalian ini sudah tercatat di saldo agen, jadi bukan gagal",
    Refusal.NOT_HALTED: "tidak ada penghentian yang berlaku",
}

_DECIDES_MONEY = frozenset({Role.BILLING, Role.SUPERVISOR})
_SUPERVISES = frozenset({Role.SUPERVISOR})
_WAITS_FOR = {
    Word.APPROVE: RefundState.AWAITING_APPROVAL,
    Word.REJECT: RefundState.AWAITING_APPROVAL,
    Word.SETTLED: RefundState.UNKNOWN,
    Word.FAILED: RefundState.UNKNOWN,
}
_MAY_SAY = {
    Word.APPROVE: _DECIDES_MONEY,
    Word.REJECT: _DECIDES_MONEY,
    Word.SETTLED: _SUPERVISES,
    Word.FAILED: _SUPERVISES,
}


class NotAllowedError(Exception):
    """A person's word was not taken; nothing changed. `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member of staff as the books know him now."""

    staff_id: str
    name: str
    role: Role
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One person's word. Role and access are today's, so whoever lost them no longer counts."""

    person: Person
    word: Word
    digest: str
    """What the word is about: a refund's digest, or the identity of a HALT."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A refund before people: what they say is bound to `digest`."""

    state: RefundState
    amount: int
    digest: str
    makers: frozenset[str] = frozenset()
    """Staff who asked for it or last edited its amount. A rule's own request has none."""
    said: Sequence[Said] = field(default=())


def refuse(
    question: Question,
    person: Person,
    word: Word,
    *,
    seen_digest: str | None,
    reason: str,
    approved_today: int,
    now: datetime,
) -> Refusal | None:
    """Say why this person may not say this word now, or None.

    `seen_digest` is the beginning of the digest the person was shown, None when nothing was shown. `approved_today`
    is what the person approved since `now - VALID_FOR`, whole rupiah.
    """
    unfit = _unfit(question, person, word)
    if unfit is not None:
        return unfit
    if question.state is not _WAITS_FOR[word]:
        return Refusal.NOT_WAITING
    if seen_digest is not None and not (seen_digest and question.digest.startswith(seen_digest)):
        return Refusal.CHANGED
    if any(one.person.staff_id == person.staff_id for one in counting(question, word, now=now)):
        return Refusal.ALREADY
    if word is not Word.APPROVE and not reason.strip():
        return Refusal.NO_REASON
    if word is Word.APPROVE and approved_today + question.amount > DAY_MAX:
        return Refusal.DAY_CAP
    return None


def _unfit(question: Question, person: Person, word: Word) -> Refusal | None:
    """Say why this person may never say this word about this refund."""
    if not person.active:
        return Refusal.DISABLED
    if person.role not in _MAY_SAY[word]:
        return Refusal.ROLE
    return Refusal.MAKER if person.staff_id in question.makers else None


def counting(question: Question, word: Word, *, now: datetime) -> tuple[Said, ...]:
    """List the words that still count: this very word and digest, at most a day old, of people who may say it."""
    return tuple(
        one
        for one in question.said
        if one.word is word
        and one.digest == question.digest
        and now - one.at < VALID_FOR
        and _unfit(question, one.person, word) is None
    )


def is_enough(question: Question, word: Word, *, policy: Policy, now: datetime) -> bool:
    """Say whether this word is now decided. A refusal moves no money, so one person is enough for it.

    Up to `policy.one_approver_max` one person; above it two different people, one of them a supervisor.
    """
    people = {one.person.staff_id: one.person.role for one in counting(question, word, now=now)}
    if word is Word.REJECT or question.amount <= policy.one_approver_max:
        return bool(people)
    return len(people) > 1 and Role.SUPERVISOR in people.values()


def still_missing(question: Question, *, policy: Policy, now: datetime) -> str:
    """Say in Indonesian whose approval is still missing; empty when nobody's is."""
    if is_enough(question, Word.APPROVE, policy=policy, now=now):
        return ""
    agreed = counting(question, Word.APPROVE, now=now)
    if question.amount <= policy.one_approver_max:
        return "satu petugas (staf_billing atau penyelia)"
    if not agreed:
        return "dua petugas berbeda, salah satunya penyelia"
    if any(one.person.role is Role.SUPERVISOR for one in agreed):
        return "satu petugas lain (staf_billing atau penyelia)"
    return "seorang penyelia"


def refuse_resume(person: Person, *, agreed: Sequence[Said], halt: str, now: datetime) -> Refusal | None:
    """Say why this person may not help to lift a HALT, or None. `halt` is the identity of this very halt."""
    if not person.active:
        return Refusal.DISABLED
    if person.role is not Role.SUPERVISOR:
        return Refusal.ROLE
    if person.staff_id in _agreed_to(agreed, halt=halt, now=now):
        return Refusal.ALREADY
    return None


def refuse_reconcile(person: Person, *, reason: str) -> Refusal | None:
    """Say why this person may not declare restored books reconciled, or None."""
    if not person.active:
        return Refusal.DISABLED
    if person.role not in _SUPERVISES:
        return Refusal.ROLE
    return None if reason.strip() else Refusal.NO_REASON


def may_resume(*, agreed: Sequence[Said], halt: str, now: datetime) -> bool:
    """Say whether two different supervisors agreed to lift this very halt within a day."""
    return len(_agreed_to(agreed, halt=halt, now=now)) > 1


def _agreed_to(agreed: Sequence[Said], *, halt: str, now: datetime) -> frozenset[str]:
    return frozenset(
        one.person.staff_id
        for one in agreed
        if one.digest == halt and now - one.at < VALID_FOR and one.person.active and one.person.role is Role.SUPERVISOR
    )
