from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest

from rekon.sandbox.agenda import Agenda
from rekon.sandbox.app import create_app
from rekon.sandbox.inbox import Inbox
from rekon.sandbox.journal import Journal
from tests.sandbox.played import Door, message, small_story, world_of
from tests.sandbox.provider_calls import NOON, later

LINK = "http://127.0.0.1:8750/answers/rahasia-sekali?v=1"


@pytest.fixture
def agenda():
    return Agenda()


@pytest.fixture
def sent():
    return []


@pytest.fixture
def journal():
    return Journal(None)


@pytest.fixture
def inbox(agenda, sent, journal):
    return Inbox(seed=1, journal=journal, agenda=agenda, send=sent.append)


def apologies(count):
    return [
        message(template="M06", agent_id=f"T{n:03d}", case_id=f"case_{n}", message_id=f"m{n}", answer_url=LINK)
        for n in range(count)
    ]


def test_a_message_is_kept_once_per_key(inbox, journal):
    ids = [inbox.receive("msg_1", message(), at=later(s)) for s in (0, 5, 9)]
    assert ids == ["inb-000001"] * 3
    assert len(journal.rows("message")) == 1
    assert len(journal.rows("repeated")) == 2


def test_another_key_is_another_message(inbox, journal):
    assert inbox.receive("msg_1", message(), at=NOON) != inbox.receive("msg_2", message(), at=NOON)
    assert len(journal.rows("message")) == 2


@pytest.mark.parametrize("missing", ["message_id", "agent_id", "address", "template", "text"])
def test_a_message_without_a_field_is_refused(inbox, journal, missing):
    assert inbox.receive("msg_1", message(**{missing: ""}), at=NOON) is None
    assert journal.rows() == []


def test_a_message_without_a_key_is_refused(inbox):
    assert inbox.receive("", message(), at=NOON) is None


def test_most_agents_answer_yes_to_an_apology_and_a_few_answer_no(inbox, agenda, sent):
    for text in apologies(200):
        inbox.receive(text["message_id"], text, at=NOON)
    agenda.play(later(3600))
    answers = [parse_qs(parcel.call.content.decode())["answer"][0] for parcel in sent]

    assert 120 < answers.count("YA") < 180
    assert 5 < answers.count("TIDAK") < 40
    assert len(answers) < 200


def test_answers_take_some_minutes(inbox, agenda):
    for text in apologies(50):
        inbox.receive(text["message_id"], text, at=NOON)
    assert agenda.next_at() >= NOON + timedelta(minutes=2)


def test_the_same_agents_answer_whenever_the_story_is_told(inbox, agenda, sent):
    for text in apologies(20):
        inbox.receive(text["message_id"], text, at=NOON)
    agenda.play(later(3600))
    again_agenda, again = Agenda(), []
    second = Inbox(seed=1, journal=Journal(None), agenda=again_agenda, send=again.append)
    for text in reversed(apologies(20)):
        second.receive(text["message_id"], text | {"message_id": "other" + text["message_id"]}, at=NOON)
    again_agenda.play(later(3600))

    def told(parcels):
        return sorted((parcel.facts["agent_id"], parcel.facts["answer"], parcel.at) for parcel in parcels)

    assert told(sent) == told(again)


def test_nobody_answers_a_message_without_a_link(inbox, agenda):
    for text in apologies(20):
        inbox.receive(text["message_id"], text | {"answer_url": ""}, at=NOON)
    assert agenda.next_at() is None


def test_an_answer_goes_to_the_path_of_its_link_only(inbox, agenda, sent):
    for text in apologies(20):
        inbox.receive(
            text["message_id"], text | {"answer_url": LINK.replace("127.0.0.1:8750", "jahat.example")}, at=NOON
        )
    agenda.play(later(3600))
    assert {(parcel.call.path, parcel.call.query) for parcel in sent} == {("/answers/rahasia-sekali", "v=1")}


def test_neither_links_nor_texts_are_journalled(inbox, agenda, journal):
    for text in apologies(20):
        inbox.receive(text["message_id"], text | {"text": "Halo 081234567890"}, at=NOON)
    agenda.play(later(3600))
    written = str(journal.rows())
    assert "rahasia-sekali" not in written
    assert "081234567890" not in written


async def test_an_answer_is_kept_while_rekon_is_away():
    door = Door()
    world, clock = world_of(small_story(hours=0.5), door)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(world, clock)), base_url="http://sandbox")
    for text in apologies(10):
        said = await client.post("/messages", json=text, headers={"Idempotency-Key": text["message_id"]})
        assert said.json()["id"].startswith("inb-")
    door.is_open = False
    for _ in range(5):
        await clock.grant(None)
    door.is_open = True
    while not (await clock.grant(None)).done:
        pass
    answered = [call for call in door.calls if call.path.startswith("/answers/")]
    assert len(answered) == len(world.journals["inbox"].rows("answer")) > 3


async def test_a_message_over_http_needs_its_key():
    world, clock = world_of(small_story())
    client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(world, clock)), base_url="http://sandbox")
    assert (await client.post("/messages", json=message())).status_code == 422
