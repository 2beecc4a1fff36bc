from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError, NoResultFound

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Decision
from rekon.domain.refund import IllegalMoveError, RefundState
from rekon.store import dossier, refunds, results, rows, schema
from tests import builders
from tests.store import filling

T0 = builders.T0
UNTIL = builders.at(seconds=30)
LATER = builders.at(minutes=5)
KEY = "refund:toko:T1001:B01:1"


def _claim(store, *, now=T0, lease="mine", until=UNTIL):
    return store.write(refunds.claim_due, now=now, limit=10, lease=lease, lease_until=until)


def _move(store, row, to, **more):
    return store.write(refunds.move, row, to=to, **more)


def test_a_requested_refund_comes_back_as_it_went_in(store):
    transaction = filling.order(store)
    assert store.write(refunds.request, transaction, filling.wish(), now=T0)
    row = filling.one(store, schema.refunds)
    assert (row["key"], row["state"], row["automatic"], row["due_at"]) == (KEY, "requested", True, T0)
    assert (row["agent_id"], row["source"], row["evidence"]) == ("A01", "toko", ["rpt_1"])
    assert rows.refund(row) == builders.build_refund(state=RefundState.REQUESTED)


def test_a_refund_is_requested_once_a_break(store):
    transaction = filling.order(store)
    assert store.write(refunds.request, transaction, filling.wish(), now=T0)
    assert not store.write(refunds.request, transaction, filling.wish(amount=1), now=LATER)
    assert store.write(refunds.request, transaction, filling.wish(kind=BreakKind.DEBITED_TWICE), now=T0)
    assert [row["amount"] for row in filling.rows(store, schema.refunds, key=KEY)] == [builders.PRICE]


def test_a_refund_that_needs_a_person_waits_without_a_due_time(store):
    row = filling.refund(store, filling.order(store), needs_approval=True, approval_reason="mode saran")
    assert (row["state"], row["automatic"], row["due_at"]) == ("awaiting_approval", False, None)
    assert _claim(store) == []
    assert [one["refund_id"] for one in store.read(refunds.waiting)] == [row["refund_id"]]


def test_a_decision_without_an_amount_asks_for_nothing(store):
    transaction = filling.order(store)
    bare = filling.wish()
    decision = Decision(action=bare.action, rule=bare.rule, break_kind=bare.break_kind)
    with pytest.raises(ValueError, match="names its break and amount"):
        store.write(refunds.request, transaction, decision, now=T0)


def test_an_amount_of_nothing_is_refused_by_the_database(store):
    transaction = filling.order(store)
    with pytest.raises(IntegrityError):
        store.write(refunds.request, transaction, filling.wish(amount=0), now=T0)


def test_a_due_refund_is_claimed_once_and_comes_back_after_its_lease(store):
    row = filling.refund(store, filling.order(store))
    assert [one["refund_id"] for one in _claim(store)] == [row["refund_id"]]
    assert _claim(store, lease="other") == []
    assert len(_claim(store, now=UNTIL, lease="other", until=LATER)) == 1


def test_a_move_counts_once(store):
    filling.refund(store, filling.order(store))
    (row,) = _claim(store)
    assert _move(store, row, RefundState.SUBMITTED, lease="mine", submitted_at=T0, due_at=LATER)
    stored = filling.one(store, schema.refunds)
    assert (stored["state"], stored["version"], stored["lease"], stored["due_at"]) == ("submitted", 1, None, LATER)
    assert not _move(store, row, RefundState.SUBMITTED, lease="mine", submitted_at=LATER)
    assert filling.one(store, schema.refunds)["submitted_at"] == T0


def test_a_move_without_the_lease_counts_for_nothing(store):
    filling.refund(store, filling.order(store))
    (row,) = _claim(store)
    _claim(store, now=UNTIL, lease="other", until=LATER)
    assert not _move(store, row, RefundState.SUBMITTED, lease="mine")
    assert filling.one(store, schema.refunds)["state"] == "requested"


def test_postponing_is_no_move_but_counts_a_version(store):
    filling.refund(store, filling.order(store))
    (row,) = _claim(store)
    assert _move(store, row, RefundState.REQUESTED, lease="mine", due_at=LATER)
    stored = filling.one(store, schema.refunds)
    assert (stored["state"], stored["version"], stored["due_at"]) == ("requested", 1, LATER)
    assert not _move(store, row, RefundState.REQUESTED, due_at=T0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RefundState.REQUESTED, RefundState.SETTLED),
        (RefundState.SUBMITTED, RefundState.APPROVED),
        (RefundState.REJECTED, RefundState.SUBMITTED),
        (RefundState.FAILED, RefundState.SUBMITTED),
        (RefundState.UNKNOWN, RefundState.SUBMITTED),
    ],
)
def test_a_move_that_does_not_exist_is_a_defect(store, before, after):
    row = filling.refund(store, filling.order(store))
    with pytest.raises(IllegalMoveError):
        _move(store, {**row, "state": before}, after)
    assert filling.one(store, schema.refunds)["state"] == "requested"


def test_words_of_a_gateway_are_cut_to_what_a_column_takes(store):
    filling.refund(store, filling.order(store))
    (row,) = _claim(store)
    assert _move(store, row, RefundState.SUBMITTED, lease="mine", note="x\x00\ud800y" * 500, gateway_ref="g" * 500)
    stored = filling.one(store, schema.refunds)
    assert stored["note"] == ("xy" * 500)[:400]
    assert stored["gateway_ref"] == "g" * 128


def _claimed(store, count):
    for number in range(count):
        filling.refund(store, filling.order(store, number=f"T{number}"))
    return list(_claim(store))


def _move_many(store, moves, *, lease="mine"):
    def write(connection):
        held = refunds.still_held(connection, [move.row for move in moves], lease=lease)
        ours = [move for move in moves if move.row in held]
        refunds.move_held(connection, ours, lease=lease)
        return ours

    return store.write(write)


def test_many_refunds_move_at_once_each_its_own_way(store):
    first, second, third = _claimed(store, 3)
    intent = {"lease": "mine", "submitted_at": T0, "due_at": UNTIL}
    moves = [
        refunds.Move(row=first, to=RefundState.SUBMITTED, values=intent),
        refunds.Move(row=second, to=RefundState.SUBMITTED, values={**intent, "due_at": LATER}),
        refunds.Move(row=third, to=RefundState.REJECTED, values={"due_at": None, "note": "tidak"}),
    ]
    assert _move_many(store, moves) == moves
    stored = [store.write(refunds.get, one.row["refund_id"]) for one in moves]
    assert [dict(row) for row in stored] == [dict(one.moved()) for one in moves]
    assert [(row["state"], row["lease"], row["version"], row["due_at"]) for row in stored] == [
        ("submitted", "mine", 1, UNTIL),
        ("submitted", "mine", 1, LATER),
        ("rejected", None, 1, None),
    ]


@pytest.mark.parametrize("lost", ["lease", "version"])
def test_a_refund_that_is_no_longer_ours_is_not_held_and_stays(store, lost):
    kept, gone = _claimed(store, 2)
    if lost == "lease":
        _claim(store, now=LATER, lease="other")
        kept = store.write(refunds.get, kept["refund_id"])
        mine = "other"
        gone = {**gone, "version": 7}
    else:
        mine = "mine"
        assert _move(store, gone, RefundState(gone["state"]), lease="mine")
    moves = [refunds.Move(row=row, to=RefundState.REJECTED, values={"due_at": None}) for row in (kept, gone)]
    assert [move.row["refund_id"] for move in _move_many(store, moves, lease=mine)] == [kept["refund_id"]]
    assert store.write(refunds.get, gone["refund_id"])["state"] == "requested"
    assert store.write(refunds.still_held, [kept], lease="nobody") == []


def test_moving_what_was_not_held_writes_nothing_at_all(store):
    rows = _claimed(store, 2)
    moves = [refunds.Move(row=row, to=RefundState.REJECTED, values={"due_at": None}) for row in rows]
    moves[1] = refunds.Move(row={**rows[1], "version": 5}, to=RefundState.REJECTED, values={"due_at": None})
    with pytest.raises(refunds.OvertakenError):
        store.write(refunds.move_held, moves, lease="mine")
    assert {row["state"] for row in filling.rows(store, schema.refunds)} == {"requested"}


def test_many_moves_keep_to_the_listed_ones_too(store):
    (row,) = _claimed(store, 1)
    with pytest.raises(IllegalMoveError):
        store.write(refunds.move_held, [refunds.Move(row=row, to=RefundState.SETTLED, values={})], lease="mine")


def test_what_was_not_begun_is_given_back_and_stands_behind_the_others(store):
    rows = _claimed(store, 2)
    store.write(refunds.give_back, rows[:1], lease="mine", now=LATER)
    store.write(refunds.give_back, rows[1:], lease="other", now=LATER)
    stored = [store.write(refunds.get, row["refund_id"]) for row in rows]
    assert [(row["lease"], row["due_at"]) for row in stored] == [(None, LATER), ("mine", UNTIL)]


def test_an_unknown_refund_is_not_found(store):
    with pytest.raises(NoResultFound):
        store.write(refunds.get, "ref_none")


def test_refunds_are_listed_newest_first(store):
    for number in range(3):
        filling.refund(store, filling.order(store, number=f"T{number}"), now=builders.at(seconds=number))
    listed = store.read(refunds.listed, state=None, limit=2)
    assert [row["transaction_key"] for row in listed] == ["toko:T2", "toko:T1"]
    assert store.read(refunds.listed, state="settled", limit=2) == []


def test_the_next_refund_step_is_the_smallest_due_time(store):
    assert filling.due_at(store, "act") is None
    filling.refund(store, filling.order(store, number="T1"), now=LATER)
    filling.refund(store, filling.order(store, number="T2"), now=T0)
    assert filling.due_at(store, "act") == T0


def test_a_server_is_told_once_how_an_order_ended(store):
    transaction = filling.order(store)
    told = {"status": "failed", "serial_number": "", "reason": "wrong_number"}
    assert store.write(results.request, transaction, **told, now=T0)
    assert not store.write(results.request, transaction, **told, now=LATER)
    assert not store.write(results.request, transaction, status="success", serial_number="SN", reason="", now=LATER)
    assert filling.one(store, schema.order_results)["key"] == "result:toko:T1001:failed"


def test_a_servers_answer_is_kept_by_the_one_who_asked(store):
    transaction = filling.order(store)
    store.write(results.request, transaction, status="failed", serial_number="", reason="", now=T0)
    assert filling.due_at(store, "act") == T0
    (row,) = store.write(results.claim_due, now=T0, limit=5, lease="mine", lease_until=UNTIL)
    assert not store.write(results.record, row, lease="other", state="accepted", due_at=None, now=LATER)
    assert store.write(results.record, row, lease="mine", state="pending", due_at=LATER, now=T0)
    waiting = filling.one(store, schema.order_results)
    assert (waiting["state"], waiting["due_at"], waiting["answered_at"], waiting["attempts"]) == (
        "pending",
        LATER,
        None,
        1,
    )
    (row,) = store.write(results.claim_due, now=LATER, limit=5, lease="again", lease_until=builders.at(minutes=6))
    assert store.write(results.record, row, lease="again", state="accepted", due_at=None, now=LATER)
    done = filling.one(store, schema.order_results)
    assert (done["state"], done["due_at"], done["answered_at"], done["attempts"]) == ("accepted", None, LATER, 2)
    assert filling.due_at(store, "act") is None


def test_a_refund_stands_in_the_dossier_of_its_purchase(store):
    transaction = filling.order(store)
    filling.refund(store, transaction)
    (found,) = store.read(dossier.load, [transaction.key], sources={}, twin_window=timedelta(seconds=120))
    assert [refund.key for refund in found.history.refunds] == [KEY]
    assert dossier.refund_facts(found.history, without=KEY) == ()
