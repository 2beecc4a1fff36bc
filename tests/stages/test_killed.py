"""`rekon run --once` as a program of its own, killed or starved at a known point; the gateway's journal is the witness.

Time stands between two runs; the program asks the played world for it.
"""

import json
import os
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from starlette.responses import Response

from rekon.cli import demo_setup
from rekon.sandbox.traits import Traits, failed
from rekon.store import schema, verify
from tests.journeys import plays

AFTERWARDS = (1, 5)
"""Seconds between the runs after the one that died."""
LOOKED_UP = (1, 601, 5)
"""The same where a key nobody knows may be told again only after ten minutes."""
_LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.argv[1:] = sys.argv[2:]
runpy.run_module("rekon", run_name="__main__", alter_sys=True)
"""


class Deadly:
    """Kills the program the moment its call arrives: before the server acts on it, or after."""

    def __init__(self, app, call, *, is_acted_on):
        self._app = app
        self._call = call
        self._is_acted_on = is_acted_on
        self._started = threading.Event()
        self._child = None

    def aim(self, child):
        self._child = child
        self._started.set()

    async def __call__(self, scope, receive, send):
        method, _, ending = self._call.partition(" ")
        if self._child is None and not self._started.wait(10):
            raise TimeoutError
        if self._child.poll() is None and scope["method"] == method and scope["path"].endswith(ending):
            if self._is_acted_on:
                await self._app(scope, receive, _to_nobody)
            self._child.kill()
            self._child.wait()
            await Response(status_code=503)(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def _to_nobody(message):
    """Lose an answer."""


def story(count=1):
    play = plays.Play()
    for _ in range(count):
        play.sell("unformed", Traits(steps=(failed(0, "68", callback="lost"),)), provider="digiflazz", seconds=0)
    return play.story(minutes=6000)


class Program:
    """The installation of the bench's own database, started as a program."""

    def __init__(self, bench, board, folder, *, gateway_class="G2"):
        stage = demo_setup.set_up(folder)
        text = stage.config.read_text(encoding="utf-8").replace(stage.sandbox_url, board.url)
        text = text.replace('gateway_class = "G2"', f'gateway_class = "{gateway_class}"')
        stage.config.write_text(text, encoding="utf-8")
        self._words = ["run", "--once", "--json", "--config", str(stage.config)]
        self._bench = bench
        self._board = board
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("REKON_")}

    def run(self, *, limit=0):
        """Run it to its end. Gives its exit code and the document it printed."""
        before = ["-c", _LIMITED, str(limit)] if limit else ["-m", "rekon"]
        words = [sys.executable, *before, *self._words]
        done = subprocess.run(words, env=self._environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def run_and_kill_at(self, call, *, is_acted_on):
        """Run it until it makes this call."""
        deadly = Deadly(self._bench.tampering, call, is_acted_on=is_acted_on)
        self._board.app = deadly
        words = [sys.executable, "-m", "rekon", *self._words]
        with subprocess.Popen(
            words, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as child:
            deadly.aim(child)
            child.wait(timeout=120)
        self._board.app = self._bench.tampering
        assert child.returncode == -9

    async def go_on(self, *seconds):
        """Start it again and again, as a supervisor and a timer would."""
        for step in seconds or AFTERWARDS:
            await self._bench.forward(step)
            code, said = self.run()
            assert code == 0, said


@pytest.fixture
def installed(set_up, board, tmp_path):
    async def install(count=1, **more):
        bench = await set_up(story(count), **more)
        await bench.forward(5)
        return bench, Program(bench, board, tmp_path, **more)

    return install


def paid(bench):
    """List the keys the gateway paid, from its own journal; a G0 gateway keeps none."""
    rows = bench.world.journals["server-toko"].rows("wallet")
    return [row["reference"] for row in rows if row["line_kind"] == "refund"]


KILLED_AT = [
    pytest.param("G2", "GET /wallet-lines", False, "requested", id="decided, not yet meant"),
    pytest.param("G2", "POST /refunds", False, "submitted", id="meant, not yet paid"),
    pytest.param("G2", "POST /refunds", True, "submitted", id="paid, not yet known"),
    pytest.param("G1", "POST /refunds", False, "submitted", id="meant, not yet paid, looked up"),
]


@pytest.mark.parametrize(("gateway_class", "call", "is_acted_on", "state"), KILLED_AT)
async def test_killed_between_decision_and_refund_it_pays_once(installed, gateway_class, call, is_acted_on, state):
    bench, program = await installed(gateway_class=gateway_class)
    program.run_and_kill_at(call, is_acted_on=is_acted_on)
    assert bench.one(schema.refunds)["state"] == state
    assert len(paid(bench)) == is_acted_on
    await program.go_on(*(LOOKED_UP if gateway_class == "G1" else AFTERWARDS))
    row = bench.one(schema.refunds)
    assert row["state"] == "settled"
    assert paid(bench) == [row["key"]]
    assert list(verify.findings(bench.store)) == []


async def test_where_nobody_can_look_a_refund_up_a_person_is_asked_instead(installed):
    bench, program = await installed(gateway_class="G0")
    program.run_and_kill_at("POST /refunds", is_acted_on=True)
    await program.go_on()
    assert len(paid(bench)) == 1
    assert bench.tampering.called("/refunds") == 1
    assert bench.one(schema.refunds)["state"] == "unknown"


@pytest.mark.parametrize("kibibytes", [64, 160])
async def test_on_a_full_disk_nothing_is_paid_that_was_not_written_down_first(installed, kibibytes):
    bench, program = await installed(count=20)
    code, said = program.run(limit=kibibytes * 1024)
    assert (code, said["reason"]) == (4, "database")
    known = {row["key"] for row in bench.rows(schema.refunds, state="submitted")}
    known |= {row["key"] for row in bench.rows(schema.refunds, state="settled")}
    assert set(paid(bench)) <= known
    await program.go_on()
    assert sorted(paid(bench)) == sorted(row["key"] for row in bench.rows(schema.refunds, state="settled"))
    assert len(paid(bench)) == 20
    assert list(verify.findings(bench.store)) == []


async def test_a_clock_that_was_set_back_moves_no_money_until_it_is_right_again(installed):
    bench, program = await installed()
    program.run_and_kill_at("GET /wallet-lines", is_acted_on=False)
    bench.clock.now -= timedelta(minutes=5)
    code, said = program.run()
    assert (code, said["reason"]) == (3, "clock")
    assert (bench.one(schema.refunds)["state"], paid(bench)) == ("requested", [])
    bench.clock.now += timedelta(minutes=5)
    await program.go_on()
    assert paid(bench) == [bench.one(schema.refunds)["key"]]
