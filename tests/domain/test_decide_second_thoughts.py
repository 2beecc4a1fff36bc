"""What comes after the end: late success (B04), success taken back (B05), the same order once more (B11)."""

import pytest

from rekon.domain.breaks import BreakKind, BreakState
from rekon.domain.decision import Action
from rekon.domain.facts import Twin
from rekon.domain.outcome import Outcome, ReportSource
from rekon.domain.transaction import ChargedAccount, OrderStatus
from tests.builders import (
    PRICE,
    TRANSACTION,
    actions,
    at,
    build_break,
    build_history,
    build_leg,
    build_refund,
    build_report,
    build_statement_line,
    build_wallet_line,
    due,
    find,
)
from tests.domain.stories import DELIVERED, on_wallet, order

B04, B05 = BreakKind.LATE_SUCCESS, BreakKind.SUCCESS_TAKEN_BACK
B10, B11 = BreakKind.DEBITED_TWICE, BreakKind.ORDERED_TWICE
STAFF, TELL = Action.ASK_STAFF, Action.TELL
SUCCESS, FAILED = OrderStatus.SUCCESS, OrderStatus.FAILED


BACK = ((-PRICE, 0), (PRICE, 60))


@pytest.mark.parametrize("status", [FAILED, OrderStatus.REFUNDED, SUCCESS])
def test_a_success_after_the_money_went_back_asks_and_never_debits(status):
    found = on_wallet(*BACK, now=at(200), status=status)
    assert actions(found) == [STAFF, TELL]
    card, message = find(found, STAFF, kind=B04), find(found, TELL)
    assert card.amount == PRICE
    assert (message.template, message.details) == ("M15", {"serial_number": "SN-0041"})


def test_a_success_after_our_own_refund_of_an_order_the_server_never_closed_asks_too():
    refund = build_refund(settled_at=at(60))
    lines = [build_wallet_line(), build_wallet_line(amount=PRICE, posted_at=at(60), reference=refund.key)]
    history = build_history(
        refunds=(refund,), told=frozenset({"M01:B01"}), order_result="failed:accepted", order_result_at=at(50)
    )
    found = on_wallet(now=at(70), status=OrderStatus.PENDING, lines=lines, history=history)
    assert find(found, STAFF, kind=B04) is not None


def test_an_old_late_success_wakes_nobody():
    assert actions(on_wallet(*BACK, now=at(hours=25), status=FAILED)) == [STAFF]


def test_of_a_failed_order_even_a_part_that_went_back_is_asked_for():
    found = on_wallet((-PRICE, 0), (-PRICE, 5), (PRICE, 60), (10_000, 61), now=at(400), status=FAILED)
    assert find(found, STAFF, kind=B04).amount == 10_000


def test_a_late_success_is_one_case():
    history = build_history(staff_asked=frozenset({B04}))
    assert on_wallet(*BACK, now=at(200), status=FAILED, history=history) == []


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        pytest.param([(-PRICE, 0)], FAILED, id="nothing went back"),
        pytest.param([(-PRICE, 0), (600, 60)], SUCCESS, id="a discount"),
        pytest.param([(-PRICE, 0), (-PRICE, 5), (PRICE, 60)], SUCCESS, id="a double debit put right"),
        pytest.param([(-PRICE, 0), (-PRICE, 5), (PRICE, 60)], FAILED, id="the same of a failed order"),
    ],
)
def test_what_is_no_late_success(rows, status):
    assert find(on_wallet(*rows, now=at(400), status=status), STAFF, kind=B04) is None


def test_only_what_went_back_of_the_price_is_asked_for():
    found = on_wallet((-PRICE, 0), (-PRICE, 5), (PRICE, 60), (PRICE, 61), now=at(400), status=FAILED)
    assert find(found, STAFF, kind=B04).amount == PRICE


REVERSED = [
    DELIVERED,
    build_report(at=at(hours=1), outcome=Outcome.REVERSED, source=ReportSource.CALLBACK, body_signed=True),
]


@pytest.mark.parametrize("credit", [(), (build_statement_line(amount=-50_150), build_statement_line(amount=50_150))])
def test_a_success_that_was_taken_back_goes_to_staff_with_the_statement_line(credit):
    history = build_history(statement_lines=credit)
    found = on_wallet((-PRICE, 0), now=at(60, hours=1), reports=REVERSED, history=history)
    assert actions(found) == [STAFF, TELL]
    card = find(found, STAFF, kind=B05)
    assert card.amount == PRICE
    assert ("stl:S50150" in card.evidence) is bool(credit)
    assert ("sudah mengembalikan deposit" in card.note) is bool(credit)
    assert find(found, TELL).template == "M16"


def test_a_plain_failure_after_a_success_is_a_case_and_never_a_refund():
    reports = [DELIVERED, build_report(at=at(300)), build_report(at=at(600))]
    found = on_wallet((-PRICE, 0), now=at(2000), reports=reports)
    assert actions(found) == [STAFF, TELL]
    assert find(found, STAFF, kind=B05).evidence[-1] == reports[1].report_id


def test_a_later_failure_of_an_open_order_leaves_the_server_its_time_from_that_word():
    books = {"reports": [DELIVERED, build_report(at=at(300))], "status": OrderStatus.PENDING}
    assert STAFF not in actions(on_wallet((-PRICE, 0), now=at(479), **books))
    assert STAFF in actions(on_wallet((-PRICE, 0), now=at(480), **books))


def test_an_old_reversal_wakes_nobody():
    assert actions(on_wallet((-PRICE, 0), now=at(hours=25), reports=REVERSED)) == [STAFF]


def test_a_reversal_is_one_case():
    history = build_history(staff_asked=frozenset({B05}))
    assert on_wallet((-PRICE, 0), now=at(hours=2), reports=REVERSED, history=history) == []


def test_a_reversal_whose_money_is_back_is_no_case():
    assert find(on_wallet(*BACK, now=at(hours=2), reports=REVERSED), STAFF) is None


def test_a_reversal_of_an_order_that_is_not_recorded_as_a_success_leaves_the_server_its_time():
    books = {"reports": REVERSED, "status": OrderStatus.PENDING}
    assert actions(on_wallet((-PRICE, 0), now=at(179, hours=1), **books)) == []
    assert actions(on_wallet((-PRICE, 0), now=at(180, hours=1), **books)) == [STAFF, TELL]
    stale = build_history(read_to=at(179, hours=1))
    assert actions(on_wallet((-PRICE, 0), now=at(185, hours=1), history=stale, **books)) == []


def test_a_reversed_leg_does_not_matter_once_another_one_delivered():
    other = build_leg(leg_no=2)
    reports = [
        *REVERSED,
        build_report(leg=other.key, outcome=Outcome.DELIVERED, serial_number="SN-2", source=ReportSource.FIRST_REPLY),
    ]
    assert find(on_wallet((-PRICE, 0), now=at(hours=2), reports=reports, legs=[build_leg(), other]), STAFF) is None


def test_a_reversal_of_a_cash_purchase_goes_to_staff_too():
    cash = order(charged_account=ChargedAccount.CASH)
    assert actions(on_wallet(now=at(hours=2), reports=REVERSED, transaction=cash)) == [STAFF]


def twin(*, seconds=-60, status="success", key="toko:T1000", repeat_counter=""):
    return Twin(key=key, ordered_at=at(seconds), order_status=status, repeat_counter=repeat_counter)


def beside(*twins, now=None, asked=(), status=SUCCESS, reports=(DELIVERED,), **more):
    history = build_history(twins=twins, staff_asked=frozenset(asked))
    transaction = order(status, **more)
    return on_wallet((-PRICE, 0), now=now or at(5), transaction=transaction, history=history, reports=reports)


def test_two_equal_orders_that_both_arrived_are_asked_about_and_never_taken_back():
    found = beside(twin())
    assert actions(found) == [STAFF, TELL]
    card, message = find(found, STAFF, kind=B11), find(found, TELL)
    assert card.evidence == ("txn:toko:T1000", f"txn:{TRANSACTION}")
    assert (message.template, message.promise_at) == ("M13", at(5, minutes=60))
    assert message.details == {"twin_at": at(-60).isoformat(), "result_1": "berhasil", "result_2": "berhasil"}


@pytest.mark.parametrize(
    ("family", "seconds", "is_double"),
    [
        ("pulsa", -120, True),
        ("pulsa", -121, False),
        ("data", -120, True),
        ("game", -10, True),
        ("game", -11, False),
        ("pln_token", -10, True),
        ("pln_token", -60, False),
    ],
)
def test_the_window_of_a_double_order_depends_on_the_product(family, seconds, is_double):
    assert (STAFF in actions(beside(twin(seconds=seconds), family=family))) is is_double


@pytest.mark.parametrize("counter", [".2", "#2", "RO"])
def test_a_repeat_counter_says_that_the_repetition_is_wanted(counter):
    assert beside(twin(), repeat_counter=counter) == []


@pytest.mark.parametrize(
    ("own", "other"),
    [(OrderStatus.PENDING, "success"), (SUCCESS, "pending"), (OrderStatus.PENDING, "pending")],
)
def test_while_either_twin_is_open_nothing_is_done_but_look_again(own, other):
    found = beside(twin(status=other), status=own, reports=())
    assert actions(found) == []
    assert due(found) == at(125)


def test_an_open_twin_is_not_watched_for_ever():
    found = beside(twin(status="pending"), now=at(hours=25))
    assert due(found) is None


@pytest.mark.parametrize("status", ["failed", "refunded"])
def test_a_twin_that_failed_is_no_double(status):
    assert beside(twin(status=status)) == []


def test_an_old_double_order_wakes_nobody():
    assert actions(beside(twin(), now=at(hours=25))) == [STAFF]


def test_a_double_order_is_one_case_and_a_later_twin_carries_it():
    assert beside(twin(), asked=(B11,)) == []
    assert beside(twin(seconds=60)) == []


def test_a_closed_break_does_not_come_back():
    closed = build_history(breaks=(build_break(kind=B10, state=BreakState.RESOLVED),))
    assert on_wallet((-PRICE, 0), now=at(hours=1), history=closed) == []
