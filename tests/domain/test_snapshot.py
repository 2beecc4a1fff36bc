"""What a decision was made of survives being written as JSON, and decides the same again (I21)."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekon.domain import books, breaks, facts, outcome, policy, refund, snapshot, transaction
from rekon.domain.breaks import BreakKind, BreakState, Mode
from rekon.domain.decide import decide
from rekon.domain.facts import Twin
from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from rekon.domain.policy import CutOff
from rekon.domain.refund import RefundState
from rekon.domain.snapshot import freeze, thaw
from rekon.domain.transaction import LegState, OrderStatus, SendState
from tests.builders import (
    PRICE,
    T0,
    at,
    build_books,
    build_break,
    build_history,
    build_leg,
    build_policy,
    build_refund,
    build_report,
    build_rules,
    build_statement_line,
    build_transaction,
    build_wallet_line,
)

HISTORY = build_history(
    breaks=(build_break(state=BreakState.IN_REVIEW),),
    refunds=(build_refund(settled_at=at(200)), build_refund(kind=BreakKind.DEBITED_TWICE, state=RefundState.UNKNOWN)),
    twins=(Twin(key="toko:T1", ordered_at=T0, order_status="success", repeat_counter=".2"),),
    told=frozenset({"M01:B01", "M02:B02"}),
    order_result="failed:accepted",
    order_result_at=at(5),
    complaint_state="sent",
    complaint_sent_at=at(6),
    case_number="K7Q2M9XB4",
    vouchers={BreakKind.DEBITED_TWICE: ("ABCD", 5_000, at(days=30))},
    staff_asked=frozenset({BreakKind.LATE_SUCCESS, BreakKind.CONTRADICTION}),
    statement_lines=(build_statement_line(),),
    agent_balance=1_250_000,
)
WORDS = [
    build_transaction(serial_number="SN1", repeat_counter=".2"),
    build_leg(send_state=SendState.UNKNOWN, state=LegState.STOPPED, max_price=60_000, first_reply='{"rc": "00"}'),
    build_wallet_line(balance_after=7, sequence=3),
    build_report(price=Decimal("50149.50"), balance=Decimal("0.10"), body_signed=True),
    build_report(outcome=Outcome.UNKNOWN, failure_class=FailureClass.CHECK_ERROR, source=ReportSource.STATEMENT),
    build_statement_line(amount=50_150),
    build_refund(),
    build_break(),
    HISTORY,
    build_history(read_to=None),
    build_policy(mode=Mode.PROPOSE, modes={BreakKind.DEBITED_TWICE: Mode.AUTOMATIC}),
    build_rules(
        soft_hold=timedelta(minutes=20, microseconds=5),
        cut_offs=(CutOff(start_minute=1380, end_minute=60, families=frozenset({"pln_token", "pulsa"})),),
    ),
    HISTORY.twins[0],
]


def through_json(value):
    return thaw(json.loads(json.dumps(freeze(value), sort_keys=True)))


@pytest.mark.parametrize("word", WORDS, ids=lambda word: type(word).__name__)
def test_a_word_of_the_domain_comes_back_as_it_was(word):
    assert through_json(word) == word


def test_every_class_and_every_enum_the_books_are_made_of_can_be_written():
    def reachable(names):
        return {
            value
            for module in (books, breaks, facts, outcome, policy, refund, transaction)
            for value in vars(module).values()
            if isinstance(value, type) and value.__module__ == module.__name__ and names(value)
        }

    classes = reachable(dataclasses.is_dataclass) - {facts.Facts, books.Agent, policy.HoldRule, outcome.Reading}
    assert set(snapshot._CLASSES.values()) == classes
    assert {type(word) for word in WORDS} | {CutOff} == classes
    assert set(snapshot._ENUMS.values()) == reachable(lambda value: issubclass(value, Enum))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        "",
        "$t",
        Decimal("10.50"),
        timedelta(days=-1, seconds=5),
        datetime(2026, 11, 22, 7, 5, 0, 123, tzinfo=UTC),
        frozenset({"b", "a"}),
        {"k": (1, 2), BreakKind.STUCK_PENDING: None},
        (),
        Mode.OBSERVE,
        OrderStatus.PENDING,
    ],
)
def test_a_plain_value_comes_back_as_it_was(value):
    back = through_json(value)
    assert back == value
    assert type(back) is type(value)


def test_a_list_comes_back_as_the_tuple_the_domain_uses():
    assert through_json([1, [2]]) == (1, (2,))


def test_an_exact_decimal_keeps_its_digits():
    assert str(through_json(Decimal("50149.50"))) == "50149.50"


@pytest.mark.parametrize("value", [1.5, object(), b"raw", {1, 2}])
def test_what_is_no_word_of_the_domain_is_refused(value):
    with pytest.raises(TypeError, match="cannot write"):
        freeze(value)


def test_the_same_value_is_always_written_the_same():
    left = freeze(frozenset({BreakKind.STUCK_PENDING, BreakKind.LATE_SUCCESS, BreakKind.CONTRADICTION}))
    right = freeze(frozenset({BreakKind.CONTRADICTION, BreakKind.LATE_SUCCESS, BreakKind.STUCK_PENDING}))
    assert json.dumps(left) == json.dumps(right)


CASES = {
    "refund": {"reports": [build_report(source=ReportSource.FIRST_REPLY), build_report(at=at(120))]},
    "hanging": {"transaction": build_transaction(order_status=OrderStatus.PENDING)},
    "debited twice": {"lines": [build_wallet_line(), build_wallet_line(line_id="D2", posted_at=at(5))], "legs": []},
    "never sent": {"legs": [build_leg(send_state=SendState.NOT_SENT)]},
    "late success": {
        "lines": [build_wallet_line(), build_wallet_line(amount=PRICE)],
        "reports": [build_report(outcome=Outcome.DELIVERED, serial_number="SN1")],
    },
    "rich": {"history": HISTORY, "reports": [build_report(), build_report(at=at(300), outcome=Outcome.REVERSED)]},
}


@pytest.mark.parametrize("name", CASES)
def test_thawed_books_give_the_same_decisions(name):
    for minutes in (2, 6, 130):
        arguments = build_books(now=at(30, minutes=minutes), **CASES[name])
        decided = decide(**arguments)
        assert decided
        assert decide(**{key: through_json(value) for key, value in arguments.items()}) == decided


TEXTS = st.text(max_size=12)
REPORTS = st.builds(
    build_report,
    at=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy wants naive bounds
    source=st.sampled_from(ReportSource),
    outcome=st.sampled_from(Outcome),
    failure_class=st.sampled_from([None, *FailureClass]),
    report_id=TEXTS,
    serial_number=st.none() | TEXTS,
    raw_code=TEXTS,
    price=st.none() | st.decimals(allow_nan=False, allow_infinity=False),
    contradiction=st.booleans(),
)


@settings(max_examples=100)
@given(reports=st.lists(REPORTS, max_size=4).map(tuple))
def test_any_report_comes_back_as_it_was(reports):
    assert through_json(reports) == reports
