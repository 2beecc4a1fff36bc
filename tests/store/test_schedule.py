from dataclasses import replace

import pytest

from rekon.domain.transaction import LegState
from rekon.store import leases, schedule, schema
from tests import builders
from tests.store import filling

T0 = builders.T0
UNTIL = builders.at(seconds=60)
LATER = builders.at(minutes=5)


def _claim(store, *, now=T0, lease="mine", until=UNTIL, limit=10, **more):
    return store.write(schedule.claim, now=now, limit=limit, lease=lease, lease_until=until, **more)


def _plan(leg, **more):
    values = {"due_at": LATER, "state": LegState.OPEN, "asked_at": builders.at(seconds=1), "asked": True}
    return schedule.Plan(leg=leg, **(values | more))


def test_a_due_leg_is_claimed_once(store):
    filling.order(store)
    assert [due.leg.key for due in _claim(store)] == [builders.LEG]
    assert _claim(store, lease="other") == []
    row = filling.one(store, schema.schedule)
    assert (row["lease"], row["due_at"]) == ("mine", UNTIL)


def test_a_leg_comes_back_when_its_lease_ends(store):
    filling.order(store)
    _claim(store)
    assert [due.leg.key for due in _claim(store, now=UNTIL, lease="other", until=LATER)] == [builders.LEG]


def test_the_oldest_are_claimed_first_and_no_more_than_asked_for(store):
    for number in range(3):
        filling.order(store, number=f"T{number}", now=builders.at(seconds=3 - number))
    assert [due.leg.ref_id for due in _claim(store, now=LATER, limit=2)] == ["T2", "T1"]


def test_a_skipped_provider_keeps_its_legs(store):
    filling.order(store, number="T1")
    filling.order(store, number="T2", leg={"provider": "otomax"})
    assert [due.leg.ref_id for due in _claim(store, skip=["otomax"])] == ["T1"]


def test_a_plan_is_written_on_leg_and_row_together(store):
    filling.order(store)
    (due,) = _claim(store)
    assert store.write(schedule.record, [_plan(due.leg)], lease="mine") == [builders.LEG]
    row, leg = filling.one(store, schema.schedule), filling.one(store, schema.legs)
    assert (row["due_at"], row["lease"], row["asked_at"]) == (LATER, None, builders.at(seconds=1))
    assert (leg["checks_done"], leg["version"], leg["state"]) == (1, 1, "open")
    (again,) = _claim(store, now=LATER, until=builders.at(minutes=6))
    assert again.asked_at == builders.at(seconds=1)


@pytest.mark.parametrize("state", [LegState.FINAL, LegState.STOPPED])
def test_a_leg_without_a_next_check_leaves_the_schedule(store, state):
    filling.order(store)
    (due,) = _claim(store)
    store.write(schedule.record, [_plan(due.leg, due_at=None, state=state, asked=False)], lease="mine")
    assert filling.rows(store, schema.schedule) == []
    leg = filling.one(store, schema.legs)
    assert (leg["state"], leg["checks_done"], leg["version"]) == (state, 0, 1)


def test_who_lost_the_lease_writes_nothing(store):
    filling.order(store)
    (due,) = _claim(store)
    _claim(store, now=UNTIL, lease="other", until=LATER)
    assert store.write(schedule.record, [_plan(due.leg, due_at=None, state=LegState.FINAL)], lease="mine") == []
    assert filling.one(store, schema.schedule)["lease"] == "other"
    assert filling.one(store, schema.legs)["version"] == 0


def test_a_leg_that_changed_meanwhile_is_looked_at_again(store):
    transaction = filling.order(store)
    (due,) = _claim(store)
    filling.orders(store, [(transaction, builders.build_leg(first_reply="baru"))])
    plan = _plan(due.leg, due_at=None, state=LegState.FINAL)
    assert store.write(schedule.record, [plan], lease="mine") == []
    row = filling.one(store, schema.schedule)
    assert (row["due_at"], row["asked_at"]) == (UNTIL, builders.at(seconds=1))
    (again,) = _claim(store, now=UNTIL, lease="other", until=LATER)
    assert again.leg.first_reply == "baru"


def test_only_the_plans_that_still_hold_are_written(store):
    for number in range(3):
        filling.order(store, number=f"T{number}")
    claimed = _claim(store)
    gone = replace(claimed[1].leg, version=9)
    plans = [_plan(claimed[0].leg), _plan(gone), _plan(claimed[2].leg, due_at=None, state=LegState.FINAL)]
    assert store.write(schedule.record, plans, lease="mine") == [claimed[0].leg.key, claimed[2].leg.key]
    assert [row["leg_key"] for row in filling.rows(store, schema.schedule)] == [claimed[0].leg.key, gone.key]


def test_a_hint_makes_the_next_check_due_now(store):
    filling.order(store)
    (due,) = _claim(store)
    store.write(schedule.record, [_plan(due.leg)], lease="mine")
    store.write(schedule.hasten, builders.LEG, provider="iak", now=builders.at(seconds=30))
    assert filling.one(store, schema.schedule)["due_at"] == builders.at(seconds=30)
    store.write(schedule.hasten, builders.LEG, provider="iak", now=LATER)
    assert filling.one(store, schema.schedule)["due_at"] == builders.at(seconds=30)


def test_a_hint_leaves_a_question_in_flight_alone(store):
    filling.order(store)
    _claim(store)
    store.write(schedule.hasten, builders.LEG, provider="iak", now=builders.at(seconds=1))
    row = filling.one(store, schema.schedule)
    assert (row["lease"], row["due_at"]) == ("mine", UNTIL)


@pytest.mark.parametrize("state", [LegState.FINAL, LegState.STOPPED])
def test_a_hint_opens_a_closed_leg_again(store, state):
    filling.order(store)
    (due,) = _claim(store)
    store.write(schedule.record, [_plan(due.leg, due_at=None, state=state)], lease="mine")
    store.write(schedule.hasten, builders.LEG, provider="iak", now=LATER)
    leg = filling.one(store, schema.legs)
    assert (leg["state"], leg["version"]) == ("open", 2)
    assert filling.one(store, schema.schedule)["due_at"] == LATER


def test_the_next_due_time_is_the_smallest(store):
    assert filling.due_at(store, "check") is None
    filling.order(store, number="T1", now=LATER)
    filling.order(store, number="T2", now=T0)
    assert filling.due_at(store, "check") == T0


def test_after_a_restart_a_file_gives_all_leases_back(sqlite_store):
    filling.order(sqlite_store)
    _claim(sqlite_store)
    sqlite_store.write(leases.release_all, builders.at(seconds=2))
    row = filling.one(sqlite_store, schema.schedule)
    assert (row["lease"], row["due_at"]) == (None, builders.at(seconds=2))


def test_on_postgresql_leases_of_others_are_left_to_end(pg_store):
    filling.order(pg_store)
    _claim(pg_store)
    pg_store.write(leases.release_all, builders.at(seconds=2))
    assert filling.one(pg_store, schema.schedule)["lease"] == "mine"


def test_after_a_restart_a_check_that_could_buy_keeps_its_gap(sqlite_store):
    filling.order(sqlite_store, number="T1", leg={"provider": builders.RESEND})
    filling.order(sqlite_store, number="T2")
    claimed = sqlite_store.write(schedule.claim, now=T0, limit=5, lease="mine", lease_until=builders.at(seconds=60))
    assert len(claimed) == 2
    sqlite_store.write(leases.release_all, builders.at(seconds=50), resent=[builders.RESEND])
    rows = filling.rows(sqlite_store, schema.schedule)
    assert {row["provider"]: (row["lease"], row["due_at"]) for row in rows} == {
        builders.RESEND: (None, builders.at(seconds=110)),
        builders.READ_ONLY: (None, builders.at(seconds=50)),
    }
