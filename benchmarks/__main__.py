"""Every benchmark in one run and one table: `python -m benchmarks`, or `make bench`."""

from benchmarks import checks, due_scan, footprint, intake, refunds
from benchmarks.figures import Benchmark, Figure, Options, load, make_parser, show

ALL: dict[str, Benchmark] = {
    "checks": checks.benchmark,
    "due_scan": due_scan.benchmark,
    "intake": intake.benchmark,
    "refunds": refunds.benchmark,
    "footprint": footprint.benchmark,
}


def run() -> None:
    """Run what was asked for, one after the other: two at once would measure each other."""
    parser = make_parser("python -m benchmarks")
    parser.add_argument("--only", choices=tuple(ALL), action="append", help="one of them; may be repeated")
    given = vars(parser.parse_args())
    wanted = given.pop("only") or tuple(ALL)
    options = Options(**given)
    figures: list[Figure] = []
    with load() as seen:
        for name in wanted:
            figures += ALL[name](options)
    show(figures, seen, options)


if __name__ == "__main__":
    run()
