"""Reading what Telegram posts: buttons and words, and everything that is neither."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekon.connectors.channels.telegram_updates import acknowledgement, button_data, read_update
from rekon.domain.answer import Answer

CHAT = {"id": 5001, "type": "private"}


def written(text, **changes):
    message = {"message_id": 90, "chat": CHAT, "from": {"id": 5001, "is_bot": False}, "text": text, **changes}
    return json.dumps({"update_id": 12, "message": message}).encode()


def pressed(data, *, chat=CHAT, **changes):
    query = {"id": "q-1", "data": data, "message": {"message_id": 77, "chat": chat}, **changes}
    return json.dumps({"update_id": 13, "callback_query": query}).encode()


@pytest.mark.parametrize("answer", list(Answer))
def test_a_pressed_button_is_an_answer(answer):
    read = read_update(pressed(button_data(answer, "pesan:T1001")))
    assert (read.update_id, read.chat_id, read.answer) == (13, "5001", answer)
    assert (read.message_id, read.telegram_message_id, read.text) == ("pesan:T1001", "77", "")


def test_a_pressed_button_is_acknowledged():
    read = read_update(pressed("YA:msg_1"))
    assert acknowledgement(read)["method"] == "answerCallbackQuery"
    assert acknowledgement(read)["callback_query_id"] == "q-1"
    assert acknowledgement(read_update(written("ya"))) is None


@pytest.mark.parametrize(
    ("text", "answer"), [("ya", Answer.YES), ("belum", Answer.NO), ("CEK.0812", None), ("ya tidak", None)]
)
def test_words_are_kept_with_the_answer_they_give(text, answer):
    read = read_update(written(text))
    assert (read.answer, read.text, read.chat_id, read.message_id) == (answer, text, "5001", "")


def test_a_reply_names_the_message_it_replies_to():
    read = read_update(written("ya", reply_to_message={"message_id": 77}))
    assert read.telegram_message_id == "77"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 60_000,
        b"{}",
        b'{"update_id": true, "message": {}}',
        b'{"update_id": 1}',
        b'{"update_id": 1, "message": []}',
        b'{"update_id": 1, "callback_query": {}}',
        written("   "),
        written(None),
        written("ya", chat={"id": 1, "type": "group"}),
        written("ya", chat={"id": "1", "type": "private"}),
        written("ya", chat=None),
        written("ya", **{"from": {"is_bot": True}}),
        json.dumps({"update_id": 1, "edited_message": {"chat": CHAT, "text": "ya"}}).encode(),
        json.dumps({"update_id": 1, "channel_post": {"chat": CHAT, "text": "ya"}}).encode(),
        pressed("YA"),
        pressed("YA:"),
        pressed("MUNGKIN:msg_1"),
        pressed(None),
        pressed("YA:msg_1", chat={"id": 1, "type": "group"}),
        pressed("YA:msg_1", message=None),
        written("ya" + " " * 70_000),
    ],
)
def test_what_is_no_private_answer_is_nothing(raw):
    assert read_update(raw) is None


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading(raw):
    assert read_update(raw) is None or read_update(raw).chat_id


def test_the_repr_shows_neither_chat_nor_words():
    assert "5001" not in repr(read_update(written("PIN saya 1234")))
    assert "1234" not in repr(read_update(written("PIN saya 1234")))
