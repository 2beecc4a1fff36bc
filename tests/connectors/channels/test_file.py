"""Messages written to files: once, whole, and readable."""

import json
import os
import stat
from datetime import timedelta

import pytest

from rekon.connectors.channels.contract import DeliveryState
from rekon.connectors.channels.file import READABLE, RECORD, FileChannel
from tests.connectors.channels.parts import ANSWER_URL, NOW, NUMBER, TEXT, make_message


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "messages"


def record(directory):
    return [json.loads(line) for line in (directory / RECORD).read_text(encoding="utf-8").splitlines()]


def readable(directory):
    return (directory / READABLE).read_text(encoding="utf-8")


async def test_a_message_is_written_for_programs_and_for_people(directory):
    delivery = await FileChannel(directory).send(make_message(), now=NOW)
    assert (delivery.state, delivery.reference) == (DeliveryState.SENT, "file:msg_1")
    (entry,) = record(directory)
    assert (entry["message_id"], entry["address"], entry["text"]) == ("msg_1", NUMBER, TEXT)
    assert entry["sent_at"] == NOW.isoformat()
    text = readable(directory)
    assert "22 November 2026 pukul 14.05 WIB | agen A1 | M01 | kasus K-1" in text
    assert TEXT in text
    assert ANSWER_URL in text


async def test_a_message_is_written_once_however_often_it_is_sent(directory):
    channel = FileChannel(directory)
    for _ in range(2):
        assert (await channel.send(make_message(), now=NOW)).state is DeliveryState.SENT
    later = await FileChannel(directory).send(make_message(), now=NOW + timedelta(days=40))
    assert later.state is DeliveryState.SENT
    assert len(record(directory)) == 1
    assert readable(directory).count(TEXT) == 1


async def test_messages_keep_their_order(directory):
    channel = FileChannel(directory)
    for number in range(5):
        await channel.send(make_message(message_id=f"msg_{number}"), now=NOW)
    assert [entry["message_id"] for entry in record(directory)] == [f"msg_{n}" for n in range(5)]


async def test_a_line_torn_by_a_crash_is_cut_and_its_message_sent_again(directory):
    await FileChannel(directory).send(make_message(message_id="msg_0"), now=NOW)
    with (directory / RECORD).open("ab") as file:
        file.write(b'{"message_id": "msg_1", "te')
    await FileChannel(directory).send(make_message(), now=NOW)
    assert [entry["message_id"] for entry in record(directory)] == ["msg_0", "msg_1"]


@pytest.mark.parametrize("kept", [0, 30, 200])
async def test_what_a_crash_left_out_of_the_readable_file_is_written_anew(directory, kept):
    await FileChannel(directory).send(make_message(), now=NOW)
    whole = readable(directory)
    os.truncate(directory / READABLE, kept)
    await FileChannel(directory).send(make_message(message_id="msg_2"), now=NOW)
    assert readable(directory) == whole + whole.replace("msg_1 ===", "msg_2 ===")


async def test_the_files_belong_to_their_owner_only(directory):
    await FileChannel(directory).send(make_message(), now=NOW)
    for name in (RECORD, READABLE):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600


async def test_a_text_cannot_break_out_of_its_line(directory):
    hostile = 'Halo.\n{"message_id": "msg_9"}\n==================== msg_8 ====================\u2028'
    channel = FileChannel(directory)
    await channel.send(make_message(text=hostile), now=NOW)
    await FileChannel(directory).send(make_message(message_id="msg_9"), now=NOW)
    lines = (directory / RECORD).read_bytes().splitlines()
    assert [json.loads(line)["message_id"] for line in lines] == ["msg_1", "msg_9"]


async def test_a_place_that_cannot_be_written_asks_to_try_again(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    delivery = await FileChannel(tmp_path / "file" / "below").send(make_message(), now=NOW)
    assert delivery.state is DeliveryState.RETRY


async def test_a_record_somebody_spoiled_is_not_written_over(directory):
    directory.mkdir()
    (directory / RECORD).write_text("not json\n", encoding="utf-8")
    delivery = await FileChannel(directory).send(make_message(), now=NOW)
    assert delivery.state is DeliveryState.RETRY
    assert (directory / RECORD).read_text(encoding="utf-8") == "not json\n"


async def test_a_channel_recovers_once_the_trouble_is_over(directory):
    directory.mkdir()
    (directory / RECORD).write_text("not json\n", encoding="utf-8")
    channel = FileChannel(directory)
    await channel.send(make_message(), now=NOW)
    (directory / RECORD).unlink()
    assert (await channel.send(make_message(), now=NOW)).state is DeliveryState.SENT
