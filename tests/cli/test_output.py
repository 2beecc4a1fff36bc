import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from rekon.cli import output
from rekon.domain.approval import Person, Role


def printed(capsys, value):
    output.write_json(value)
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 11, 22, 7, 5, tzinfo=UTC), "2026-11-22T07:05:00+00:00"),
        (date(2026, 11, 22), "2026-11-22"),
        (Role.SUPERVISOR, "penyelia"),
        (Decimal("12.50"), "12.50"),
        (Path("a/b"), "a/b"),
        (frozenset({2, 1}), [1, 2]),
        (
            Person(staff_id="s", name="n", role=Role.AUDITOR),
            {"staff_id": "s", "name": "n", "role": "auditor", "active": True},
        ),
    ],
)
def test_a_value_is_printed_as_plain_json(capsys, value, expected):
    assert printed(capsys, {"value": value}) == {"value": expected}


def test_a_value_nobody_thought_of_is_a_defect():
    with pytest.raises(TypeError, match="cannot print a object"):
        output.write_json(object())


def test_a_table_without_a_terminal_is_plain_columns(capsys):
    output.table(("A", "BERAPA"), [("x", 1), ("panjang", None)], empty="kosong")
    assert capsys.readouterr().out == "A        BERAPA\nx        1\npanjang  -\n"


def test_an_empty_table_says_so(capsys):
    output.table(("A",), [], empty="Tidak ada apa-apa.")
    assert capsys.readouterr().out == "Tidak ada apa-apa.\n"


class Terminal:
    """A stdout that is a terminal."""

    def __init__(self, inner):
        self._inner = inner

    def isatty(self):
        return True

    def __getattr__(self, name):
        return getattr(self._inner, name)


def test_a_table_in_a_terminal_is_drawn_and_takes_no_markup_from_data(capsys, monkeypatch):

    monkeypatch.setattr(sys, "stdout", Terminal(sys.stdout))
    output.table(("NAMA",), [("[red]Sari[/red]",)], empty="")
    shown = capsys.readouterr().out
    assert "[red]Sari[/red]" in shown
    assert "─" in shown


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\rb", "a\nb", "a\u202eb", "a\x00b"])
def test_control_characters_become_spaces(text):
    assert output.printable(text).isprintable()


def test_an_instant_is_written_in_wib():
    assert output.at(datetime(2026, 11, 22, 7, 5, 9, tzinfo=UTC)) == "2026-11-22 14.05.09 WIB"
    assert output.at(None) == "-"


def test_an_amount_is_written_as_staff_reads_it():
    assert output.money(50_600) == "Rp 50.600"
    assert output.money(None) == "-"
