import pytest

from rekon.store import evaluations, schema
from tests import builders
from tests.store import filling

T0 = builders.T0
LATER = builders.at(minutes=5)
LATEST = builders.at(minutes=9)


@pytest.fixture
def keys(store):
    return [filling.order(store, number=f"T{number}", now=LATER).key for number in range(3)]


def _due(store):
    return {row["transaction_key"]: row["due_at"] for row in filling.rows(store, schema.evaluations)}


def test_the_sooner_time_stays(store, keys):
    store.write(evaluations.touch, keys[:2], due_at=T0)
    store.write(evaluations.touch, [*keys, keys[0]], due_at=LATEST)
    assert _due(store) == {keys[0]: T0, keys[1]: T0, keys[2]: LATER}


def test_touching_nobody_is_allowed(store):
    store.write(evaluations.touch, [], due_at=T0)
    store.write(evaluations.touch_known, [], due_at=T0)
    store.write(evaluations.touch_refs, [], due_at=T0)
    assert _due(store) == {}


def test_only_known_orders_are_touched(store, keys):
    store.write(evaluations.touch_known, [keys[0], "toko:unknown"], due_at=T0)
    assert _due(store)[keys[0]] == T0
    assert len(_due(store)) == 3


def test_orders_are_found_by_their_references(store, keys):
    store.write(evaluations.touch_refs, [("iak", "T1"), ("otomax", "T2"), ("iak", "T1")], due_at=T0)
    assert _due(store) == {keys[0]: LATER, keys[1]: T0, keys[2]: LATER}


def test_due_orders_are_taken_oldest_first(store, keys):
    store.write(evaluations.touch, [keys[2]], due_at=T0)
    assert store.write(evaluations.claim, now=T0, limit=10) == [keys[2]]
    assert store.write(evaluations.claim, now=LATER, limit=2) == [keys[2], keys[0]]


def test_looked_at_orders_wait_or_leave(store, keys):
    store.write(evaluations.settle, {keys[0]: None, keys[1]: LATEST, keys[2]: T0})
    assert _due(store) == {keys[1]: LATEST, keys[2]: T0}
    assert filling.due_at(store, "decide") == T0
