"""B17: what was never sent goes back on our own books, what the provider does not know goes to a person."""

import pytest

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action
from rekon.domain.outcome import Outcome
from rekon.domain.transaction import ChargedAccount, LegState, OrderStatus, SendState
from tests.builders import (
    PRICE,
    actions,
    at,
    build_leg,
    build_report,
    build_wallet_line,
    decide_on,
    due,
    find,
)
from tests.domain.stories import order

B17 = BreakKind.NOT_AT_PROVIDER


REFUND, MARK, STAFF = Action.ISSUE_REFUND, Action.MARK_FAILED_AT_SERVER, Action.ASK_STAFF
PENDING = OrderStatus.PENDING


NOT_SENT = [build_leg(send_state=SendState.NOT_SENT, state=LegState.STOPPED)]


def test_what_was_never_sent_is_given_back_on_our_own_books_once_the_wallet_is_quiet():
    early = decide_on(now=at(119), legs=NOT_SENT)
    assert (actions(early), due(early)) == ([], at(120))
    refund = find(decide_on(now=at(120), legs=NOT_SENT), REFUND)
    assert (refund.break_kind, refund.amount, refund.needs_approval) == (B17, PRICE, False)


def test_an_order_that_closed_later_than_its_debit_is_quiet_later():
    closed = order(status_at=at(50))
    assert due(decide_on(now=at(169), legs=NOT_SENT, transaction=closed)) == at(170)


def test_an_order_whose_attempts_are_not_known_was_not_never_sent():
    assert decide_on(now=at(hours=1), legs=[]) == []


def test_what_was_never_sent_has_the_higher_limit_of_our_own_books():
    for price, needs_approval in ((210_000, False), (210_001, True)):
        decisions = decide_on(now=at(120), legs=NOT_SENT, transaction=order(price=price))
        assert find(decisions, REFUND).needs_approval is needs_approval


@pytest.mark.parametrize(
    ("outcome", "pays"),
    [(Outcome.NOT_FOUND, True), (Outcome.PENDING, False), (Outcome.DELIVERED, False), (Outcome.REVERSED, False)],
)
def test_a_provider_that_knows_the_reference_refutes_the_servers_log(outcome, pays):
    reports = [build_report(at=at(60), outcome=outcome, serial_number="SN1")]
    assert (REFUND in actions(decide_on(now=at(200), legs=NOT_SENT, reports=reports))) is pays


def test_an_open_order_that_was_never_sent_is_closed_first():
    assert actions(decide_on(now=at(120), legs=NOT_SENT, transaction=order(PENDING))) == [MARK]


def test_a_cash_order_that_was_never_sent_gets_a_card():
    cash = order(charged_account=ChargedAccount.CASH)
    assert STAFF in actions(decide_on(now=at(120), legs=NOT_SENT, transaction=cash, lines=[]))


def lost(*seconds):
    return [build_report(at=at(s), outcome=Outcome.NOT_FOUND) for s in seconds]


@pytest.mark.parametrize(
    ("reports", "found"),
    [
        (lost(60, 300, 540), True),
        (lost(60, 300, 539), False),
        (lost(60, 540), False),
        ([*lost(60, 300, 540), build_report(at=at(600), outcome=Outcome.UNKNOWN)], True),
        ([*lost(60, 300, 540), build_report(at=at(600), outcome=Outcome.PENDING)], False),
    ],
)
def test_a_reference_the_provider_does_not_know_is_recorded_after_three_readings_over_eight_minutes(reports, found):
    decisions = decide_on(now=at(700), reports=reports)
    assert (find(decisions, Action.RECORD, kind=B17) is not None) is found
    assert REFUND not in actions(decisions)


def test_a_reference_that_stays_unknown_goes_to_staff_after_a_day_and_is_never_given_back_by_itself():
    books = {"reports": lost(60, 300, 540, 3600)}
    assert find(decide_on(now=at(59, days=1), **books), STAFF, kind=B17) is None
    decisions = decide_on(now=at(60, days=1), **books)
    assert find(decisions, STAFF, kind=B17).amount == PRICE
    assert REFUND not in actions(decisions)


@pytest.mark.parametrize("status", OrderStatus)
def test_a_lost_reference_matters_whatever_the_server_calls_the_order_while_money_is_missing(status):
    decisions = decide_on(now=at(days=2), reports=lost(60, 300, 540), transaction=order(status))
    assert find(decisions, STAFF, kind=B17) is not None


def test_a_lost_reference_does_not_matter_once_nothing_is_missing_or_another_leg_delivered():
    lines = [build_wallet_line(), build_wallet_line(amount=PRICE)]
    assert find(decide_on(now=at(days=2), reports=lost(60, 300, 540), lines=lines), STAFF) is None
    leg = build_leg(leg_no=2)
    reports = [*lost(60, 300, 540), build_report(leg=leg.key, outcome=Outcome.DELIVERED, serial_number="SN1")]
    decisions = decide_on(
        now=at(days=2), legs=[build_leg(), leg], reports=reports, transaction=order(OrderStatus.SUCCESS)
    )
    assert find(decisions, STAFF, kind=B17) is None
