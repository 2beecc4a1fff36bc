"""B01: when a provider's failure is proved, and what stops the money although it is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action, evidence_digest
from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from rekon.domain.refund import RefundState
from rekon.domain.transaction import LegState, OrderStatus, SendState
from tests.builders import (
    LEG,
    PRICE,
    READ_ONLY,
    RESEND,
    T0,
    TRANSACTION,
    actions,
    at,
    build_history,
    build_leg,
    build_refund,
    build_report,
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
INQUIRY, CALLBACK = ReportSource.INQUIRY, ReportSource.CALLBACK
REFUND, MARK, STAFF = Action.ISSUE_REFUND, Action.MARK_FAILED_AT_SERVER, Action.ASK_STAFF
PENDING = OrderStatus.PENDING


def test_what_was_never_formed_is_given_back_at_once():
    refund = find(decide_on(now=T0, reports=[failed(0, NEVER_FORMED, FIRST)]), REFUND)
    assert (refund.break_kind, refund.amount) == (B01, PRICE)
    assert refund.never_formed
    assert not refund.needs_approval


def test_never_formed_with_two_sends_waits_for_proof_and_then_for_staff():
    books = {"reports": [failed(0, NEVER_FORMED, FIRST)], "legs": [build_leg(send_count=2)]}
    assert actions(decide_on(now=T0, **books)) == []
    assert find(decide_on(now=at(minutes=45), **books), STAFF).rule == "b01.timeout_like"


@pytest.mark.parametrize(
    ("failure_class", "seconds", "statement", "refunds_at"),
    [
        pytest.param(DEFINITE, [0, 60], (), 120, id="definite"),
        pytest.param(SOFT, [0, 540], (), 540, id="soft"),
        pytest.param(SOFT, [0, 120], CREDIT, 120, id="soft with credit"),
        pytest.param(TIMEOUT_LIKE, [0, 900, 2700], CREDIT, 2700, id="timeout with credit"),
    ],
)
def test_a_failure_is_given_back_at_the_end_of_its_hold_and_not_a_second_earlier(
    failure_class, seconds, statement, refunds_at
):
    sources = [FIRST] + [INQUIRY] * (len(seconds) - 1)
    reports = [failed(s, failure_class, source) for s, source in zip(seconds, sources, strict=True)]
    books = {"reports": reports, "history": build_history(statement_lines=tuple(statement))}
    early = decide_on(
        now=at(refunds_at - 1), **books | {"reports": [r for r in reports if r.received_at < at(refunds_at)]}
    )
    assert not {REFUND, STAFF} & set(actions(early))
    assert due(early) is not None
    assert find(decide_on(now=at(refunds_at), **books), REFUND).amount == PRICE


def test_one_definite_reading_is_not_enough():
    decisions = decide_on(now=at(minutes=30), reports=[failed(0, source=FIRST)])
    assert actions(decisions) == []


def test_two_definite_readings_within_a_minute_are_not_enough():
    assert REFUND not in actions(decide_on(now=at(150), reports=[failed(0), failed(59)]))


def test_a_timeout_without_money_proof_goes_to_staff_after_45_minutes():
    reports = [failed(0, TIMEOUT_LIKE, FIRST), failed(900, TIMEOUT_LIKE), failed(2699, TIMEOUT_LIKE)]
    early = decide_on(now=at(2699), reports=reports)
    assert actions(early) == [Action.RECORD, Action.TELL, Action.OPEN_COMPLAINT]
    assert all(d.break_kind is BreakKind.STUCK_PENDING for d in early if d.action is not Action.WAIT)
    late = decide_on(now=at(2700), reports=reports)
    assert find(late, STAFF, kind=B01).amount == PRICE
    assert REFUND not in actions(late)


@pytest.mark.parametrize("standing", [0, -50_150], ids=["no credit", "a second charge stands"])
def test_a_credit_that_leaves_a_charge_standing_is_no_money_proof(standing):
    lines = [build_statement_line(amount=-50_150), build_statement_line(amount=-50_150, line_id="S2")]
    lines = [*lines, build_statement_line(amount=50_150)] if standing else lines
    reports = [failed(s, TIMEOUT_LIKE) for s in (0, 900, 2700)]
    decisions = decide_on(now=at(2700), reports=reports, history=build_history(statement_lines=tuple(lines)))
    assert REFUND not in actions(decisions)


def test_a_credit_at_another_provider_is_no_money_proof():
    lines = tuple(replace(line, provider="otomax") for line in CREDIT)
    reports = [failed(s, TIMEOUT_LIKE) for s in (0, 900, 2700)]
    decisions = decide_on(now=at(2700), reports=reports, history=build_history(statement_lines=lines))
    assert REFUND not in actions(decisions)


def test_a_refund_that_rests_on_the_providers_credit_names_it_as_evidence():
    reports = [failed(s, TIMEOUT_LIKE) for s in (0, 900, 2700)]
    decisions = decide_on(now=at(2700), reports=reports, history=build_history(statement_lines=tuple(CREDIT)))
    assert "stl:S50150" in find(decisions, REFUND).evidence


def test_a_definite_failure_does_not_stand_on_a_statement_that_may_come_later():
    reports = [failed(0, source=FIRST), failed(120)]
    without = find(decide_on(now=at(120), reports=reports), REFUND)
    later = find(decide_on(now=at(120), reports=reports, history=build_history(statement_lines=CREDIT)), REFUND)
    assert without.evidence == later.evidence


def test_on_a_check_that_buys_first_reply_and_signed_callback_suffice():
    reports = [failed(0, source=FIRST), failed(5, source=CALLBACK, body_signed=True)]
    leg = build_leg(provider=RESEND, state=LegState.FINAL)
    assert actions(decide_on(now=at(119), reports=reports, legs=[leg])) == []
    assert actions(decide_on(now=at(120), reports=reports, legs=[leg])) == [REFUND]


def test_unsigned_callbacks_never_add_up_to_a_refund():
    reports = [failed(0, source=FIRST)] + [failed(s, source=CALLBACK) for s in (60, 120, 300)]
    assert REFUND not in actions(decide_on(now=at(400), reports=reports))


def test_a_pending_first_reply_is_no_reading():
    reports = [build_report(source=FIRST, outcome=Outcome.PENDING), failed(180, source=CALLBACK, body_signed=True)]
    for provider in (READ_ONLY, RESEND):
        leg = build_leg(provider=provider)
        assert REFUND not in actions(decide_on(now=at(minutes=6), reports=reports, legs=[leg]))


def test_an_inquiry_that_says_pending_takes_the_refund_away():
    reports = [failed(0), failed(60), build_report(at=at(119), outcome=Outcome.PENDING)]
    assert REFUND not in actions(decide_on(now=at(150), reports=reports))


def test_a_late_created_callback_does_not_take_the_refund_away():
    created = build_report(at=at(119), source=CALLBACK, outcome=Outcome.PENDING, body_signed=True)
    assert REFUND in actions(decide_on(now=at(150), reports=[failed(0), failed(60), created]))


@pytest.mark.parametrize(
    "word",
    [
        pytest.param(build_report(at=at(130), outcome=Outcome.DELIVERED), id="late success"),
        pytest.param(build_report(at=at(130), outcome=Outcome.DELIVERED, source=CALLBACK), id="unsigned success"),
        pytest.param(build_report(at=at(130), outcome=Outcome.NOT_FOUND), id="not found"),
        pytest.param(build_report(at=at(130), outcome=Outcome.UNKNOWN, contradiction=True), id="contradiction"),
        pytest.param(build_report(at=at(130), outcome=Outcome.REVERSED), id="reversed"),
        pytest.param(build_report(at=at(130), outcome=Outcome.PARTIAL), id="partial"),
    ],
)
def test_a_newer_word_against_the_failure_stops_the_refund(word):
    decisions = decide_on(now=at(140), reports=[failed(0), failed(120), word])
    assert not {REFUND, MARK} & set(actions(decisions))


def test_a_failure_that_stays_doubtful_goes_to_staff():
    doubt = build_report(at=at(130), outcome=Outcome.NOT_FOUND)
    books = {"reports": [failed(0), failed(120), doubt]}
    assert find(decide_on(now=at(hours=2), **books), STAFF, kind=B01) is None
    assert find(decide_on(now=at(120, hours=2), **books), STAFF, kind=B01).rule == "b01.doubted"


def test_a_doubtful_timeout_is_given_more_time_than_a_plain_one():
    doubt = build_report(at=at(100), outcome=Outcome.NOT_FOUND)
    books = {"reports": [failed(0, TIMEOUT_LIKE, FIRST), doubt]}
    assert find(decide_on(now=at(2699, hours=2), **books), STAFF, kind=B01) is None
    assert find(decide_on(now=at(2700, hours=2), **books), STAFF, kind=B01).rule == "b01.doubted"


def test_an_unproved_failure_that_costs_nobody_anything_is_left_alone():
    lines = [build_wallet_line(), build_wallet_line(amount=PRICE, posted_at=at(60))]
    reports = [failed(s, TIMEOUT_LIKE, FIRST) for s in (0, 900, 2700)]
    assert decide_on(now=at(2700), reports=reports, lines=lines) == []


@pytest.mark.parametrize(
    ("state", "asks_at"), [(LegState.OPEN, at(120, hours=2)), (LegState.STOPPED, at(120))], ids=["open", "stopped"]
)
def test_a_failure_whose_second_reading_never_comes_goes_to_staff(state, asks_at):
    books = {"reports": [failed(0, source=FIRST)], "legs": [build_leg(state=state)]}
    early = decide_on(now=asks_at - timedelta(seconds=1), **books)
    assert actions(early) == []
    assert due(early) == asks_at
    card = find(decide_on(now=asks_at, **books), STAFF)
    assert (card.rule, card.amount) == ("b01.reading_missing", PRICE)


def test_a_reading_older_than_five_minutes_is_asked_again_before_money_moves():
    assert actions(failed_order(now=at(120, minutes=5))) == [REFUND]
    decisions = failed_order(now=at(121, minutes=5))
    assert actions(decisions) == [Action.CHECK_AGAIN]
    assert find(decisions, Action.CHECK_AGAIN).leg_key == LEG


def test_on_a_check_that_buys_nothing_is_sent_again_for_age():
    assert actions(failed_order(now=at(hours=1), legs=[build_leg(provider=RESEND)])) == [REFUND]


def test_what_was_never_formed_needs_no_fresh_word():
    assert REFUND in actions(decide_on(now=at(hours=1), reports=[failed(0, NEVER_FORMED, FIRST)]))


def test_telling_the_server_that_an_order_failed_needs_a_fresh_word_too():
    decisions = failed_order(now=at(121, minutes=5), transaction=order(PENDING))
    assert actions(decisions) == [Action.CHECK_AGAIN]


def test_nothing_is_asked_again_while_nothing_is_missing_in_the_wallet():
    lines = [build_wallet_line(), build_wallet_line(amount=PRICE, posted_at=at(90))]
    assert Action.CHECK_AGAIN not in actions(failed_order(now=at(hours=1), lines=lines))


def test_a_leg_that_is_on_its_way_to_be_asked_is_waited_for():
    decisions = failed_order(now=at(hours=1), legs=[build_leg(state=LegState.OPEN)])
    assert actions(decisions) == []
    assert due(decisions) == at(120, hours=2, minutes=5)


def test_a_leg_that_cannot_be_asked_any_more_goes_to_staff():
    decisions = failed_order(now=at(hours=1), legs=[build_leg(state=LegState.STOPPED)])
    assert [d.rule for d in decisions] == ["b01.cannot_ask"]


def test_a_provider_that_stays_silent_for_hours_goes_to_staff():
    books = {"legs": [build_leg(state=LegState.OPEN)]}
    assert STAFF not in actions(failed_order(now=at(119, hours=2, minutes=5), **books))
    late = failed_order(now=at(120, hours=2, minutes=5), **books)
    assert find(late, STAFF).rule == "b01.cannot_ask"
    assert due(late) == at(120, hours=2, minutes=35)


@pytest.mark.parametrize(
    ("state", "asks"),
    [(RefundState.REQUESTED, True), (RefundState.APPROVED, True), (RefundState.AWAITING_APPROVAL, False)],
)
def test_a_refund_that_waits_to_be_sent_has_the_provider_asked_again(state, asks):
    history = build_history(refunds=(build_refund(state=state),))
    found = Action.CHECK_AGAIN in actions(failed_order(now=at(hours=3), history=history))
    assert found is asks


def test_another_equal_reading_leaves_an_approval_valid_and_a_changed_book_does_not():
    def digest(*reports, lines=None):
        decisions = decide_on(now=at(minutes=20), reports=reports, lines=lines)
        return evidence_digest(find(decisions, REFUND), transaction=TRANSACTION)

    base = [failed(0, source=FIRST), failed(120), failed(1100)]
    assert digest(*base) == digest(*base, failed(1180))
    assert digest(*base) != digest(*base, lines=[build_wallet_line(), build_wallet_line(amount=-100, posted_at=at(5))])


def second_leg(**more):
    return build_leg(leg_no=2, sent_at=at(30), state=LegState.FINAL, **more)


@pytest.mark.parametrize(
    "outcome",
    [Outcome.PENDING, Outcome.UNKNOWN, Outcome.NOT_FOUND, Outcome.DELIVERED, Outcome.REVERSED, Outcome.PARTIAL, None],
)
def test_no_refund_while_any_leg_is_anything_but_failed(outcome):
    leg = second_leg()
    reports = [failed(0, source=FIRST), failed(120)]
    reports += [build_report(at=at(130), leg=leg.key, outcome=outcome, serial_number="SN1")] if outcome else []
    decisions = failed_order(now=at(140), legs=[build_leg(), leg], reports=reports)
    assert not {REFUND, MARK} & set(actions(decisions))


def test_the_longest_hold_sets_the_time():
    leg = second_leg()
    reports = [failed(0), failed(60), failed(30, SOFT, FIRST, leg=leg.key), failed(200, SOFT, leg=leg.key)]
    early = failed_order(now=at(360), legs=[build_leg(), leg], reports=reports)
    assert REFUND not in actions(early)
    assert find(early, Action.WAIT).due_at == at(570)


def test_the_books_are_read_past_the_last_of_the_final_words():
    leg = second_leg()
    reports = [failed(0, source=FIRST), failed(120), failed(30, source=FIRST, leg=leg.key), failed(150, leg=leg.key)]
    books = {"now": at(150), "legs": [build_leg(), leg], "reports": reports}
    assert actions(failed_order(history=build_history(read_to=at(29)), **books)) == []
    assert actions(failed_order(history=build_history(read_to=at(30)), **books)) == [REFUND]


def test_a_card_waits_for_the_leg_that_may_still_be_proved():
    leg = second_leg()
    reports = [failed(0, source=FIRST), failed(30, TIMEOUT_LIKE, FIRST, leg=leg.key)]
    books = {"legs": [build_leg(), leg], "reports": reports}
    assert find(failed_order(now=at(119, hours=2), **books), STAFF, kind=B01) is None
    assert find(failed_order(now=at(120, hours=2), **books), STAFF, kind=B01).rule == "b01.reading_missing"


def test_the_leg_that_was_silent_longest_brings_staff():
    leg = second_leg()
    reports = [failed(0, source=FIRST), failed(120), failed(30, source=FIRST, leg=leg.key), failed(3000, leg=leg.key)]
    books = {"legs": [build_leg(), leg], "reports": reports}
    assert find(failed_order(now=at(120, hours=2, minutes=5), **books), STAFF).rule == "b01.cannot_ask"


def test_the_slowest_leg_sets_the_time():
    leg = second_leg()
    reports = [failed(0, NEVER_FORMED, FIRST), failed(30, SOFT, FIRST, leg=leg.key), failed(570, SOFT, leg=leg.key)]
    assert actions(failed_order(now=at(569), legs=[build_leg(), leg], reports=reports[:2])) == []
    decisions = failed_order(now=at(570), legs=[build_leg(), leg], reports=reports)
    assert not find(decisions, REFUND).never_formed


def test_a_leg_that_never_left_does_not_stand_in_the_way():
    unsent = build_leg(send_state=SendState.NOT_SENT)
    leg = second_leg()
    reports = [failed(30, source=FIRST, leg=leg.key), failed(150, leg=leg.key)]
    assert actions(failed_order(now=at(150), legs=[unsent, leg], reports=reports)) == [REFUND]
