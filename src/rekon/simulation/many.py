"""Many seeds on all cores, resumable, with one line of JSON at the end.

    python -m rekon.simulation --seeds 1000 [--first 1] [--jobs 2] [--minutes 60] [--state FILE] [--json-only]

A failing seed prints how to play it again and is added to the state file and to `--failures`.
"""

import argparse
import hashlib
import json
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

import structlog

from rekon.simulation.run import Result, run

_CHUNK: Final = 10


@dataclass(kw_only=True)
class Tally:
    """What all seeds together showed. `traces` folds the hash of every seed in the order of the seeds."""

    seeds: int = 0
    violations: int = 0
    seconds: float = 0.0
    seen: Counter[str] = field(default_factory=Counter)
    traces: str = ""
    failing: list[int] = field(default_factory=list)

    def take(self, result: Result) -> None:
        """Add one seed."""
        self.seeds += 1
        self.violations += len(result.violations)
        self.seen.update(result.seen)
        self.traces = hashlib.sha256((self.traces + result.trace_hash).encode()).hexdigest()
        if result.violations:
            self.failing.append(result.seed)

    def line(self) -> dict[str, Any]:
        """Word the last line."""
        minutes = self.seconds / 60 or 1
        return {
            "seeds": self.seeds,
            "violations": self.violations,
            "seeds_per_minute": round(self.seeds / minutes, 1),
            "trace_hash": self.traces,
            "failing": self.failing,
            "seen": dict(sorted(self.seen.items())),
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the seeds that are asked for. Returns 1 when a seed failed."""
    options = _options().parse_args(arguments)
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of words have an order of their own in every process; a run has to be repeatable.
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - itself
    tally = _resumed(options.state)
    first = options.first + tally.seeds
    last = options.first + options.seeds
    before, started = tally.seconds, time.monotonic()
    for result in _played(range(first, last), jobs=options.jobs):
        tally.take(result)
        tally.seconds = before + time.monotonic() - started
        _tell(result, sys.stderr)
        _keep(options.state, tally)
        if options.minutes and tally.seconds > options.minutes * 60:
            break
    sys.stdout.write(json.dumps(tally.line()) + "\n")
    return 1 if tally.violations else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rekon.simulation", description="Rehearse many days in virtual time"
    )
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minutes", type=float, default=0, help="stop after so long; 0: play all")
    parser.add_argument("--state", type=Path, help="keep the tally here and go on from it")
    return parser


def _played(seeds: range, *, jobs: int) -> Iterator[Result]:
    """Play seeds on so many processes; results come in the order of the seeds."""
    if jobs <= 1:
        _quiet()
        yield from map(run, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, initializer=_quiet) as pool:
        yield from pool.imap(run, seeds, chunksize=_CHUNK)


def _quiet() -> None:
    """Say nothing of what rekon logs meanwhile."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _tell(result: Result, out: TextIO) -> None:
    out.writelines(f"seed {result.seed}: {text}\n" for text in result.violations)
    if result.violations:
        out.write(f"again: python -m rekon.simulation --seeds 1 --first {result.seed} --jobs 1\n")


def _resumed(state: Path | None) -> Tally:
    if state is None or not state.exists():
        return Tally()
    kept = json.loads(state.read_text(encoding="utf-8"))
    return Tally(**{**kept, "seen": Counter(kept["seen"])})


def _keep(state: Path | None, tally: Tally) -> None:
    if state is not None:
        fresh = state.with_suffix(".new")
        fresh.write_text(json.dumps(tally.__dict__), encoding="utf-8")
        fresh.replace(state)
