"""What the wallet alone proves: an order debited twice (B10), also a failed one, and a double refund (B14)."""

from datetime import timedelta

import pytest

from rekon.domain.breaks import BreakKind, Mode
from rekon.domain.decision import Action
from rekon.domain.outcome import ReportSource
from rekon.domain.refund import RefundState, refund_key
from rekon.domain.transaction import ChargedAccount, LegState, OrderStatus, RefundOwner
from tests.builders import (
    PRICE,
    TRANSACTION,
    actions,
    at,
    build_history,
    build_leg,
    build_policy,
    build_refund,
    build_report,
    build_wallet_line,
    due,
    find,
)
from tests.domain.stories import moved, on_wallet, order

B01 = BreakKind.FAILED_NOT_REFUNDED
B10, B14 = BreakKind.DEBITED_TWICE, BreakKind.REFUNDED_TWICE
REFUND, STAFF, TELL, FREEZE = Action.ISSUE_REFUND, Action.ASK_STAFF, Action.TELL, Action.FREEZE_AGENT
FAILED = OrderStatus.FAILED


TWICE = ((-PRICE, 0), (-PRICE, 10))


def test_an_order_debited_twice_gets_its_excess_back_once_the_wallet_is_quiet():
    early = on_wallet(*TWICE, now=at(129))
    assert (actions(early), due(early)) == ([], at(130))
    refund = find(on_wallet(*TWICE, now=at(130)), REFUND)
    assert (refund.break_kind, refund.amount, refund.needs_approval) == (B10, PRICE, False)
    assert refund.evidence[:2] == ("toko:L0", "toko:L1")


def test_a_double_debit_needs_no_provider():
    assert actions(on_wallet(*TWICE, now=at(130), reports=(), legs=[])) == [REFUND]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(-PRICE, 0)], id="one debit"),
        pytest.param([(-PRICE - 500, 0)], id="one debit above the price is another break"),
        pytest.param([(-PRICE, 0), (PRICE, 5), (-PRICE, 10)], id="a re-route"),
        pytest.param([(-PRICE, 0), (-PRICE, 5), (PRICE, 10)], id="given back already"),
        pytest.param([(-30_000, 0), (-20_600, 5)], id="one price in two parts"),
    ],
)
def test_what_only_looks_like_a_double_debit_is_left_alone(rows):
    assert on_wallet(*rows, now=at(hours=1)) == []


def test_only_the_excess_goes_back():
    assert find(on_wallet((-PRICE, 0), (-PRICE, 5), (-PRICE, 9), now=at(hours=1)), REFUND).amount == 2 * PRICE
    assert find(on_wallet((-PRICE, 0), (-PRICE, 5), (20_000, 9), now=at(hours=1)), REFUND).amount == 30_600


def test_an_open_order_may_still_be_re_routed_so_nothing_goes_back():
    found = on_wallet(*TWICE, now=at(hours=1), status=OrderStatus.PENDING, reports=())
    assert REFUND not in actions(found)


def test_an_order_that_closed_just_now_is_not_quiet():
    closed = order(status_at=at(100))
    assert due(on_wallet(*TWICE, now=at(219), transaction=closed)) == at(220)
    assert actions(on_wallet(*TWICE, now=at(220), transaction=closed)) == [REFUND]


@pytest.mark.parametrize(("read_to", "lag", "pays"), [(15, 5, True), (14, 5, False), (10, 0, True), (9, 0, False)])
def test_a_double_debit_is_judged_on_books_read_past_the_last_line(read_to, lag, pays):
    history = build_history(read_to=at(read_to), source_lag=timedelta(seconds=lag))
    assert (REFUND in actions(on_wallet(*TWICE, now=at(200), history=history))) is pays


@pytest.mark.parametrize(
    ("owner", "action"),
    [
        (RefundOwner.REKON, REFUND),
        (RefundOwner.SERVER, REFUND),
        (RefundOwner.MANUAL, STAFF),
        (RefundOwner.PROVIDER, STAFF),
    ],
)
def test_rekon_gives_a_double_debit_back_even_where_the_server_refunds_failures(owner, action):
    found = on_wallet(*TWICE, now=at(200), history=build_history(refund_owner=owner))
    assert [(d.action, d.amount) for d in found] == [(action, PRICE)]


def test_a_delivered_order_waits_for_no_server():
    assert REFUND in actions(on_wallet(*TWICE, now=at(130), history=build_history(refund_owner=RefundOwner.SERVER)))


def test_a_server_that_refunds_failures_is_left_its_time_before_a_failed_order_is_called_debited_twice():
    books = {"status": FAILED, "reports": (), "legs": [], "history": build_history(refund_owner=RefundOwner.SERVER)}
    assert due(on_wallet(*TWICE, now=at(189), **books)) == at(190)
    assert REFUND in actions(on_wallet(*TWICE, now=at(190), **books))


@pytest.mark.parametrize(("price", "needs_approval"), [(210_000, False), (210_001, True)])
def test_a_double_debit_has_the_limit_of_our_own_books(price, needs_approval):
    found = on_wallet((-price, 0), (-price, 10), now=at(200), transaction=order(price=price))
    assert find(found, REFUND).needs_approval is needs_approval


def test_in_the_proposing_mode_a_person_agrees_first():
    found = on_wallet(*TWICE, now=at(200), policy=build_policy(modes={B10: Mode.PROPOSE}))
    assert find(found, REFUND).needs_approval


@pytest.mark.parametrize("state", RefundState)
def test_a_double_debit_is_given_back_once(state):
    history = build_history(refunds=(build_refund(kind=B10, state=state),))
    assert REFUND not in actions(on_wallet(*TWICE, now=at(200), history=history))


@pytest.mark.parametrize("account", [ChargedAccount.PROVIDER_DEPOSIT, ChargedAccount.CASH])
def test_only_a_wallet_can_be_debited_twice(account):
    assert on_wallet(*TWICE, now=at(200), transaction=order(charged_account=account)) == []


PROOF = [build_report(at=at(0), source=ReportSource.FIRST_REPLY), build_report(at=at(150))]


def failed_and_debited_twice(*, now, refunds=(), rows=TWICE, **books):
    history = build_history(refunds=tuple(refunds))
    return on_wallet(
        *rows, now=now, status=FAILED, reports=PROOF, legs=[build_leg(state=LegState.FINAL)], history=history, **books
    )


def test_a_failed_order_debited_twice_gets_the_double_debit_first_and_the_price_after_it():
    first = [d for d in failed_and_debited_twice(now=at(151)) if d.action is REFUND]
    assert [(d.break_kind, d.amount) for d in first] == [(B10, PRICE)]
    assert due(failed_and_debited_twice(now=at(151))) == at(153)
    asked = build_refund(kind=B10, state=RefundState.REQUESTED)
    then = [d for d in failed_and_debited_twice(now=at(153), refunds=[asked]) if d.action is REFUND]
    assert [(d.break_kind, d.amount) for d in then] == [(B01, PRICE)]
    both = [asked, build_refund(kind=B01, state=RefundState.REQUESTED)]
    assert REFUND not in actions(failed_and_debited_twice(now=at(155), refunds=both))


def test_while_the_wallet_is_not_quiet_the_price_waits_for_the_double_debit():
    rows = ((-PRICE, 0), (-PRICE, 60))
    early = failed_and_debited_twice(now=at(160), rows=rows)
    assert REFUND not in actions(early)
    assert due(early) == at(162)


@pytest.mark.parametrize("state", [RefundState.REQUESTED, RefundState.SUBMITTED, RefundState.UNKNOWN])
def test_the_double_debit_still_stands_while_the_price_is_on_its_way(state):
    found = failed_and_debited_twice(now=at(200), refunds=[build_refund(kind=B01, state=state)])
    assert find(found, REFUND).amount == PRICE


def test_the_double_debit_still_stands_after_the_price_came_back():
    price = build_refund(kind=B01, state=RefundState.SETTLED, settled_at=at(155))
    back = build_wallet_line(amount=PRICE, posted_at=at(20), reference=refund_key(TRANSACTION, B01, 1))
    lines = [*moved(*TWICE), back]
    found = failed_and_debited_twice(now=at(200), refunds=[price], lines=lines)
    assert find(found, REFUND, kind=B10).amount == PRICE


def test_nothing_more_goes_back_once_everything_did():
    everything = build_refund(kind=B01, amount=2 * PRICE, state=RefundState.SUBMITTED)
    assert REFUND not in actions(failed_and_debited_twice(now=at(200), refunds=[everything]))


SURPLUS = ((-PRICE, 0), (PRICE, 60), (PRICE, 90))


def test_more_given_back_than_taken_stops_the_agents_automatic_money_and_asks_a_person():
    early = on_wallet(*SURPLUS, now=at(209), status=FAILED, reports=())
    assert FREEZE not in actions(early)
    assert due(early) == at(210)
    found = on_wallet(*SURPLUS, now=at(210), status=FAILED, reports=())
    assert actions(found) == [STAFF, FREEZE, TELL]
    assert find(found, STAFF, kind=B14).amount == PRICE
    assert (find(found, TELL).template, find(found, TELL).variant) == ("M15", "b14")


def test_a_double_refund_is_opened_once_and_never_taken_back():
    asked = build_history(staff_asked=frozenset({B14}))
    assert on_wallet(*SURPLUS, now=at(210), status=FAILED, reports=(), history=asked) == []


def test_a_double_refund_is_judged_on_fresh_books():
    found = on_wallet(*SURPLUS, now=at(300), status=FAILED, reports=(), history=build_history(read_to=at(89)))
    assert actions(found) == []


def test_only_a_wallet_can_be_refunded_twice():
    cash = order(FAILED, charged_account=ChargedAccount.CASH)
    assert actions(on_wallet(*SURPLUS, now=at(210), transaction=cash, reports=())) == []


def test_an_old_double_refund_wakes_nobody():
    assert actions(on_wallet(*SURPLUS, now=at(hours=25), status=FAILED, reports=())) == [STAFF, FREEZE]


def test_a_voucher_and_a_debit_that_is_not_read_yet_are_no_double_refund():
    gift = build_wallet_line(amount=5_000, reference="voucher:ABC")
    lines = [*moved((-PRICE, 0), (PRICE, 60)), gift]
    assert on_wallet(now=at(300), status=FAILED, reports=(), lines=lines) == []
    assert on_wallet((PRICE, 60), now=at(300), status=FAILED, reports=()) == []


def test_our_own_refund_beside_the_servers_is_a_double_refund():
    refund = build_refund(state=RefundState.SETTLED, settled_at=at(60))
    lines = [*moved((-PRICE, 0), (PRICE, 55)), build_wallet_line(amount=PRICE, posted_at=at(60), reference=refund.key)]
    found = on_wallet(now=at(300), status=FAILED, reports=(), lines=lines, history=build_history(refunds=(refund,)))
    assert find(found, STAFF, kind=B14).amount == PRICE
