"""What follows once money or certainty is back: one message, one voucher, a closed break."""

from dataclasses import replace

import pytest

from rekon.domain.breaks import BreakKind, BreakState
from rekon.domain.decision import Action
from rekon.domain.outcome import Outcome, ReportSource
from rekon.domain.refund import RefundState
from rekon.domain.transaction import ChargedAccount, LegState, OrderStatus, SendState
from tests.builders import (
    PRICE,
    actions,
    at,
    build_break,
    build_history,
    build_leg,
    build_refund,
    build_report,
    build_statement_line,
    build_transaction,
    build_wallet_line,
    decide_on,
    find,
)

B01, B02, B05 = BreakKind.FAILED_NOT_REFUNDED, BreakKind.STUCK_PENDING, BreakKind.SUCCESS_TAKEN_BACK
B10, B17 = BreakKind.DEBITED_TWICE, BreakKind.NOT_AT_PROVIDER
B03, B07 = BreakKind.DELIVERED_NOT_RECORDED, BreakKind.SERIAL_MISSING
B21, B22 = BreakKind.CONTRADICTION, BreakKind.CALLBACK_LOST
TELL, RESOLVE, COMPENSATE = Action.TELL, Action.RESOLVE, Action.COMPENSATE
FIRST = ReportSource.FIRST_REPLY
CASH = ChargedAccount.CASH
FAILED, SUCCESS = OrderStatus.FAILED, OrderStatus.SUCCESS
PROOF = [build_report(source=FIRST), build_report(at=at(120))]
DELIVERED = [build_report(at=at(30), source=FIRST, outcome=Outcome.DELIVERED, serial_number="SN-0041")]


def told(*keys):
    return frozenset(keys)


def closed(kind=B02):
    return build_break(kind=kind, state=BreakState.RESOLVED)


def refunded(*, kind=B01, amount=PRICE, settled=200, debits=1, now=None, **history):
    """Decide after our own refund was read back in the wallet."""
    refund = build_refund(kind=kind, amount=amount, settled_at=at(settled))
    lines = [build_wallet_line(line_id=f"D{n}") for n in range(debits)]
    lines.append(build_wallet_line(amount=amount, posted_at=at(settled), reference=refund.key))
    return decide_on(
        now=now or at(settled + 2),
        lines=lines,
        reports=PROOF if debits == 1 else DELIVERED,
        transaction=build_transaction(order_status=FAILED if debits == 1 else SUCCESS),
        legs=[build_leg(state=LegState.FINAL)],
        history=build_history(refunds=(refund,), **history),
    )


# Refunds


def test_when_our_refund_arrived_the_agent_is_told_once_and_the_break_closes():
    found = refunded(breaks=(build_break(),))
    assert actions(found) == [TELL, RESOLVE]
    message = find(found, TELL)
    assert (message.template, message.variant, message.amount) == ("M01", "standard", PRICE)
    assert message.reason == "wrong_number"
    assert refunded(breaks=(closed(B01),), told=told("M01:B01")) == []


def test_while_a_refund_is_on_its_way_nobody_is_told():
    for state in (RefundState.REQUESTED, RefundState.SUBMITTED, RefundState.UNKNOWN):
        history = build_history(refunds=(build_refund(state=state),), breaks=(build_break(),))
        decisions = decide_on(now=at(200), reports=PROOF, history=history, legs=[build_leg(provider="digiflazz")])
        assert actions(decisions) == []


def test_a_refund_that_waits_for_a_person_is_told_once():
    history = build_history(refunds=(build_refund(state=RefundState.AWAITING_APPROVAL),))
    message = find(decide_on(now=at(200), reports=PROOF, history=history), TELL)
    assert (message.template, message.amount, message.break_kind) == ("M16", PRICE, B01)
    assert find(decide_on(now=at(hours=25), reports=PROOF, history=history), TELL) is None
    again = replace(history, told=told("M16:B01"))
    assert find(decide_on(now=at(200), reports=PROOF, history=again), TELL) is None


def test_an_old_refund_closes_without_waking_anybody():
    assert actions(refunded(breaks=(build_break(),), now=at(hours=25))) == [RESOLVE]


def test_a_refund_of_a_success_that_was_taken_back_says_so():
    assert find(refunded(kind=B05), TELL).variant == "cancelled"


# The server was quicker


def server_paid(*, status=FAILED, credit=PRICE, reports=PROOF, account=ChargedAccount.AGENT_WALLET, **history):
    return decide_on(
        now=at(500),
        lines=[build_wallet_line(), build_wallet_line(amount=credit, posted_at=at(400))],
        reports=reports,
        transaction=build_transaction(order_status=status, charged_account=account),
        legs=[build_leg(state=LegState.FINAL)],
        history=build_history(**history),
    )


def test_a_failure_the_server_refunded_before_anything_was_written_needs_no_case_and_no_message():
    assert server_paid() == []


@pytest.mark.parametrize("kind", [B01, B17, B05])
def test_when_the_server_paid_an_open_break_the_agent_is_told_once_and_it_closes(kind):
    found = server_paid(breaks=(build_break(kind=kind),))
    assert (find(found, TELL).template, find(found, TELL).amount) == ("M01", PRICE)
    assert find(found, RESOLVE).break_kind is kind
    assert TELL not in actions(server_paid(breaks=(build_break(kind=kind),), told=told(f"M01:{kind.value}")))


def test_a_wallet_that_was_not_read_closes_nothing():
    history = build_history(breaks=(build_break(),))
    found = decide_on(now=at(500), lines=[], reports=PROOF, history=history, legs=[build_leg(state=LegState.FINAL)])
    assert RESOLVE not in actions(found)


def test_what_is_not_wholly_back_closes_nothing():
    assert RESOLVE not in actions(server_paid(credit=PRICE - 1, breaks=(build_break(),)))


def test_our_own_refund_is_not_taken_for_the_servers():
    history = {"breaks": (build_break(),), "refunds": (build_refund(state=RefundState.FAILED),)}
    assert TELL not in actions(server_paid(**history))


@pytest.mark.parametrize("status", [FAILED, OrderStatus.REFUNDED])
@pytest.mark.parametrize("template", ["M02", "M03", "M04"])
def test_who_was_told_to_wait_hears_of_the_servers_refund_too(status, template):
    waiting = {"breaks": (build_break(kind=B02),), "told": told(f"{template}:B02")}
    found = server_paid(status=status, **waiting)
    assert (find(found, TELL).template, find(found, TELL).break_kind) == ("M01", B02)
    assert find(found, RESOLVE).break_kind is B02
    again = {"breaks": (closed(),), "told": told(f"{template}:B02", "M01:B02")}
    assert server_paid(status=status, **again) == []


def test_who_was_told_to_wait_gets_one_message_of_our_own_refund():
    found = refunded(breaks=(build_break(), build_break(kind=B02)), told=told("M02:B02"))
    assert [(d.template, d.break_kind) for d in found if d.action is TELL] == [("M01", B01)]


def test_who_was_told_to_wait_hears_nothing_of_a_refund_of_what_was_delivered():
    found = server_paid(status=SUCCESS, reports=DELIVERED, breaks=(closed(),), told=told("M02:B02", "M05:B02"))
    assert find(found, TELL, kind=B02) is None


def test_an_old_refund_of_the_server_wakes_nobody():
    credit = build_wallet_line(amount=PRICE, posted_at=at(400))
    history = build_history(breaks=(build_break(),))
    found = decide_on(now=at(hours=25), lines=[build_wallet_line(), credit], reports=PROOF, history=history)
    assert actions(found) == [RESOLVE]


def test_who_was_never_told_to_wait_hears_nothing():
    assert actions(server_paid(breaks=(build_break(kind=B02),))) == [RESOLVE]


def test_two_breaks_of_one_purchase_are_one_message():
    found = server_paid(breaks=(build_break(), build_break(kind=B17), build_break(kind=B02)), told=told("M02:B02"))
    assert actions(found).count(TELL) == 1
    assert {d.break_kind for d in found if d.action is RESOLVE} == {B01, B17, B02}


# Deposits


@pytest.mark.parametrize(
    ("credits_", "closes"), [((50_150,), True), ((50_000, 150), True), ((50_000,), False), ((), False)]
)
def test_a_claim_closes_when_the_whole_deposit_is_back(credits_, closes):
    lines = [build_statement_line(amount=-50_150)]
    lines += [build_statement_line(amount=a, line_id=f"C{a}") for a in credits_]
    found = decide_on(
        now=at(500),
        lines=[],
        reports=PROOF,
        transaction=build_transaction(charged_account=ChargedAccount.PROVIDER_DEPOSIT),
        history=build_history(statement_lines=tuple(lines), breaks=(build_break(),)),
    )
    assert (RESOLVE in actions(found)) is closes


# COMP-1


def test_a_claim_stays_open_while_nothing_is_known_or_another_leg_is_charged():
    deposit = build_transaction(charged_account=ChargedAccount.PROVIDER_DEPOSIT)
    other = build_leg(leg_no=2, state=LegState.FINAL)
    back = (build_statement_line(), build_statement_line(amount=50_150))
    charged = build_statement_line(amount=-50_000, ref_id=other.ref_id)
    for lines in ((), (*back, charged)):
        found = decide_on(
            now=at(500),
            lines=[],
            legs=[build_leg(), other],
            transaction=deposit,
            history=build_history(statement_lines=lines, breaks=(build_break(),)),
        )
        assert RESOLVE not in actions(found)


def test_a_providers_credit_does_not_close_an_agents_break():
    back = (build_statement_line(), build_statement_line(amount=50_150))
    found = decide_on(now=at(200), reports=PROOF, history=build_history(statement_lines=back, breaks=(build_break(),)))
    assert RESOLVE not in actions(found)


def test_the_voucher_comes_before_the_one_apology_that_carries_it():
    compensate = find(refunded(kind=B10, debits=2), COMPENSATE)
    assert (compensate.amount, compensate.break_kind) == (5_000, B10)
    vouchers = {B10: ("ABCD", 5_000, at(days=30))}
    apology = find(refunded(kind=B10, debits=2, vouchers=vouchers), TELL)
    assert (apology.template, apology.amount) == ("M06", PRICE)
    assert refunded(kind=B10, debits=2, vouchers=vouchers, told=told("M06:B10")) == []


def test_an_apology_that_went_out_without_a_voucher_is_not_followed_by_one():
    assert COMPENSATE not in actions(refunded(kind=B10, debits=2, told=told("M06:B10")))


def test_a_double_debit_of_days_ago_is_put_right_without_a_voucher_nobody_hears_of():
    found = refunded(kind=B10, debits=2, now=at(hours=25), breaks=(build_break(kind=B10),))
    assert actions(found) == [RESOLVE]


def test_the_voucher_is_measured_by_the_face_value_and_else_by_the_price():
    refund = build_refund(kind=B10, amount=12_300, settled_at=at(200))
    for face_value, amount in ((20_000, 2_000), (None, 1_000)):
        lines = [build_wallet_line(amount=-12_300), build_wallet_line(amount=-12_300, line_id="D2")]
        found = decide_on(
            now=at(202),
            lines=[*lines, build_wallet_line(amount=12_300, reference=refund.key)],
            reports=DELIVERED,
            transaction=build_transaction(order_status=SUCCESS, price=12_300, face_value=face_value),
            history=build_history(refunds=(refund,)),
        )
        assert find(found, COMPENSATE).amount == amount


# Certainty


def certain(
    *, kind, status=SUCCESS, reports=DELIVERED, lines=None, legs=None, account=ChargedAccount.AGENT_WALLET, **more
):
    """Say which breaks close."""
    history = build_history(breaks=(build_break(kind=kind), *more.pop("others", ())), **more)
    found = decide_on(
        now=at(400),
        reports=reports,
        lines=lines,
        legs=legs,
        transaction=build_transaction(order_status=status, charged_account=account),
        history=history,
    )
    return kind in {d.break_kind for d in found if d.action is RESOLVE}


PENDING = [build_report(source=FIRST, outcome=Outcome.PENDING)]
BACK = [build_wallet_line(), build_wallet_line(amount=PRICE, posted_at=at(300))]


@pytest.mark.parametrize(
    ("books", "closes"),
    [
        pytest.param({}, True, id="delivered and recorded"),
        pytest.param({"status": OrderStatus.PENDING}, False, id="delivered, the server still waits"),
        pytest.param(
            {"status": OrderStatus.PENDING, "order_result": "success:accepted"}, True, id="the server took it"
        ),
        pytest.param({"status": OrderStatus.PENDING, "reports": PENDING}, False, id="still pending"),
        pytest.param({"reports": PENDING}, True, id="the server says success"),
        pytest.param({"status": FAILED, "reports": PENDING, "lines": BACK}, True, id="the server failed and paid"),
        pytest.param({"status": FAILED, "reports": PENDING}, False, id="the server failed and kept the money"),
        pytest.param({"status": FAILED, "reports": PROOF}, False, id="failed and nothing written yet"),
        pytest.param({"status": FAILED, "reports": PROOF, "others": (build_break(),)}, True, id="now a failure"),
        pytest.param({"status": FAILED, "reports": PROOF, "lines": BACK}, True, id="failed and paid"),
        pytest.param({"status": OrderStatus.PENDING, "reports": PENDING, "lines": []}, False, id="no debit read yet"),
        pytest.param(
            {"status": OrderStatus.PENDING, "reports": PENDING, "others": (build_break(),)}, False, id="pending again"
        ),
        pytest.param({"status": FAILED, "reports": PENDING, "lines": [], "account": CASH}, False, id="cash, unclear"),
        pytest.param({"status": FAILED, "reports": PROOF, "lines": [], "account": CASH}, True, id="cash, failed"),
    ],
)
def test_a_hanging_order_closes_once_nobody_waits_any_more(books, closes):
    assert certain(kind=B02, **books) is closes


@pytest.mark.parametrize(
    ("kind", "books", "closes"),
    [
        (B21, {}, True),
        (B21, {"reports": PENDING, "status": OrderStatus.PENDING}, False),
        (B07, {}, True),
        (B07, {"reports": [replace(DELIVERED[0], serial_number=None)]}, False),
        (B03, {}, True),
        (B03, {"status": OrderStatus.PENDING}, False),
        (B17, {}, True),
        (B17, {"reports": [], "status": OrderStatus.PENDING}, False),
        (B22, {}, True),
    ],
)
def test_an_uncertainty_closes_with_its_cause(kind, books, closes):
    assert certain(kind=kind, **books) is closes


def test_what_was_never_sent_stays_open_until_its_own_money_is_back():
    legs = [build_leg(send_state=SendState.NOT_SENT)]
    assert not certain(kind=B17, status=FAILED, reports=[], legs=legs)


# COMP-2


HUNG = (closed(),)


def waited(*, hours, status=SUCCESS, now=None, breaks=HUNG, account=ChargedAccount.AGENT_WALLET, **history):
    """Decide after a delivery that took so long."""
    ended = at(hours=hours)
    reports = [
        build_report(at=ended, outcome=Outcome.DELIVERED, serial_number="SN-0041", source=ReportSource.STATEMENT)
    ]
    return decide_on(
        now=now or at(60, hours=hours),
        reports=reports,
        transaction=build_transaction(order_status=status, charged_account=account),
        history=build_history(breaks=breaks, **history),
    )


@pytest.mark.parametrize(
    ("hours", "amount"), [(1, None), (1.01, 1_000), (6, 1_000), (6.01, 2_500), (24, 2_500), (24.01, 5_000)]
)
def test_a_long_wait_is_compensated_by_its_length(hours, amount):
    compensate = find(waited(hours=hours), COMPENSATE)
    assert (compensate and compensate.amount) == amount


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"breaks": ()}, id="nothing hung"),
        pytest.param(
            {"breaks": (build_break(kind=B02, state=BreakState.IN_REVIEW),), "status": OrderStatus.PENDING}, id="open"
        ),
        pytest.param({"breaks": (closed(), build_break())}, id="another break of it is open"),
        pytest.param({"account": ChargedAccount.CASH}, id="no wallet"),
        pytest.param({"now": at(hours=27, seconds=1)}, id="over for more than a day"),
        pytest.param({"vouchers": {B10: ("ABCD", 5_000, at(days=30))}}, id="another voucher was given"),
        pytest.param({"vouchers": {B02: ("ABCD", 1_000, at(days=30))}, "told": told("M19:B02")}, id="given and told"),
        pytest.param({"told": told("M19:B02")}, id="told"),
    ],
)
def test_who_gets_no_voucher_for_waiting(changed):
    assert not {COMPENSATE, TELL} & set(actions(waited(**{"hours": 3} | changed)))


def test_the_voucher_for_waiting_is_told_with_the_time_it_took():
    message = find(waited(hours=3, vouchers={B02: ("ABCD", 1_000, at(days=30))}), TELL)
    assert (message.template, message.details) == ("M19", {"waited_seconds": "10800"})


def test_a_failure_counts_as_handled_when_the_money_was_back_and_not_before():
    settled = 3 * 3600
    found = refunded(settled=settled, breaks=(closed(B01),), told=told("M01:B01"))
    assert (find(found, COMPENSATE).amount, find(found, COMPENSATE).break_kind) == (1_000, B01)
    waiting = build_history(breaks=(closed(B02), closed(B01)))
    part = [build_wallet_line(), build_wallet_line(amount=10_000, posted_at=at(hours=2))]
    assert find(decide_on(now=at(hours=3), reports=PROOF, history=waiting, lines=part), COMPENSATE) is None


def test_a_token_waits_at_double_rate():
    reports = [
        build_report(at=at(hours=2), outcome=Outcome.DELIVERED, serial_number="1" * 20, source=ReportSource.STATEMENT)
    ]
    token = build_transaction(order_status=SUCCESS, family="pln_token")
    found = decide_on(
        now=at(60, hours=2), reports=reports, transaction=token, history=build_history(breaks=(closed(),))
    )
    assert find(found, COMPENSATE).amount == 2_000
