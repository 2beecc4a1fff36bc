"""B01 and B17: when money goes back because a provider failed, by which road, and when it must not."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekon.domain.breaks import BreakKind, BreakState, Mode
from rekon.domain.decision import Action, evidence_digest
from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from rekon.domain.refund import COUNTS_AS_CREDIT, RefundState, refund_key
from rekon.domain.transaction import ChargedAccount, LegState, OrderStatus, RefundOwner, SendState, WalletLineKind
from tests.builders import (
    LEG,
    PRICE,
    READ_ONLY,
    RESEND,
    T0,
    TRANSACTION,
    actions,
    at,
    build_break,
    build_facts,
    build_history,
    build_leg,
    build_policy,
    build_refund,
    build_report,
    build_statement_line,
    build_transaction,
    build_wallet_line,
    decide_on,
    due,
    find,
)

B01, B17 = BreakKind.FAILED_NOT_REFUNDED, BreakKind.NOT_AT_PROVIDER
NEVER_FORMED, DEFINITE = FailureClass.NEVER_FORMED, FailureClass.DEFINITE
SOFT, TIMEOUT_LIKE = FailureClass.SOFT, FailureClass.TIMEOUT_LIKE
FIRST, INQUIRY, CALLBACK = ReportSource.FIRST_REPLY, ReportSource.INQUIRY, ReportSource.CALLBACK
REFUND, MARK, STAFF = Action.ISSUE_REFUND, Action.MARK_FAILED_AT_SERVER, Action.ASK_STAFF
PENDING, FAILED = OrderStatus.PENDING, OrderStatus.FAILED
CREDIT = [build_statement_line(amount=-50_150), build_statement_line(amount=50_150)]


def failed(seconds, failure_class=DEFINITE, source=INQUIRY, **more):
    return build_report(at=at(seconds), source=source, failure_class=failure_class, **more)


def failed_order(*, failure_class=DEFINITE, second=120, **books):
    """Decide on an order whose failure is proved; by default two minutes after it."""
    reports = [failed(0, failure_class, FIRST), failed(second, failure_class)]
    return decide_on(**({"now": at(second), "reports": reports, "legs": [build_leg(state=LegState.FINAL)]} | books))


def order(status=FAILED, **more):
    return build_transaction(order_status=status, **more)


# Classes: readings and holds


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


# The age of the last reading


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
    assert due(decisions) == at(60, hours=1)


def test_a_leg_that_cannot_be_asked_any_more_goes_to_staff():
    decisions = failed_order(now=at(hours=1), legs=[build_leg(state=LegState.STOPPED)])
    assert [d.rule for d in decisions if d.action is STAFF] == ["b01.cannot_ask"]


def test_a_provider_that_stays_silent_for_hours_goes_to_staff():
    books = {"legs": [build_leg(state=LegState.OPEN)]}
    assert STAFF not in actions(failed_order(now=at(119, hours=2, minutes=5), **books))
    assert find(failed_order(now=at(120, hours=2, minutes=5), **books), STAFF).rule == "b01.cannot_ask"


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


# Freshness (I25)


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


# Who pays


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


def test_a_timeout_of_a_cash_purchase_goes_to_staff_though_there_is_no_wallet():
    cash = order(charged_account=ChargedAccount.CASH)
    reports = [failed(s, TIMEOUT_LIKE) for s in (0, 900, 2700)]
    assert find(decide_on(now=at(2700), transaction=cash, lines=[], reports=reports), STAFF).amount == PRICE


# net(T)


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


def test_a_refused_refund_whose_break_a_person_closed_is_left_alone():
    closed = build_history(
        refunds=(build_refund(state=RefundState.REJECTED),), breaks=(build_break(state=BreakState.RESOLVED),)
    )
    assert failed_order(history=closed) == []


# Limits and modes


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


# Several legs


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


# B17


NOT_SENT = [build_leg(send_state=SendState.NOT_SENT, state=LegState.STOPPED)]


def test_what_was_never_sent_is_given_back_on_our_own_books_once_the_wallet_is_quiet():
    early = decide_on(now=at(119), legs=NOT_SENT)
    assert (actions(early), due(early)) == ([], at(120))
    refund = find(decide_on(now=at(120), legs=NOT_SENT), REFUND)
    assert (refund.break_kind, refund.amount, refund.needs_approval) == (B17, PRICE, False)


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
    leg = second_leg()
    reports = [*lost(60, 300, 540), build_report(leg=leg.key, outcome=Outcome.DELIVERED, serial_number="SN1")]
    decisions = decide_on(
        now=at(days=2), legs=[build_leg(), leg], reports=reports, transaction=order(OrderStatus.SUCCESS)
    )
    assert find(decisions, STAFF, kind=B17) is None


# Properties: a failure that would be given back, with anything drawn on top of it

SECONDS = st.integers(0, 20).map(lambda n: n * 30)
WORDS = st.builds(
    lambda seconds, source, outcome, failure_class, is_signed, contradiction, leg_no: build_report(
        at=at(seconds),
        source=source,
        outcome=outcome,
        failure_class=failure_class if outcome is Outcome.FAILED else None,
        body_signed=is_signed,
        contradiction=contradiction,
        leg=f"{TRANSACTION}#{leg_no}",
        report_id=f"{seconds}{source}{outcome}{failure_class}{is_signed}{contradiction}{leg_no}",
    ),
    SECONDS,
    st.sampled_from(ReportSource),
    st.sampled_from(Outcome),
    st.sampled_from([DEFINITE, SOFT, TIMEOUT_LIKE, NEVER_FORMED, FailureClass.CHECK_ERROR]),
    st.booleans(),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([1, 1, 2]),
)
LINES = st.lists(
    st.tuples(st.sampled_from([-PRICE, PRICE, 10_000, -500]), SECONDS, st.sampled_from(["", "voucher:X"])), max_size=3
).map(
    lambda rows: [
        build_wallet_line(amount=amount, posted_at=at(s), reference=ref, line_id=f"L{i}")
        for i, (amount, s, ref) in enumerate(rows)
    ]
)
REFUNDS = st.lists(
    st.tuples(st.sampled_from([B01, BreakKind.DEBITED_TWICE, B17]), st.sampled_from(RefundState)),
    max_size=2,
    unique_by=lambda pair: pair[0],
).map(lambda rows: tuple(build_refund(kind=kind, state=state) for kind, state in rows))


def mostly(usual, others):
    """Draw the usual value four times of five."""
    return st.sampled_from([True, True, True, True, False]).flatmap(
        lambda is_usual: st.just(usual) if is_usual else st.sampled_from(list(others))
    )


@st.composite
def books(draw):
    """Draw any state the books may be in, near the one in which money goes back."""
    legs = [
        build_leg(
            leg_no=n,
            provider=draw(st.sampled_from([READ_ONLY, RESEND])),
            send_count=draw(mostly(1, [2])),
            send_state=draw(mostly(SendState.SENT, SendState)),
            state=draw(mostly(LegState.FINAL, LegState)),
        )
        for n in draw(mostly((1,), [(1, 2)]))
    ]
    proofs = {
        DEFINITE: [failed(0, DEFINITE, FIRST), failed(300, DEFINITE)],
        SOFT: [failed(0, SOFT, FIRST), failed(540, SOFT)],
        TIMEOUT_LIKE: [failed(s, TIMEOUT_LIKE) for s in (0, 300, 540)],
        NEVER_FORMED: [failed(0, NEVER_FORMED, FIRST)],
        None: [],
    }
    fresh = mostly(at(hours=3), [None, at(30), at(400)])
    return {
        "now": at(draw(mostly(600, [0, 60, 120, 300, 540, 2700, 9000]))),
        "transaction": order(
            draw(mostly(FAILED, OrderStatus)), charged_account=draw(mostly(ChargedAccount.AGENT_WALLET, ChargedAccount))
        ),
        "legs": legs,
        "lines": [build_wallet_line(line_id="first"), *draw(LINES)],
        "reports": proofs[draw(st.sampled_from(list(proofs)))] + draw(st.lists(WORDS, max_size=3)),
        "history": build_history(
            refund_owner=draw(mostly(RefundOwner.REKON, RefundOwner)),
            orders_read_to=draw(fresh),
            wallet_read_to=draw(fresh),
            refunds=draw(st.one_of(st.just(()), REFUNDS)),
            breaks=draw(st.sampled_from([(), (build_break(),)])),
            order_result=draw(st.sampled_from(["", "failed:accepted", "failed:pending", "failed:conflict"])),
            order_result_at=at(60),
            statement_lines=draw(st.sampled_from([(), tuple(CREDIT)])),
        ),
    }


MANY = settings(max_examples=100)


@MANY
@given(drawn=books())
def test_no_failure_is_ever_given_back_unless_every_leg_is_plainly_failed(drawn):
    if find(decide_on(**drawn), REFUND, kind=B01) is None:
        return
    facts = build_facts(**drawn)
    assert all(v.outcome is Outcome.FAILED and v.confirmed and not v.doubted for v in facts.attempts)
    heard = {r.leg_key: [] for r in facts.reports}
    for report in facts.reports:
        heard[report.leg_key].append(report)
    for verdict in facts.attempts:
        words = [r for r in heard[verdict.leg.key] if r.is_reading and not r.contradiction]
        assert words[-1].outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.PENDING)
        assert not any(r.outcome in (Outcome.DELIVERED, Outcome.REVERSED, Outcome.PARTIAL) for r in words)


@MANY
@given(drawn=books())
def test_no_refund_is_ever_more_than_what_is_still_taken_and_one_is_asked_for_at_a_time(drawn):
    refunds = [d for d in decide_on(**drawn) if d.action is REFUND]
    facts = build_facts(**drawn)
    assert all(0 < d.amount <= facts.net for d in refunds)
    assert sum(d.amount for d in refunds) <= max(facts.net, 0)
    assert all(facts.refunds_of(d.break_kind) == [] for d in refunds)


@MANY
@given(drawn=books())
def test_rekon_never_pays_a_failure_beside_a_server_that_pays_by_itself(drawn):
    server = drawn | {"history": replace(drawn["history"], refund_owner=RefundOwner.SERVER)}
    kinds = {d.break_kind for d in decide_on(**server) if d.action is REFUND}
    assert kinds <= {BreakKind.DEBITED_TWICE}


@MANY
@given(drawn=books())
def test_no_money_ever_moves_for_a_failure_on_books_that_are_not_fresh(drawn):
    decisions = [d for d in decide_on(**drawn) if d.action in (REFUND, MARK)]
    facts = build_facts(**drawn)
    words = [v.final_word_at for v in facts.attempts if v.final_word_at and v.outcome is Outcome.FAILED]
    if decisions and words:
        assert facts.fresh_since(min(words))


@MANY
@given(drawn=books(), chance=st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_any_row_changes_a_decision(drawn, chance):
    shuffled = dict(drawn)
    for name in ("legs", "lines", "reports"):
        rows = drawn[name] + [chance.choice(drawn[name]) for _ in range(2) if drawn[name]]
        chance.shuffle(rows)
        shuffled[name] = rows
    assert decide_on(**shuffled) == decide_on(**drawn)


@MANY
@given(drawn=books())
def test_deciding_one_refund_after_the_other_never_gives_back_more_than_was_taken(drawn):
    taken = -sum(line.amount for line in build_facts(**drawn).own_lines)
    paid = list(drawn["history"].refunds)
    for _ in range(4):
        step = drawn | {
            "now": drawn["now"] + timedelta(hours=1),
            "history": replace(drawn["history"], refunds=tuple(paid)),
        }
        asked = [d for d in decide_on(**step) if d.action is REFUND]
        paid += [
            replace(
                build_refund(kind=d.break_kind, amount=d.amount, state=RefundState.SUBMITTED),
                key=refund_key(TRANSACTION, d.break_kind, 1),
            )
            for d in asked
        ]
    ours = paid[len(drawn["history"].refunds) :]
    counted = sum(r.amount for r in drawn["history"].refunds if r.state in COUNTS_AS_CREDIT)
    assert not ours or sum(r.amount for r in ours) + counted <= taken
