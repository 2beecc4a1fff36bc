"""The one place where rekon makes up its mind: pure, replayable, in a fixed order."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts, History
from rekon.domain.outcome import StatusReport
from rekon.domain.policy import Policy, ProviderRules
from rekon.domain.rules import closing, failed, pending, remedy, wallet
from rekon.domain.transaction import Leg, Transaction, WalletLine

_NEXT_REFUND = timedelta(seconds=2)

RULES: tuple[Callable[[Facts], list[Decision]], ...] = (
    wallet.debited_twice,
    wallet.refunded_twice,
    failed.never_sent,
    failed.failed_not_refunded,
    failed.not_found,
    pending.check_age_passed,
    pending.stuck_pending,
    pending.delivered_not_recorded,
    pending.serial_missing,
    pending.contradiction,
    pending.callback_lost,
    wallet.late_success,
    wallet.success_taken_back,
    wallet.ordered_twice,
    closing.refund_settled,
    closing.server_paid,
    closing.deposit_returned,
    closing.certainty,
    closing.long_wait,
)


def decide(
    transaction: Transaction,
    legs: Sequence[Leg],
    wallet_lines: Sequence[WalletLine],
    reports: Sequence[StatusReport],
    policy: Policy,
    history: History,
    now: datetime,
    *,
    providers: Mapping[str, ProviderRules],
) -> list[Decision]:
    """Compare the books of one transaction and say what has to happen.

    The same arguments always give the same answer: nothing is read and nothing is written here. Inputs may come in any
    order; they are sorted by what they are, not by how they arrived (I9).
    """
    return decide_on(gather(transaction, legs, wallet_lines, reports, policy, history, now, providers=providers))


def decide_on(facts: Facts) -> list[Decision]:
    """Decide about books that are gathered already."""
    found = _one_refund([decision for rule in RULES for decision in rule(facts)], now=facts.now)
    waits = [d for d in found if d.action is Action.WAIT and d.due_at is not None]
    nearest = min(waits, key=lambda d: d.due_at or facts.now, default=None)
    return [d for d in found if d.action is not Action.WAIT] + ([nearest] if nearest else [])


def _one_refund(found: list[Decision], *, now: datetime) -> list[Decision]:
    """Ask for one refund at a time, the double debit first: the next is decided on books that count the first (I1)."""
    refunds = [d for d in found if d.action is Action.ISSUE_REFUND]
    quiet = [d for d in found if d.rule == wallet.QUIET]
    if not refunds or (len(refunds) == 1 and not quiet):
        return found
    kept = [] if quiet else refunds[:1]
    others = [d for d in found if d.action is not Action.ISSUE_REFUND]
    return [*kept, *others, remedy.wait(now + _NEXT_REFUND, "refund.after_the_first")]


def gather(
    transaction: Transaction,
    legs: Sequence[Leg],
    wallet_lines: Sequence[WalletLine],
    reports: Sequence[StatusReport],
    policy: Policy,
    history: History,
    now: datetime,
    *,
    providers: Mapping[str, ProviderRules],
) -> Facts:
    """Put the books into one sorted view, each row once."""
    lines = {line.key: line for line in wallet_lines}.values()
    said = {report.report_id: report for report in reports}.values()
    return Facts(
        transaction=transaction,
        legs=tuple(sorted({leg.key: leg for leg in legs}.values(), key=lambda leg: leg.leg_no)),
        wallet_lines=tuple(sorted(lines, key=lambda line: (line.posted_at, line.key))),
        reports=tuple(sorted(said, key=lambda r: (r.received_at, r.report_id))),
        policy=policy,
        history=history,
        providers=providers,
        now=now,
    )
