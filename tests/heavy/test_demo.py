"""The whole story as a stranger sees it: one command, two processes, every effect over a socket."""

import contextlib
import json
import sqlite3
import subprocess
import sys

import pytest

FAR_FASTER_THAN_ANY_MACHINE = "100000"
PATIENCE = "600"


@pytest.fixture(scope="module")
def verdict(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "rekon", "demo", "--json", "--dir", str(folder)]
    command += ["--speed", FAR_FASTER_THAN_ANY_MACHINE, "--for", PATIENCE]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout, f"the demo said nothing on stdout: {run.stderr[-2000:]}"
    seen = {"exit": run.returncode, "database": folder / "rekon.sqlite3"}
    return {**seen, "log": (folder / "daemon.log").read_text(encoding="utf-8"), **json.loads(run.stdout)}


def test_the_judge_finds_nothing_to_correct(verdict):
    assert verdict["reasons"] == []
    assert (verdict["ok"], verdict["exit"]) == (True, 0)


def test_every_break_was_caused_and_found_and_none_was_invented(verdict):
    counts = verdict["breaks"].values()
    assert all(count["expected"] >= 3 for count in counts)
    assert all(count["found"] == count["expected"] and count["invented"] == 0 for count in counts)


def test_money_moved_rightly_once_and_no_purchase_was_caused(verdict):
    refunds = verdict["refunds"]
    assert refunds["settled"] >= 60
    assert (refunds["wrong"], refunds["double"], refunds["missed"]) == (0, 0, 0)
    assert (verdict["purchases_caused"], verdict["bridge_residual"]) == (0, 0)


def test_refunds_follow_within_five_seconds_of_the_first_permitted_instant(verdict):
    assert verdict["seconds_to_refund"]["p99"] <= 5


def test_no_stage_broke_and_no_number_reached_the_log(verdict):
    events = [json.loads(line) for line in verdict["log"].splitlines() if line.startswith("{")]
    broken = {"stage.failed", "beat.failed", "transaction.undecidable"}
    assert events
    assert [event for event in events if event["event"] in broken] == []
    with contextlib.closing(sqlite3.connect(verdict["database"])) as books:
        numbers = {number for (number,) in books.execute("SELECT destination FROM transactions")}
    assert len(numbers) > 1000
    assert [number for number in numbers if number in verdict["log"]] == []
