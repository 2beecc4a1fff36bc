"""B01: by which road money goes back once a failure is proved, how much, and on which books."""

from datetime import timedelta

import pytest

from rekon.domain.breaks import BreakKind, BreakState, Mode
from rekon.domain.decision import Action
from rekon.domain.outcome import FailureClass
from rekon.domain.refund import COUNTS_AS_CREDIT, RefundState
from rekon.domain.transaction import ChargedAccount, OrderStatus, RefundOwner, WalletLineKind
from tests.builders import (
    LEG,
    PRICE,
    actions,
    at,
    build_break,
    build_facts,
    build_history,
    build_policy,
    build_refund,
    build_statement_line,
    build_wallet_line,
    decide_on,
    due,
    find,
)
from tests.domain.stories import CREDIT, FIRST, failed, failed_order, order

B01 = BreakKind.FAILED_NOT_REFUNDED
NEVER_FORMED, DEFINITE = FailureClass.NEVER_FORMED, FailureClass.DEFINITE
SOFT, TIMEOUT_LIKE = FailureClass.SOFT, FailureClass.TIMEOUT_LIKE
REFUND, MARK, STAFF = Action.ISSUE_REFUND, Action.MARK_FAILED_AT_SERVER, Action.ASK_STAFF
PENDING, FAILED = OrderStatus.PENDING, OrderStatus.FAILED


@pytest.mark.parametrize(
    ("orders", "wallet", "pays"),
    [
        (at(125), at(125), True),
        (at(124), at(125), False),
        (at(125), at(124), False),
        (None, at(125), False),
        (at(125), None, False),
    ],
)
@pytest.mark.parametrize("owner", [RefundOwner.REKON, RefundOwner.MANUAL])
def test_no_money_moves_on_books_that_were_not_read_past_the_final_word_and_the_lag(orders, wallet, pays, owner):
    history = build_history(
        refund_owner=owner, orders_read_to=orders, wallet_read_to=wallet, source_lag=timedelta(seconds=5)
    )
    decisions = failed_order(now=at(260), history=history, reports=[failed(120, source=FIRST), failed(240)])
    assert bool(actions(decisions)) is pays
    assert pays or due(decisions) == at(262)


def test_books_that_stay_silent_are_put_before_staff_and_waited_for_ever_more_slowly():
    history = build_history(read_to=None)
    decisions = failed_order(now=at(hours=2), history=history)
    assert find(decisions, STAFF).rule == "remedy.stale_books"
    assert due(decisions) == at(30, hours=2)
    asked = build_history(read_to=None, staff_asked=frozenset({B01}))
    assert actions(failed_order(now=at(days=3), history=asked)) == []
    assert due(failed_order(now=at(days=3), history=asked)) == at(days=3, minutes=30)


def test_a_server_that_refunds_by_itself_is_left_three_minutes_then_told_and_never_paid_beside():
    history = build_history(refund_owner=RefundOwner.SERVER)
    early = failed_order(now=at(179), history=history)
    assert (actions(early), due(early)) == ([], at(180))
    assert actions(failed_order(now=at(180), history=history)) == [MARK]


@pytest.mark.parametrize("result", ["failed:pending", "failed:accepted"])
def test_a_server_that_was_told_and_does_not_pay_goes_to_staff_after_ten_minutes(result):
    history = build_history(refund_owner=RefundOwner.SERVER, order_result=result, order_result_at=at(185))
    early = failed_order(now=at(784), history=history)
    assert (actions(early), due(early)) == ([], at(785))
    assert find(failed_order(now=at(785), history=history), STAFF).rule == "remedy.server_silent"


def test_a_server_is_judged_silent_only_on_a_wallet_read_after_its_time():
    told = {"refund_owner": RefundOwner.SERVER, "order_result": "failed:accepted", "order_result_at": at(185)}
    assert actions(failed_order(now=at(800), history=build_history(read_to=at(784), **told))) == []
    assert actions(failed_order(now=at(800), history=build_history(read_to=at(785), **told))) == [STAFF]


def test_a_server_is_told_only_on_a_wallet_read_after_its_three_minutes():
    stale = build_history(refund_owner=RefundOwner.SERVER, read_to=at(179))
    assert actions(failed_order(now=at(185), history=stale)) == []


@pytest.mark.parametrize("owner", [RefundOwner.SERVER, RefundOwner.REKON])
@pytest.mark.parametrize("result", ["failed:conflict", "failed:unsupported", "failed:unknown", "success:accepted"])
def test_a_server_that_does_not_take_our_word_is_a_matter_for_staff(owner, result):
    history = build_history(refund_owner=owner, order_result=result, order_result_at=at(185))
    decisions = failed_order(now=at(190), history=history, transaction=order(PENDING))
    assert find(decisions, STAFF).rule == "remedy.order_not_closed"
    assert not {REFUND, MARK} & set(actions(decisions))


def test_after_a_conflict_the_books_are_read_again_before_staff_is_asked():
    told = {"order_result": "failed:conflict", "order_result_at": at(185)}
    decisions = failed_order(now=at(190), history=build_history(read_to=at(184), **told), transaction=order(PENDING))
    assert actions(decisions) == []
    assert due(decisions) == at(192)


@pytest.mark.parametrize("owner", [RefundOwner.MANUAL, RefundOwner.PROVIDER])
def test_where_people_give_back_there_is_a_card_with_the_amount(owner):
    decisions = failed_order(history=build_history(refund_owner=owner))
    assert [(d.action, d.amount) for d in decisions] == [(STAFF, PRICE)]


def test_an_open_order_is_closed_at_the_server_before_it_is_paid():
    open_order = order(PENDING)
    assert actions(failed_order(transaction=open_order)) == [MARK]
    told = build_history(order_result="failed:pending", order_result_at=at(121))
    assert actions(failed_order(now=at(130), transaction=open_order, history=told)) == []
    closed = build_history(order_result="failed:accepted", order_result_at=at(125))
    assert actions(failed_order(now=at(130), transaction=open_order, history=closed)) == [REFUND]


def test_a_server_that_never_answers_about_closing_goes_to_staff():
    told = build_history(order_result="failed:pending", order_result_at=at(121))
    reports = [failed(0, source=FIRST), failed(120), failed(700)]
    books = {"transaction": order(PENDING), "history": told, "reports": reports}
    assert due(failed_order(now=at(720), **books)) == at(721)
    assert find(failed_order(now=at(721), **books), STAFF).rule == "remedy.order_not_closed"


@pytest.mark.parametrize("owner", [RefundOwner.REKON, RefundOwner.SERVER])
@pytest.mark.parametrize(
    ("status", "rule"),
    [(OrderStatus.REFUNDED, "remedy.refund_not_seen"), (OrderStatus.SUCCESS, "remedy.server_says_success")],
)
def test_a_server_that_says_otherwise_is_a_matter_for_staff(owner, status, rule):
    decisions = failed_order(now=at(200), transaction=order(status), history=build_history(refund_owner=owner))
    assert [d.rule for d in decisions if d.action is STAFF] == [rule]
    assert not {REFUND, MARK} & set(actions(decisions))


def test_a_server_that_says_otherwise_is_judged_on_books_read_past_its_change():
    changed = order(OrderStatus.REFUNDED, status_at=at(118))
    assert actions(failed_order(transaction=changed, history=build_history(read_to=at(117)))) == []
    assert actions(failed_order(transaction=changed, history=build_history(read_to=at(118)))) == [STAFF]


def test_a_card_is_opened_once():
    history = build_history(refund_owner=RefundOwner.MANUAL, staff_asked=frozenset({B01}))
    assert failed_order(history=history) == []


def test_a_direct_purchase_is_claimed_from_the_provider_until_it_is_credited():
    deposit = order(charged_account=ChargedAccount.PROVIDER_DEPOSIT)
    charge = build_statement_line(amount=-50_150)
    books = {"transaction": deposit, "lines": []}
    claim = find(failed_order(history=build_history(statement_lines=(charge,)), **books), Action.CLAIM_ON_PROVIDER)
    assert (claim.amount, claim.leg_key) == (50_150, LEG)
    assert "stl:S-50150" in claim.evidence
    claimed = build_history(statement_lines=(charge,), breaks=(build_break(),))
    assert failed_order(history=claimed, **books) == []
    part = build_statement_line(amount=20_000)
    partly = build_history(statement_lines=(charge, part), breaks=(build_break(),))
    assert failed_order(history=partly, **books) == []
    whole = build_history(statement_lines=tuple(CREDIT), breaks=(build_break(),))
    assert actions(failed_order(history=whole, **books)) == [Action.RESOLVE]


def test_a_direct_purchase_without_a_statement_cannot_be_claimed():
    deposit = order(charged_account=ChargedAccount.PROVIDER_DEPOSIT)
    assert failed_order(transaction=deposit, lines=[]) == []


@pytest.mark.parametrize("status", [PENDING, FAILED, OrderStatus.SUCCESS])
def test_a_cash_customer_gets_a_card_for_staff_and_a_text_to_forward_and_never_a_refund(status):
    decisions = failed_order(transaction=order(status, charged_account=ChargedAccount.CASH), lines=[])
    assert actions(decisions) == [STAFF, Action.TELL]
    assert find(decisions, STAFF).amount == PRICE
    assert ("tutup dahulu" in find(decisions, STAFF).note) is (status is PENDING)
    told = build_history(staff_asked=frozenset({B01}), told=frozenset({"M01:B01"}))
    assert failed_order(transaction=order(status, charged_account=ChargedAccount.CASH), lines=[], history=told) == []


def test_a_cash_purchase_that_was_given_back_or_is_old_wakes_nobody():
    back = order(OrderStatus.REFUNDED, charged_account=ChargedAccount.CASH)
    assert failed_order(transaction=back, lines=[]) == []
    old = failed_order(
        now=at(hours=25),
        transaction=order(charged_account=ChargedAccount.CASH),
        lines=[],
        reports=[failed(0, source=FIRST), failed(90_000)],
    )
    assert actions(old) == [STAFF]


def test_a_timeout_of_a_cash_purchase_goes_to_staff_though_there_is_no_wallet():
    cash = order(charged_account=ChargedAccount.CASH)
    reports = [failed(s, TIMEOUT_LIKE) for s in (0, 900, 2700)]
    assert find(decide_on(now=at(2700), transaction=cash, lines=[], reports=reports), STAFF).amount == PRICE


@pytest.mark.parametrize(
    ("lines", "refunds", "net"),
    [
        pytest.param([-PRICE], [], PRICE, id="taken"),
        pytest.param([-PRICE, PRICE], [], 0, id="given back"),
        pytest.param([-PRICE, 10_000], [], 40_600, id="partly given back"),
        pytest.param([-PRICE], [RefundState.SUBMITTED], 0, id="our unsettled refund is a credit"),
        pytest.param([-PRICE], [RefundState.AWAITING_APPROVAL], 0, id="so is one that waits"),
        pytest.param([-PRICE], [RefundState.UNKNOWN], 0, id="and one nobody knows of"),
        pytest.param([-PRICE], [RefundState.FAILED], PRICE, id="a failed one is none"),
        pytest.param([-PRICE], [RefundState.REJECTED], PRICE, id="a rejected one is none"),
    ],
)
def test_what_is_still_taken_counts_our_own_refunds(lines, refunds, net):
    history = build_history(refunds=tuple(build_refund(state=state) for state in refunds))
    facts = build_facts(lines=[build_wallet_line(amount=a) for a in lines], history=history)
    assert facts.net == net


@pytest.mark.parametrize("state", [RefundState.SUBMITTED, RefundState.SETTLED])
@pytest.mark.parametrize("paid", [PRICE, PRICE - 1])
def test_the_wallet_line_that_carries_our_key_replaces_our_refund(state, paid):
    refund = build_refund(state=state)
    lines = [build_wallet_line(), build_wallet_line(amount=paid, reference=refund.key)]
    assert build_facts(lines=lines, history=build_history(refunds=(refund,))).net == PRICE - paid


def test_gifts_and_other_mutations_are_no_part_of_the_purchase():
    lines = [
        build_wallet_line(),
        build_wallet_line(amount=5_000, reference="voucher:ABCD"),
        build_wallet_line(amount=100_000, kind=WalletLineKind.DEPOSIT),
        build_wallet_line(amount=-500, kind=WalletLineKind.FEE),
        build_wallet_line(amount=7, kind=WalletLineKind.TRANSFER),
        build_wallet_line(amount=9, kind=WalletLineKind.OTHER),
    ]
    assert build_facts(lines=lines).net == PRICE


@pytest.mark.parametrize(
    ("account", "status", "lines", "statement", "at_stake"),
    [
        (ChargedAccount.AGENT_WALLET, FAILED, [-PRICE], (), PRICE),
        (ChargedAccount.AGENT_WALLET, FAILED, [-PRICE, PRICE, PRICE], (), 0),
        (ChargedAccount.PROVIDER_DEPOSIT, FAILED, [], (), PRICE),
        (ChargedAccount.PROVIDER_DEPOSIT, FAILED, [], (build_statement_line(),), 50_150),
        (ChargedAccount.PROVIDER_DEPOSIT, FAILED, [], CREDIT, 0),
        (ChargedAccount.PROVIDER_DEPOSIT, OrderStatus.REFUNDED, [], (), 0),
        (ChargedAccount.CASH, FAILED, [], (build_statement_line(),), PRICE),
        (ChargedAccount.CASH, OrderStatus.REFUNDED, [], (), 0),
    ],
)
def test_what_is_at_stake_depends_on_whose_money_was_charged(account, status, lines, statement, at_stake):
    facts = build_facts(
        transaction=order(status, charged_account=account),
        lines=[build_wallet_line(amount=amount, line_id=f"L{n}") for n, amount in enumerate(lines)],
        history=build_history(statement_lines=tuple(statement)),
    )
    assert facts.at_stake == at_stake


def test_a_row_that_comes_twice_counts_once():
    line = build_wallet_line()
    assert build_facts(lines=[line, line]).net == PRICE


def test_only_what_is_still_taken_is_given_back():
    lines = [build_wallet_line(), build_wallet_line(amount=10_000, posted_at=at(30))]
    assert find(failed_order(lines=lines), REFUND).amount == 40_600


@pytest.mark.parametrize("state", RefundState)
def test_a_refund_is_never_asked_for_twice(state):
    history = build_history(refunds=(build_refund(state=state, settled_at=at(10)),), breaks=(build_break(),))
    decisions = failed_order(history=history)
    assert not {REFUND, MARK} & set(actions(decisions))
    assert (find(decisions, STAFF) is not None) is (state not in COUNTS_AS_CREDIT)


def test_a_refund_of_a_part_is_not_followed_by_another():
    part = build_history(refunds=(build_refund(amount=10_000, state=RefundState.SUBMITTED),), breaks=(build_break(),))
    assert failed_order(history=part) == []


def test_a_refused_refund_whose_break_a_person_closed_is_left_alone():
    closed = build_history(
        refunds=(build_refund(state=RefundState.REJECTED),), breaks=(build_break(state=BreakState.RESOLVED),)
    )
    assert failed_order(history=closed) == []


@pytest.mark.parametrize(
    ("failure_class", "price", "needs_approval"),
    [
        (DEFINITE, 105_000, False),
        (DEFINITE, 105_001, True),
        (SOFT, 105_000, False),
        (SOFT, 105_001, True),
        (NEVER_FORMED, 210_000, False),
        (NEVER_FORMED, 210_001, True),
    ],
)
def test_amounts_above_the_limit_need_a_person(failure_class, price, needs_approval):
    reports = [failed(0, failure_class, FIRST)]
    reports += [] if failure_class is NEVER_FORMED else [failed(540, failure_class)]
    refund = find(decide_on(now=at(540), transaction=order(price=price), reports=reports), REFUND)
    assert refund.needs_approval is needs_approval
    assert bool(refund.approval_reason) is needs_approval


@pytest.mark.parametrize(
    ("mode", "needs_approval"), [(Mode.AUTOMATIC, False), (Mode.PROPOSE, True), (Mode.OBSERVE, True)]
)
def test_only_the_automatic_mode_moves_money_without_a_person(mode, needs_approval):
    assert find(failed_order(policy=build_policy(mode=mode)), REFUND).needs_approval is needs_approval
    one = build_policy(modes={B01: mode})
    assert find(failed_order(policy=one), REFUND).needs_approval is needs_approval
