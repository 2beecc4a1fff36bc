from dataclasses import replace
from datetime import timedelta

import pytest

from rekon.domain.books import Agent
from rekon.domain.money import Money
from rekon.domain.transaction import OrderStatus
from rekon.store import books, evaluations, rows, schedule, schema
from tests import builders
from tests.store import filling

T0 = builders.T0
LATER = builders.at(minutes=5)


def test_a_wallet_line_comes_back_as_it_went_in(store):
    line = builders.build_wallet_line(balance_after=100_000, reference="R1", sequence=7)
    done = filling.wallet(store, line)
    assert (done.accepted, done.unchanged, done.conflicts) == (1, 0, [])
    assert rows.wallet_line(filling.one(store, schema.wallet_lines)) == line


def test_an_identical_wallet_line_is_unchanged(store):
    line = builders.build_wallet_line()
    done = filling.wallet(store, line, line)
    assert (done.accepted, done.unchanged) == (1, 1)
    assert filling.wallet(store, line).unchanged == 1


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [("amount", -1, "amount"), ("agent_id", "A02", "agent_id"), ("transaction_id", "T9", "transaction_id")],
)
def test_a_wallet_line_that_says_something_else_is_a_conflict(store, name, value, field):
    line = builders.build_wallet_line()
    filling.wallet(store, line)
    done = filling.wallet(store, replace(line, **{name: value}))
    assert [conflict.field for conflict in done.conflicts] == [field]
    assert rows.wallet_line(filling.one(store, schema.wallet_lines)) == line


def test_a_conflict_of_wallet_lines_inside_one_batch_is_seen_too(store):
    line = builders.build_wallet_line()
    done = filling.wallet(store, line, replace(line, amount=-1))
    assert [conflict.index for conflict in done.conflicts] == [1]


def test_a_wallet_line_may_come_before_its_order(store):
    line = builders.build_wallet_line()
    filling.wallet(store, line)
    assert filling.rows(store, schema.evaluations) == []
    filling.order(store)
    assert len(filling.rows(store, schema.evaluations)) == 1


def test_a_wallet_line_wakes_its_order(store):
    filling.order(store)
    _settle_all(store)
    filling.wallet(store, builders.build_wallet_line(posted_at=LATER), now=LATER)
    assert filling.one(store, schema.evaluations)["due_at"] == LATER


def test_a_line_that_names_its_purchase_and_key_later_is_taken(store):
    bare = builders.build_wallet_line(amount=builders.PRICE, line_id="L1", transaction_id=None)
    filling.order(store)
    _settle_all(store)
    filling.wallet(store, bare)
    full = replace(bare, transaction_id="T1001", reference="refund:toko:T1001:B01:1")
    assert filling.wallet(store, full, now=LATER).accepted == 1
    assert rows.wallet_line(filling.one(store, schema.wallet_lines)) == full
    assert filling.one(store, schema.evaluations)["due_at"] == LATER
    assert filling.wallet(store, bare, now=LATER).unchanged == 1


def test_old_lines_do_not_wake_history(store):
    now = T0 + timedelta(days=30)
    filling.order(store, now=now)
    filling.wallet(store, builders.build_wallet_line(), now=now)
    assert filling.rows(store, schema.evaluations) == []


def test_a_recent_line_wakes_even_history(store):
    now = T0 + timedelta(days=30)
    filling.order(store, now=now)
    filling.wallet(store, builders.build_wallet_line(amount=builders.PRICE, posted_at=now), now=now)
    assert len(filling.rows(store, schema.evaluations)) == 1


def test_old_lines_wake_an_order_that_is_still_worked_on(store):
    now = T0 + timedelta(days=30)
    filling.order(store, now=now, order_status=OrderStatus.PENDING)
    _settle_all(store)
    filling.wallet(store, builders.build_wallet_line(), now=now)
    assert len(filling.rows(store, schema.evaluations)) == 1


def test_a_statement_line_comes_back_and_wakes_the_order_of_its_reference(store):
    filling.order(store)
    _settle_all(store)
    line = builders.build_statement_line(posted_at=LATER)
    done = store.write(books.record_statement_lines, [(0, line)], now=LATER)
    assert done.accepted == 1
    assert rows.statement_line(filling.one(store, schema.statement_lines)) == line
    assert filling.one(store, schema.evaluations)["due_at"] == LATER


def test_a_statement_line_of_another_provider_wakes_nobody(store):
    filling.order(store)
    _settle_all(store)
    line = builders.build_statement_line(provider="otomax")
    store.write(books.record_statement_lines, [(0, line)], now=T0)
    assert filling.rows(store, schema.evaluations) == []


@pytest.mark.parametrize(("name", "value"), [("amount", -1), ("ref_id", "T9")])
def test_a_statement_line_that_says_something_else_is_a_conflict(store, name, value):
    line = builders.build_statement_line()
    changed = replace(line, **{name: value})
    done = store.write(books.record_statement_lines, [(0, line), (1, changed), (2, line)], now=T0)
    assert [(conflict.index, conflict.field) for conflict in done.conflicts] == [(1, name)]
    assert (done.accepted, done.unchanged) == (1, 1)
    again = store.write(books.record_statement_lines, [(0, changed)], now=T0)
    assert [conflict.field for conflict in again.conflicts] == [name]


def test_agents_are_refreshed_by_the_newest_row(store):
    first = Agent(agent_id="A01", name="Sari", channel="file", address="x", registered_at=T0)
    store.write(books.record_agents, [first, replace(first, agent_id="A02")])
    assert store.write(books.record_agents, [replace(first, name="Sari Dewi")]) == 1
    found = filling.rows(store, schema.agents)
    assert [(row["agent_id"], row["name"], row["frozen_because"]) for row in found] == [
        ("A01", "Sari Dewi", ""),
        ("A02", "Sari", ""),
    ]


def test_refreshing_an_agent_does_not_thaw_him(store):
    agent = Agent(agent_id="A01", name="Sari")
    store.write(books.record_agents, [agent])
    store.write(lambda connection: connection.execute(schema.agents.update().values(frozen_because="B14")))
    store.write(books.record_agents, [agent])
    assert filling.one(store, schema.agents)["frozen_because"] == "B14"


def test_a_mark_goes_forward_and_never_back(store):
    for read_to in (LATER, T0, builders.at(minutes=9), LATER):
        store.write(books.advance_mark, source="toko", book="wallet", read_to=read_to, now=T0)
    store.write(books.advance_mark, source="toko", book="orders", read_to=T0, now=T0)
    assert store.read(books.marks) == {("toko", "wallet"): builders.at(minutes=9), ("toko", "orders"): T0}


def _settle_all(store):
    store.write(lambda connection: evaluations.settle(connection, {builders.TRANSACTION: None}))


@pytest.mark.parametrize(("amount", "due_at"), [(50_150, LATER), (-50_150, T0 + timedelta(hours=1))])
def test_a_providers_credit_makes_the_next_check_of_its_leg_due(store, amount, due_at):
    filling.order(store)
    later = schema.schedule.update().values(due_at=T0 + timedelta(hours=1))
    store.write(lambda connection: connection.execute(later))
    line = builders.build_statement_line(amount=amount)
    store.write(books.record_statement_lines, [(0, line)], now=LATER)
    assert filling.one(store, schema.schedule)["due_at"] == due_at


def test_a_providers_credit_leaves_a_question_in_flight_alone(store):
    filling.order(store)
    until = builders.at(minutes=9)
    store.write(schedule.claim, now=T0, limit=5, lease="mine", lease_until=until)
    line = builders.build_statement_line(amount=50_150)
    store.write(books.record_statement_lines, [(0, line)], now=LATER)
    assert filling.one(store, schema.schedule)["due_at"] == until


def test_every_days_balance_of_a_statement_is_kept_and_none_is_changed(store):
    def edge(balance, *, line_id="closing@1"):
        line = builders.build_statement_line(amount=0, ref_id="", line_id=line_id)
        return replace(line, kind="closing", balance_after=Money(balance))

    def take(*lines):
        return store.write(books.record_statement_lines, list(enumerate(lines)), now=builders.T0)

    assert take(edge(900_000), edge(800_000, line_id="closing@2")).accepted == 2
    assert take(edge(900_000)).unchanged == 1
    (conflict,) = take(edge(900_001)).conflicts
    assert conflict.field == "balance_after"
    assert [row["balance_after"] for row in filling.rows(store, schema.statement_lines)] == [900_000, 800_000]
