"""Every requirement is listed once, and whatever is called done names the tests that show it."""

import ast
import csv
import re
from pathlib import Path

import pytest

from tests import house

HEADER = ["requirement", "title", "test", "status"]
STATUSES = {"done", "partly", "later"}
NODE = re.compile(r"(?P<file>tests/[\w./-]+\.py)::(?P<name>test_\w+|Test\w+::test_\w+)(?:\[[^\]]*\])?$")


def _rows() -> list[dict[str, str]]:
    with (house.ROOT / "docs" / "requirements.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_all_requirements_are_listed_once_and_in_order():
    rows = _rows()
    assert list(rows[0]) == HEADER
    assert [row["requirement"] for row in rows] == [f"R{number:03d}" for number in range(1, 177)]


def test_every_requirement_has_a_title_of_its_own():
    titles = [row["title"] for row in _rows()]
    assert all(title == title.strip() and len(title) > 10 for title in titles)
    assert len(set(titles)) == len(titles)


def test_every_status_is_one_of_three_words():
    assert {row["requirement"]: row["status"] for row in _rows() if row["status"] not in STATUSES} == {}


def test_what_is_done_names_tests_that_exist():
    wrong = {row["requirement"]: complaint for row in _rows() if (complaint := _complaint(row))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"status": "later", "test": ""}, ""),
        ({"status": "done", "test": ""}, "names no test"),
        ({"status": "partly", "test": "tests/no_such_file.py::test_x"}, "tests/no_such_file.py::test_x does not exist"),
        (
            {"status": "done", "test": "tests/test_requirements.py::test_nobody_wrote"},
            "tests/test_requirements.py::test_nobody_wrote does not exist",
        ),
        ({"status": "done", "test": "a promise"}, "a does not exist, promise does not exist"),
        (
            {"status": "done", "test": "tests/test_requirements.py::test_every_status_is_one_of_three_words"},
            "",
        ),
    ],
)
def test_a_row_that_promises_too_much_is_seen(row, complaint):
    assert _complaint(row) == complaint


def _complaint(row: dict[str, str]) -> str:
    nodes = re.split(r"[;\s]+", row["test"]) if row["test"] else []
    if not nodes and row["status"] != "later":
        return "names no test"
    return ", ".join(f"{node} does not exist" for node in nodes if not _exists(node))


def _exists(node: str) -> bool:
    match = NODE.match(node)
    return match is not None and match["name"] in _tests_in(house.ROOT / match["file"])


def _tests_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    module = house.tree(path)
    plain = {node.name for node in module.body if isinstance(node, house.Function)}
    inside = {
        f"{group.name}::{node.name}"
        for group in module.body
        if isinstance(group, ast.ClassDef)
        for node in group.body
        if isinstance(node, house.Function)
    }
    return plain | inside
