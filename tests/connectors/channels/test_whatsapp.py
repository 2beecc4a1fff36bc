"""Messages through the WhatsApp Cloud API."""

import json
from datetime import timedelta

import httpx
import pytest
import respx

from rekon.connectors.channels.contract import DeliveryState
from rekon.connectors.channels.whatsapp import ApprovedTemplate, WhatsAppChannel
from tests.connectors.channels.parts import ANSWER_URL, NOW, NUMBER, TEXT, client_of, make_message

TOKEN = "EAA-rahasia-token"
BASE = "http://graph.test"
URL = f"{BASE}/v23.0/1065/messages"
OK = {"messaging_product": "whatsapp", "messages": [{"id": "wamid.HBgM"}]}
APPROVED = {
    "M01": ApprovedTemplate(name="gagal_saldo_kembali"),
    "M01.cancelled": ApprovedTemplate(name="dibatalkan", variables=("jumlah", "nama_agen")),
    "M02": ApprovedTemplate(name="diproses", variables=("jam_kabar",)),
}
INSIDE = NOW - timedelta(hours=23)


def failed(code):
    return {"error": {"message": "(#1) text with 6281234567890", "type": "OAuthException", "code": code}}


async def send(router, **changes):
    async with client_of(router) as client:
        channel = WhatsAppChannel(
            client, token=TOKEN, phone_number_id="1065", approved=APPROVED, base_url=BASE, version="v23.0"
        )
        return await channel.send(make_message(**changes), now=NOW)


async def bodies_of(*answers, **changes):
    router = respx.MockRouter()
    route = router.post(URL)
    route.side_effect = [httpx.Response(status, json=body) for status, body in answers]
    delivery = await send(router, **changes)
    return delivery, [json.loads(call.request.content) for call in route.calls], route


async def test_inside_the_window_the_text_itself_goes():
    delivery, (body,), route = await bodies_of((200, OK), last_inbound_at=INSIDE)
    assert (delivery.state, delivery.reference) == (DeliveryState.SENT, "wamid.HBgM")
    assert (body["type"], body["to"]) == ("text", "6281234567890")
    assert body["text"]["body"] == f"{TEXT}\n\nYA / TIDAK: {ANSWER_URL}"
    assert body["biz_opaque_callback_data"] == "msg_1"
    assert route.calls[0].request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("last", [None, NOW - timedelta(hours=24), NOW - timedelta(hours=23, minutes=57)])
async def test_outside_the_window_an_approved_template_goes(last):
    _, (body,), _ = await bodies_of((200, OK), last_inbound_at=last)
    assert body["type"] == "template"
    assert (body["template"]["name"], body["template"]["language"]) == ("gagal_saldo_kembali", {"code": "id"})
    (component,) = body["template"]["components"]
    assert [p["text"] for p in component["parameters"]] == ["Andi Cell", "Telkomsel 50.000", "Rp 50.600"]


async def test_a_variant_has_its_own_template_with_its_own_order():
    _, (body,), _ = await bodies_of((200, OK), variant="cancelled")
    assert body["template"]["name"] == "dibatalkan"
    assert [p["text"] for p in body["template"]["components"][0]["parameters"]] == ["Rp 50.600", "Andi Cell"]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"template": "M99"}, "M99.standard"),
        ({"variant": "balance_unknown"}, "M01.balance_unknown"),
        ({"template": "M02"}, "jam_kabar"),
        ({"address": "02112345678"}, "bukan nomor seluler"),
        ({"address": ""}, "bukan nomor seluler"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_anything_leaves(changes, note):
    delivery, bodies, _ = await bodies_of(**changes)
    assert (delivery.state, bodies) == (DeliveryState.REFUSED, [])
    assert note in delivery.note


@pytest.mark.parametrize("address", ["+62 812-3456-7890", "6281234567890", "081234567890", "81234567890"])
async def test_every_spelling_of_a_number_is_the_same_reader(address):
    _, (body,), _ = await bodies_of((200, OK), address=address)
    assert body["to"] == "6281234567890"


async def test_a_window_that_closed_meanwhile_sends_the_template_at_once():
    delivery, bodies, _ = await bodies_of((400, failed(131_047)), (200, OK), last_inbound_at=INSIDE)
    assert [body["type"] for body in bodies] == ["text", "template"]
    assert delivery.state is DeliveryState.SENT


async def test_a_closed_window_without_a_template_is_refused():
    delivery, bodies, _ = await bodies_of((400, failed(131_047)), last_inbound_at=INSIDE, template="M99")
    assert (delivery.state, len(bodies)) == (DeliveryState.REFUSED, 1)


@pytest.mark.parametrize(
    ("status", "body", "state", "seconds"),
    [
        (400, failed(131_056), DeliveryState.RETRY, 60),
        (429, failed(130_429), DeliveryState.RETRY, 60),
        (400, failed(80_007), DeliveryState.RETRY, 60),
        (503, failed(131_016), DeliveryState.RETRY, 60),
        (429, failed(999), DeliveryState.RETRY, 60),
        (401, failed(190), DeliveryState.RETRY, 3_600),
        (403, failed(10), DeliveryState.RETRY, 3_600),
        (400, failed(200), DeliveryState.RETRY, 3_600),
        (403, failed(131_031), DeliveryState.RETRY, 3_600),
        (400, failed(131_048), DeliveryState.RETRY, 3_600),
        (400, failed(131_026), DeliveryState.REFUSED, None),
        (404, failed(132_001), DeliveryState.REFUSED, None),
        (400, failed(132_000), DeliveryState.REFUSED, None),
        (400, failed(100), DeliveryState.REFUSED, None),
        (500, failed(1), DeliveryState.UNKNOWN, None),
        (500, failed(7), DeliveryState.UNKNOWN, None),
        (502, {}, DeliveryState.UNKNOWN, None),
        (403, {"proxy": "no"}, DeliveryState.RETRY, 60),
        (400, {"error": {"code": True}}, DeliveryState.RETRY, 60),
        (200, {}, DeliveryState.UNKNOWN, None),
        (200, {"messages": []}, DeliveryState.UNKNOWN, None),
        (200, {"messages": [{"id": 7}]}, DeliveryState.UNKNOWN, None),
    ],
)
async def test_an_answer_decides(status, body, state, seconds):
    delivery, _, _ = await bodies_of((status, body))
    assert (delivery.state, delivery.retry_after_seconds) == (state, seconds)
    assert NUMBER[1:] not in delivery.note


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (httpx.ConnectError("down"), DeliveryState.RETRY),
        (httpx.ReadTimeout("slow"), DeliveryState.UNKNOWN),
        (httpx.ReadError("reset"), DeliveryState.UNKNOWN),
    ],
)
async def test_only_a_send_that_never_left_is_told_again(error, state):
    router = respx.MockRouter()
    router.post(URL).mock(side_effect=error)
    assert (await send(router)).state is state


async def test_a_lost_answer_to_free_text_is_never_followed_by_the_template():
    router = respx.MockRouter()
    route = router.post(URL).mock(side_effect=httpx.ReadTimeout("slow"))
    delivery = await send(router, last_inbound_at=INSIDE)
    assert (delivery.state, route.call_count) == (DeliveryState.UNKNOWN, 1)


def test_the_channel_shows_no_token():
    channel = WhatsAppChannel(httpx.AsyncClient(), token=TOKEN, phone_number_id="1065", approved={})
    assert TOKEN not in repr(channel)
