from dataclasses import replace
from datetime import timedelta

import pytest

from rekon.domain.transaction import LegState, OrderStatus, SendState
from rekon.store import books, rows, schedule, schema
from rekon.store.recording import Conflict
from tests import builders
from tests.store import filling

T0 = builders.T0
LATER = builders.at(minutes=5)


def test_an_order_comes_back_as_it_went_in(store):
    transaction = builders.build_transaction(
        serial_number="SN1", channel="telegram", raw_order="S50.0812.1234", repeat_counter="2"
    )
    leg = builders.build_leg(
        max_price=51_000, testing=True, allow_dot=True, cb_url="http://cb", first_reply='{"rc":"00"}'
    )
    done = filling.orders(store, [(transaction, leg)])
    assert (done.accepted, done.unchanged, done.conflicts) == (1, 0, [])
    assert rows.transaction(filling.one(store, schema.transactions)) == transaction
    assert rows.leg(filling.one(store, schema.legs)) == leg


def test_a_new_order_is_observed_scheduled_and_looked_at_at_once(store):
    transaction = filling.order(store)
    assert filling.one(store, schema.observations)["order_status"] == "failed"
    scheduled = filling.one(store, schema.schedule)
    assert (scheduled["leg_key"], scheduled["provider"], scheduled["due_at"]) == (builders.LEG, "iak", T0)
    evaluation = filling.one(store, schema.evaluations)
    assert (evaluation["transaction_key"], evaluation["due_at"]) == (transaction.key, T0)


def test_an_identical_order_is_unchanged_and_wakes_nobody(store):
    pair = (builders.build_transaction(), builders.build_leg())
    filling.orders(store, [pair])
    store.write(_forget_evaluations)
    done = filling.orders(store, [pair], now=LATER)
    assert (done.accepted, done.unchanged) == (0, 1)
    assert len(filling.rows(store, schema.observations)) == 1
    assert filling.rows(store, schema.evaluations) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("price", 50_700),
        ("destination", "081299990000"),
        ("product", "Telkomsel 25.000"),
        ("agent_id", "A02"),
    ],
)
def test_another_price_number_product_or_agent_is_a_conflict(store, name, value):
    transaction = filling.order(store)
    changed = replace(transaction, **{name: value}, order_status=OrderStatus.SUCCESS)
    done = filling.orders(store, [(changed, builders.build_leg())], now=LATER)
    assert [(conflict.index, conflict.field) for conflict in done.conflicts] == [(0, name)]
    assert rows.transaction(filling.one(store, schema.transactions)) == transaction


@pytest.mark.parametrize(
    ("name", "value"),
    [("ref_id", "X9"), ("provider", "otomax"), ("provider_product", "S25"), ("destination_sent", "081299990000")],
)
def test_a_leg_that_names_something_else_is_a_conflict_and_its_row_is_refused_whole(store, name, value):
    transaction = filling.order(store, order_status=OrderStatus.PENDING)
    row = (replace(transaction, order_status=OrderStatus.SUCCESS), builders.build_leg(**{name: value}))
    done = filling.orders(store, [row], now=LATER)
    assert [conflict.field for conflict in done.conflicts] == [name]
    assert filling.one(store, schema.transactions)["order_status"] == "pending"


def test_a_conflict_inside_one_batch_is_seen_too(store):
    first, second = builders.build_transaction(), builders.build_transaction(price=1)
    done = filling.orders(store, [(first, builders.build_leg()), (second, builders.build_leg(leg_no=2))])
    assert done.conflicts == [Conflict(1, "price", done.conflicts[0].reason)]
    assert len(filling.rows(store, schema.legs)) == 1


def test_a_new_status_is_appended_as_an_observation_and_kept_as_the_newest(store):
    transaction = filling.order(store, order_status=OrderStatus.PENDING)
    store.write(_forget_evaluations)
    done = filling.orders(
        store,
        [
            (
                replace(transaction, order_status=OrderStatus.SUCCESS, status_at=LATER, serial_number="SN9"),
                builders.build_leg(),
            )
        ],
        now=LATER,
    )
    assert done.accepted == 1
    assert [row["order_status"] for row in filling.rows(store, schema.observations)] == ["pending", "success"]
    stored = filling.one(store, schema.transactions)
    assert (stored["order_status"], stored["status_at"], stored["serial_number"]) == ("success", LATER, "SN9")
    assert filling.one(store, schema.evaluations)["due_at"] == LATER


def test_a_serial_number_is_not_lost_by_a_row_without_one(store):
    transaction = filling.order(store, order_status=OrderStatus.SUCCESS, serial_number="SN9")
    refunded = replace(transaction, order_status=OrderStatus.REFUNDED, serial_number=None, status_at=LATER)
    filling.orders(store, [(refunded, builders.build_leg())], now=LATER)
    assert filling.one(store, schema.transactions)["serial_number"] == "SN9"


def test_two_statuses_of_one_order_in_one_batch_end_with_the_last(store):
    first = builders.build_transaction(order_status=OrderStatus.PENDING)
    second = replace(first, order_status=OrderStatus.FAILED, status_at=LATER)
    done = filling.orders(store, [(first, builders.build_leg()), (second, builders.build_leg())])
    assert done.accepted == 2
    assert filling.one(store, schema.transactions)["order_status"] == "failed"
    assert [row["order_status"] for row in filling.rows(store, schema.observations)] == ["pending", "failed"]


def test_old_news_does_not_take_a_final_status_back(store):
    transaction = filling.order(store, order_status=OrderStatus.SUCCESS, status_at=LATER, now=LATER)
    late = replace(transaction, order_status=OrderStatus.PENDING, status_at=T0)
    done = filling.orders(store, [(late, builders.build_leg())], now=LATER)
    assert (done.accepted, done.unchanged) == (0, 1)
    assert filling.one(store, schema.transactions)["order_status"] == "success"


def test_a_pending_order_takes_a_final_status_whatever_its_clock_says(store):
    transaction = filling.order(store, order_status=OrderStatus.PENDING, status_at=LATER, now=LATER)
    early = replace(transaction, order_status=OrderStatus.FAILED, status_at=T0)
    filling.orders(store, [(early, builders.build_leg())], now=LATER)
    assert filling.one(store, schema.transactions)["order_status"] == "failed"


def test_a_second_leg_joins_its_order(store):
    transaction = filling.order(store)
    done = filling.orders(store, [(transaction, builders.build_leg(leg_no=2, provider="digiflazz"))], now=LATER)
    assert done.accepted == 1
    assert len(filling.rows(store, schema.schedule)) == 2


def test_a_leg_that_was_not_sent_is_never_asked_about(store):
    filling.order(store, leg={"send_state": SendState.NOT_SENT, "send_count": 0})
    assert filling.rows(store, schema.schedule) == []
    assert filling.one(store, schema.legs)["state"] == LegState.STOPPED


def test_old_closed_orders_are_kept_but_not_worked_on(store):
    now = T0 + books.SETTLED_AFTER + timedelta(seconds=1)
    filling.order(store, now=now)
    assert filling.rows(store, schema.schedule) == []
    assert filling.rows(store, schema.evaluations) == []
    assert filling.one(store, schema.legs)["state"] == LegState.STOPPED


def test_an_old_order_that_was_pending_is_worked_on_when_it_closes(store):
    now = T0 + timedelta(days=8)
    transaction = filling.order(store, order_status=OrderStatus.PENDING)
    store.write(_forget_evaluations)
    closed = replace(transaction, order_status=OrderStatus.FAILED, status_at=now)
    filling.orders(store, [(closed, builders.build_leg())], now=now)
    assert len(filling.rows(store, schema.evaluations)) == 1


def test_what_a_server_learns_of_a_leg_is_taken_and_read_at_once(store):
    transaction = filling.order(store, leg={"send_state": SendState.UNKNOWN})
    _plan(store, due_at=builders.at(hours=2))
    grown = builders.build_leg(first_reply='{"rc":"03"}', send_count=2)
    done = filling.orders(store, [(transaction, grown)], now=LATER)
    assert done.accepted == 1
    leg = filling.one(store, schema.legs)
    assert (leg["first_reply"], leg["send_count"], leg["send_state"], leg["version"]) == ('{"rc":"03"}', 2, "sent", 1)
    assert filling.one(store, schema.schedule)["due_at"] == LATER


def test_a_first_reply_never_changes_once_it_is_known(store):
    transaction = filling.order(store, leg={"first_reply": '{"rc":"03"}'})
    done = filling.orders(store, [(transaction, builders.build_leg(first_reply='{"rc":"00"}'))], now=LATER)
    assert done.unchanged == 1
    assert filling.one(store, schema.legs)["first_reply"] == '{"rc":"03"}'


def test_a_leg_that_grows_inside_its_first_batch_is_stored_grown(store):
    transaction = builders.build_transaction()
    small = builders.build_leg(send_state=SendState.UNKNOWN)
    filling.orders(store, [(transaction, small), (transaction, builders.build_leg(first_reply="ok", send_count=3))])
    leg = filling.one(store, schema.legs)
    assert (leg["first_reply"], leg["send_count"], leg["send_state"]) == ("ok", 3, "sent")


def test_a_stopped_leg_opens_again_when_its_first_reply_arrives(store):
    transaction = filling.order(store, leg={"send_state": SendState.NOT_SENT, "send_count": 0})
    filling.orders(store, [(transaction, builders.build_leg(first_reply="ok"))], now=LATER)
    assert filling.one(store, schema.legs)["state"] == LegState.OPEN
    assert filling.one(store, schema.schedule)["due_at"] == LATER


def test_news_of_a_leg_under_inquiry_leaves_the_lease_alone(store):
    transaction = filling.order(store)
    until = builders.at(seconds=60)
    store.write(schedule.claim, now=T0, limit=10, lease="mine", lease_until=until)
    filling.orders(store, [(transaction, builders.build_leg(first_reply="ok"))], now=builders.at(seconds=1))
    scheduled = filling.one(store, schema.schedule)
    assert (scheduled["lease"], scheduled["due_at"]) == ("mine", until)


def test_a_large_batch_enters_whole(store):
    pairs = []
    for number in range(1_200):
        transaction = builders.build_transaction(transaction_id=f"T{number}")
        pairs.append((transaction, builders.build_leg(transaction=transaction.key)))
    assert filling.orders(store, pairs).accepted == 1_200
    assert filling.orders(store, pairs, now=LATER).unchanged == 1_200
    assert store.read(books.count, schema.legs) == 1_200


def _forget_evaluations(connection):
    connection.execute(schema.evaluations.delete())


def _plan(store, *, due_at):
    store.write(lambda connection: connection.execute(schema.schedule.update().values(due_at=due_at)))
