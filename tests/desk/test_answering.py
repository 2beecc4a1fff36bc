import json

import pytest

from rekon.domain.answer import sign_answer_token
from rekon.store import messages, schema
from tests.desk import counter
from tests.desk.counter import ANSWERS, NOW, TELEGRAM
from tests.store import filling

CHAT = 4711


@pytest.fixture
def asked(desk):
    """Tell an agent something that ends in a question, and give the address of his answer."""
    message = filling.new_message(case_id=None, address=str(CHAT), text="Apakah <b>saldo</b> sudah terlihat?")
    desk.store.write(messages.add, message, now=NOW)
    filling_agent(desk)
    return messages.message_id(message.event)


def filling_agent(desk):
    desk.push("agents", {"agent_id": "A01", "name": "Sari", "zone": "WIB"})


def link(identity, secret=ANSWERS):
    return f"/answers/{sign_answer_token(identity, secret)}"


def answers(desk):
    return [(row["message_id"], row["answer"], row["state"]) for row in desk.rows(schema.answers)]


def test_opening_the_link_shows_the_question_and_changes_nothing(desk, asked):
    for _ in range(3):
        page = desk.client.get(link(asked))
    assert page.status_code == 200
    assert "Apakah &lt;b&gt;saldo&lt;/b&gt; sudah terlihat?" in page.text
    assert answers(desk) == []
    assert desk.one(schema.agents)["last_inbound_at"] is None


@pytest.mark.parametrize("word", ["YA", "TIDAK"])
def test_an_answer_is_kept_once_and_the_first_one_counts(desk, asked, word):
    other = {"YA": "TIDAK", "TIDAK": "YA"}[word]
    for said in (word, other, word):
        assert desk.client.post(link(asked), data={"answer": said}).status_code == 200
    assert answers(desk) == [(asked, word, "new")]
    assert desk.one(schema.agents)["last_inbound_at"] == NOW


@pytest.mark.parametrize("said", ["", "ya", "MUNGKIN", "YA TIDAK"])
def test_another_word_is_no_answer(desk, asked, said):
    assert desk.client.post(link(asked), data={"answer": said}).status_code == 422
    assert answers(desk) == []


def test_no_word_is_no_answer(desk, asked):
    assert desk.client.post(link(asked)).status_code == 422
    assert answers(desk) == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_forged_link_is_not_known(desk, asked, method):
    token = sign_answer_token(asked, ANSWERS)
    forged = [
        link(asked, b"another-secret-0123456789abcdef"),
        link("msg_lain"),
        f"/answers/{token[:-1]}",
        f"/answers/{token[:-1]}{'A' if token[-1] != 'A' else 'B'}",
        f"/answers/{asked}",
        f"/answers/{token.upper()}",
    ]
    more = {"data": {"answer": "YA"}} if method == "post" else {}
    for address in forged:
        assert desk.client.request(method, address, **more).status_code == 404
    assert answers(desk) == []


def test_an_endless_answer_is_refused(desk, asked):
    answer = desk.client.post(link(asked), data={"answer": "Y" * 70_000})
    assert answer.status_code == 413
    assert answers(desk) == []


# Telegram.


def pressed(identity, chat=CHAT, word="YA", kind="private"):
    return {
        "update_id": 1,
        "callback_query": {
            "id": "77",
            "data": f"{word}:{identity}",
            "message": {"message_id": 5, "chat": {"id": chat, "type": kind}},
        },
    }


def written(text, chat=CHAT):
    return {"update_id": 2, "message": {"message_id": 6, "text": text, "chat": {"id": chat, "type": "private"}}}


def update(desk, document, token=TELEGRAM):
    return desk.client.post(f"/telegram/{token}", content=json.dumps(document).encode())


@pytest.fixture
def sent(desk, asked):
    rows = desk.store.write(messages.claim_due, now=NOW, limit=9, lease="x", lease_until=NOW)
    desk.store.write(messages.record, rows[0], lease="x", state="sent", due_at=None, sent_at=NOW)
    return asked


def test_a_pressed_button_answers_and_stops_waiting(desk, sent):
    answer = update(desk, pressed(sent))
    assert answer.json()["method"] == "answerCallbackQuery"
    assert answers(desk) == [(sent, "YA", "new")]


def test_plain_words_answer_the_newest_question_of_that_chat(desk, sent):
    assert update(desk, written("tidak")).status_code == 200
    assert answers(desk) == [(sent, "TIDAK", "new")]


@pytest.mark.parametrize(
    "document",
    [
        pressed("PESAN", chat=CHAT + 1),
        pressed("PESAN", kind="group"),
        pressed("msg_lain"),
        written("ya", chat=CHAT + 1),
        written("apa ini?"),
        {"update_id": 3},
        [],
        "ya",
        None,
    ],
)
def test_words_from_another_chat_or_without_a_clear_answer_change_nothing(desk, sent, document):
    said = json.loads(json.dumps(document).replace("PESAN", sent))
    assert update(desk, said).status_code == 200
    assert answers(desk) == []


@pytest.mark.parametrize("token", ["x", TELEGRAM[:-1], "é"])
def test_telegrams_address_must_be_exactly_the_configured_one(desk, sent, token):
    assert update(desk, pressed(sent), token=token).status_code == 404
    assert answers(desk) == []


def test_without_a_telegram_token_there_is_no_such_address(store, board, client):
    desk = counter.open_counter(store, board, client, telegram_token="")
    assert update(desk, {"update_id": 1}, token="").status_code == 404
    assert update(desk, {"update_id": 1}, token="x").status_code == 404


def test_a_message_that_never_left_cannot_be_answered_by_chat(desk, asked):
    assert update(desk, pressed(asked)).status_code == 200
    assert answers(desk) == []
