"""Clocks people feel: waiting with maintenance windows left out, and when aftercare may be asked."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekon.domain import sla
from rekon.domain.policy import CutOff
from rekon.domain.sla import WIB
from tests.builders import build_rules

WIT = timezone(timedelta(hours=9), "WIT")
NIGHT = CutOff(start_minute=23 * 60, end_minute=60)
NOON = CutOff(start_minute=12 * 60, end_minute=13 * 60)


def wib(day, hour, minute=0, second=0):
    return datetime(2026, 11, day, hour, minute, second, tzinfo=WIB)


def waited(since, now, *cut_offs, family="pulsa"):
    return sla.waited(since, now, rules=build_rules(cut_offs=cut_offs), family=family)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (wib(22, 22, 59, 59), None),
        (wib(22, 23), wib(23, 1)),
        (wib(23, 0, 30), wib(23, 1)),
        (wib(23, 0, 59, 59), wib(23, 1)),
        (wib(23, 1), None),
        (wib(22, 12, 30), wib(22, 13)),
    ],
)
def test_a_window_may_pass_midnight_and_ends_exclusively(now, end):
    found = sla.window_end(now.astimezone(UTC), rules=build_rules(cut_offs=(NIGHT, NOON)), family="pulsa")
    assert found == end
    assert found is None or found.utcoffset() == timedelta(0)


def test_a_window_of_some_products_is_none_for_others():
    rules = build_rules(cut_offs=(CutOff(start_minute=23 * 60, end_minute=60, families=frozenset({"pln_token"})),))
    assert sla.window_end(wib(22, 23, 30), rules=rules, family="pulsa") is None
    assert sla.window_end(wib(22, 23, 30), rules=rules, family="pln_token") == wib(23, 1)


@pytest.mark.parametrize(
    ("since", "now", "cut_offs", "minutes"),
    [
        pytest.param(wib(22, 10), wib(22, 10, 30), [NIGHT], 30, id="outside"),
        pytest.param(wib(22, 22, 50), wib(22, 23, 20), [NIGHT], 10, id="into it"),
        pytest.param(wib(22, 23, 10), wib(23, 0, 50), [NIGHT], 0, id="inside"),
        pytest.param(wib(22, 23, 10), wib(23, 1, 15), [NIGHT], 15, id="out of it"),
        pytest.param(wib(22, 22, 50), wib(23, 1, 15), [NIGHT], 25, id="across"),
        pytest.param(wib(21, 22), wib(23, 2), [NIGHT], 24 * 60, id="two nights"),
        pytest.param(wib(22, 11), wib(23, 2), [NIGHT, NOON], 12 * 60, id="two windows"),
        pytest.param(wib(22, 22), wib(23, 2), [NIGHT, CutOff(start_minute=1380, end_minute=90)], 90, id="overlapping"),
        pytest.param(wib(22, 22), wib(23, 2), [NIGHT, NIGHT], 120, id="twice the same"),
        pytest.param(wib(22, 10), wib(22, 9), [NIGHT], 0, id="a clock that went back"),
        pytest.param(wib(20, 10), wib(24, 10), [NIGHT], 4 * 22 * 60, id="four days"),
        pytest.param(wib(20, 10), wib(25, 10), [NIGHT], 5 * 24 * 60, id="beyond four days"),
    ],
)
def test_waiting_leaves_the_windows_out(since, now, cut_offs, minutes):
    assert waited(since, now, *cut_offs) == timedelta(minutes=minutes)


def test_waiting_pauses_in_a_window_of_these_products_alone():
    tokens = CutOff(start_minute=23 * 60, end_minute=60, families=frozenset({"pln_token"}))
    assert waited(wib(22, 22), wib(23, 2), tokens, family="pln_token") == timedelta(hours=2)
    assert waited(wib(22, 22), wib(23, 2), tokens) == timedelta(hours=4)


def test_a_window_without_length_pauses_nothing():
    empty = CutOff(start_minute=60, end_minute=60)
    assert waited(wib(22, 0), wib(22, 12), empty) == timedelta(hours=12)
    assert sla.window_end(wib(22, 1), rules=build_rules(cut_offs=(empty,)), family="pulsa") is None


MINUTES = st.integers(0, 1439)
CUT_OFFS = st.lists(st.builds(lambda a, b: CutOff(start_minute=a, end_minute=b), MINUTES, MINUTES), max_size=3)


@settings(max_examples=100)
@given(cut_offs=CUT_OFFS, minutes=st.integers(0, 3000), more=st.integers(0, 300))
def test_waiting_never_runs_backwards_nor_faster_than_the_clock(cut_offs, minutes, more):
    start = wib(22, 9)
    first = waited(start, start + timedelta(minutes=minutes), *cut_offs)
    second = waited(start, start + timedelta(minutes=minutes + more), *cut_offs)
    assert timedelta(0) <= first <= second <= first + timedelta(minutes=more)
    assert first <= timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("resolved_at", "family", "asked_at"),
    [
        (wib(22, 14), "pulsa", wib(22, 16)),
        (wib(22, 14), "pln_token", wib(22, 14, 30)),
        (wib(22, 18, 30), "pulsa", wib(22, 20, 30)),
        (wib(22, 18, 30, 1), "pulsa", wib(23, 8)),
        (wib(22, 23, 30), "pulsa", wib(23, 8)),
        (wib(23, 5, 59), "pulsa", wib(23, 8)),
        (wib(23, 6, 1), "pulsa", wib(23, 8, 1)),
        (wib(22, 7, 29), "pln_token", wib(22, 8)),
        (wib(22, 20, 0), "pln_token", wib(22, 20, 30)),
        (wib(22, 20, 1), "pln_token", wib(23, 8)),
    ],
)
def test_aftercare_is_asked_by_day_and_never_too_soon(resolved_at, family, asked_at):
    assert sla.aftercare_at(resolved_at.astimezone(UTC), family=family) == asked_at


def test_aftercare_keeps_the_hours_of_the_agents_own_clock():
    resolved_at = wib(22, 17)
    assert sla.aftercare_at(resolved_at, family="pulsa", zone=WIT) == datetime(2026, 11, 23, 8, tzinfo=WIT)
