from dataclasses import replace
from datetime import timedelta

import pytest

from rekon.domain.breaks import BreakKind, BreakState
from rekon.domain.outcome import Outcome, Reading, ReportSource
from rekon.domain.snapshot import thaw
from rekon.domain.transaction import RefundOwner
from rekon.store import books, complaints, decisions, dossier, messages, reports, results, schema, vouchers
from rekon.store.dossier import SourceRules
from tests import builders
from tests.store import filling

T0 = builders.T0
WINDOW = timedelta(seconds=120)
SOURCES = {"toko": SourceRules(refund_owner=RefundOwner.REKON, lag=timedelta(seconds=5))}


def _load(store, *keys, sources=SOURCES):
    return store.read(dossier.load, keys, sources=sources, twin_window=WINDOW)


@pytest.fixture
def transaction(store):
    return filling.order(store)


def test_a_purchase_comes_with_its_books(store, transaction):
    line, statement = builders.build_wallet_line(), builders.build_statement_line()
    filling.wallet(store, line, builders.build_wallet_line(line_id="other", transaction_id="T2"))
    other = replace(statement, provider="otomax")
    store.write(books.record_statement_lines, [(0, statement), (1, other)], now=T0)
    store.write(reports.append, [_report()])
    store.write(books.advance_mark, source="toko", book="wallet", read_to=T0, now=T0)
    (found,) = _load(store, transaction.key)
    assert (found.transaction, found.legs, found.wallet_lines) == (transaction, (builders.build_leg(),), (line,))
    assert [report.outcome for report in found.reports] == [Outcome.PENDING]
    history = found.history
    assert (history.refund_owner, history.source_lag) == (RefundOwner.REKON, timedelta(seconds=5))
    assert (history.orders_read_to, history.wallet_read_to) == (None, T0)
    assert history.statement_lines == (statement,)


def test_a_source_nobody_configured_is_left_to_people(store, transaction):
    (found,) = _load(store, transaction.key, sources={})
    assert found.history.refund_owner is RefundOwner.MANUAL


def test_a_purchase_comes_with_everything_rekon_did(store, transaction):
    case_id = filling.case(store, transaction, kind=BreakKind.STUCK_PENDING, ask_staff=True)
    store.write(messages.add, filling.new_message(case_id=case_id), now=T0)
    store.write(results.request, transaction, status="failed", serial_number="", reason="", now=T0)
    store.write(
        complaints.open_complaint, builders.build_leg(), kind=BreakKind.STUCK_PENDING, text="x", links=[], now=T0
    )
    issued = {"code": "C1", "kind": BreakKind.STUCK_PENDING, "amount": 1_000, "rule": "comp.2"}
    store.write(vouchers.issue, transaction, **issued, policy=builders.build_policy(), now=T0)
    filling.refund(store, transaction)
    (found,) = _load(store, transaction.key)
    history = found.history
    (broken,) = history.breaks
    assert (broken.kind, broken.state, broken.opened_at) == (BreakKind.STUCK_PENDING, BreakState.IN_REVIEW, T0)
    assert history.staff_asked == {BreakKind.STUCK_PENDING}
    assert history.told == {"M02:B02"}
    assert (history.order_result, history.order_result_at) == ("failed:pending", T0)
    assert history.complaint_state == "draft"
    assert history.vouchers == {BreakKind.STUCK_PENDING: ("C1", 1_000, T0 + timedelta(days=30))}
    assert [refund.amount for refund in history.refunds] == [builders.PRICE]
    assert history.case_number.startswith("K")


def test_purchases_come_in_the_order_asked_for(store, transaction):
    other = filling.order(store, number="T2", ordered_at=builders.at(days=1))
    assert [found.transaction.key for found in _load(store, other.key, "toko:none", transaction.key)] == [
        other.key,
        transaction.key,
    ]
    assert _load(store) == []


@pytest.mark.parametrize(
    ("seconds", "more", "is_twin"),
    [
        (-120, {}, True),
        (-121, {}, False),
        (1, {}, False),
        (0, {}, True),
        (-1, {"destination": "081299990000"}, False),
        (-1, {"product": "Telkomsel 25.000"}, False),
        (-1, {"agent_id": "A02"}, False),
    ],
)
def test_a_twin_is_an_equal_order_shortly_before(store, transaction, seconds, more, is_twin):
    twin = filling.order(store, number="T0999", ordered_at=builders.at(seconds), **more)
    (found,) = _load(store, transaction.key)
    assert [one.key for one in found.history.twins] == ([twin.key] if is_twin else [])


def test_twins_of_many_purchases_stay_with_their_own(store):
    def sold(number, seconds, destination):
        order = filling.order(store, number=number, ordered_at=builders.at(seconds), destination=destination)
        return order.key

    keys = [sold("X3", 40, "081200000001"), sold("X1", 0, "081200000001"), sold("X2", 20, "081200000001")]
    keys += [sold("Y2", 30, "081200000002"), sold("Y1", 30, "081200000002")]
    found = {one.transaction.key: [twin.key for twin in one.history.twins] for one in _load(store, *keys)}
    x3, x1, x2, y2, y1 = keys
    assert found == {x3: [x1, x2], x1: [], x2: [x1], y2: [y1], y1: []}


def test_the_balance_quoted_is_the_newest_one(store):
    filling.wallet(
        store,
        builders.build_wallet_line(line_id="1", balance_after=1, sequence=1),
        builders.build_wallet_line(line_id="2", balance_after=3, sequence=2),
        builders.build_wallet_line(line_id="3", balance_after=2),
        builders.build_wallet_line(line_id="4", balance_after=9, posted_at=builders.at(seconds=-5)),
    )
    assert store.read(dossier.agent_balance, "A01", not_before=T0) == 3
    assert store.read(dossier.agent_balance, "A01", not_before=builders.at(seconds=1)) is None


def test_a_decision_can_be_read_with_what_it_was_made_of(store, transaction):
    (found,) = _load(store, transaction.key)
    policy = builders.build_policy()
    digest = store.write(decisions.remember_configuration, policy, builders.PROVIDERS, now=T0)
    assert store.write(decisions.remember_configuration, policy, builders.PROVIDERS, now=T0) == digest
    store.write(decisions.append, found, [filling.wish(), filling.wish(amount=1)], config_hash=digest, now=T0)
    first, second = store.read(decisions.of, transaction.key)
    assert (first["action"], first["amount"], second["amount"]) == ("issue_refund", builders.PRICE, 1)
    assert thaw(first["inputs"]["transaction"]) == transaction
    assert thaw(first["inputs"]["history"]) == found.history
    assert thaw(store.read(decisions.configuration, digest)["policy"]) == policy


def test_other_numbers_have_another_hash(store):
    one = store.write(decisions.remember_configuration, builders.build_policy(), {}, now=T0)
    two = store.write(decisions.remember_configuration, builders.build_policy(breaker_count=9), {}, now=T0)
    assert one != two
    assert len(filling.rows(store, schema.configurations)) == 2


def _report():
    return reports.NewReport(
        leg_key=builders.LEG,
        source=ReportSource.INQUIRY,
        reading=Reading(outcome=Outcome.PENDING),
        raw=b"",
        received_at=T0,
    )
