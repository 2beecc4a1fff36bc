from datetime import timedelta

from rekon.domain.snapshot import thaw
from rekon.store import flips, schema
from tests.cli.installation import NOW
from tests.store import filling


def watch(rekon, *, late, hold):
    filling.order(rekon.store, leg={"provider": "iak"})
    leg = filling.one(rekon.store, schema.legs)["key"]
    failed_at = NOW - timedelta(days=2)
    row = {"leg_key": leg, "provider": "iak", "raw_code": "07", "failure_class": "soft", "failed_at": failed_at}
    rekon.store.write(lambda c: c.execute(schema.flips.insert(), [row | {"late_seconds": late}]))
    held = {"provider": "iak", "raw_code": "07", "hold_seconds": hold, "measured_at": NOW}
    rekon.store.write(lambda c: c.execute(schema.soft_holds.insert(), [held]))
    assert rekon.store.read(flips.held) == {("iak", "07"): timedelta(seconds=hold)}


def test_late_successes_are_listed_with_the_hold_they_raised(rekon):
    watch(rekon, late=2_700, hold=3_600)
    (item,) = rekon.json("providers", "flips")["items"]
    assert item == {
        "provider": "iak", "raw_code": "07", "failure_class": "soft", "watched": 1, "flipped": 1,
        "late_seconds": 2_700, "hold_seconds": 3_600,
    }  # fmt: skip
    assert "2700 detik" in rekon.run("providers", "flips").stdout


def test_without_old_failures_nothing_is_listed(rekon):
    assert rekon.json("providers", "flips")["items"] == []
    assert "Belum ada kegagalan" in rekon.run("providers", "flips").stdout


def test_a_raised_hold_is_among_the_numbers_decisions_are_made_under(rekon):
    watch(rekon, late=2_700, hold=3_600)
    rekon.beat()
    (body,) = [row["body"] for row in filling.rows(rekon.store, schema.configurations)]
    assert thaw(body["providers"])["iak"].soft_holds == {"07": timedelta(hours=1)}
