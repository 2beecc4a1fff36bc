"""Deliveries the server missed (B03), that lack a serial number (B07), that no callback told of (B22)."""

import pytest

from rekon.domain.breaks import BreakKind, BreakState
from rekon.domain.decision import Action
from rekon.domain.outcome import Outcome, ReportSource
from rekon.domain.policy import CutOff
from rekon.domain.transaction import OrderStatus
from tests.builders import (
    PROVIDERS,
    READ_ONLY,
    actions,
    at,
    build_break,
    build_history,
    build_leg,
    build_report,
    build_rules,
    build_transaction,
    due,
    find,
)
from tests.domain.stories import FIRST, hanging, order, told

B02, B03, B07 = BreakKind.STUCK_PENDING, BreakKind.DELIVERED_NOT_RECORDED, BreakKind.SERIAL_MISSING
B22 = BreakKind.CALLBACK_LOST
RECORD, TELL, STAFF = Action.RECORD, Action.TELL, Action.ASK_STAFF
COMPLAIN, COMPLETE = Action.OPEN_COMPLAINT, Action.COMPLETE
CALLBACK = ReportSource.CALLBACK


def delivered(seconds=30, *, serial_number="SN-0041", **more):
    return build_report(at=at(seconds), outcome=Outcome.DELIVERED, source=FIRST, serial_number=serial_number, **more)


def test_a_delivery_the_server_did_not_record_is_given_to_it_after_a_minute():
    early = hanging(now=at(89), reports=[delivered()])
    assert (actions(early), due(early)) == ([], at(90))
    complete = find(hanging(now=at(90), reports=[delivered()]), COMPLETE)
    assert complete.break_kind is B03
    assert complete.details == {"serial_number": "SN-0041"}
    assert complete.evidence == (delivered().report_id,)


@pytest.mark.parametrize(("read_to", "asks"), [(at(90), True), (at(89), False), (None, False)])
def test_a_delivery_is_given_to_the_server_only_on_fresh_books(read_to, asks):
    decisions = hanging(now=at(95), reports=[delivered()], history=build_history(read_to=read_to))
    assert (COMPLETE in actions(decisions)) is asks
    assert asks or due(decisions) == at(97)


def test_a_delivery_that_the_provider_called_failed_later_is_not_given_to_the_server():
    failed = build_report(at=at(80))
    found = actions(hanging(now=at(300), reports=[delivered(), failed]))
    assert COMPLETE not in found
    assert STAFF in found


@pytest.mark.parametrize(
    ("result", "asked"),
    [
        ("success:pending", []),
        ("success:accepted", [TELL]),
        ("success:conflict", [STAFF]),
        ("success:unsupported", [STAFF]),
        ("success:unknown", [STAFF]),
        ("failed:accepted", [STAFF]),
    ],
)
def test_after_the_server_heard_of_a_delivery_the_agent_or_staff_does(result, asked):
    history = build_history(order_result=result, order_result_at=at(91), breaks=(build_break(kind=B03),))
    assert actions(hanging(now=at(120), reports=[delivered()], history=history)) == asked


def test_who_was_kept_waiting_hears_of_the_delivery_once():
    success = build_transaction(order_status=OrderStatus.SUCCESS)
    waited = build_break(kind=B02, state=BreakState.RESOLVED)

    def news(*templates, breaks=(waited,)):
        history = told(*templates, breaks=breaks)
        return find(hanging(now=at(600), transaction=success, reports=[delivered()], history=history), TELL)

    assert news("M02").template == "M05"
    assert news("M02").details == {"serial_number": "SN-0041"}
    assert news("M02", "M05") is None
    assert news() is None
    assert news("M02", breaks=()) is None


def without_serial(*, now, status=OrderStatus.SUCCESS, history=None, **more):
    history = history or build_history()
    reports = [delivered(serial_number=None)]
    transaction = build_transaction(order_status=status, **more)
    return hanging(now=now, transaction=transaction, reports=reports, history=history)


def test_a_missing_serial_number_is_complained_about_after_the_requeries_and_told_later():
    early = without_serial(now=at(629))
    assert (actions(early), due(early)) == ([], at(630))
    assert actions(without_serial(now=at(630))) == [RECORD, COMPLAIN]
    assert due(without_serial(now=at(630))) == at(930)
    message = find(without_serial(now=at(930)), TELL)
    assert (message.template, message.break_kind) == ("M11", B07)
    assert message.promise_at == at(930, minutes=60)
    assert TELL not in actions(without_serial(now=at(930), history=told("M11", kind=B07)))


@pytest.mark.parametrize(("serial", "is_missing"), [("SN-7", False), (None, True), ("-", True), ("T1001", True)])
def test_a_serial_number_in_the_servers_own_book_is_enough(serial, is_missing):
    found = actions(without_serial(now=at(700), serial_number=serial))
    assert (RECORD in found) is is_missing


def test_a_missing_serial_number_is_complained_about_once_and_never_inside_a_window():
    assert actions(without_serial(now=at(700), history=build_history(complaint_state="draft"))) == [RECORD]
    all_day = {READ_ONLY: build_rules(cut_offs=(CutOff(start_minute=0, end_minute=1439),))}
    reports, success = [delivered(serial_number=None)], order(OrderStatus.SUCCESS)
    assert actions(hanging(now=at(700), transaction=success, reports=reports, providers=all_day)) == [RECORD]


def test_an_old_delivery_wakes_nobody():
    assert TELL not in actions(without_serial(now=at(hours=25)))
    waited = build_break(kind=B02, state=BreakState.RESOLVED)
    books = {"transaction": order(OrderStatus.SUCCESS), "reports": [delivered()]}
    assert hanging(now=at(hours=25), history=told("M02", breaks=(waited,)), **books) == []


def test_a_delivery_without_serial_number_is_not_given_to_the_server():
    assert COMPLETE not in actions(without_serial(now=at(700), status=OrderStatus.PENDING))


def test_a_serial_number_that_comes_late_ends_it():
    reports = [delivered(serial_number=None), delivered(300)]
    success = build_transaction(order_status=OrderStatus.SUCCESS)
    assert actions(hanging(now=at(700), transaction=success, reports=reports)) == []


def polled(**more):
    return build_report(at=at(60), outcome=Outcome.DELIVERED, serial_number="SN1", **more)


SUCCESS = build_transaction(order_status=OrderStatus.SUCCESS)


def test_a_final_state_that_only_polling_found_is_recorded_once():
    early = hanging(now=at(179), reports=[polled()], transaction=SUCCESS)
    assert (actions(early), due(early)) == ([], at(180))
    record = find(hanging(now=at(180), reports=[polled()], transaction=SUCCESS), RECORD)
    assert (record.break_kind, record.evidence) == (B22, (polled().report_id,))
    known = build_history(breaks=(build_break(kind=B22, state=BreakState.RESOLVED),))
    assert hanging(now=at(180), reports=[polled()], transaction=SUCCESS, history=known) == []


@pytest.mark.parametrize(("seconds", "is_lost"), [(30, False), (180, False), (181, True)])
@pytest.mark.parametrize("is_signed", [True, False])
def test_a_callback_within_two_minutes_is_not_lost(seconds, is_lost, is_signed):
    callback = build_report(at=at(seconds), source=CALLBACK, outcome=Outcome.DELIVERED, body_signed=is_signed)
    reports = [polled(report_id="rpt_0"), callback]
    found = hanging(now=at(200), reports=reports, transaction=SUCCESS)
    first_word_is_polled = not (is_signed and seconds <= 60)
    assert (RECORD in actions(found)) is (is_lost and first_word_is_polled)


def test_a_callback_that_only_said_created_is_not_the_answer():
    created = build_report(at=at(30), source=CALLBACK, outcome=Outcome.PENDING)
    assert RECORD in actions(hanging(now=at(200), reports=[polled(), created], transaction=SUCCESS))


def test_a_callback_about_another_leg_is_not_the_answer():
    other = build_leg(leg_no=2)
    callback = build_report(at=at(70), source=CALLBACK, outcome=Outcome.DELIVERED, leg=other.key)
    legs = [build_leg(), other]
    assert RECORD in actions(hanging(now=at(200), legs=legs, reports=[polled(), callback], transaction=SUCCESS))


def test_no_callback_is_lost_of_a_provider_that_sends_none_or_that_said_it_at_once():
    silent = dict(PROVIDERS) | {READ_ONLY: build_rules(sends_callbacks=False)}
    assert hanging(now=at(200), reports=[polled()], transaction=SUCCESS, providers=silent) == []
    assert hanging(now=at(200), reports=[delivered()], transaction=SUCCESS) == []
