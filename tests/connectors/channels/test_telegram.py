"""Messages through a Telegram bot."""

import json
import logging

import httpx
import pytest
import respx

from rekon.connectors.channels.contract import DeliveryState
from rekon.connectors.channels.telegram import TelegramChannel
from rekon.connectors.channels.telegram_updates import read_update
from rekon.domain.answer import Answer
from tests.connectors.channels.parts import ANSWER_URL, NOW, TEXT, client_of, make_message, served

TOKEN = "123456789:AAexampleexampleexampleexample0001"
BASE = "http://telegram.test"
URL = f"{BASE}/bot{TOKEN}/sendMessage"
OK = {"ok": True, "result": {"message_id": 77, "chat": {"id": 5001, "type": "private"}}}


async def send(router, **changes):
    async with client_of(router) as client:
        channel = TelegramChannel(client, token=TOKEN, base_url=BASE)
        return await channel.send(make_message(**{"address": "5001", **changes}), now=NOW)


async def send_against(status, **response):
    router = respx.MockRouter()
    router.post(URL).respond(status, **response)
    return await send(router)


async def test_a_message_is_sent_with_two_buttons():
    router = respx.MockRouter()
    route = router.post(URL).respond(200, json=OK)
    delivery = await send(router)
    body = json.loads(route.calls[0].request.content)
    assert (delivery.state, delivery.reference) == (DeliveryState.SENT, "77")
    assert (body["chat_id"], body["text"]) == (5001, TEXT)
    (row,) = body["reply_markup"]["inline_keyboard"]
    assert [button["text"] for button in row] == ["YA", "TIDAK"]
    assert ANSWER_URL not in json.dumps(body)


async def test_a_pressed_button_comes_back_as_the_answer_to_this_message():
    router = respx.MockRouter()
    route = router.post(URL).respond(200, json=OK)
    await send(router)
    row = json.loads(route.calls[0].request.content)["reply_markup"]["inline_keyboard"][0]
    for button, answer in zip(row, (Answer.YES, Answer.NO), strict=True):
        query = {"id": "q", "data": button["callback_data"], "message": OK["result"]}
        read = read_update(json.dumps({"update_id": 1, "callback_query": query}).encode())
        assert (read.answer, read.message_id, read.telegram_message_id) == (answer, "msg_1", "77")


async def test_an_id_too_long_for_a_button_leaves_the_link_in_the_text():
    router = respx.MockRouter()
    route = router.post(URL).respond(200, json=OK)
    await send(router, message_id="m" * 60)
    body = json.loads(route.calls[0].request.content)
    assert "reply_markup" not in body
    assert ANSWER_URL in body["text"]


async def test_the_longest_usual_id_still_fits_a_button():
    router = respx.MockRouter()
    route = router.post(URL).respond(200, json=OK)
    await send(router, message_id="msg_" + "0" * 36)
    assert "reply_markup" in json.loads(route.calls[0].request.content)


async def test_telegram_says_how_long_to_wait():
    error = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 17}}
    delivery = await send_against(429, json=error)
    assert (delivery.state, delivery.retry_after_seconds) == (DeliveryState.RETRY, 17)


@pytest.mark.parametrize(("asked", "seconds"), [(0, 1), (10**9, 3_600), (-3, 1), ("x", 60), (None, 60), (True, 60)])
async def test_an_absurd_wait_is_held_within_bounds(asked, seconds):
    delivery = await send_against(429, json={"ok": False, "parameters": {"retry_after": asked}})
    assert delivery.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}, DeliveryState.REFUSED),
        (403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked"}, DeliveryState.REFUSED),
        (401, {"ok": False, "error_code": 401, "description": "Unauthorized"}, DeliveryState.RETRY),
        (404, {"ok": False, "error_code": 404, "description": "Not Found"}, DeliveryState.RETRY),
        (403, {"blocked": "by a proxy"}, DeliveryState.RETRY),
        (302, {}, DeliveryState.RETRY),
        (500, {"ok": False}, DeliveryState.UNKNOWN),
        (502, {}, DeliveryState.UNKNOWN),
        (200, {"ok": False}, DeliveryState.UNKNOWN),
        (200, {"ok": True}, DeliveryState.UNKNOWN),
        (200, {"ok": "true", "result": {"message_id": 7}}, DeliveryState.UNKNOWN),
        (200, [], DeliveryState.UNKNOWN),
    ],
)
async def test_an_answer_decides(status, body, state):
    assert (await send_against(status, json=body)).state is state


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (httpx.ConnectError("down"), DeliveryState.RETRY),
        (httpx.ConnectTimeout("slow"), DeliveryState.RETRY),
        (httpx.ReadTimeout("slow"), DeliveryState.UNKNOWN),
        (httpx.RemoteProtocolError("garbled"), DeliveryState.UNKNOWN),
    ],
)
async def test_only_a_send_that_never_left_is_told_again(error, state):
    router = respx.MockRouter()
    router.post(URL).mock(side_effect=error)
    assert (await send(router)).state is state


@pytest.mark.parametrize("address", ["", "081234567890x", "@saluran", "50 01", "1" * 30])
async def test_an_address_that_is_no_chat_is_refused_before_anything_leaves(address):
    router = respx.MockRouter(assert_all_called=False)
    route = router.post(URL)
    assert (await send(router, address=address)).state is DeliveryState.REFUSED
    assert not route.called


async def test_the_token_is_nowhere_but_in_the_request(caplog):
    caplog.set_level(logging.DEBUG)
    seen = []
    fault = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
    async with served(fault, seen=seen) as base, httpx.AsyncClient() as client:
        channel = TelegramChannel(client, token=TOKEN, base_url=base)
        delivery = await channel.send(make_message(address="5001"), now=NOW)
    assert TOKEN.encode() in seen[0]
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(delivery) + repr(channel)


@pytest.mark.parametrize("token", ["", "abc", "123456789:short", f"{TOKEN}/../x", f"{TOKEN} "])
def test_a_token_that_is_none_is_refused_and_not_shown(token):
    with pytest.raises(ValueError, match="Telegram bot token") as refused:
        TelegramChannel(httpx.AsyncClient(), token=token)
    assert not token or token not in str(refused.value)
