"""How money goes back once it is proved that it should: who pays decides the road (design 2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rekon.domain.breaks import BreakKind, Mode
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts
from rekon.domain.money import Money
from rekon.domain.refund import COUNTS_AS_CREDIT
from rekon.domain.transaction import ChargedAccount, OrderStatus, RefundOwner

_LOOKS = (
    (timedelta(minutes=10), timedelta(seconds=2)),
    (timedelta(hours=24), timedelta(seconds=30)),
)
"""How often books that are not fresh yet are looked at, by how long they have been awaited."""
_RARE_LOOK = timedelta(minutes=30)
_DISAGREES = {
    OrderStatus.REFUNDED: (
        "remedy.refund_not_seen",
        "Server mencatat order sudah dikembalikan, tetapi kreditnya tidak ada di mutasi saldo.",
    ),
    OrderStatus.SUCCESS: (
        "remedy.server_says_success",
        "Server mencatat sukses, penyedia menyatakan gagal. Putuskan setelah memeriksa keduanya.",
    ),
}
"""Server's words under which no rule moves money for a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Why money should go back."""

    kind: BreakKind
    final_word: datetime
    """When the last word that the books must have been read past was spoken (I25)."""
    evidence: tuple[str, ...]
    reason: str
    never_formed: bool
    own_books: bool


def give_back(facts: Facts, proof: Proof) -> list[Decision]:
    """Choose the remedy for a proved loss by charged account and refund owner."""
    account = facts.transaction.charged_account
    if account is ChargedAccount.PROVIDER_DEPOSIT:
        return _claim_deposit(facts, proof)
    if account is ChargedAccount.CASH:
        return _cash_card(facts, proof)
    if facts.net <= 0:
        return []
    if facts.refunds_of(proof.kind):
        return _after_own_refund(facts, proof)
    if facts.history.refund_owner is RefundOwner.SERVER:
        return _server_pays(facts, proof)
    if not facts.fresh_since(proof.final_word):
        return stale_books(facts, proof, since=proof.final_word)
    if facts.history.refund_owner is RefundOwner.REKON:
        return _rekon_pays(facts, proof)
    note = "Pengembalian pada sumber ini dikerjakan petugas. Kembalikan saldo, lalu catat buktinya."
    return to_staff(facts, proof.kind, rule="remedy.manual", evidence=proof.evidence, note=note, amount=facts.net)


def _after_own_refund(facts: Facts, proof: Proof) -> list[Decision]:
    """Never ask for the same refund twice; one that was refused while the money is still gone needs a person."""
    unpaid = all(r.state not in COUNTS_AS_CREDIT for r in facts.refunds_of(proof.kind))
    if not unpaid or not facts.is_open(proof.kind):
        return []
    note = "Pengembalian yang diajukan tidak jadi dibayar dan saldo belum kembali. Putuskan langkah berikutnya."
    return to_staff(
        facts, proof.kind, rule="remedy.refund_refused", evidence=proof.evidence, note=note, amount=facts.net
    )


def _server_pays(facts: Facts, proof: Proof) -> list[Decision]:
    """Leave the server its three minutes, then tell it the order failed. Never pay beside it."""
    allowed_at = proof.final_word + facts.policy.server_refund_wait
    if facts.now < allowed_at:
        return [wait(allowed_at, "remedy.server_wait")]
    if not facts.fresh_since(allowed_at):
        return stale_books(facts, proof, since=allowed_at)
    if facts.transaction.order_status in _DISAGREES:
        return _server_disagrees(facts, proof)
    if not facts.history.order_result:
        return [mark_failed(facts, proof)]
    note = "Server sudah diberi tahu bahwa order ini gagal, tetapi saldo belum kembali. Periksa di server."
    return _after_telling(facts, proof, rule="remedy.server_silent", note=note)


def _rekon_pays(facts: Facts, proof: Proof) -> list[Decision]:
    """Pay once the order is final at the server (I25): a server may still re-route an open one."""
    if facts.transaction.order_status in _DISAGREES:
        return _server_disagrees(facts, proof)
    if is_closed(facts):
        return [refund(facts, proof.kind, amount=facts.net, proof=proof)]
    if not facts.history.order_result:
        return [mark_failed(facts, proof)]
    note = "Server belum menutup order yang gagal ini. Tutup order di server, lalu pengembalian berjalan sendiri."
    return _after_telling(facts, proof, rule="remedy.order_not_closed", note=note)


def is_closed(facts: Facts) -> bool:
    """Say whether the server closed the order, or accepted our word that it failed."""
    return facts.transaction.order_status.is_final or facts.history.order_result == "failed:accepted"


def _server_disagrees(facts: Facts, proof: Proof) -> list[Decision]:
    """Books that contradict the provider are judged only once they were read past the server's own last change."""
    since = max(proof.final_word, facts.transaction.status_at)
    if not facts.fresh_since(since):
        return stale_books(facts, proof, since=since)
    rule, note = _DISAGREES[facts.transaction.order_status]
    return to_staff(facts, proof.kind, rule=rule, evidence=proof.evidence, note=note, amount=facts.net)


def _after_telling(facts: Facts, proof: Proof, *, rule: str, note: str) -> list[Decision]:
    """Give the server time to act on our word; a refusal (409) goes to a person after the books were read again."""
    result, told_at = facts.history.order_result, facts.history.order_result_at or facts.now
    acts = result in ("failed:pending", "failed:accepted")
    ends_at = told_at + facts.policy.server_refund_limit if acts else told_at
    if facts.now < ends_at:
        return [wait(ends_at, "remedy.server_told")]
    if not facts.fresh_since(ends_at):
        return stale_books(facts, proof, since=ends_at)
    if not acts:
        rule = "remedy.order_not_closed"
        note = "Server tidak menutup order ini sebagai gagal. Periksa hasilnya di server sebelum mengembalikan saldo."
    return to_staff(facts, proof.kind, rule=rule, evidence=proof.evidence, note=note, amount=facts.net)


def refund(facts: Facts, kind: BreakKind, *, amount: Money, proof: Proof) -> Decision:
    """Ask for a refund; mode and amount decide whether a person has to agree."""
    limit = facts.policy.auto_max_provider_proof
    if proof.own_books or proof.never_formed:
        limit = facts.policy.auto_max_own_books
    reasons = []
    if facts.policy.mode_of(kind) is not Mode.AUTOMATIC:
        reasons.append("mode saran: setiap pengembalian disetujui petugas")
    if amount > limit:
        reasons.append("jumlah di atas batas otomatis")
    return Decision(
        action=Action.ISSUE_REFUND,
        rule=f"{kind.value.lower()}.refund",
        break_kind=kind,
        amount=amount,
        evidence=proof.evidence + tuple(line.key for line in facts.own_lines),
        needs_approval=bool(reasons),
        approval_reason="; ".join(reasons),
        reason=proof.reason,
        never_formed=proof.never_formed,
    )


def mark_failed(facts: Facts, proof: Proof) -> Decision:
    """Tell the server that the order failed."""
    return Decision(
        action=Action.MARK_FAILED_AT_SERVER,
        rule=f"{proof.kind.value.lower()}.mark_failed",
        break_kind=proof.kind,
        amount=facts.net,
        evidence=proof.evidence,
        reason=proof.reason,
    )


def to_staff(
    facts: Facts, kind: BreakKind, *, rule: str, evidence: tuple[str, ...], note: str, amount: Money | None
) -> list[Decision]:
    """Open a card for a person, once."""
    if kind in facts.history.staff_asked:
        return []
    return [Decision(action=Action.ASK_STAFF, rule=rule, break_kind=kind, evidence=evidence, note=note, amount=amount)]


def _claim_deposit(facts: Facts, proof: Proof) -> list[Decision]:
    """The operator bought directly: claim the deposit that the provider kept, and watch until it is credited."""
    lines = [s for leg in facts.legs for s in facts.deposit_lines(leg)]
    if facts.deposit_owed <= 0 or facts.is_open(proof.kind):
        return []
    return [
        Decision(
            action=Action.CLAIM_ON_PROVIDER,
            rule="remedy.claim_deposit",
            break_kind=proof.kind,
            amount=facts.deposit_owed,
            evidence=proof.evidence + tuple(f"stl:{s.line_id}" for s in lines),
            reason=proof.reason,
            leg_key=facts.legs[-1].key,
        )
    ]


def _cash_card(facts: Facts, proof: Proof) -> list[Decision]:
    """A customer paid in cash: a person gives it back and ticks it with proof; a text to forward goes with it."""
    if facts.at_stake <= 0:
        return []
    note = "Pelanggan membayar tunai dan pengisian gagal. Kembalikan uangnya, lalu catat buktinya."
    if not facts.transaction.order_status.is_final:
        note = f"{note} Order masih terbuka: tutup dahulu agar tidak dikirim ulang."
    amount = facts.transaction.price
    decisions = to_staff(facts, proof.kind, rule="remedy.cash", evidence=proof.evidence, note=note, amount=amount)
    if facts.is_recent and not facts.was_told("M01", proof.kind):
        told = Decision(
            action=Action.TELL,
            rule="remedy.cash_text",
            break_kind=proof.kind,
            template="M01",
            amount=amount,
            reason=proof.reason or "unknown",
        )
        decisions.append(told)
    return decisions


def wait(due_at: datetime, rule: str) -> Decision:
    """Look again at `due_at`."""
    return Decision(action=Action.WAIT, rule=rule, due_at=due_at)


def stale_books(facts: Facts, proof: Proof, *, since: datetime) -> list[Decision]:
    """Wait until both books were read past `since` (I25). Books that stay silent are a person's business."""
    again = look_again(facts, f"{proof.kind.value.lower()}.stale_books", since=since)
    if facts.now < since + facts.policy.staff_after(facts.transaction.family):
        return [again]
    note = "Daftar order atau mutasi saldo belum terbaca sampai sesudah kejadian ini. Periksa sumber datanya."
    card = to_staff(
        facts, proof.kind, rule="remedy.stale_books", evidence=proof.evidence, note=note, amount=facts.at_stake
    )
    return [*card, again]


def look_again(facts: Facts, rule: str, *, since: datetime) -> Decision:
    """Look again shortly: books awaited since `since` will have been read further. The longer, the more slowly."""
    step = next((step for limit, step in _LOOKS if facts.now - since < limit), _RARE_LOOK)
    return wait(facts.now + step, rule)
