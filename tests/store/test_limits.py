from datetime import timedelta

import pytest

from rekon.domain.books import Agent
from rekon.domain.refund import RefundState
from rekon.store import books, limits, refunds, schema
from tests import builders
from tests.store import filling

NOW = builders.at(hours=1)
POLICY = builders.build_policy(breaker_count=3, breaker_amount=1_000_000, agent_day_count=50)


@pytest.fixture
def pay(store):
    """Give a function that submits an automatic refund if the limits allow it, as ACT does."""
    numbers = iter(range(1_000))

    def once(*, amount=1_000, never_formed=False, agent_id=None, at=NOW, policy=POLICY):
        number = next(numbers)
        agent_id = agent_id or f"A{number}"
        transaction = filling.order(store, number=f"P{number}", agent_id=agent_id)
        row = filling.refund(store, transaction, amount=amount, never_formed=never_formed)
        return store.write(_submit, row, policy=policy, now=at)

    return once


def _submit(connection, row, *, policy, now):
    limits.take_turn(connection)
    asked = {"agent_id": row["agent_id"], "amount": row["amount"], "never_formed": row["never_formed"]}
    refused = limits.Room(connection, [row["agent_id"]], policy=policy, now=now).refusal(**asked)
    if refused is None:
        assert refunds.move(connection, row, to=RefundState.SUBMITTED, submitted_at=now)
    return refused


def test_exactly_as_many_refunds_pass_as_the_limit_says(pay):
    assert [pay() for _ in range(3)] == [None, None, None]
    refused = pay()
    assert refused == limits.Refusal("lebih dari 3 pengembalian otomatis dalam 60 menit", halts=True)


def test_exactly_as_much_money_passes_as_the_limit_says(pay):
    policy = builders.build_policy(breaker_count=50, breaker_amount=100_000, agent_day_count=50)
    assert pay(amount=60_000, policy=policy) is None
    assert pay(amount=40_000, policy=policy) is None
    assert pay(amount=1, policy=policy) == limits.Refusal(
        "lebih dari Rp 100.000 pengembalian otomatis dalam 60 menit", halts=True
    )


def test_the_window_slides(pay):
    for second in (0, 1, 2):
        assert pay(at=NOW + timedelta(seconds=second)) is None
    assert pay(at=NOW + timedelta(minutes=60) - timedelta(microseconds=1)) is not None
    assert pay(at=NOW + timedelta(minutes=60)) is None
    assert pay(at=NOW + timedelta(minutes=60)) is not None


def test_a_refund_that_was_never_formed_does_not_count_and_is_not_counted(pay):
    for _ in range(6):
        assert pay(never_formed=True) is None
    assert [pay() for _ in range(3)] == [None, None, None]
    assert pay() is not None
    assert pay(never_formed=True) is None


def test_a_refund_a_person_approved_does_not_count(store, pay):
    for number in range(3):
        transaction = filling.order(store, number=f"S{number}")
        row = filling.refund(store, transaction, amount=900_000)
        assert store.write(refunds.move, row, to=RefundState.SUBMITTED, submitted_at=NOW, automatic=False)
    assert pay() is None


def test_three_times_the_usual_hour_is_allowed(pay):
    for day in range(28, 0, -1):
        assert [pay(at=NOW - timedelta(days=day)) for _ in range(3)] == [None, None, None]
    assert [pay() for _ in range(9)] == [None] * 9
    assert pay().reason == "lebih dari 9 pengembalian otomatis dalam 60 menit"


def test_another_hour_of_the_day_does_not_raise_the_limit(pay):
    for day in range(28, 0, -1):
        assert [pay(at=NOW - timedelta(days=day, hours=1)) for _ in range(3)] == [None, None, None]
    assert [pay() for _ in range(3)] == [None, None, None]
    assert pay() is not None


def test_an_agent_has_his_own_daily_limit(pay):
    policy = builders.build_policy(breaker_count=50, agent_day_count=2)
    assert [pay(agent_id="A01", policy=policy) for _ in range(2)] == [None, None]
    refused = pay(agent_id="A01", policy=policy)
    assert refused == limits.Refusal("lebih dari 2 pengembalian otomatis untuk agen ini dalam 24 jam")
    assert pay(agent_id="A02", policy=policy) is None
    assert pay(agent_id="A01", policy=policy, at=NOW + timedelta(days=1)) is None


def test_a_large_agents_limit_grows_with_his_week(store, pay):
    policy = builders.build_policy(breaker_count=50, agent_day_count=2)
    transactions = [
        builders.build_transaction(transaction_id=f"W{n}", agent_id="A01", ordered_at=NOW - timedelta(days=n % 6))
        for n in range(140)
    ]
    pairs = [(one, builders.build_leg(transaction=one.key)) for one in transactions]
    filling.orders(store, pairs, now=NOW)
    assert [pay(agent_id="A01", policy=policy) for _ in range(3)] == [None, None, None]
    assert pay(agent_id="A01", policy=policy).reason.startswith("lebih dari 3 ")


def test_a_frozen_agent_gets_nothing_by_itself(store, pay):
    store.write(books.record_agents, [Agent(agent_id="A01", name="Sari")])
    store.write(lambda connection: connection.execute(schema.agents.update().values(frozen_because="B14")))
    assert pay(agent_id="A01") == limits.Refusal("agen dibekukan: B14")
    assert pay(agent_id="A02") is None


def test_a_halt_stops_everything_until_it_is_lifted(store, pay):
    halt = {"scope": limits.GLOBAL, "by": "rule", "now": NOW}
    store.write(limits.halt, reason="terlalu cepat", **halt)
    store.write(limits.halt, reason="lain", **halt)
    assert store.read(limits.halted, limits.GLOBAL) == "terlalu cepat"
    assert pay(never_formed=True) == limits.Refusal("HALT: terlalu cepat")
    assert store.write(limits.resume, scope=limits.GLOBAL)
    assert not store.write(limits.resume, scope=limits.GLOBAL)
    assert pay() is None


def test_a_halt_of_another_scope_is_not_the_global_one(store):
    store.write(limits.halt, scope="provider:iak", reason="x", by="rule", now=NOW)
    assert store.read(limits.halted, limits.GLOBAL) == ""


def test_an_agents_day_is_limited_in_rupiah_too(pay):
    policy = builders.build_policy(agent_day_amount=100_000)
    assert pay(amount=60_000, agent_id="A1", policy=policy) is None
    assert pay(amount=40_001, agent_id="A1", policy=policy) == limits.Refusal(
        "lebih dari Rp 100.000 pengembalian otomatis untuk agen ini dalam 24 jam"
    )
    assert pay(amount=40_000, agent_id="A1", policy=policy) is None
    assert pay(amount=100_000, agent_id="A2", policy=policy) is None


def test_who_sells_much_may_get_more_back_in_a_day(store, pay):
    policy = builders.build_policy(agent_day_amount=1_000)
    filling.order(store, number="S1", agent_id="A1", price=7_000_000, ordered_at=NOW)
    assert pay(amount=150_000, agent_id="A1", policy=policy) is None
    assert pay(amount=10_000, agent_id="A1", policy=policy) is not None


def test_what_a_unit_of_work_takes_counts_as_if_it_were_stored(store):
    policy = builders.build_policy(breaker_count=3, breaker_amount=10_000, agent_day_count=2)
    with store.unit_of_work() as connection:
        room = limits.Room(connection, ["A1", "A2"], policy=policy, now=NOW)
        passed = []
        for agent_id, never_formed in (("A1", False), ("A1", True), ("A1", True), ("A2", False), ("A2", False)):
            refund = {"agent_id": agent_id, "amount": 4_000, "never_formed": never_formed}
            passed.append(room.refusal(**refund) is None)
            if passed[-1]:
                room.take(**refund)
    assert passed == [True, True, False, True, False]


def test_a_halt_that_a_rule_opens_stops_the_rest_of_its_unit_of_work(store):
    with store.unit_of_work() as connection:
        room = limits.Room(connection, ["A1"], policy=POLICY, now=NOW)
        assert room.halted(["iak"]) is None
        room.halt("terlalu banyak")
        room.halt("lain")
        assert room.halted([]) == limits.Refusal("HALT: terlalu banyak")
        assert room.refusal(agent_id="A1", amount=1, never_formed=True) == limits.Refusal("HALT: terlalu banyak")
    assert store.read(limits.halted, limits.GLOBAL) == "terlalu banyak"
