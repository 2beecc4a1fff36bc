"""rekon dies by SIGKILL fifty times in the middle of the story, and ends up having done what it would have done anyway.

`REKON_KILLS` sets how often; `REKON_KILL_SEED` chooses other moments.
"""

import os
import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from rekon import bootstrap
from rekon.cli import demo
from rekon.cli.demo_setup import set_up
from rekon.sandbox import judge_facts, judge_money
from rekon.settings import load
from rekon.store.engine import Store
from rekon.store.findings import export

KILLS = int(os.environ.get("REKON_KILLS", "50"))
KILL_SEED = int(os.environ.get("REKON_KILL_SEED", "1"))
STORY_SEED = 7
AS_FAST_AS_REKON_ASKS = ["--speed", "100000"]
DEADLINE = 1_800


class Played:
    """One demonstration, played to its end."""

    def __init__(self, folder: Path, kills: int) -> None:
        self.stage = set_up(folder)
        self.random = random.Random(KILL_SEED)
        self.kills = kills
        self.killed = 0
        self.moments = None
        bootstrap.upgrade_store(load(self.stage.config), folder)
        arguments = ["sandbox", "--port", str(self.stage.sandbox_port), "--journal", str(self.stage.journals)]
        arguments += ["--seed", str(STORY_SEED), "--rekon-url", self.stage.rekon_url, *AS_FAST_AS_REKON_ASKS]
        self.sandbox = demo.start(self.stage, "sandbox", arguments)
        try:
            demo.wait_until_up(self.sandbox, f"{self.stage.sandbox_url}/clock", self.stage)
            self._play()
        finally:
            demo.stop(self.sandbox)
        self.verdict = demo.judge(self.stage, too_slow=False)
        store = Store(f"sqlite:///{folder / 'rekon.sqlite3'}")
        self.findings = store.read(export)
        store.close()

    def _start_daemon(self):
        daemon = demo.start(self.stage, "daemon", ["serve", "--config", str(self.stage.config)])
        demo.wait_until_up(daemon, f"{self.stage.rekon_url}/healthz", self.stage)
        return daemon

    def _play(self):
        self.daemon = self._start_daemon()
        try:
            assert not demo.follow(self.stage, self._kill_in_time, limit=DEADLINE)
        finally:
            demo.stop(self.daemon)

    def _kill_in_time(self, told):
        """Kill the daemon once the next moment has come; it may still be starting up after the last."""
        now = datetime.fromisoformat(told)
        if self.moments is None:
            self.moments = self._moments(now)
        if self.moments and now >= self.moments[0]:
            self.moments = self.moments[1:]
            self.daemon.kill()
            self.daemon.wait()
            self.killed += 1
            self.daemon = self._start_daemon()

    def _moments(self, starts_at):
        """Draw the moments of death, all while orders still come in and money still moves."""
        seconds = sorted(self.random.uniform(60, 6 * 3600) for _ in range(self.kills))
        return [starts_at + timedelta(seconds=after) for after in seconds]

    def done(self) -> Counter[tuple[object, ...]]:
        """Count everything rekon found and did, by the purchase it was about."""
        found = self.findings
        counted: Counter[tuple[object, ...]] = Counter()
        counted.update(("break", row["transaction"], row["kind"]) for row in found["breaks"])
        counted.update(
            ("refund", row["transaction"], row["kind"], row["amount"], row["state"]) for row in found["refunds"]
        )
        counted.update(("voucher", row["transaction"], row["amount"], row["state"]) for row in found["vouchers"])
        counted.update(("complaint", row["transaction"], row["kind"], row["state"]) for row in found["complaints"])
        counted.update(("message", row["transaction"], row["template"], row["state"]) for row in found["messages"])
        return counted

    def suffered(self) -> Counter[tuple[object, ...]]:
        """Count what reached the outside, from its own journals: credits in wallets and messages in the inbox."""
        books = judge_facts.read(self.stage.journals)
        counted: Counter[tuple[object, ...]] = Counter()
        counted.update(("credit", paid.transaction, paid.kind, paid.amount) for paid in judge_money.payments(books))
        messages = {row["message_id"]: row["template"] for row in books.rows("inbox", "message")}
        counted.update(("message", key, template) for key, template in messages.items())
        return counted


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    return Played(tmp_path_factory.mktemp("calm"), kills=0)


@pytest.fixture(scope="module")
def harried(tmp_path_factory):
    return Played(tmp_path_factory.mktemp("harried"), kills=KILLS)


def test_rekon_was_killed_often_and_the_judge_finds_nothing_to_correct(calm, harried):
    assert harried.killed == KILLS
    assert (calm.verdict["reasons"], harried.verdict["reasons"]) == ([], [])
    assert harried.verdict["purchases_caused"] == 0


def test_deaths_change_nothing_that_was_found_or_done(calm, harried):
    assert (calm.done() - harried.done(), harried.done() - calm.done()) == (Counter(), Counter())


def test_deaths_change_nothing_that_reached_agents_and_wallets(calm, harried):
    assert (calm.suffered() - harried.suffered(), harried.suffered() - calm.suffered()) == (Counter(), Counter())
