from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError, StatementError

from rekon.domain.callback import Verdict
from rekon.store import approvals, cases, due, evaluations, findings, health, inbox, messages, schema, staff, types
from tests import builders
from tests.store import filling

T0 = builders.T0
LATER = builders.at(minutes=5)


def test_a_provider_account_is_noted_bit_by_bit(store):
    store.write(health.note, provider="iak", account="utama")
    store.write(health.note, provider="iak", account="utama", balance=Decimal("1000.50"), balance_at=T0)
    store.write(health.note, provider="iak", account="utama", skew_seconds=Decimal("-0.25"), skew_read_at=LATER)
    row = store.read(health.all_of)["iak", "utama"]
    assert (str(row["balance"]), row["balance_at"], str(row["skew_seconds"])) == ("1000.50", T0, "-0.25")
    assert (row["check_errors"], row["quarantined_because"]) == (0, "")


def test_a_fact_has_one_value(store):
    assert store.read(health.fact, "epoch") is None
    store.write(health.set_fact, "epoch", "1")
    store.write(health.set_fact, "epoch", "2")
    assert store.read(health.fact, "epoch") == "2"


def test_staff_are_found_by_their_token_until_it_is_taken_away(store):
    store.write(staff.add, name="Sari", role="penyelia", token="rahasia", now=T0)
    assert store.read(approvals.find_person, "rahasia").active
    assert store.read(approvals.find_person, "lain") is None
    assert "rahasia" not in str(filling.one(store, schema.staff))
    assert store.write(staff.disable, "Sari")
    assert not store.write(staff.disable, "Sari")
    assert not store.read(approvals.find_person, "rahasia").active
    assert [row["active"] for row in store.read(staff.listed)] == [False]


def test_two_people_cannot_share_a_name(store):
    store.write(staff.add, name="Sari", role="penyelia", token="a", now=T0)
    with pytest.raises(IntegrityError):
        store.write(staff.add, name="Sari", role="penyelia", token="b", now=T0)


def test_a_person_decides_once_on_the_same_evidence(store):
    refund_id = filling.refund(store, filling.order(store))["refund_id"]
    staff_id = store.write(staff.add, name="Sari", role="penyelia", token="a", now=T0)
    said = {"refund_id": refund_id, "staff_id": staff_id, "decision": "approve", "reason": "benar", "now": T0}
    store.write(staff.record_decision, **said, digest="d1")
    with pytest.raises(IntegrityError):
        store.write(staff.record_decision, **said, digest="d1")
    store.write(staff.record_decision, **said, digest="d2")
    assert [row["digest"] for row in filling.rows(store, schema.approvals)] == ["d1", "d2"]


def test_what_rekon_found_and_did_is_listed_and_counted(store):
    transaction = filling.order(store)
    case_id = filling.case(store, transaction)
    store.write(messages.add, filling.new_message(case_id=case_id), now=T0)
    filling.refund(store, transaction, needs_approval=True)
    listed = store.read(findings.export)
    assert listed["breaks"] == [{"transaction": transaction.key, "kind": "B02", "state": "open"}]
    assert listed["refunds"] == [
        {"transaction": transaction.key, "kind": "B01", "amount": builders.PRICE, "state": "awaiting_approval"}
    ]
    assert [len(listed[name]) for name in ("vouchers", "complaints", "messages")] == [0, 0, 1]
    summary = store.read(findings.summarise)
    assert (summary.transactions, summary.breaks, summary.open) == (1, {"B02": 1}, {"B02": 1})
    assert (summary.refunds_settled, summary.refunds_amount, summary.refunds_waiting, summary.messages) == (0, 0, 1, 1)


def test_nothing_is_due_in_an_empty_store(store):
    assert store.read(due.times) == dict.fromkeys(("check", "decide", "act", "tell", "relay", "follow_up"))


def test_every_stage_hears_of_its_own_work(store):
    transaction = filling.order(store, now=LATER)
    assert store.read(due.times)["check"] == store.read(due.times)["decide"] == LATER
    store.write(lambda connection: evaluations.settle(connection, {transaction.key: None}))
    filling.refund(store, transaction, now=builders.at(minutes=1))
    case_id = filling.case(store, transaction)
    promising = filling.new_message(case_id=case_id, promise_at=builders.at(minutes=3))
    store.write(messages.add, promising, now=builders.at(minutes=2))
    times = store.read(due.times)
    assert (times["decide"], times["act"], times["tell"]) == (None, builders.at(minutes=1), builders.at(minutes=2))
    assert times["follow_up"] == builders.at(minutes=3, seconds=1e-6) + messages.PROMISE_GRACE


def test_an_unread_callback_makes_the_check_due(store):
    store.write(inbox.store, provider="iak", body=b"x", content_type="", verdict=Verdict.HINT, now=T0)
    assert store.read(due.times)["check"] == T0


def test_a_felt_case_makes_following_up_due(store):
    transaction = filling.order(store)
    case_id = filling.case(store, transaction)
    store.write(cases.mark_felt, case_id)
    store.write(cases.resolve, transaction, kind=builders.BreakKind.STUCK_PENDING, rule="x", now=LATER)
    assert store.read(due.times)["follow_up"] == LATER
    store.write(cases.plan_aftercare, case_id, due_at=builders.at(hours=2))
    assert store.read(due.times)["follow_up"] == builders.at(hours=2)


def test_an_instant_without_a_zone_is_never_stored(store):
    naive = T0.replace(tzinfo=None)
    with pytest.raises(StatementError, match="offset-naive"):
        store.write(evaluations.touch, ["x"], due_at=naive)


@pytest.mark.parametrize("microseconds", [0, 1, -1, 999_999])
def test_an_instant_keeps_its_microseconds(microseconds):
    instant = T0 + microseconds * (builders.at(1) - T0) / 1_000_000
    assert types.Instant().process_result_value(types.micros(instant), None) == instant
