import json
import os
from datetime import datetime
from types import SimpleNamespace

import pytest

from rekon.sandbox import journal as journal_module
from rekon.sandbox.journal import Journal
from tests.sandbox.provider_calls import NOON


@pytest.fixture
def syncs(monkeypatch):
    calls = []

    def fsync(descriptor):
        calls.append(descriptor)
        os.fsync(descriptor)

    monkeypatch.setattr(journal_module, "os", SimpleNamespace(fsync=fsync))
    return calls


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


@pytest.fixture
def open_journal(path):
    opened = []

    def open_one():
        opened.append(Journal(path))
        return opened[-1]

    yield open_one
    for journal in opened:
        journal.close()


def test_a_row_holds_its_number_kind_instant_and_fields():
    journal = Journal(None)

    row = journal.append("order", NOON, ref_id="T1", price=10_000, due_at=NOON)

    assert row == {
        "seq": 1,
        "kind": "order",
        "at": "2026-03-10T05:00:00+00:00",
        "ref_id": "T1",
        "price": 10_000,
        "due_at": "2026-03-10T05:00:00+00:00",
    }


def test_rows_can_be_listed_by_kind():
    journal = Journal(None)
    journal.append("order", NOON, ref_id="T1")
    journal.append("state", NOON, ref_id="T1")
    journal.append("order", NOON, ref_id="T2")

    assert [row["ref_id"] for row in journal.rows("order")] == ["T1", "T2"]
    assert [row["seq"] for row in journal.rows()] == [1, 2, 3]
    assert journal.rows("nothing") == []


def test_the_list_of_rows_is_the_callers_own():
    journal = Journal(None)
    journal.append("order", NOON)

    journal.rows().clear()
    journal.rows("order").clear()

    assert len(journal.rows()) == len(journal.rows("order")) == 1


def test_every_append_reaches_the_disk_before_it_returns(path, open_journal, syncs):
    journal = open_journal()

    row = journal.append("order", NOON, ref_id="T1")

    assert [json.loads(line) for line in path.read_bytes().splitlines()] == [row]
    assert len(syncs) == 1


def test_a_batch_shares_one_sync_even_when_nested(open_journal, syncs):
    journal = open_journal()

    with journal.batch():
        journal.append("order", NOON)
        with journal.batch():
            journal.append("state", NOON)
        assert syncs == []

    assert len(syncs) == 1


def test_a_batch_that_breaks_still_keeps_what_it_wrote(open_journal, syncs):
    journal = open_journal()

    with pytest.raises(LookupError):
        _break_off(journal)

    assert len(syncs) == 1
    assert len(open_journal().rows()) == 1


def test_a_batch_without_rows_needs_no_sync(open_journal, syncs):
    journal = open_journal()

    with journal.batch():
        pass

    assert syncs == []


def test_an_existing_file_is_continued_and_never_rewritten(path, open_journal):
    first = open_journal()
    first.append("order", NOON, ref_id="T1")
    first.close()
    before = path.read_bytes()

    second = open_journal()
    row = second.append("order", NOON, ref_id="T2")
    second.close()

    assert row["seq"] == 2
    assert [entry["ref_id"] for entry in second.rows("order")] == ["T1", "T2"]
    assert path.read_bytes().startswith(before)


@pytest.mark.parametrize("tail", [b'{"seq": 2, "kind": "or', b"\xff\xfe"])
def test_a_torn_last_line_is_left_alone_and_counted(path, open_journal, tail):
    first = open_journal()
    first.append("order", NOON, ref_id="T1")
    first.close()
    path.write_bytes(path.read_bytes() + tail)

    second = open_journal()
    second.append("order", NOON, ref_id="T2")
    second.close()

    assert second.torn == 1
    assert [row["ref_id"] for row in open_journal().rows()] == ["T1", "T2"]
    assert tail in path.read_bytes()


def test_a_last_row_without_its_newline_is_kept_whole(path, open_journal):
    first = open_journal()
    first.append("order", NOON, ref_id="T1")
    first.close()
    path.write_bytes(path.read_bytes().rstrip(b"\n"))

    second = open_journal()
    second.append("order", NOON, ref_id="T2")
    second.close()

    assert second.torn == 0
    assert [row["ref_id"] for row in open_journal().rows()] == ["T1", "T2"]


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        Journal(None).append("order", datetime.fromisoformat("2026-03-10T05:00:00"))


def test_a_field_that_is_no_json_is_refused_and_leaves_no_row(path, open_journal):
    journal = open_journal()

    with pytest.raises(TypeError, match="set"):
        journal.append("order", NOON, refs={"T1"})

    assert journal.rows() == []
    assert path.read_bytes() == b""


def test_a_closed_journal_takes_no_more_rows(open_journal):
    journal = open_journal()
    journal.close()

    with pytest.raises(ValueError, match="closed"):
        journal.append("order", NOON)


def _break_off(journal):
    with journal.batch():
        journal.append("order", NOON)
        raise LookupError
