import re
from pathlib import Path

import pytest

from rekon import logs
from rekon.domain.breaks import BreakKind
from rekon.simulation import expectation, playing, scenario
from rekon.simulation.scenario_text import ScenarioError

FOLDER = Path(__file__).parents[2] / "scenarios"
FILES = sorted(FOLDER.glob("*.toml"))
NOT_AS_ONE_FILE = {7, 11, 12, 16, 18}
"""Acceptance scenarios that need rules of later, and the day of 20,000 sales, which the benchmarks play."""
LISTS = ("breaks", "refunds", "vouchers", "complaints", "messages")


@pytest.fixture(autouse=True)
def _quiet():
    with logs.silenced():
        yield


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_scenario_comes_to_what_it_expects(path):
    told = scenario.read(path)
    outcome = playing.play(told)
    assert (outcome.differences, outcome.result["violations"]) == ((), [])
    for name in LISTS:
        _the_list_is_what_is_compared(told.expect, outcome.result, name)


def _the_list_is_what_is_compared(expect, result, name):
    """Without one expectation its rows are unexpected; with one more, a row is missing."""
    rows = getattr(expect, name)
    if rows:
        assert expectation.differences(expect.model_copy(update={name: rows[1:]}), result) != ()
        assert expectation.differences(expect.model_copy(update={name: [*rows, rows[0]]}), result) != ()
    elif result["breaks"]:
        pretended = {**result, name: [{**result["breaks"][0], "template": "M01"}]}
        assert expectation.differences(expect, pretended) != ()


def test_every_acceptance_scenario_that_is_due_has_its_file():
    numbers = {int(path.stem[:2]) for path in FILES if path.stem[:2].isdigit()}
    assert numbers == set(range(19)) - NOT_AS_ONE_FILE


def test_every_kind_of_break_is_in_a_scenario():
    expected = {row.kind for path in FILES for row in scenario.read(path).expect.breaks}
    assert expected == set(BreakKind)


def test_the_same_file_and_seed_leave_the_same_trace():
    told = scenario.read(FOLDER / "17-mati-sesudah-lunas.toml")
    first, second, other = [], [], []
    playing.play(told, trace=first.append)
    playing.play(told, trace=second.append)
    playing.play(told, seed=99, trace=other.append)
    assert first == second
    assert first != other
    assert any("death" in line and "after commit" in line for line in first)


PLAIN = """
name = "x"
start = 2026-11-16T09:00:00+07:00
end = "1h"

[[facts]]
kind = "sale"
at = "5m"
ref = "A"
product = "S50"

[[provider]]
ref = "A"
at = "0s"
answer = { state = "pending", code = "39" }

[expect]
breaks = []
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('product = "S50"', 'product = "S51"', r":10: facts\[1\]\.product: no such product; allowed: .*S50"),
        ('ref = "A"\nproduct', 'ref = "A"\nprodukt', r":10: facts\[1\]\.produkt: Extra inputs .*"),
        ('kind = "sale"', 'kind = "sell"', r":6: facts\[1\]: .*'sale', 'old_order'"),
        ('at = "5m"', 'at = "five"', r":8: facts\[1\]\.at: .*5m"),
        ('state = "pending"', 'state = "open"', r":15: provider\[1\]\.answer\.state: .*'pending', 'success'"),
        ("breaks = []", 'breaks = [{ ref = "A", kind = "B99" }]', r":18: expect\.breaks\[1\]\.kind: .*'B01'"),
        ('ref = "A"\nat = "0s"', 'ref = "C"\nat = "0s"', r":1: scenario: no order is called C; allowed: A"),
        ('at = "0s"', 'at = "2s"', r":1: scenario: .* of A: the first answer is at 0s"),
        ('end = "1h"', 'end = "-1h"', r":1: scenario: `end` lies before `start`"),
        ("start =", "start", r"at line 3"),
        ("[[provider]]", "[config.policy]\nnothing = 3\n[[provider]]", r"policy\.nothing: .*allowed: .*breaker_count"),
        ("[[provider]]", '[config.policy]\nbreaker_count = "5m"\n[[provider]]', r"a whole number is needed"),
        ("[[provider]]", "[config.policy]\nquiet_wallet = 5\n[[provider]]", r"a span such as 5m is needed"),
    ],
)
def test_a_fault_in_a_file_is_told_with_its_line_and_what_is_allowed(tmp_path, old, new, said):
    assert old in PLAIN
    path = tmp_path / "x.toml"
    path.write_text(PLAIN.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        playing.play(scenario.read(path))
    assert re.search(said, str(caught.value)), str(caught.value)


def test_the_file_those_faults_are_put_into_is_a_sound_one(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(PLAIN)
    assert [row["kind"] for row in playing.play(scenario.read(path)).result["breaks"]] == ["B02"]
