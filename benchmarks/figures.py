"""What a benchmark found: each value beside the baseline of the same run, their ratio, and the bar it is held to."""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

_COLUMNS = ("figure", "value", "baseline", "ratio", "bar", "holds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value. `at_least` and `at_most` bound the ratio where there is a baseline, else the value."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    against: str = ""
    at_least: float | None = None
    at_most: float | None = None
    paired: float | None = None
    """The median of the ratios of single rounds, where value and baseline took turns; it outlives a busy machine."""
    detail: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """The value over its baseline; None where there is none."""
        if self.paired is not None:
            return self.paired
        return self.value / self.baseline if self.baseline else None

    @property
    def holds(self) -> bool | None:
        """Whether the bar holds; None where there is no bar."""
        held = self.value if self.ratio is None else self.ratio
        if self.at_least is not None:
            return held >= self.at_least
        return held <= self.at_most if self.at_most is not None else None

    def as_row(self) -> tuple[str, ...]:
        """Write the figure as one line of the table."""
        bar = "-" if self.at_least is None and self.at_most is None else ""
        bar = f">= {self.at_least:g}" if self.at_least is not None else bar
        bar = f"<= {self.at_most:g}" if self.at_most is not None else bar
        return (
            self.name,
            f"{_short(self.value)} {self.unit}",
            f"{_short(self.baseline)} {self.against}" if self.baseline is not None else "-",
            _short(self.ratio) if self.ratio is not None else "-",
            bar,
            {True: "yes", False: "no", None: "-"}[self.holds],
        )

    def as_dict(self) -> dict[str, object]:
        """Write the figure for a machine."""
        return asdict(self) | {"ratio": self.ratio, "holds": self.holds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a benchmark was asked to run."""

    as_json: bool = False
    full: bool = False
    tiny: bool = False
    size: int = 0
    """Rows of the largest table where a benchmark has one; 0 leaves the choice to `full` and `tiny`."""
    workload: str = ""
    """One named part of the benchmark, empty for all."""

    def pick(self, *, tiny: int, usual: int, full: int) -> int:
        """Choose a size."""
        return tiny if self.tiny else full if self.full else usual


Benchmark = Callable[[Options], Iterator[Figure]]


def main(name: str, benchmark: Benchmark, *, workloads: Sequence[str] = ()) -> None:
    """Run one benchmark from the command line and print what it found."""
    parser = make_parser(f"python -m benchmarks.{name}")
    if workloads:
        parser.add_argument("--only", dest="workload", choices=workloads, default="", help="one part of it")
    options = Options(**vars(parser.parse_args()))
    with load() as seen:
        figures = list(benchmark(options))
    show(figures, seen, options)


def make_parser(program: str) -> argparse.ArgumentParser:
    """Read what every benchmark can be told."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--json", dest="as_json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--full", action="store_true", help="the large sizes: many minutes and some gigabytes")
    parser.add_argument("--tiny", action="store_true", help="only see that it runs; the figures mean nothing")
    parser.add_argument("--size", type=int, default=0, help="rows of the largest table of the due-scan")
    return parser


def show(figures: Sequence[Figure], seen: Mapping[str, float], options: Options) -> None:
    """Print what was found, for a machine or for a person."""
    if options.as_json:
        found = [figure.as_dict() for figure in figures]
        print(json.dumps({"full": options.full, "tiny": options.tiny, "load": seen, "figures": found}))
        return
    print_table(figures)
    print_load(seen)


@contextmanager
def load() -> Iterator[dict[str, float]]:
    """Note the load average before and after, and the processors it is to be held against."""
    seen: dict[str, float] = {"processors": os.cpu_count() or 1, "before": os.getloadavg()[0]}
    try:
        yield seen
    finally:
        seen["after"] = os.getloadavg()[0]


def print_load(seen: Mapping[str, float]) -> None:
    """Say how busy the machine was."""
    print(f"\nload average {seen['before']:.1f} before, {seen['after']:.1f} after, {seen['processors']:.0f} processors")


def print_table(figures: Sequence[Figure]) -> None:
    """Print figures as a table, one line each."""
    rows = [_COLUMNS, *(figure.as_row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """Say what is being done, beside the results."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """Measure the wall time of a block in seconds, the first item of the list afterwards."""
    taken: list[float] = []
    started = time.perf_counter()
    try:
        yield taken
    finally:
        taken.append(time.perf_counter() - started)


def paired(values: Sequence[float], baselines: Sequence[float]) -> float:
    """Return the median of the ratios of rounds."""
    return statistics.median(value / baseline for value, baseline in zip(values, baselines, strict=True))


def percentile(values: Sequence[float], share: int) -> float:
    """Return the value that `share` percent of all do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def _short(value: float) -> str:
    if value >= 1000:  # noqa: PLR2004 - four digits need no fraction
        return f"{value:,.0f}"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"
