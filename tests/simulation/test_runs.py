"""Days of business with faults, judged by oracles that know nothing of the faults."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rekon.simulation import oracles
from rekon.simulation.run import run
from tests.simulation import mutants

SEEDS = range(1, 17)
QUICK = ("M2 a server error is a failure", "M7 no hold", "M31 pays beside the server")


@pytest.mark.parametrize("seed", SEEDS)
def test_no_seed_breaks_an_invariant(seed):
    assert run(seed).violations == ()


def test_a_fair_day_needs_no_person_and_breaks_nothing():
    assert run(3, fair=True).violations == ()


@pytest.mark.parametrize("place", [1, 40, 200, 411])
def test_a_death_anywhere_changes_nothing_that_must_hold(place):
    result = run(5, deaths=(place, place + 2), fair=True)
    assert result.seen["death"] == 2
    assert result.violations == ()


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_defect_is_found(name):
    assert mutants.killed_after(mutants.MUTANTS[name], seeds=30) is not None


def test_no_oracle_names_a_planted_defect():
    text = Path(oracles.__file__).read_text(encoding="utf-8")
    assert [name for name in mutants.MUTANTS if name.split()[0] in text] == []


def played_alone(*words):
    command = [sys.executable, "-m", "rekon.simulation", "--jobs", "1", *words]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_same_seeds_tell_the_same_story_in_every_process(tmp_path):
    state = tmp_path / "tally.json"
    whole = played_alone("--seeds", "2", "--first", "36")
    played_alone("--seeds", "1", "--first", "36", "--state", str(state))
    resumed = played_alone("--seeds", "2", "--first", "36", "--state", str(state))
    assert whole["trace_hash"] == resumed["trace_hash"]
    assert (whole["seeds"], whole["violations"], resumed["seeds"]) == (2, 0, 2)
