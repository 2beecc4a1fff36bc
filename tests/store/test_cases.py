from datetime import timedelta

import pytest
from sqlalchemy.exc import NoResultFound

from rekon.domain.breaks import BreakKind, BreakState
from rekon.domain.refund import RefundState
from rekon.store import cases, complaints, messages, refunds, schema
from tests import builders
from tests.store import filling

T0 = builders.T0
LATER = builders.at(minutes=5)
STUCK = BreakKind.STUCK_PENDING


@pytest.fixture
def transaction(store):
    return filling.order(store)


def _open(store, transaction, *, kind=STUCK, ask_staff=False, now=T0, note=""):
    told = {"amount": 50_600, "rule": "b02.pending", "note": note}
    return store.write(cases.open_break, transaction, kind=kind, ask_staff=ask_staff, now=now, **told)


def _resolve(store, transaction, *, kind=STUCK, now=LATER):
    return store.write(cases.resolve, transaction, kind=kind, rule="closing.certain", now=now)


def _events(store):
    return [row["kind"] for row in filling.rows(store, schema.case_events)]


def test_a_break_is_written_down_once_with_its_case(store, transaction):
    assert _open(store, transaction)
    assert not _open(store, transaction, now=LATER)
    row, case = filling.one(store, schema.breaks), filling.one(store, schema.cases)
    assert (row["state"], row["staff_asked"], row["opened_at"], row["case_id"]) == ("open", False, T0, case["case_id"])
    assert (case["state"], case["number"]) == ("open", cases.case_number(transaction.key))
    assert _events(store) == ["break.opened"]


def test_a_break_goes_to_staff_once(store, transaction):
    _open(store, transaction)
    assert _open(store, transaction, ask_staff=True, note="n" * 900)
    assert not _open(store, transaction, ask_staff=True)
    row = filling.one(store, schema.breaks)
    assert (row["state"], row["staff_asked"], row["version"], row["note"]) == ("in_review", True, 1, "n" * 400)
    assert _events(store) == ["break.opened", "break.staff_asked"]


def test_two_breaks_of_a_purchase_are_one_case(store, transaction):
    _open(store, transaction)
    _open(store, transaction, kind=BreakKind.CALLBACK_LOST)
    case_id = filling.one(store, schema.cases)["case_id"]
    assert set(store.read(cases.open_kinds, case_id)) == {STUCK, BreakKind.CALLBACK_LOST}
    assert store.read(cases.numbers, [case_id]) == {case_id: cases.case_number(transaction.key)}


def test_a_case_is_resolved_with_its_last_break(store, transaction):
    _open(store, transaction)
    _open(store, transaction, kind=BreakKind.CALLBACK_LOST, ask_staff=True)
    assert _resolve(store, transaction)
    assert filling.one(store, schema.cases)["state"] == "open"
    assert _resolve(store, transaction, kind=BreakKind.CALLBACK_LOST)
    case = filling.one(store, schema.cases)
    assert (case["state"], case["resolved_at"]) == ("resolved", LATER)
    assert not _resolve(store, transaction)


def test_a_written_off_break_is_never_opened_again(store, transaction):
    _open(store, transaction)
    identity = filling.one(store, schema.breaks)["break_id"]
    assert store.write(cases.move_break, identity, to=BreakState.WRITTEN_OFF, now=LATER)
    assert not store.write(cases.move_break, identity, to=BreakState.OPEN, now=LATER)
    assert not _open(store, transaction, ask_staff=True)
    store.write(cases.ask_staff, transaction.key, STUCK, note="x", now=LATER)
    assert filling.one(store, schema.breaks)["state"] == "written_off"


def test_an_action_that_failed_opens_a_resolved_case_again(store, transaction):
    _open(store, transaction)
    _resolve(store, transaction)
    store.write(cases.ask_staff, transaction.key, STUCK, note="Gerbang menolak", now=LATER)
    assert filling.one(store, schema.breaks)["state"] == "in_review"
    assert filling.one(store, schema.cases)["state"] == "open"


def test_a_no_from_the_agent_opens_his_case_and_its_breaks_again(store, transaction):
    _open(store, transaction)
    _resolve(store, transaction)
    case_id = filling.one(store, schema.cases)["case_id"]
    store.write(cases.reopen, case_id, reason="Agen menjawab TIDAK", now=LATER)
    assert filling.one(store, schema.cases)["state"] == "open"
    row = filling.one(store, schema.breaks)
    assert (row["state"], row["staff_asked"], row["resolved_at"]) == ("in_review", True, None)


def test_a_felt_case_is_asked_after_once(store, transaction):
    case_id = filling.case(store, transaction)
    _resolve(store, transaction)
    assert store.read(cases.felt_without_aftercare, limit=5) == []
    store.write(cases.mark_felt, case_id)
    (waiting,) = store.read(cases.felt_without_aftercare, limit=5)
    assert (waiting["case_id"], waiting["resolved_at"], waiting["family"]) == (case_id, LATER, "pulsa")
    due = builders.at(hours=2)
    store.write(cases.plan_aftercare, case_id, due_at=due)
    assert store.read(cases.felt_without_aftercare, limit=5) == []
    assert filling.due_at(store, "follow_up") == due
    assert store.read(cases.due_aftercare, now=LATER, limit=5) == []
    assert [row["case_id"] for row in store.read(cases.due_aftercare, now=due, limit=5)] == [case_id]
    store.write(cases.close, case_id, now=due)
    store.write(cases.close, case_id, now=due)
    assert _events(store).count("case.closed") == 1
    assert filling.due_at(store, "follow_up") is None


def test_a_new_break_plans_the_aftercare_anew(store, transaction):
    case_id = filling.case(store, transaction)
    store.write(cases.mark_felt, case_id)
    _resolve(store, transaction)
    store.write(cases.plan_aftercare, case_id, due_at=LATER)
    store.write(cases.close, case_id, now=LATER)
    _open(store, transaction, kind=BreakKind.LATE_SUCCESS)
    case = filling.one(store, schema.cases)
    assert (case["state"], case["resolved_at"], case["aftercare_due_at"]) == ("open", None, None)


def test_two_aftercare_messages_are_a_day_apart(store, transaction):
    case_id = filling.case(store, transaction)
    from_store = {"since": T0 - cases.AFTERCARE_GAP}
    assert not store.read(cases.recent_aftercare, "A01", **from_store)
    message = filling.new_message(event="x:M22", template="M22", case_id=case_id)
    store.write(messages.add, message, now=T0)
    assert store.read(cases.recent_aftercare, "A01", **from_store)
    assert not store.read(cases.recent_aftercare, "A01", since=T0 + timedelta(seconds=1))


def test_what_came_back_is_our_refund_or_else_the_servers(store, transaction):
    assert store.read(cases.given_back, transaction.key) == 0
    filling.wallet(store, builders.build_wallet_line(), builders.build_wallet_line(amount=30_000))
    assert store.read(cases.given_back, transaction.key) == 30_000
    row = filling.refund(store, transaction, amount=20_000)
    submitted = {**row, "state": "submitted"}
    store.write(lambda c: c.execute(schema.refunds.update().values(state="submitted")))
    assert store.write(refunds.move, submitted, to=RefundState.SETTLED, settled_at=LATER)
    assert store.read(cases.given_back, transaction.key) == 20_000


def test_a_case_and_its_purchase_are_read_or_missing(store, transaction):
    case_id = filling.case(store, transaction)
    assert store.read(cases.get, case_id)["transaction_key"] == transaction.key
    assert store.read(cases.purchase, transaction.key)["price"] == transaction.price
    assert store.read(cases.case_of, "toko:none") is None
    with pytest.raises(NoResultFound):
        store.read(cases.get, "case_none")


def test_two_cases_may_share_a_number_without_stopping_the_books(store, transaction):
    other = filling.order(store, number="T2")
    filling.case(store, transaction)
    store.write(lambda c: c.execute(schema.cases.update().values(number=cases.case_number(other.key))))
    filling.case(store, other)
    assert len(filling.rows(store, schema.cases, number=cases.case_number(other.key))) == 2


def _complain(store, leg, *, now=T0):
    return store.write(
        complaints.open_complaint, leg, kind=STUCK, text="Mohon dicek", links=["https://wa.me/1"], now=now
    )


def test_a_provider_hears_one_complaint_a_purchase(store, transaction):
    identity = _complain(store, builders.build_leg())
    assert identity is not None
    assert _complain(store, builders.build_leg()) is None
    row = store.read(complaints.find, identity)
    assert (row["state"], row["links"], row["chase_due_at"]) == ("draft", ["https://wa.me/1"], None)


def test_a_complaint_is_sent_once_chased_and_answered(store, transaction):
    identity = _complain(store, builders.build_leg())
    assert store.write(complaints.record_answer, identity, answer="ok", now=T0) is None
    sent = store.write(complaints.mark_sent, identity, by="petugas", now=T0)
    assert sent["chase_due_at"] == T0 + complaints.CHASE_AFTER == filling.due_at(store, "follow_up")
    assert store.write(complaints.mark_sent, identity, by="petugas", now=LATER) is None
    chase = T0 + complaints.CHASE_AFTER
    assert [row["complaint_id"] for row in store.read(complaints.due_chases, now=chase, limit=5)] == [identity]
    store.write(complaints.plan_chase, identity, due_at=builders.at(hours=6))
    assert store.read(complaints.due_chases, now=chase, limit=5) == []
    answered = store.write(complaints.record_answer, identity, answer="sukses", now=LATER)
    assert (answered["state"], answered["chase_due_at"]) == ("answered", None)
    assert filling.due_at(store, "follow_up") is None
    assert [row["complaint_id"] for row in store.read(complaints.listed, state="answered")] == [identity]
    assert store.read(complaints.listed, state="draft") == []
