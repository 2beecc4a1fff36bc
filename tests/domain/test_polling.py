"""When a provider is asked again: early and often at first, never where the question could do harm."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from rekon.domain.polling import NextCheck, next_check
from rekon.domain.transaction import LegState, SendState
from rekon.domain.verdict import judge_leg
from tests.builders import PROVIDERS, READ_ONLY, RESEND, T0, at, build_leg, build_policy, build_report

SOFT, TIMEOUT_LIKE = FailureClass.SOFT, FailureClass.TIMEOUT_LIKE
FIRST, CALLBACK = ReportSource.FIRST_REPLY, ReportSource.CALLBACK


def plan(*reports, now, asked=None, leg=None, credited_back=False) -> NextCheck:
    leg = leg or build_leg()
    rules, policy = PROVIDERS[leg.provider], build_policy()
    verdict = judge_leg(leg, reports, rules=rules, policy=policy, credited_back=credited_back)
    return next_check(verdict, rules=rules, policy=policy, last_asked_at=asked, now=now)


def failed(seconds, failure_class=FailureClass.DEFINITE, **more):
    return build_report(at=at(seconds), failure_class=failure_class, **more)


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        (None, timedelta(minutes=1)),
        (timedelta(minutes=1), timedelta(minutes=2)),
        (timedelta(minutes=2), timedelta(minutes=4)),
        (timedelta(minutes=4), timedelta(minutes=8)),
        (timedelta(minutes=8, seconds=3), timedelta(minutes=15)),
        (timedelta(minutes=15), timedelta(minutes=30)),
        (timedelta(minutes=30), timedelta(hours=1)),
        (timedelta(hours=23, minutes=45), timedelta(hours=24)),
        (timedelta(hours=24), timedelta(hours=26)),
        (timedelta(hours=71), timedelta(hours=72)),
        (timedelta(hours=72), timedelta(days=4)),
        (timedelta(days=6, hours=1), timedelta(days=7)),
        (timedelta(days=7), None),
    ],
)
def test_a_pending_leg_is_asked_by_the_schedule(asked, due):
    at_asked = None if asked is None else T0 + asked
    planned = plan(now=at_asked or T0, asked=at_asked)
    assert planned == NextCheck(due_at=None if due is None else T0 + due, final=False)


@pytest.mark.parametrize("late", [timedelta(seconds=2), timedelta(hours=3), timedelta(days=30)])
def test_a_step_that_was_missed_is_caught_up_at_once(late):
    planned = plan(now=at(60) + late)
    assert planned.due_at == at(60)
    assert not planned.final


def test_after_a_late_question_the_missed_steps_are_not_asked_again():
    assert plan(now=at(hours=3), asked=at(hours=3)).due_at == at(hours=3, minutes=30)


@pytest.mark.parametrize(("days", "asks"), [(79, True), (80, True), (81, False), (400, False)])
def test_nothing_older_than_the_providers_limit_is_ever_asked(days, asks):
    planned = plan(now=at(days=days))
    assert (planned.due_at is not None) is asks
    assert not planned.final


@pytest.mark.parametrize("reports", [(), (failed(0),)])
def test_what_was_never_sent_is_never_asked(reports):
    leg = build_leg(send_state=SendState.NOT_SENT)
    assert plan(*reports, now=at(minutes=10), leg=leg) == NextCheck(due_at=None, final=False)


def test_a_check_that_can_buy_keeps_ninety_seconds_from_the_servers_send():
    assert plan(now=at(1), leg=build_leg(provider=RESEND)).due_at == at(90)


def test_a_check_that_can_buy_keeps_a_minute_from_our_last_one():
    leg = build_leg(provider=RESEND)
    assert plan(now=at(119), asked=at(119), leg=leg).due_at == at(179)


@pytest.mark.parametrize(
    ("reports", "due"),
    [
        pytest.param([failed(0)], at(120), id="definite"),
        pytest.param([failed(0, SOFT)], at(540), id="soft"),
        pytest.param([failed(0, TIMEOUT_LIKE)], at(minutes=5), id="timeout"),
        pytest.param([failed(0, TIMEOUT_LIKE), failed(300, TIMEOUT_LIKE)], at(minutes=15), id="timeout again"),
    ],
)
@pytest.mark.parametrize("provider", [READ_ONLY, RESEND])
def test_the_missing_reading_is_planned_for_the_end_of_the_hold(reports, due, provider):
    newest = reports[-1].received_at
    planned = plan(*reports, now=newest, asked=newest, leg=build_leg(provider=provider))
    assert planned == NextCheck(due_at=due, final=False)


def test_with_the_providers_credit_the_second_reading_comes_sooner():
    assert plan(failed(0, SOFT), now=T0, credited_back=True).due_at == at(120)


def test_a_reading_that_did_not_come_at_the_end_of_the_hold_is_asked_for_by_the_schedule():
    assert plan(failed(0), now=at(120), asked=at(120)).due_at == at(minutes=4)


def test_a_reading_is_never_planned_within_a_minute_of_another():
    readings = [failed(0, TIMEOUT_LIKE), failed(270, TIMEOUT_LIKE)]
    assert plan(*readings, now=at(270), asked=at(270)).due_at == at(minutes=15)


def test_a_timeout_is_asked_about_four_times_in_its_hold():
    for asked, due in ((0, 5), (5, 15), (15, 30), (30, 45)):
        assert plan(failed(0, TIMEOUT_LIKE), now=at(minutes=asked), asked=at(minutes=asked)).due_at == at(minutes=due)


@pytest.mark.parametrize(
    ("asked", "due"),
    [(120, 900), (900, 2400), (2400, 7200), (7200, 21_600), (21_600, 86_400), (86_400, None)],
)
def test_a_proved_failure_is_watched_for_a_late_success_where_asking_is_harmless(asked, due):
    leg = build_leg(state=LegState.FINAL)
    planned = plan(failed(0), failed(120), now=at(asked), asked=at(asked), leg=leg)
    assert planned == NextCheck(due_at=None if due is None else at(due), final=True, watch=True)


def test_a_proved_failure_is_never_asked_again_where_the_question_could_buy():
    leg = build_leg(provider=RESEND)
    planned = plan(failed(0, source=FIRST), failed(5, source=CALLBACK, body_signed=True), now=at(hours=2), leg=leg)
    assert planned == NextCheck(due_at=None, final=True)


def test_a_timeout_with_all_readings_is_not_bought_again_for_a_money_proof():
    readings = [failed(s, TIMEOUT_LIKE) for s in (0, 900, 2700)]
    assert plan(*readings, now=at(2700), asked=at(2700), leg=build_leg(provider=RESEND)).due_at is None
    assert plan(*readings, now=at(2700), asked=at(2700)).due_at == at(hours=1)


@pytest.mark.parametrize("provider", [READ_ONLY, RESEND])
def test_what_was_never_formed_is_never_asked(provider):
    reply = failed(0, FailureClass.NEVER_FORMED, source=FIRST)
    assert plan(reply, now=at(hours=1), leg=build_leg(provider=provider)) == NextCheck(due_at=None, final=True)


@pytest.mark.parametrize("outcome", [Outcome.REVERSED, Outcome.PARTIAL])
def test_a_last_word_ends_the_questions(outcome):
    assert plan(build_report(outcome=outcome), now=at(60)) == NextCheck(due_at=None, final=True)


@pytest.mark.parametrize(
    ("asked", "due", "final"),
    [(60, 180, False), (180, 360, False), (360, 600, False), (600, None, True)],
)
def test_a_missing_serial_number_is_asked_for_three_times_in_ten_minutes(asked, due, final):
    delivered = build_report(at=at(60), outcome=Outcome.DELIVERED)
    planned = plan(delivered, now=at(asked), asked=at(asked))
    assert planned == NextCheck(due_at=None if due is None else at(due), final=final)


def test_a_delivery_with_its_serial_number_is_done():
    delivered = build_report(outcome=Outcome.DELIVERED, serial_number="SN1")
    assert plan(delivered, now=at(60)) == NextCheck(due_at=None, final=True)


def test_a_proved_failure_that_was_opened_again_for_a_fresh_word_is_asked_at_once():
    readings = [failed(0), failed(120)]
    planned = plan(*readings, now=at(421), asked=at(120), leg=build_leg(state=LegState.OPEN))
    assert planned == NextCheck(due_at=at(421), final=False)
    assert plan(*readings, now=at(420), asked=at(120), leg=build_leg(state=LegState.OPEN)).due_at == at(900)


def test_a_fresh_word_that_does_not_come_is_asked_for_ever_more_slowly():
    leg, readings = build_leg(state=LegState.OPEN), [failed(0), failed(120)]
    dues = [plan(*readings, now=at(asked), asked=at(asked), leg=leg).due_at for asked in (421, 480, 540, 660)]
    assert dues == [at(480), at(540), at(660), at(900)]


def test_a_doubtful_failure_is_asked_again_by_the_schedule():
    doubt = build_report(at=at(180), outcome=Outcome.NOT_FOUND)
    planned = plan(failed(0), failed(120), doubt, now=at(180), asked=at(180))
    assert planned == NextCheck(due_at=at(240), final=False)


def test_a_doubtful_failure_is_asked_about_even_where_the_question_could_buy():
    readings = [failed(0, source=FIRST), failed(5, source=CALLBACK, body_signed=True)]
    doubt = build_report(at=at(180), outcome=Outcome.UNKNOWN, contradiction=True)
    planned = plan(*readings, doubt, now=at(180), asked=at(180), leg=build_leg(provider=RESEND))
    assert planned == NextCheck(due_at=at(240), final=False)


STEPS = st.integers(0, 600).map(lambda n: timedelta(minutes=7 * n))
OUTCOMES = st.sampled_from([Outcome.PENDING, Outcome.UNKNOWN, Outcome.NOT_FOUND, Outcome.FAILED])


@settings(max_examples=200)
@given(outcome=OUTCOMES, asked=STEPS, late=STEPS, resend=st.booleans(), state=st.sampled_from(LegState))
def test_one_question_is_never_planned_twice(outcome, asked, late, resend, state):
    leg = build_leg(provider=RESEND if resend else READ_ONLY, state=state)
    planned = plan(build_report(outcome=outcome), now=T0 + asked + late, asked=T0 + asked, leg=leg)
    gap = timedelta(seconds=60) if resend else timedelta(seconds=1)
    assert planned.due_at is None or planned.due_at >= T0 + asked + gap
