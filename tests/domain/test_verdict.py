"""What the words of a provider mean together: readings, holds, and what takes a failure back."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from rekon.domain.policy import HOLDS
from rekon.domain.transaction import SendState
from rekon.domain.verdict import LegVerdict, judge_leg, usable_serial
from tests.builders import LEG, PROVIDERS, READ_ONLY, RESEND, at, build_leg, build_policy, build_report, build_rules

FIRST, INQUIRY = ReportSource.FIRST_REPLY, ReportSource.INQUIRY
CALLBACK, STATEMENT = ReportSource.CALLBACK, ReportSource.STATEMENT
NEVER_FORMED, DEFINITE = FailureClass.NEVER_FORMED, FailureClass.DEFINITE
SOFT, TIMEOUT_LIKE = FailureClass.SOFT, FailureClass.TIMEOUT_LIKE


def judge(*reports, leg=None, rules=None, credited_back=False) -> LegVerdict:
    leg = leg or build_leg()
    rules = rules or PROVIDERS[leg.provider]
    return judge_leg(leg, reports, rules=rules, policy=build_policy(), credited_back=credited_back)


def failed(seconds, failure_class=DEFINITE, source=INQUIRY, **more):
    return build_report(at=at(seconds), source=source, failure_class=failure_class, **more)


def signed(seconds, outcome=Outcome.FAILED, **more):
    return build_report(at=at(seconds), source=CALLBACK, outcome=outcome, body_signed=True, **more)


def said(seconds, outcome, source=INQUIRY, **more):
    return build_report(at=at(seconds), source=source, outcome=outcome, **more)


def test_a_leg_nobody_spoke_about_is_unknown():
    verdict = judge()
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.ready_at is None


@pytest.mark.parametrize(
    ("failure_class", "seconds", "credited_back", "ready_at"),
    [
        pytest.param(NEVER_FORMED, [0], False, 0, id="never formed at once"),
        pytest.param(DEFINITE, [0], False, None, id="definite once"),
        pytest.param(DEFINITE, [0, 59], False, None, id="definite twice within a minute"),
        pytest.param(DEFINITE, [0, 60], False, 120, id="definite twice"),
        pytest.param(DEFINITE, [0, 300], False, 300, id="definite, second reading late"),
        pytest.param(SOFT, [0, 540], False, 540, id="soft"),
        pytest.param(SOFT, [0, 60], False, 540, id="soft holds nine minutes"),
        pytest.param(SOFT, [0, 60], True, 120, id="soft with the provider's credit"),
        pytest.param(SOFT, [0], True, None, id="soft with credit but one reading"),
        pytest.param(TIMEOUT_LIKE, [0, 1500, 2700], True, 2700, id="timeout with money proof"),
        pytest.param(TIMEOUT_LIKE, [0, 1500, 2700], False, None, id="timeout without money proof"),
        pytest.param(TIMEOUT_LIKE, [0, 2700], True, None, id="timeout with two readings"),
        pytest.param(TIMEOUT_LIKE, [0, 60, 120], True, 2700, id="timeout holds 45 minutes"),
    ],
)
def test_each_class_of_failure_needs_its_readings_and_its_hold(failure_class, seconds, credited_back, ready_at):
    sources = [FIRST] + [INQUIRY] * (len(seconds) - 1)
    reports = [failed(s, failure_class, source) for s, source in zip(seconds, sources, strict=True)]
    verdict = judge(*reports, credited_back=credited_back)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.failure_class is failure_class
    assert verdict.ready_at == (None if ready_at is None else at(ready_at))


def test_check_errors_have_no_hold_because_they_are_no_failure_of_the_purchase():
    assert set(HOLDS) == set(FailureClass) - {FailureClass.CHECK_ERROR}


@pytest.mark.parametrize(
    ("reports", "send_count"),
    [
        pytest.param([failed(0, NEVER_FORMED, FIRST)], 2, id="sent twice"),
        pytest.param([failed(0, NEVER_FORMED, FIRST)], 0, id="send count unknown"),
        pytest.param([failed(0, NEVER_FORMED, CALLBACK, body_signed=True)], 1, id="not the first reply"),
        pytest.param([failed(0, NEVER_FORMED, FIRST), signed(5, Outcome.PENDING)], 1, id="a callback calls it created"),
    ],
)
def test_never_formed_counts_only_as_first_reply_to_the_only_send(reports, send_count):
    verdict = judge(*reports, leg=build_leg(send_count=send_count))
    assert verdict.failure_class is TIMEOUT_LIKE
    assert not verdict.confirmed


def test_an_inquiry_that_says_pending_refutes_never_formed():
    verdict = judge(failed(0, NEVER_FORMED, FIRST), said(60, Outcome.PENDING))
    assert verdict.outcome is Outcome.PENDING


@pytest.mark.parametrize(
    ("classes", "worst"),
    [
        ([DEFINITE, SOFT], SOFT),
        ([SOFT, DEFINITE], SOFT),
        ([TIMEOUT_LIKE, DEFINITE], TIMEOUT_LIKE),
        ([NEVER_FORMED, DEFINITE], DEFINITE),
        ([NEVER_FORMED, SOFT], SOFT),
    ],
)
def test_mixed_failures_are_held_as_the_one_that_asks_for_most(classes, worst):
    verdict = judge(failed(0, classes[0], FIRST), failed(600, classes[1]))
    assert verdict.failure_class is worst


@pytest.mark.parametrize(("minutes", "hold"), [(8, 9), (9, 9), (30, 30), (1439, 1439), (2000, 1440)])
def test_a_measured_hold_stays_between_nine_minutes_and_a_day(minutes, hold):
    rules = build_rules(soft_hold=timedelta(minutes=minutes))
    assert judge(failed(0, SOFT), rules=rules).hold == timedelta(minutes=hold)


def test_a_hold_measured_for_a_raw_code_holds_that_code_alone():
    said = failed(0, SOFT)
    for code, minutes in ((said.raw_code, 30), ("another", 9)):
        rules = build_rules(soft_holds={code: timedelta(minutes=30)})
        assert judge(said, rules=rules).hold == timedelta(minutes=minutes)


def test_a_measured_hold_is_for_soft_failures_alone():
    assert judge(failed(0), rules=build_rules(soft_hold=timedelta(hours=3))).hold == timedelta(seconds=120)


@pytest.mark.parametrize(("provider", "confirmed"), [(RESEND, True), (READ_ONLY, False)])
def test_first_reply_and_signed_callback_are_two_readings_only_where_a_check_can_buy(provider, confirmed):
    verdict = judge(failed(0, source=FIRST), signed(5), leg=build_leg(provider=provider))
    assert verdict.confirmed is confirmed


def test_on_a_check_that_buys_two_signed_callbacks_within_a_minute_are_one_reading():
    verdict = judge(signed(0), signed(30, report_id="rpt_again"), leg=build_leg(provider=RESEND))
    assert not verdict.confirmed


def test_on_a_check_that_buys_an_inquiry_within_a_minute_is_no_second_reading():
    assert not judge(failed(0, source=FIRST), failed(30), leg=build_leg(provider=RESEND)).confirmed


def test_on_a_check_that_buys_the_pair_and_an_inquiry_are_three_readings():
    reports = [failed(0, TIMEOUT_LIKE, FIRST), signed(20, failure_class=TIMEOUT_LIKE), failed(120, TIMEOUT_LIKE)]
    verdict = judge(*reports, leg=build_leg(provider=RESEND), credited_back=True)
    assert verdict.confirmed


@pytest.mark.parametrize("provider", [READ_ONLY, RESEND])
def test_an_unsigned_callback_is_never_a_reading(provider):
    hints = [build_report(at=at(s), source=CALLBACK) for s in (60, 120, 600)]
    assert judge(*hints, leg=build_leg(provider=provider)).outcome is Outcome.UNKNOWN
    assert not judge(failed(0, source=FIRST), *hints, leg=build_leg(provider=provider)).confirmed


@pytest.mark.parametrize("provider", [READ_ONLY, RESEND])
def test_a_pending_first_reply_is_no_reading(provider):
    verdict = judge(said(0, Outcome.PENDING, FIRST), signed(300), leg=build_leg(provider=provider))
    assert verdict.outcome is Outcome.FAILED
    assert not verdict.confirmed
    assert verdict.final_word_at == at(300)


def test_a_statement_line_is_a_reading():
    assert judge(failed(0), failed(120, source=STATEMENT)).confirmed


def test_an_inquiry_that_says_pending_after_a_failure_clears_it():
    verdict = judge(failed(0), failed(60), said(120, Outcome.PENDING))
    assert verdict.outcome is Outcome.PENDING
    assert verdict.ready_at is None


def test_a_failure_after_a_clearing_starts_its_hold_again():
    verdict = judge(failed(0), said(60, Outcome.PENDING), failed(300), failed(400))
    assert verdict.ready_at == at(420)


def test_an_inquiry_that_says_pending_at_the_instant_of_a_failure_clears_it():
    reports = [signed(60, report_id="rpt_z"), said(60, Outcome.PENDING, report_id="rpt_a")]
    assert judge(*reports, leg=build_leg(provider=RESEND)).outcome is Outcome.PENDING


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_late_created_callback_clears_nothing(is_signed):
    created = said(90, Outcome.PENDING, CALLBACK, body_signed=is_signed)
    verdict = judge(failed(0), failed(60), created)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.confirmed


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.FAILED])
def test_a_check_error_says_nothing_about_the_purchase(outcome):
    error = build_report(at=at(60), outcome=outcome, failure_class=FailureClass.CHECK_ERROR)
    assert judge(error).outcome is Outcome.UNKNOWN
    assert not judge(failed(0), error).confirmed


def test_a_check_that_timed_out_neither_confirms_nor_clears():
    verdict = judge(failed(0), said(60, Outcome.UNKNOWN), failed(120))
    assert verdict.confirmed
    assert verdict.evidence == tuple(r.report_id for r in (failed(0), failed(120)))


def test_a_word_about_another_purchase_is_not_heard():
    stranger = failed(60, about_this_leg=False)
    assert not judge(failed(0), stranger).confirmed
    assert judge(said(0, Outcome.DELIVERED, about_this_leg=False)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "word",
    [
        pytest.param(said(90, Outcome.NOT_FOUND), id="not found"),
        pytest.param(said(90, Outcome.UNKNOWN, contradiction=True), id="contradiction"),
        pytest.param(failed(90, contradiction=True), id="contradictory failure"),
        pytest.param(said(90, Outcome.DELIVERED, CALLBACK), id="unsigned success"),
        pytest.param(said(90, Outcome.UNKNOWN, CALLBACK, contradiction=True), id="unsigned contradiction"),
    ],
)
def test_a_newer_word_against_a_failure_makes_it_doubtful_until_it_is_said_again(word):
    verdict = judge(failed(0), failed(60), word)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.doubted
    assert verdict.ready_at is None
    again = judge(failed(0), failed(60), word, failed(150))
    assert not again.doubted
    assert again.ready_at == at(120)


def test_a_doubt_at_the_instant_of_the_last_failure_counts_as_later():
    assert judge(failed(0), failed(60), said(60, Outcome.NOT_FOUND)).doubted


def test_a_contradictory_success_is_no_delivery():
    assert judge(said(0, Outcome.DELIVERED, contradiction=True)).outcome is Outcome.UNKNOWN


def test_an_older_doubt_does_not_stop_a_failure():
    assert judge(said(0, Outcome.NOT_FOUND), failed(60), failed(120)).confirmed


@pytest.mark.parametrize(
    "reports",
    [
        pytest.param([said(0, Outcome.DELIVERED), failed(60), failed(120)], id="failed later"),
        pytest.param([failed(0), failed(60), said(90, Outcome.DELIVERED)], id="late success"),
        pytest.param([failed(0), signed(30, Outcome.DELIVERED), said(60, Outcome.PENDING)], id="pending later"),
        pytest.param([said(0, Outcome.DELIVERED), said(60, Outcome.NOT_FOUND)], id="not found later"),
    ],
)
def test_success_is_absorbing(reports):
    for order in permutations(reports):
        assert judge(*order).outcome is Outcome.DELIVERED


def test_a_plain_failure_after_a_success_is_kept_for_a_person():
    verdict = judge(said(60, Outcome.DELIVERED), failed(120))
    assert verdict.failed_after_success == failed(120)
    assert judge(failed(0), said(60, Outcome.DELIVERED)).failed_after_success is None
    assert judge(said(60, Outcome.DELIVERED), said(120, Outcome.PENDING)).failed_after_success is None
    assert judge(said(60, Outcome.REVERSED), failed(120)).failed_after_success is None


def test_a_reversal_wins_over_the_success_it_takes_back():
    verdict = judge(said(0, Outcome.DELIVERED), signed(60, Outcome.REVERSED))
    assert verdict.outcome is Outcome.REVERSED
    assert verdict.final_word_at == at(60)


def test_a_partial_delivery_is_neither_delivered_nor_failed():
    assert judge(failed(0), failed(60), said(120, Outcome.PARTIAL)).outcome is Outcome.PARTIAL


def test_not_found_is_never_failed_and_a_pending_word_ends_it():
    lost = [said(s, Outcome.NOT_FOUND) for s in (0, 240, 480)]
    assert judge(*lost).outcome is Outcome.NOT_FOUND
    assert len(judge(*lost).not_found) == 3
    assert judge(*lost, said(500, Outcome.PENDING)).not_found == ()


def test_later_equal_readings_do_not_change_the_evidence():
    base = [failed(0), failed(120)]
    assert judge(*base).evidence == judge(*base, failed(900), failed(2400)).evidence
    assert judge(*base, failed(900)).last_reading_at == at(900)


@pytest.mark.parametrize(
    ("serial", "usable"),
    [
        ("0041002624901195", True),
        ("R260922.1405.2100A8", True),
        ("", False),
        (None, False),
        (" - ", False),
        ("---", False),
        ("0", False),
        ("0000", False),
        ("NULL", False),
        ("none", False),
        ("T1001", False),
    ],
)
def test_a_blank_or_our_own_id_is_no_serial_number(serial, usable):
    verdict = judge(said(0, Outcome.DELIVERED, serial_number=serial))
    assert (verdict.serial_number is not None) is usable


def test_the_transaction_id_is_no_serial_number_even_where_the_reference_differs():
    leg = build_leg(ref_id="REF-9")
    assert judge(said(0, Outcome.DELIVERED, serial_number="T1001"), leg=leg).serial_number is None


def test_a_serial_number_comes_from_a_success_alone_and_the_newest_one_counts():
    assert judge(said(0, Outcome.DELIVERED), said(60, Outcome.PENDING, serial_number="SN9")).serial_number is None
    reports = [said(0, Outcome.DELIVERED, serial_number="SN1"), said(60, Outcome.DELIVERED, serial_number="SN2")]
    assert judge(*reports).serial_number == "SN2"


def test_forbidden_words_are_no_serial_number():
    assert usable_serial("T1", forbidden=("T1",)) is None
    assert usable_serial(" T2 ", forbidden=("T1",)) == "T2"


@pytest.mark.parametrize(
    ("send_state", "reports", "never_left"),
    [
        (SendState.NOT_SENT, [], True),
        (SendState.NOT_SENT, [said(60, Outcome.NOT_FOUND)], True),
        (SendState.NOT_SENT, [said(60, Outcome.UNKNOWN, contradiction=True)], False),
        (SendState.NOT_SENT, [said(60, Outcome.PENDING)], False),
        (SendState.NOT_SENT, [said(60, Outcome.DELIVERED)], False),
        (SendState.UNKNOWN, [], False),
        (SendState.SENT, [said(60, Outcome.NOT_FOUND)], False),
    ],
)
def test_a_leg_never_left_only_by_the_servers_log_and_while_no_provider_knows_it(send_state, reports, never_left):
    assert judge(*reports, leg=build_leg(send_state=send_state)).never_left is never_left


REPORTS = st.builds(
    lambda seconds, source, outcome, failure_class, is_signed, contradiction, about: build_report(
        at=at(seconds),
        source=source,
        outcome=outcome,
        failure_class=failure_class if outcome is Outcome.FAILED else None,
        body_signed=is_signed,
        contradiction=contradiction,
        about_this_leg=about,
        report_id=f"{seconds}{source}{outcome}{failure_class}{is_signed}{contradiction}{about}",
        leg=LEG,
    ),
    st.integers(0, 20).map(lambda n: n * 30),
    st.sampled_from(ReportSource),
    st.sampled_from(Outcome),
    st.sampled_from(FailureClass),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=200)
@given(reports=st.lists(REPORTS, max_size=7), more=st.randoms(use_true_random=False), provider=st.booleans())
def test_neither_order_nor_repetition_of_reports_changes_a_verdict(reports, more, provider):
    leg = build_leg(provider=READ_ONLY if provider else RESEND)
    shuffled = reports + [more.choice(reports) for _ in range(3) if reports]
    more.shuffle(shuffled)
    assert judge(*shuffled, leg=leg) == judge(*reports, leg=leg)


@settings(max_examples=200)
@given(reports=st.lists(REPORTS, max_size=8))
def test_a_confirmed_failure_always_rests_on_explicit_failures_and_on_nothing_newer_against_it(reports):
    verdict = judge(*reports)
    if verdict.outcome is not Outcome.FAILED or not verdict.confirmed:
        return
    assert all(r.outcome is Outcome.FAILED and r.is_reading and r.about_this_leg for r in verdict.proof)
    newest = verdict.readings[-1].received_at
    against = [r for r in reports if r.about_this_leg and r.received_at > newest]
    assert not any(r.outcome is Outcome.DELIVERED and (r.is_reading or not r.contradiction) for r in against)
    assert not any(r.contradiction for r in against)
