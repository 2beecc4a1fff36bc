"""TELL: every message leaves once, and what became of it is written down."""

from dataclasses import replace

import pytest
from starlette.responses import Response

from rekon.connectors.channels.contract import Delivery, DeliveryState, refused, retry, sent, unknown
from rekon.stages import tell
from rekon.store import messages, schema
from tests.journeys import plays
from tests.stages.bench import with_channel
from tests.store import filling


class Channel:
    """Gives these deliveries in turn, the last one for ever, and remembers what was sent."""

    name = "webhook"

    def __init__(self, *deliveries: Delivery) -> None:
        self._deliveries = list(deliveries)
        self.sent = []

    async def send(self, message, *, now):
        self.sent.append(message)
        return self._deliveries.pop(0) if len(self._deliveries) > 1 else self._deliveries[0]


@pytest.fixture
async def bench(set_up):
    bench = await set_up(plays.Play().story(minutes=600))
    bench.store.write(messages.add, filling.new_message(channel="webhook"), now=bench.now)
    return bench


async def work(bench, channel, *seconds):
    """Send what is due now and after each of these steps."""
    context = with_channel(bench.context, channel)
    await tell.work(context)
    for step in seconds:
        await bench.forward(step)
        await tell.work(context)
    return bench.one(schema.messages)


async def test_a_message_leaves_once(bench):
    channel = Channel(sent("abc"))
    row = await work(bench, channel, 60, 3600)
    assert (row["state"], row["reference"], row["due_at"]) == ("sent", "abc", None)
    assert len(channel.sent) == 1


async def test_a_message_that_did_not_leave_is_tried_again_more_and_more_slowly(bench):
    channel = Channel(retry("belum siap"))
    waits = []
    context = with_channel(bench.context, channel)
    for _ in range(5):
        await tell.work(context)
        wait = (bench.one(schema.messages)["due_at"] - bench.now).total_seconds()
        waits.append(wait)
        await bench.forward(wait)
    assert waits == [5, 10, 20, 40, 80]
    assert len({message.message_id for message in channel.sent}) == 1


async def test_the_channel_says_how_long_to_wait(bench):
    row = await work(bench, Channel(retry("pelan", after_seconds=300)))
    assert (row["due_at"] - bench.now).total_seconds() == 300


async def test_it_leaves_in_the_end(bench):
    channel = Channel(retry("x"), retry("x"), sent("ya"))
    row = await work(bench, channel, 5, 10)
    assert (row["state"], row["attempts"]) == ("sent", 3)


@pytest.mark.parametrize("delivery", [refused("nomor salah"), unknown("tidak jelas")])
async def test_a_refused_or_unclear_message_is_not_sent_again(bench, delivery):
    channel = Channel(delivery)
    row = await work(bench, channel, 60, 3600)
    assert (row["state"], row["note"], row["due_at"]) == ("unsent", delivery.note, None)
    assert len(channel.sent) == 1


async def test_tries_have_an_end(bench):
    channel = Channel(retry("mati"))
    row = await work(bench, channel, *[900] * 12)
    assert (row["state"], len(channel.sent)) == ("unsent", 10)


async def test_a_channel_that_is_not_configured_sends_nothing(bench):
    bench.store.write(messages.add, filling.new_message(event="other", channel="merpati"), now=bench.now)
    await work_all(bench, Channel(sent()))
    row = bench.one(schema.messages, event="other")
    assert (row["state"], row["note"]) == ("unsent", "saluran merpati tidak diatur")


async def work_all(bench, channel):
    await tell.work(with_channel(bench.context, channel))


async def test_a_crash_after_sending_repeats_the_same_message_id(bench):
    until = bench.now + tell.LEASE
    bench.store.write(messages.claim_due, now=bench.now, limit=9, lease="dead", lease_until=until)
    channel = Channel(sent())
    assert (await work(bench, channel))["state"] == "waiting"
    row = await work(bench, channel, tell.LEASE.total_seconds())
    assert (row["state"], [message.message_id for message in channel.sent]) == ("sent", [row["message_id"]])


async def test_who_lost_the_lease_writes_nothing(bench):
    until = bench.now + tell.LEASE
    claimed = bench.store.write(messages.claim_due, now=bench.now, limit=9, lease="slow", lease_until=until)
    await bench.forward(tell.LEASE.total_seconds())
    bench.store.write(messages.claim_due, now=bench.now, limit=9, lease="quick", lease_until=bench.now + tell.LEASE)
    bench.store.write(tell.record, rows=claimed, deliveries=[sent("alt")], lease="slow", now=bench.now)
    row = bench.one(schema.messages)
    assert (row["state"], row["reference"]) == ("waiting", "")


async def test_one_message_that_fails_does_not_hold_the_others_back(bench):
    for number in range(3):
        bench.store.write(messages.add, filling.new_message(event=f"e{number}", channel="webhook"), now=bench.now)
    await work_all(bench, Channel(retry("x"), sent(), sent(), sent()))
    assert sorted(row["state"] for row in bench.rows(schema.messages)) == ["sent", "sent", "sent", "waiting"]


async def test_the_text_reaches_the_receiver_over_http(bench):
    await tell.work(bench.context)
    row = bench.one(schema.messages)
    assert row["state"] == "sent"
    (kept,) = bench.world.journals["inbox"].rows("message")
    assert (kept["key"], kept["template"]) == (row["message_id"], "M02")


async def test_a_receiver_that_answered_nothing_is_told_again_and_keeps_it_once(bench):
    broken = iter([Response(status_code=502)])
    bench.tampering.instead = {"POST /messages": lambda _: next(broken, None)}
    await tell.work(bench.context)
    assert bench.one(schema.messages)["state"] == "waiting"
    await bench.forward(60)
    await tell.work(bench.context)
    assert bench.one(schema.messages)["state"] == "sent"
    assert len(bench.world.journals["inbox"].rows("message")) == 1


def test_states_of_a_delivery_are_all_known():
    assert set(DeliveryState) == {"sent", "refused", "retry", "unknown"}


async def test_a_context_without_channels_is_no_crash(bench):
    empty = replace(bench.context, connectors=replace(bench.context.connectors, channels={}))
    await tell.work(empty)
    assert bench.one(schema.messages)["state"] == "unsent"
