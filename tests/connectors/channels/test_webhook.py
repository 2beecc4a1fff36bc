"""Messages to the operator's own receiver."""

import base64
import hashlib
import hmac
import json

import httpx
import pytest
import respx

from rekon.connectors.channels.contract import DeliveryState
from rekon.connectors.channels.webhook import WebhookChannel
from tests.connectors.channels.parts import ANSWER_URL, NOW, NUMBER, TEXT, client_of, make_message, served

URL = "http://inbox.test/messages"
KEY = b"0123456789abcdef01234567"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


async def send(router, message=None, **options):
    async with client_of(router) as client:
        return await WebhookChannel(client, url=URL, **options).send(message or make_message(), now=NOW)


async def test_a_message_is_posted_with_its_key():
    router = respx.MockRouter()
    route = router.post(URL).respond(200, json={"id": "in-7"})
    delivery = await send(router)
    request = route.calls[0].request
    assert request.headers["idempotency-key"] == "msg_1"
    assert "webhook-signature" not in request.headers
    assert json.loads(request.content) == {
        "message_id": "msg_1",
        "agent_id": "A1",
        "address": NUMBER,
        "template": "M01",
        "text": TEXT,
        "case_id": "K-1",
        "answer_url": ANSWER_URL,
    }
    assert (delivery.state, delivery.reference) == (DeliveryState.SENT, "in-7")


async def test_the_body_is_signed_when_there_is_a_secret():
    router = respx.MockRouter()
    route = router.post(URL).respond(200)
    await send(router, secrets=[SECRET])
    request = route.calls[0].request
    signed = b"msg_1." + str(int(NOW.timestamp())).encode() + b"." + request.content
    expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert request.headers["webhook-id"] == "msg_1"
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert request.headers["webhook-signature"] == f"v1,{expected}"


async def test_two_secrets_give_two_signatures_while_they_change():
    router = respx.MockRouter()
    route = router.post(URL).respond(200)
    await send(router, secrets=[SECRET, "a plain secret of enough bytes"])
    marks = route.calls[0].request.headers["webhook-signature"].split(" ")
    assert len(set(marks)) == 2
    assert all(mark.startswith("v1,") for mark in marks)


async def test_a_repeat_is_the_same_message_to_the_receiver():
    router = respx.MockRouter()
    route = router.post(URL).respond(503)
    for _ in range(2):
        await send(router)
    first, second = (call.request for call in route.calls)
    assert first.content == second.content
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, DeliveryState.SENT),
        (202, DeliveryState.SENT),
        (204, DeliveryState.SENT),
        (301, DeliveryState.REFUSED),
        (400, DeliveryState.REFUSED),
        (401, DeliveryState.REFUSED),
        (404, DeliveryState.REFUSED),
        (408, DeliveryState.RETRY),
        (409, DeliveryState.REFUSED),
        (429, DeliveryState.RETRY),
        (500, DeliveryState.RETRY),
        (503, DeliveryState.RETRY),
    ],
)
async def test_a_status_decides(status, state):
    router = respx.MockRouter()
    router.post(URL).respond(status)
    assert (await send(router)).state is state


async def test_a_busy_receiver_says_how_long_to_wait():
    router = respx.MockRouter()
    router.post(URL).respond(429, headers={"retry-after": "7"})
    assert (await send(router)).retry_after_seconds == 7


@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), httpx.ConnectError("down"), OSError("odd")])
async def test_no_answer_is_told_again_for_the_receiver_knows_the_key(error):
    router = respx.MockRouter()
    router.post(URL).mock(side_effect=error)
    assert (await send(router)).state is DeliveryState.RETRY


async def test_a_page_instead_of_an_answer_is_not_the_receivers_word():
    router = respx.MockRouter()
    router.post(URL).respond(200, html="<h1>Sedang dalam pemeliharaan</h1>")
    assert (await send(router)).state is DeliveryState.RETRY


async def test_a_real_receiver_hears_it():
    seen = []
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"id":"9"}'
    async with served(answer, seen=seen) as base, httpx.AsyncClient() as client:
        delivery = await WebhookChannel(client, url=f"{base}/messages").send(make_message(), now=NOW)
    assert delivery.reference == "9"
    assert seen[0].startswith(b"POST /messages HTTP/1.1")


@pytest.mark.parametrize(
    "secret", ["short", "whsec_" + base64.b64encode(b"short").decode(), "whsec_not base64 at all!"]
)
def test_a_weak_or_garbled_secret_is_refused_and_not_shown(secret):
    with pytest.raises(ValueError, match="webhook secret") as refused:
        WebhookChannel(httpx.AsyncClient(), url=URL, secrets=[secret])
    assert secret not in str(refused.value)


def test_the_channel_shows_no_secret():
    assert SECRET not in repr(WebhookChannel(httpx.AsyncClient(), url=URL, secrets=[SECRET]))
