from datetime import timedelta

import pytest

from rekon.domain.books import Agent
from rekon.store import books, messages, schema
from tests import builders
from tests.store import filling

T0 = builders.T0
UNTIL = builders.at(seconds=60)
LATER = builders.at(minutes=5)


@pytest.fixture
def case_id(store):
    return filling.case(store, filling.order(store))


def _add(store, *, now=T0, **more):
    return store.write(messages.add, filling.new_message(**more), now=now)


def _claim(store, *, now=T0, lease="mine", until=UNTIL, limit=10):
    return store.write(messages.claim_due, now=now, limit=limit, lease=lease, lease_until=until)


def _sent(store, *, event, now, **more):
    _add(store, event=event, now=now, **more)
    (row,) = _claim(store, now=now, until=builders.at(hours=9))
    assert store.write(messages.record, row, lease="mine", state="sent", due_at=None, sent_at=now)
    return row["message_id"]


def test_an_event_is_told_once(store):
    assert _add(store)
    assert not _add(store, text="lain", now=LATER)
    row = filling.one(store, schema.messages)
    assert (row["message_id"], row["state"], row["due_at"]) == (messages.message_id(row["event"]), "waiting", T0)
    assert row["variables"] == [["nama_agen", "Sari"]]


def test_another_event_is_another_message(store):
    assert _add(store, event="a")
    assert _add(store, event="b")
    assert len(filling.rows(store, schema.messages)) == 2


def test_a_waiting_message_is_claimed_once_oldest_first(store):
    for number in (2, 1, 0):
        _add(store, event=f"e{number}", now=builders.at(seconds=number))
    first = _claim(store, now=UNTIL, limit=2, until=LATER)
    assert [row["event"] for row in first] == ["e0", "e1"]
    assert [row["event"] for row in _claim(store, now=UNTIL, lease="other", until=LATER)] == ["e2"]
    assert {row["attempts"] for row in filling.rows(store, schema.messages)} == {1}


def test_only_the_one_who_claimed_a_message_writes_what_became_of_it(store):
    _add(store)
    (row,) = _claim(store)
    assert not store.write(messages.record, row, lease="other", state="sent", due_at=None)
    assert store.write(messages.record, row, lease="mine", due_at=LATER, note="sibuk" * 100)
    waiting = filling.one(store, schema.messages)
    assert (waiting["state"], waiting["due_at"], waiting["lease"], len(waiting["note"])) == (
        "waiting",
        LATER,
        None,
        300,
    )


def test_the_next_message_is_the_smallest_due_time(store):
    assert filling.due_at(store, "tell") is None
    _sent(store, event="old", now=T0)
    assert filling.due_at(store, "tell") is None
    _add(store, event="new", now=LATER)
    assert filling.due_at(store, "tell") == LATER


def test_news_keeps_an_open_promise(store, case_id):
    _add(store, event="a", case_id=case_id, promise_at=LATER)
    _add(store, event="b", case_id=case_id, now=LATER)
    promise = filling.one(store, schema.promises)
    assert (promise["state"], promise["settled_at"]) == ("kept", LATER)


def test_news_that_is_late_keeps_nothing(store, case_id):
    _add(store, event="a", case_id=case_id, promise_at=UNTIL)
    _add(store, event="b", case_id=case_id, now=LATER, promise_at=builders.at(hours=1))
    assert [row["state"] for row in sorted(filling.rows(store, schema.promises), key=lambda row: row["due_at"])] == [
        "open",
        "open",
    ]


def test_a_repeated_event_promises_nothing_again(store, case_id):
    _add(store, event="a", case_id=case_id, promise_at=LATER)
    _add(store, event="a", case_id=case_id, promise_at=builders.at(hours=1))
    assert filling.one(store, schema.promises)["due_at"] == LATER


def test_a_promise_is_broken_just_after_its_minute(store, case_id):
    _add(store, event="a", case_id=case_id, promise_at=LATER)
    over = LATER + messages.PROMISE_GRACE
    assert store.read(messages.due_promises, now=over, limit=5) == []
    broken_at = filling.due_at(store, "follow_up")
    assert over < broken_at < over + timedelta(seconds=1)
    (promise,) = store.read(messages.due_promises, now=broken_at, limit=5)
    settle = {"state": "broken", "now": broken_at}
    assert store.write(messages.settle_promise, promise["promise_id"], **settle)
    assert not store.write(messages.settle_promise, promise["promise_id"], **settle)
    assert filling.due_at(store, "follow_up") is None


def test_news_within_the_promised_minute_keeps_the_promise(store, case_id):
    _add(store, event="a", case_id=case_id, promise_at=LATER)
    in_time, too_late = LATER + messages.PROMISE_GRACE, LATER + 2 * messages.PROMISE_GRACE
    _add(store, event="b", case_id=case_id, promise_at=in_time, now=in_time)
    assert store.read(messages.due_promises, now=too_late, limit=5) == []
    (first, second) = filling.rows(store, schema.promises)
    assert {first["state"], second["state"]} == {"kept", "open"}


def test_the_first_answer_counts(store):
    store.write(books.record_agents, [Agent(agent_id="A01", name="Sari")])
    identity = _sent(store, event="a", now=T0)
    assert store.write(messages.record_answer, identity, answer="YA", now=LATER)
    assert not store.write(messages.record_answer, identity, answer="TIDAK", now=LATER)
    (answer,) = store.read(messages.new_answers, limit=5)
    assert (answer["answer"], answer["at"], answer["template"]) == ("YA", LATER, "M02")
    assert store.read(messages.last_inbound, "A01") == LATER
    store.write(messages.mark_answer, identity)
    assert store.read(messages.new_answers, limit=5) == []


def test_an_answer_to_no_message_is_nothing(store):
    assert not store.write(messages.record_answer, "msg_none", answer="YA", now=T0)
    assert filling.rows(store, schema.answers) == []


def test_a_chat_answers_only_what_was_sent_to_it(store):
    first = _sent(store, event="a", now=T0, address="chat-1")
    newest = _sent(store, event="b", now=LATER, address="chat-1")
    other = _sent(store, event="c", now=LATER, address="chat-2")
    assert store.read(messages.asked_in_chat, "chat-1", "")["message_id"] == newest
    assert store.read(messages.asked_in_chat, "chat-1", first)["message_id"] == first
    assert store.read(messages.asked_in_chat, "chat-1", other) is None


def test_an_agent_sees_what_he_was_told_newest_first(store):
    _add(store, event="a", now=T0)
    _add(store, event="b", now=LATER)
    _add(store, event="c", audience="operator")
    assert [row["event"] for row in store.read(messages.alerts, "A01")] == ["b", "a"]
    assert store.read(messages.find, messages.message_id("a"))["event"] == "a"
