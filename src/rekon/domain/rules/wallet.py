"""What the wallet alone proves: B10 and B14. And what came after a refund: B04, B05. And two equal orders: B11."""

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts
from rekon.domain.money import Money
from rekon.domain.outcome import Outcome
from rekon.domain.rules import remedy
from rekon.domain.transaction import ChargedAccount, OrderStatus, RefundOwner

_TWIN_FAMILIES = frozenset({"pulsa", "data"})


def debited_twice(facts: Facts) -> list[Decision]:
    """One order, two debits: give the excess back at once, our own ledger proves it (B10)."""
    kind = BreakKind.DEBITED_TWICE
    if facts.transaction.charged_account is not ChargedAccount.AGENT_WALLET or facts.last_line_at is None:
        return []
    excess = Money(facts.net - facts.transaction.price)
    if len(facts.debits) < 2 or excess <= 0 or facts.refunds_of(kind):
        return []
    if not facts.transaction.order_status.is_final:
        return []
    quiet_at = max(facts.last_line_at, facts.transaction.status_at) + facts.policy.quiet_wallet
    if facts.now < quiet_at:
        return [remedy.wait(quiet_at, "b10.quiet")]
    if not facts.fresh_since(facts.last_line_at):
        return [remedy.look_again(facts, "b10.stale_books")]
    evidence = tuple(line.key for line in facts.debits)
    if facts.history.refund_owner in (RefundOwner.PROVIDER, RefundOwner.MANUAL):
        note = "Saldo agen terpotong dua kali untuk satu order. Kembalikan kelebihannya."
        return remedy.to_staff(facts, kind, rule="b10.manual", evidence=evidence, note=note, amount=excess)
    proof = remedy.Proof(
        kind=kind, final_word=facts.last_line_at, evidence=evidence, reason="", never_formed=False, own_books=True
    )
    return [remedy.refund(facts, kind, amount=excess, proof=proof)]


def refunded_twice(facts: Facts) -> list[Decision]:
    """More was given back than taken: stop automatic money for this agent, a person corrects it (B14)."""
    kind = BreakKind.REFUNDED_TWICE
    if facts.transaction.charged_account is not ChargedAccount.AGENT_WALLET or facts.last_line_at is None:
        return []
    surplus = Money(sum(line.amount for line in facts.own_lines))
    if surplus <= 0 or not facts.debits:
        return []
    quiet_at = facts.last_line_at + facts.policy.quiet_wallet
    if facts.now < quiet_at:
        return [remedy.wait(quiet_at, "b14.quiet")]
    if not facts.fresh_since(facts.last_line_at):
        return [remedy.look_again(facts, "b14.stale_books")]
    if kind in facts.history.staff_asked:
        return []
    note = "Pengembalian melebihi potongan. Koreksi hanya setelah agen diberi tahu dan setuju."
    evidence = tuple(line.key for line in facts.own_lines)
    decisions = remedy.to_staff(facts, kind, rule="b14.surplus", evidence=evidence, note=note, amount=surplus)
    decisions.append(Decision(action=Action.FREEZE_AGENT, rule="b14.freeze", break_kind=kind, evidence=evidence))
    if facts.is_recent:
        decisions.append(
            Decision(action=Action.TELL, rule="b14.notice", break_kind=kind, template="M15", variant="b14", amount=surplus)
        )
    return decisions


def late_success(facts: Facts) -> list[Decision]:
    """The money is back and the top-up arrived after all: never debit, ask (B04)."""
    kind = BreakKind.LATE_SUCCESS
    verdict = facts.delivered
    given_back = sum(line.amount for line in facts.credits)
    if verdict is None or given_back <= 0 or facts.net >= facts.transaction.price:
        return []
    if facts.transaction.order_status not in (OrderStatus.FAILED, OrderStatus.REFUNDED) and not facts.refunds_of(
        BreakKind.FAILED_NOT_REFUNDED
    ):
        return []
    if kind in facts.history.staff_asked:
        return []
    note = "Saldo sudah dikembalikan, lalu penyedia menyatakan berhasil. Pilih: tanggung, atau minta persetujuan agen."
    evidence = verdict.evidence + tuple(line.key for line in facts.credits)
    amount = Money(given_back)
    decisions = remedy.to_staff(facts, kind, rule="b04.late_success", evidence=evidence, note=note, amount=amount)
    if facts.is_recent:
        details = {"serial_number": verdict.serial_number or ""}
        decisions.append(
            Decision(action=Action.TELL, rule="b04.notice", break_kind=kind, template="M15", amount=amount, details=details)
        )
    return decisions


def success_taken_back(facts: Facts) -> list[Decision]:
    """A success that the provider took back goes to staff, with the statement line if there is one (B05)."""
    kind = BreakKind.SUCCESS_TAKEN_BACK
    back = [v for v in facts.verdicts if v.outcome is Outcome.REVERSED or v.failed_after_success is not None]
    if not back or facts.transaction.order_status is not OrderStatus.SUCCESS or kind in facts.history.staff_asked:
        return []
    verdict = back[0]
    later = verdict.failed_after_success
    evidence = verdict.evidence + ((later.report_id,) if later else ())
    credit = facts.deposit_credit(verdict.leg)
    if credit is not None:
        evidence += (f"stl:{credit.line_id}",)
    note = "Penyedia membatalkan transaksi yang sudah sukses" + (
        " dan sudah mengembalikan deposit." if credit else "; kredit deposit belum terlihat."
    )
    amount = facts.net if facts.net > 0 else None
    decisions = remedy.to_staff(facts, kind, rule="b05.reversed", evidence=evidence, note=note, amount=amount)
    if facts.is_recent and amount and facts.transaction.charged_account is ChargedAccount.AGENT_WALLET:
        decisions.append(
            Decision(action=Action.TELL, rule="b05.notice", break_kind=kind, template="M16", amount=amount)
        )
    return decisions


def ordered_twice(facts: Facts) -> list[Decision]:
    """Two equal orders close together without a repeat counter: ask, never take back (B11)."""
    kind = BreakKind.ORDERED_TWICE
    t = facts.transaction
    if t.family not in _TWIN_FAMILIES or t.repeat_counter or kind in facts.history.staff_asked:
        return []
    window = facts.policy.duplicate_window
    earlier = [w for w in facts.history.twins if w.ordered_at <= t.ordered_at and t.ordered_at - w.ordered_at <= window]
    if not earlier:
        return []
    twin = earlier[-1]
    statuses = {twin.order_status, t.order_status.value}
    if "pending" in statuses:
        return [remedy.wait(facts.now + window, "b11.pending_twin")] if facts.is_recent else []
    if statuses != {"success"}:
        return []
    note = "Dua order yang sama berhasil dalam waktu berdekatan. Pulsa tidak dapat ditarik; tinjau bersama agen."
    evidence = (f"txn:{twin.key}", f"txn:{t.key}")
    decisions = remedy.to_staff(facts, kind, rule="b11.both_delivered", evidence=evidence, note=note, amount=t.price)
    if facts.is_recent:
        details = {"twin_at": twin.ordered_at.isoformat(), "result_1": "berhasil", "result_2": "berhasil"}
        promise = facts.now + facts.policy.complain_after(t.family) * 2
        decisions.append(
            Decision(action=Action.TELL, rule="b11.notice", break_kind=kind, template="M13", details=details, promise_at=promise)
        )
    return decisions
