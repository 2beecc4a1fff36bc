from datetime import timedelta

import pytest

from rekon.domain.outcome import FailureClass, Outcome, Reading, ReportSource
from rekon.domain.policy import CheckKind, ProviderRules
from rekon.store import flips, reports, schema
from tests import builders
from tests.store import filling

T0 = builders.T0
NOW = T0 + timedelta(days=2)
RULES = {"iak": ProviderRules(name="iak", check=CheckKind.READ_ONLY, max_check_age=timedelta(days=1))}


def leg(store):
    filling.order(store, leg={"provider": "iak", "ref_id": "R1"})
    return filling.one(store, schema.legs)["key"]


def say(store, leg_key, outcome, seconds, *, code="07", kind=None, source=ReportSource.INQUIRY, **more):
    failure = kind or (FailureClass.SOFT if outcome is Outcome.FAILED else None)
    said = reports.NewReport(
        leg_key=leg_key,
        source=source,
        reading=Reading(outcome=outcome, failure_class=failure, raw_code=code),
        raw=b"",
        received_at=T0 + timedelta(seconds=seconds),
        discriminator=str(seconds),
        **more,
    )
    store.write(reports.append, [said])


def kept(store):
    return [(row["raw_code"], row["late_seconds"]) for row in filling.rows(store, schema.flips)]


def test_a_delivery_after_a_failure_is_kept_with_its_delay(store):
    key = leg(store)
    say(store, key, Outcome.FAILED, 10)
    say(store, key, Outcome.FAILED, 70, code="106")
    say(store, key, Outcome.DELIVERED, 610)
    say(store, key, Outcome.DELIVERED, 900)
    assert kept(store) == [("07", 600)]


def test_a_delivery_before_the_failure_is_no_flip(store):
    key = leg(store)
    say(store, key, Outcome.DELIVERED, 5)
    say(store, key, Outcome.FAILED, 10)
    assert kept(store) == [("07", None)]


@pytest.mark.parametrize(
    "more",
    [
        {"source": ReportSource.CALLBACK, "body_signed": False},
        {"kind": FailureClass.CHECK_ERROR},
    ],
)
def test_what_proves_nothing_is_not_watched(store, more):
    say(store, leg(store), Outcome.FAILED, 10, **more)
    assert kept(store) == []


def many(store, *, watched, late, kind=FailureClass.SOFT):
    """Lay watched failures of one code, the first of them with these delays."""
    pairs = []
    for number in range(watched):
        transaction = builders.build_transaction(transaction_id=f"M{number}")
        built = builders.build_leg(
            transaction=transaction.key, provider="iak", ref_id=f"RM{number}", sent_at=transaction.ordered_at
        )
        pairs.append((transaction, built))
    filling.orders(store, pairs)
    rows = [
        {
            "leg_key": built.key,
            "provider": "iak",
            "raw_code": "07",
            "failure_class": kind,
            "failed_at": T0,
            "late_seconds": late[number] if number < len(late) else None,
        }
        for number, (_, built) in enumerate(pairs)
    ]
    store.write(lambda connection: connection.execute(schema.flips.insert(), rows))


def raised(store, now=NOW):
    store.write(flips.raise_holds, now=now)
    return store.read(flips.with_holds, RULES)["iak"].soft_holds


@pytest.mark.parametrize(
    ("watched", "late", "now", "hold"),
    [
        (999, [3600], NOW, None),
        (1000, [3600, 60], NOW, timedelta(hours=1)),
        (1000, [60], NOW, timedelta(minutes=9)),
        (1000, [200_000], NOW, timedelta(hours=24)),
        (1000, [], NOW, None),
        (1000, [3600], T0 + timedelta(hours=23), None),
        (2000, [*range(1001, 2001)], NOW, timedelta(seconds=1999)),
    ],
)
def test_a_hold_follows_the_measure_once_enough_was_watched(store, watched, late, now, hold):
    many(store, watched=watched, late=late)
    assert raised(store, now) == ({"07": hold} if hold else {})


def test_only_a_soft_failure_has_a_measured_hold(store):
    many(store, watched=1000, late=[3600], kind=FailureClass.DEFINITE)
    assert raised(store) == {}
    (measure,) = store.read(flips.measures, now=NOW)
    assert (measure.watched, measure.flipped, measure.late) == (1000, 1, timedelta(hours=1))


def test_a_hold_is_raised_and_never_lowered_by_itself(store):
    many(store, watched=1000, late=[3600])
    assert raised(store) == {"07": timedelta(hours=1)}
    for seconds, hold in ((1200, 3600), (7200, 7200)):
        change = schema.flips.update().where(schema.flips.c.late_seconds.is_not(None)).values(late_seconds=seconds)
        store.write(lambda connection, change=change: connection.execute(change))
        assert raised(store) == {"07": timedelta(seconds=hold)}
