"""What the wallet alone proves: B10 and B14. And what came after a refund: B04, B05. And two equal orders: B11."""

from datetime import timedelta

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts
from rekon.domain.money import Money
from rekon.domain.outcome import Outcome
from rekon.domain.rules import remedy
from rekon.domain.transaction import ChargedAccount, OrderStatus, RefundOwner

QUIET = "b10.quiet"
_TWICE = 2
_TWIN_FAMILIES = frozenset({"pulsa", "data"})
_SAME_TAP = timedelta(seconds=10)
"""Other products are bought again on purpose; only two orders of one tap are suspicious (rulebook `dup.window`)."""


def debited_twice(facts: Facts) -> list[Decision]:
    """One order, two debits: give the excess back at once, our own ledger proves it (B10)."""
    kind = BreakKind.DEBITED_TWICE
    if facts.transaction.charged_account is not ChargedAccount.AGENT_WALLET or facts.last_line_at is None:
        return []
    excess = _excess(facts)
    if len(facts.debits) < _TWICE or excess <= 0 or facts.refunds_of(kind) or not remedy.is_closed(facts):
        return []
    quiet_at = max(facts.last_line_at, facts.transaction.status_at) + _quiet(facts)
    if facts.now < quiet_at:
        return [remedy.wait(quiet_at, QUIET)]
    evidence = tuple(line.key for line in facts.debits)
    proof = remedy.Proof(
        kind=kind, final_word=facts.last_line_at, evidence=evidence, reason="", never_formed=False, own_books=True
    )
    if not facts.fresh_since(facts.last_line_at):
        return remedy.stale_books(facts, proof, since=facts.last_line_at)
    if facts.history.refund_owner in (RefundOwner.PROVIDER, RefundOwner.MANUAL):
        note = "Saldo agen terpotong dua kali untuk satu order. Kembalikan kelebihannya."
        return remedy.to_staff(facts, kind, rule="b10.manual", evidence=evidence, note=note, amount=excess)
    return [remedy.refund(facts, kind, amount=excess, proof=proof)]


def _excess(facts: Facts) -> Money:
    """Money taken beyond the price. What we gave back for the failure itself is not counted against it, but caps it."""
    others = {r.key for r in facts.history.refunds if r.break_kind is not BreakKind.DEBITED_TWICE}
    taken = -sum(line.amount for line in facts.own_lines if line.reference not in others)
    return Money(min(facts.net, taken - facts.transaction.price))


def _quiet(facts: Facts) -> timedelta:
    """How long nothing may have moved. A server that gives failures back itself is left its own time first."""
    policy = facts.policy
    failed = facts.transaction.order_status is not OrderStatus.SUCCESS
    waits = failed and facts.history.refund_owner is RefundOwner.SERVER
    return max(policy.quiet_wallet, policy.server_refund_wait) if waits else policy.quiet_wallet


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
        return [remedy.look_again(facts, "b14.stale_books", since=facts.last_line_at)]
    if kind in facts.history.staff_asked:
        return []
    note = "Pengembalian melebihi potongan. Koreksi hanya setelah agen diberi tahu dan setuju."
    evidence = tuple(line.key for line in facts.own_lines)
    decisions = remedy.to_staff(facts, kind, rule="b14.surplus", evidence=evidence, note=note, amount=surplus)
    decisions.append(Decision(action=Action.FREEZE_AGENT, rule="b14.freeze", break_kind=kind, evidence=evidence))
    if facts.is_recent:
        decisions.append(
            Decision(
                action=Action.TELL, rule="b14.notice", break_kind=kind, template="M15", variant="b14", amount=surplus
            )
        )
    return decisions


def late_success(facts: Facts) -> list[Decision]:
    """The money is back and the top-up arrived after all: never debit, ask (B04)."""
    kind = BreakKind.LATE_SUCCESS
    verdict = facts.delivered
    missing = facts.transaction.price - facts.net
    if verdict is None or not facts.credits or missing <= 0 or kind in facts.history.staff_asked:
        return []
    failed = facts.transaction.order_status in (OrderStatus.FAILED, OrderStatus.REFUNDED)
    # A server may call the order a success again; a discount alone gives back only a part.
    if not failed and facts.net > 0:
        return []
    note = "Saldo sudah dikembalikan, lalu penyedia menyatakan berhasil. Pilih: tanggung, atau minta persetujuan agen."
    evidence = verdict.evidence + tuple(line.key for line in facts.credits)
    amount = Money(min(missing, sum(line.amount for line in facts.credits)))
    decisions = remedy.to_staff(facts, kind, rule="b04.late_success", evidence=evidence, note=note, amount=amount)
    if facts.is_recent:
        details = {"serial_number": verdict.serial_number or ""}
        decisions.append(
            Decision(
                action=Action.TELL, rule="b04.notice", break_kind=kind, template="M15", amount=amount, details=details
            )
        )
    return decisions


def success_taken_back(facts: Facts) -> list[Decision]:
    """A success that the provider took back goes to staff, with the statement line if there is one (B05)."""
    kind = BreakKind.SUCCESS_TAKEN_BACK
    back = [v for v in facts.attempts if v.outcome is Outcome.REVERSED or v.failed_after_success is not None]
    served = any(v.outcome is Outcome.DELIVERED and v.failed_after_success is None for v in facts.attempts)
    if not back or served or facts.at_stake <= 0 or kind in facts.history.staff_asked:
        return []
    verdict = back[0]
    later = verdict.failed_after_success
    said_at = (later.received_at if later else verdict.final_word_at) or facts.now
    evidence = verdict.evidence + ((later.report_id,) if later else ())
    credit = facts.deposit_credit(verdict.leg)
    if credit is not None:
        evidence += (f"stl:{credit.line_id}",)
    if facts.transaction.order_status is not OrderStatus.SUCCESS:
        # The server did not record the success, so it may be giving the money back itself.
        settles_at = said_at + facts.policy.server_refund_wait
        if facts.now < settles_at:
            return [remedy.wait(settles_at, "b05.server_wait")]
        if facts.transaction.charged_account is ChargedAccount.AGENT_WALLET and not facts.fresh_since(settles_at):
            return [remedy.look_again(facts, "b05.stale_books", since=settles_at)]
    note = "Penyedia membatalkan transaksi yang sudah sukses" + (
        " dan sudah mengembalikan deposit." if credit else "; kredit deposit belum terlihat."
    )
    amount = facts.at_stake
    decisions = remedy.to_staff(facts, kind, rule="b05.reversed", evidence=evidence, note=note, amount=amount)
    if facts.is_recent and facts.transaction.charged_account is ChargedAccount.AGENT_WALLET:
        decisions.append(
            Decision(action=Action.TELL, rule="b05.notice", break_kind=kind, template="M16", amount=amount)
        )
    return decisions


def ordered_twice(facts: Facts) -> list[Decision]:
    """Two equal orders close together without a repeat counter: ask, never take back (B11)."""
    kind = BreakKind.ORDERED_TWICE
    t = facts.transaction
    if t.repeat_counter or kind in facts.history.staff_asked:
        return []
    window = facts.policy.duplicate_window if t.family in _TWIN_FAMILIES else _SAME_TAP
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
            Decision(
                action=Action.TELL,
                rule="b11.notice",
                break_kind=kind,
                template="M13",
                details=details,
                promise_at=promise,
            )
        )
    return decisions
