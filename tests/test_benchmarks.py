"""Every benchmark still runs, at a size whose figures mean nothing; no time is asserted."""

import pytest
from benchmarks.__main__ import ALL
from benchmarks.figures import Figure, Options


@pytest.mark.parametrize(
    ("name", "workload", "expected"),
    [
        ("checks", "0", 4),
        ("due_scan", "sqlite", 2),
        ("due_scan", "postgresql", 2),
        ("intake", "", 2),
        ("refunds", "", 2),
        ("footprint", "", 3),
    ],
)
def test_a_benchmark_measures_every_figure_it_has(name, workload, expected):
    figures = list(ALL[name](Options(tiny=True, workload=workload)))
    assert len(figures) == expected
    assert all(figure.value >= 0 and (figure.ratio is None or figure.ratio > 0) for figure in figures)


def test_a_bar_is_held_against_the_ratio_where_there_is_a_baseline():
    slower = Figure(name="a", value=40, unit="/s", baseline=100, at_least=0.5)
    late = Figure(name="b", value=40, unit="ms", at_most=100)
    assert (slower.ratio, slower.holds) == (0.4, False)
    assert (late.ratio, late.holds) == (None, True)
