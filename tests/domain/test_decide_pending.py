"""Orders that hang: who is told when, when a provider hears a complaint, and that no money ever moves for age."""

from datetime import UTC, datetime, timedelta

import pytest

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action
from rekon.domain.outcome import FailureClass, Outcome
from rekon.domain.policy import CutOff
from rekon.domain.transaction import ChargedAccount, LegState, OrderStatus, SendState
from tests.builders import (
    LEG,
    PRICE,
    READ_ONLY,
    RESEND,
    actions,
    at,
    build_history,
    build_leg,
    build_report,
    build_rules,
    build_transaction,
    build_wallet_line,
    decide_on,
    due,
    find,
)
from tests.domain.stories import CREDIT, FIRST, failed, hanging, order, told

B02 = BreakKind.STUCK_PENDING
B21, B30 = BreakKind.CONTRADICTION, BreakKind.CHECK_AGE_PASSED
RECORD, TELL, STAFF = Action.RECORD, Action.TELL, Action.ASK_STAFF
COMPLAIN, REFUND = Action.OPEN_COMPLAINT, Action.ISSUE_REFUND


@pytest.mark.parametrize(
    ("family", "complain", "staff"),
    [
        ("pulsa", 30, 120),
        ("data", 30, 120),
        ("pln_token", 15, 60),
        ("ewallet", 30, 120),
        ("game", 30, 120),
        ("postpaid", 60, 600),
    ],
)
def test_the_agent_hears_after_five_minutes_the_provider_and_staff_later_by_family(family, complain, staff):
    def asked(minutes, seconds=0):
        return actions(hanging(now=at(seconds, minutes=minutes), family=family))

    assert asked(4, 59) == []
    assert asked(5) == [RECORD, TELL]
    assert asked(complain - 1, 59) == [RECORD, TELL]
    assert asked(complain) == [RECORD, TELL, COMPLAIN]
    assert asked(staff - 1, 59) == [RECORD, TELL, COMPLAIN]
    assert asked(staff) == [RECORD, TELL, COMPLAIN, STAFF]


@pytest.mark.parametrize(("minutes", "next_minutes"), [(0, 5), (4, 5), (5, 30), (29, 30), (30, 120), (120, None)])
def test_a_hanging_order_is_looked_at_again_at_its_next_step(minutes, next_minutes):
    assert due(hanging(now=at(minutes=minutes))) == (None if next_minutes is None else at(minutes=next_minutes))


@pytest.mark.parametrize("outcome", [Outcome.PENDING, Outcome.UNKNOWN, Outcome.NOT_FOUND])
def test_no_age_ever_gives_money_back(outcome):
    reports = [build_report(at=at(hours=h), outcome=outcome) for h in (0, 1, 24, 71)]
    for hours in (1, 3, 25, 72, 24 * 79, 24 * 400):
        found = actions(hanging(now=at(hours=hours), reports=reports))
        assert not {REFUND, Action.MARK_FAILED_AT_SERVER, Action.CLAIM_ON_PROVIDER} & set(found)


def test_the_first_message_promises_news_for_the_time_of_the_complaint():
    notice = find(hanging(now=at(minutes=5)), TELL)
    assert (notice.template, notice.promise_at) == ("M02", at(minutes=30))


def test_a_promise_is_never_shorter_than_five_minutes():
    assert find(hanging(now=at(minutes=28)), TELL).promise_at == at(minutes=33)


@pytest.mark.parametrize("template", ["M02", "M03", "M04"])
def test_nobody_is_told_the_first_news_twice(template):
    assert find(hanging(now=at(minutes=10), history=told(template)), TELL) is None


def test_the_complaint_is_opened_once_and_told_only_when_it_was_sent():
    assert COMPLAIN not in actions(hanging(now=at(minutes=31), history=told("M02", complaint_state="draft")))
    assert TELL not in actions(hanging(now=at(minutes=31), history=told("M02", complaint_state="draft")))
    sent = told("M02", complaint_state="sent")
    message = find(hanging(now=at(minutes=31), history=sent), TELL)
    assert (message.template, message.promise_at) == ("M03", at(minutes=120))
    assert TELL not in actions(hanging(now=at(minutes=40), history=told("M02", "M03", complaint_state="sent")))


def test_the_news_after_a_complaint_is_never_promised_for_less_than_half_an_hour():
    sent = told("M02", complaint_state="sent")
    assert find(hanging(now=at(minutes=110), history=sent), TELL).promise_at == at(minutes=140)
    assert find(hanging(now=at(hours=25), history=sent), TELL) is None


@pytest.mark.parametrize(
    ("reports", "evidence"),
    [
        ([], (f"leg:{LEG}",)),
        ([build_report(at=at(60), outcome=Outcome.NOT_FOUND, report_id="rpt_nf")], ("rpt_nf",)),
        ([build_report(at=at(60), outcome=Outcome.UNKNOWN, contradiction=True, report_id="rpt_c")], ("rpt_c",)),
        ([build_report(failure_class=FailureClass.TIMEOUT_LIKE, source=FIRST, report_id="rpt_t")], ("rpt_t",)),
    ],
)
def test_a_hanging_order_stands_on_what_was_heard_or_on_the_leg_itself(reports, evidence):
    assert find(hanging(now=at(minutes=6), reports=reports), RECORD).evidence == evidence


def test_staff_gets_one_card():
    assert STAFF not in actions(hanging(now=at(hours=5), history=build_history(staff_asked=frozenset({B02}))))


def test_an_old_trouble_is_listed_and_wakes_nobody():
    found = actions(hanging(now=at(hours=25)))
    assert RECORD in found
    assert STAFF in found
    assert TELL not in found


@pytest.mark.parametrize("status", [OrderStatus.SUCCESS, OrderStatus.REFUNDED])
def test_nobody_waits_for_an_order_that_the_server_closed_well(status):
    lines = [build_wallet_line(), build_wallet_line(amount=PRICE)] if status is OrderStatus.REFUNDED else None
    assert hanging(now=at(hours=3), transaction=build_transaction(order_status=status), lines=lines) == []


def test_a_failed_order_whose_money_is_kept_and_whose_fate_is_unknown_hangs_too():
    assert find(hanging(now=at(hours=2), transaction=build_transaction()), STAFF, kind=B02).amount == PRICE
    lines = [build_wallet_line(), build_wallet_line(amount=PRICE)]
    assert hanging(now=at(hours=2), transaction=build_transaction(), lines=lines) == []


def test_what_was_never_sent_or_another_leg_delivered_does_not_hang():
    unsent = build_leg(send_state=SendState.NOT_SENT)
    assert find(hanging(now=at(hours=3), legs=[unsent], reports=[]), RECORD, kind=B02) is None
    other = build_leg(leg_no=2)
    delivered = build_report(leg=other.key, outcome=Outcome.DELIVERED, serial_number="SN1")
    decisions = hanging(now=at(hours=3), legs=[build_leg(), other], reports=[delivered])
    assert find(decisions, RECORD, kind=B02) is None


def test_a_timeout_that_is_not_proved_keeps_the_agent_informed():
    reports = [build_report(source=FIRST, failure_class=FailureClass.TIMEOUT_LIKE)]
    assert find(hanging(now=at(minutes=5), reports=reports), TELL).template == "M02"
    asked = build_history(staff_asked=frozenset({BreakKind.FAILED_NOT_REFUNDED}))
    assert STAFF not in actions(hanging(now=at(hours=3), reports=reports, history=asked))


def test_a_doubtful_failure_hangs_and_a_proved_timeout_does_not():
    doubt = build_report(at=at(130), outcome=Outcome.NOT_FOUND)
    doubtful = [failed(0, source=FIRST), failed(120), doubt]
    assert find(hanging(now=at(minutes=5), reports=doubtful), TELL, kind=B02) is not None
    proved = [failed(s, FailureClass.TIMEOUT_LIKE, FIRST) for s in (0, 900, 2700)]
    history = build_history(statement_lines=CREDIT)
    assert find(hanging(now=at(2700), reports=proved, history=history), RECORD, kind=B02) is None


def test_a_failure_in_its_hold_does_not_hang():
    reports = [build_report(source=FIRST, failure_class=FailureClass.SOFT)]
    assert actions(hanging(now=at(minutes=8), reports=reports)) == []


def test_the_operator_who_bought_directly_is_told_like_an_agent():
    deposit = build_transaction(order_status=OrderStatus.PENDING, charged_account=ChargedAccount.PROVIDER_DEPOSIT)
    assert actions(hanging(now=at(minutes=5), transaction=deposit, lines=[])) == [RECORD, TELL]


@pytest.mark.parametrize(("state", "asks"), [(LegState.STOPPED, True), (LegState.OPEN, False)])
def test_only_the_server_may_ask_about_a_reference_that_nobody_proved(state, asks):
    leg = build_leg(provider=RESEND, state=state)
    decisions = hanging(now=at(minutes=5), legs=[leg], reports=[])
    assert (Action.ASK_SERVER_TO_RESEND in actions(decisions)) is asks
    once = build_history(staff_asked=frozenset({B02}))
    assert Action.ASK_SERVER_TO_RESEND not in actions(hanging(now=at(minutes=5), legs=[leg], history=once))


def test_a_leg_whose_check_only_reads_is_never_handed_to_the_server():
    leg = build_leg(provider=READ_ONLY, state=LegState.STOPPED)
    assert Action.ASK_SERVER_TO_RESEND not in actions(hanging(now=at(minutes=5), legs=[leg], reports=[]))


EVENING = datetime(2026, 11, 22, 16, 10, tzinfo=UTC)
"""23.10 WIB, inside the window of 23.00 to 01.00."""
NIGHTLY = {READ_ONLY: build_rules(cut_offs=(CutOff(start_minute=23 * 60, end_minute=60),))}
WINDOW_END = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)


def in_the_evening(*, waited, sent_at=EVENING, family="pln_token", history=None):
    return decide_on(
        now=sent_at + waited,
        transaction=order(OrderStatus.PENDING, family=family, ordered_at=sent_at),
        legs=[build_leg(sent_at=sent_at)],
        history=history,
        providers=NIGHTLY,
    )


def test_inside_a_window_the_agent_hears_of_the_maintenance_and_of_its_end():
    early = in_the_evening(waited=timedelta(minutes=4, seconds=59))
    assert (actions(early), due(early)) == ([], EVENING + timedelta(minutes=5))
    notice = find(in_the_evening(waited=timedelta(minutes=5)), TELL)
    assert (notice.template, notice.promise_at) == ("M04", WINDOW_END + timedelta(minutes=15))
    assert notice.details == {"window_end": WINDOW_END.isoformat()}


def test_no_complaint_and_no_card_leave_before_the_window_ended_and_their_time_has_passed():
    for minutes in (60, 109, 110, 124):
        found = actions(in_the_evening(waited=timedelta(minutes=minutes), history=told("M04")))
        assert not {COMPLAIN, STAFF} & set(found)
    assert COMPLAIN in actions(in_the_evening(waited=timedelta(minutes=125), history=told("M04")))
    assert STAFF not in actions(in_the_evening(waited=timedelta(minutes=169), history=told("M04")))
    assert STAFF in actions(in_the_evening(waited=timedelta(minutes=170), history=told("M04")))


def test_inside_a_window_the_next_look_is_at_its_end():
    assert due(in_the_evening(waited=timedelta(minutes=20), history=told("M04"))) == WINDOW_END


def test_a_complaint_that_fell_due_before_the_window_waits_for_its_end():
    sent_at = EVENING - timedelta(minutes=26)
    decisions = in_the_evening(waited=timedelta(minutes=27), sent_at=sent_at, history=told("M02"))
    assert COMPLAIN not in actions(decisions)
    assert due(decisions) == WINDOW_END
    after = in_the_evening(waited=WINDOW_END - sent_at, sent_at=sent_at, history=told("M02"))
    assert COMPLAIN in actions(after)


def test_a_window_of_other_products_pauses_nothing():
    rules = {
        READ_ONLY: build_rules(cut_offs=(CutOff(start_minute=0, end_minute=1439, families=frozenset({"pln_token"})),))
    }
    assert find(hanging(now=at(minutes=5), providers=rules), TELL).template == "M02"
    assert find(hanging(now=at(minutes=5), providers=rules, family="pln_token"), TELL).template == "M04"


def torn(*seconds):
    return [build_report(at=at(s), outcome=Outcome.UNKNOWN, contradiction=True) for s in seconds]


@pytest.mark.parametrize(("reports", "asks"), [(torn(60, 120), False), (torn(60, 120, 240), True)])
def test_words_that_keep_contradicting_themselves_go_to_a_person_who_reads_them(reports, asks):
    decisions = hanging(now=at(250), reports=reports)
    card = find(decisions, STAFF, kind=B21)
    assert (card is not None) is asks
    assert card is None or card.evidence == tuple(r.report_id for r in reports)
    assert REFUND not in actions(decisions)


def test_one_contradiction_told_three_times_is_one():
    assert find(hanging(now=at(250), reports=torn(60) * 3), STAFF, kind=B21) is None


def test_a_contradiction_that_was_cleared_up_is_nobodys_business():
    success = build_transaction(order_status=OrderStatus.SUCCESS)
    delivered = build_report(at=at(300), source=FIRST, outcome=Outcome.DELIVERED, serial_number="SN1")
    assert hanging(now=at(400), reports=[*torn(60, 120, 240), delivered], transaction=success) == []


def test_a_partial_delivery_goes_to_a_person_at_once():
    partial = build_report(at=at(60), outcome=Outcome.PARTIAL)
    decisions = hanging(now=at(60), reports=[partial])
    assert find(decisions, STAFF, kind=B21).rule == "b21.partial"
    assert REFUND not in actions(decisions)


@pytest.mark.parametrize("days", [81, 400])
@pytest.mark.parametrize("provider", [READ_ONLY, RESEND])
def test_an_order_past_the_check_age_is_a_closing_entry_for_staff_and_nothing_else(days, provider):
    decisions = hanging(now=at(days=days), legs=[build_leg(provider=provider)])
    assert [(d.action, d.break_kind, d.evidence) for d in decisions] == [(STAFF, B30, (f"leg:{LEG}",))]
    asked = build_history(staff_asked=frozenset({B30}))
    assert hanging(now=at(days=days), legs=[build_leg(provider=provider)], history=asked) == []


def test_an_order_at_the_check_age_still_hangs():
    decisions = hanging(now=at(days=80))
    assert find(decisions, STAFF).break_kind is B02
    assert find(decisions, STAFF, kind=B30) is None


@pytest.mark.parametrize("status", [OrderStatus.SUCCESS, OrderStatus.REFUNDED])
def test_an_old_order_that_ended_well_needs_no_closing(status):
    lines = [build_wallet_line(), build_wallet_line(amount=PRICE)] if status is OrderStatus.REFUNDED else None
    old = build_transaction(order_status=status)
    assert hanging(now=at(days=400), transaction=old, lines=lines, reports=[]) == []


def test_an_old_failed_order_whose_money_is_kept_needs_closing():
    assert find(hanging(now=at(days=81), transaction=build_transaction(), reports=[]), STAFF).break_kind is B30
