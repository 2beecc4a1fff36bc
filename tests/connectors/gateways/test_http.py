import gzip
import json

import httpx
import pytest
from httpx_aiohttp import AiohttpTransport
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from rekon.connectors.gateways.contract import (
    Gateway,
    GatewayClass,
    OrderResult,
    PayAnswer,
    PayState,
    RefundOrder,
    ResultState,
    WalletUnreadableError,
)
from rekon.connectors.gateways.http import HttpGateway, HttpGatewaySettings
from tests.connectors.gateways.server import raw_socket, running

ORDER = RefundOrder(
    key="refund:toko:T1001:B01:1",
    refund_id="ref_1",
    agent_id="A1",
    transaction_id="T1001",
    amount=10_500,
    reason="penyedia menyatakan gagal",
)
RESULT = OrderResult(transaction_id="T1001", key="result:toko:T1001:failed", status="failed", reason="gagal")
SAID = {"status": "succeeded", "gateway_ref": "GW-7", "agent_id": "A1", "amount": 10_500}


def settings(url, **changes):
    given = {"name": "toko", "gateway_class": GatewayClass.G2, "window_seconds": 86_400, "deadline_seconds": 10.0}
    return HttpGatewaySettings(base_url=url, **(given | changes))


async def use(url, call, **changes):
    async with httpx.AsyncClient(transport=AiohttpTransport(verify=False), trust_env=False) as client:
        return await call(HttpGateway(client, settings(url, **changes)))


@pytest.fixture(scope="module")
def server():
    with running() as played:
        yield played


async def pay_at(url, **changes):
    return await use(url, lambda gateway: gateway.pay(ORDER), **changes)


async def paid(server, response):
    """Pay at a server that gives this response."""
    answer = await pay_at(server.will(response).url)
    assert len(server.seen) == 1, "a payment is told once, whatever comes back"
    return answer


async def found(server, response):
    return await use(server.will(response).url, lambda gateway: gateway.find(ORDER))


def said(**changes):
    return {name: value for name, value in (SAID | changes).items() if value is not ...}


def raw_json(text, status=200):
    return Response(text, status_code=status, media_type="application/json")


async def test_a_refund_is_sent_as_the_contract_says(server):
    server.will(JSONResponse(SAID))
    answer = await pay_at(server.url + "/servers/toko", token="abc")
    [seen] = server.seen
    assert (seen.method, seen.path) == ("POST", "/servers/toko/refunds")
    assert seen.headers["idempotency-key"] == ORDER.key
    assert seen.headers["authorization"] == "Bearer abc"
    assert seen.headers["content-type"] == "application/json"
    assert json.loads(seen.body) == {
        "refund_id": "ref_1",
        "agent_id": "A1",
        "transaction_id": "T1001",
        "amount": 10_500,
        "currency": "IDR",
        "reason": "penyedia menyatakan gagal",
    }
    assert answer == PayAnswer(state=PayState.SUCCEEDED, gateway_ref="GW-7", agent_id="A1", amount=10_500)


async def test_the_same_order_becomes_the_same_bytes(server):
    server.will(JSONResponse(SAID))
    await pay_at(server.url)
    await pay_at(server.url)
    first, second = server.seen
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@pytest.mark.parametrize(
    ("status", "word", "state"),
    [
        (200, "succeeded", PayState.SUCCEEDED),
        (201, "succeeded", PayState.SUCCEEDED),
        (202, "pending", PayState.PENDING),
        (200, "failed", PayState.FAILED),
        (400, "failed", PayState.FAILED),
        (402, "failed", PayState.FAILED),
        (403, "failed", PayState.FAILED),
        (404, "failed", PayState.FAILED),
        (422, "failed", PayState.FAILED),
    ],
)
async def test_an_exact_word_counts(server, status, word, state):
    assert (await paid(server, JSONResponse(said(status=word), status_code=status))).state is state


async def test_a_refusal_need_not_repeat_what_was_asked(server):
    answer = await paid(server, JSONResponse({"status": "failed", "message": "saldo tidak cukup"}, status_code=422))
    assert answer.state is PayState.FAILED


ODD_REPLIES = {
    "another amount": JSONResponse(said(amount=10_000)),
    "a part of the amount": JSONResponse(said(amount=1)),
    "amount as text": JSONResponse(said(amount="10500")),
    "amount as a float": raw_json(json.dumps(said(amount=10_500.0))),
    "amount in dots": JSONResponse(said(amount="10.500")),
    "amount true": JSONResponse(said(amount=True)),
    "no amount": JSONResponse(said(amount=...)),
    "amount null": JSONResponse(said(amount=None)),
    "another agent": JSONResponse(said(agent_id="A2")),
    "agent in another case": JSONResponse(said(agent_id="a1")),
    "agent as a number": JSONResponse(said(agent_id=1)),
    "no agent": JSONResponse(said(agent_id=...)),
    "another currency": JSONResponse(said(currency="USD")),
    "another refund": JSONResponse(said(refund_id="ref_2")),
    "another transaction": JSONResponse(said(transaction_id="T9")),
    "another key": JSONResponse(said(idempotency_key="refund:toko:T9:B01:1")),
    "no reference": JSONResponse(said(gateway_ref="")),
    "reference missing": JSONResponse(said(gateway_ref=...)),
    "reference as a number": JSONResponse(said(gateway_ref=7)),
    "reference with a line break": JSONResponse(said(gateway_ref="a\r\nSet-Cookie: b")),
    "status in capitals": JSONResponse(said(status="SUCCEEDED")),
    "status with a space": JSONResponse(said(status="succeeded ")),
    "status success": JSONResponse(said(status="success")),
    "status partial": JSONResponse(said(status="partial")),
    "status duplicate": JSONResponse(said(status="duplicate")),
    "status returned on paying": JSONResponse(said(status="returned")),
    "status true": JSONResponse(said(status=True)),
    "status a list": JSONResponse(said(status=["succeeded"])),
    "no status": JSONResponse(said(status=...)),
    "ok false": JSONResponse({"ok": False}),
    "ok false beside succeeded": JSONResponse(said(ok=False)),
    "success false beside succeeded": JSONResponse(said(success=False)),
    "ok as a word": JSONResponse(said(ok="false")),
    "error beside succeeded": JSONResponse(said(error="insufficient funds")),
    "html": Response("<html>maintenance</html>", media_type="text/html"),
    "json called html": Response(json.dumps(SAID), media_type="text/html"),
    "json called text": PlainTextResponse(json.dumps(SAID)),
    "html called json": raw_json("<html>maintenance</html>"),
    "nothing": raw_json(""),
    "truncated": raw_json(json.dumps(SAID)[:-5]),
    "two documents": raw_json(json.dumps(SAID) * 2),
    "trailing words": raw_json(json.dumps(SAID) + " ok"),
    "byte order mark": raw_json(b"\xef\xbb\xbf" + json.dumps(SAID).encode()),
    "utf-16": raw_json(json.dumps(SAID).encode("utf-16")),
    "not utf-8": raw_json(b'{"status":"succeeded\xff"}'),
    "a list": JSONResponse([SAID]),
    "a text": JSONResponse("succeeded"),
    "a null": JSONResponse(None),
    "a number": JSONResponse(1),
    "status twice": raw_json(json.dumps(SAID)[:-1] + ',"status":"succeeded"}'),
    "a NaN": raw_json(json.dumps(SAID)[:-1] + ',"fee":NaN}'),
    "deep": raw_json("[" * 30_000),
    "thousands of digits": raw_json(json.dumps(SAID).replace("10500", "1" * 5_000)),
    "too large": raw_json(json.dumps(said(text="x" * 70_000))),
    "packed": Response(
        gzip.compress(json.dumps(SAID).encode()), media_type="application/json", headers={"content-encoding": "gzip"}
    ),
    "empty 204": Response(status_code=204),
    "409 with the same body": JSONResponse(SAID, status_code=409),
    "409 failed": JSONResponse(said(status="failed"), status_code=409),
    "401 failed": JSONResponse({"status": "failed"}, status_code=401),
    "408 failed": JSONResponse({"status": "failed"}, status_code=408),
    "429 failed": JSONResponse({"status": "failed"}, status_code=429),
    "400 in words": PlainTextResponse("failed", status_code=400),
    "400 succeeded": JSONResponse(SAID, status_code=400),
    "400 failed, another amount": JSONResponse({"status": "failed", "amount": 1}, status_code=400),
    "400 failed, another agent": JSONResponse({"status": "failed", "agent_id": "A2"}, status_code=400),
    "400 failed, another refund": JSONResponse({"status": "failed", "refund_id": "x"}, status_code=400),
    "404 html": Response("<html></html>", status_code=404, media_type="text/html"),
    "500": PlainTextResponse("oops", status_code=500),
    "500 failed": JSONResponse(said(status="failed"), status_code=500),
    "502": PlainTextResponse("bad gateway", status_code=502),
    "503 failed": JSONResponse(said(status="failed"), status_code=503),
    "504": PlainTextResponse("", status_code=504),
    "301": RedirectResponse("http://127.0.0.1:9/", status_code=301),
    "307": RedirectResponse("/refunds/again", status_code=307),
    "308": RedirectResponse("/refunds/again", status_code=308),
    "200 failed, another amount": JSONResponse(said(status="failed", amount=9)),
    "200 failed, nothing else": JSONResponse({"status": "failed"}),
    "200 pending, another agent": JSONResponse(said(status="pending", agent_id="B")),
}


@pytest.mark.parametrize("name", ODD_REPLIES)
async def test_an_odd_reply_to_a_payment_is_unknown(server, name):
    answer = await paid(server, ODD_REPLIES[name])
    assert answer.state is PayState.UNKNOWN
    assert answer.note


BROKEN_LINES = {
    "closed before a word": (b"", {}),
    "reset before a word": (b"", {"reset": True}),
    "not http": (b"SSH-2.0-OpenSSH\r\n", {}),
    "an old protocol": (b"HTTP/0.9 200 OK\r\n\r\n", {}),
    "a bad status line": (b"HTTP/1.1 abc\r\n\r\n", {}),
    "a head of a megabyte": (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n{}", {}),
    "a bad chunk": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        {},
    ),
    "a body cut short": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n" + json.dumps(SAID).encode(),
        {},
    ),
    "a body reset midway": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n" + json.dumps(SAID).encode(),
        {"reset": True},
    ),
}


@pytest.mark.parametrize("name", BROKEN_LINES)
async def test_a_broken_line_is_unknown(name):
    data, how = BROKEN_LINES[name]
    with raw_socket(data, **how) as url:
        answer = await pay_at(url)
    assert answer.state is PayState.UNKNOWN
    assert answer.note


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(SAID).encode(),
    ],
    ids=["silence", "half a head", "half a body", "a body without end"],
)
async def test_a_reply_that_never_ends_is_cut_at_the_deadline(server, data):
    with raw_socket(data, then_hold=True) as url:
        answer = await pay_at(url, deadline_seconds=0.3)
    assert answer == PayAnswer(state=PayState.UNKNOWN, note="server tidak menjawab sampai batas waktu")


async def test_a_server_that_is_not_there_is_unknown():
    with raw_socket(b"") as url:
        await pay_at(url)
    answer = await pay_at(url)
    assert answer.state is PayState.UNKNOWN


async def test_a_body_is_cut_at_the_limit_while_it_is_read(server):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n"
    with raw_socket(head + b" " * 200_000, then_hold=True) as url:
        answer = await pay_at(url)
    assert answer.note == "jawaban server terlalu besar"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "-5"}, 1),
        ({"retry-after": "1000000000"}, 3600),
        ({"retry-after": "9" * 400}, 3600),
        ({"retry-after": "soon"}, 3600),
        ({}, None),
    ],
)
async def test_a_wish_to_wait_is_kept_within_an_hour(server, headers, seconds):
    answer = await paid(server, Response(status_code=429, headers=headers))
    assert (answer.state, answer.retry_after_seconds) == (PayState.UNKNOWN, seconds)


async def test_a_date_to_wait_for_is_counted_by_the_servers_own_clock():
    head = b"HTTP/1.1 503 x\r\nDate: Sun, 22 Nov 2026 03:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 03:00:30 GMT\r\n"
    with raw_socket(head + b"Content-Length: 0\r\n\r\n") as url:
        answer = await pay_at(url)
    assert answer.retry_after_seconds == 30


async def test_a_date_to_wait_for_without_a_clock_means_an_hour():
    head = b"HTTP/1.1 503 x\r\nRetry-After: Sun, 22 Nov 2026 03:00:30 GMT\r\nContent-Length: 0\r\n\r\n"
    with raw_socket(head) as url:
        answer = await pay_at(url)
    assert answer.retry_after_seconds == 3600


@pytest.mark.parametrize("word", ["succeeded", "pending", "failed", "returned"])
async def test_a_look_up_knows_one_word_more(server, word):
    answer = await found(server, JSONResponse(said(status=word)))
    assert answer.state is PayState(word)


async def test_a_look_up_quotes_the_key_in_the_path(server):
    order = RefundOrder(
        key="refund:toko:T/1 ?#:B01:1", refund_id="r", agent_id="A", transaction_id="T", amount=1, reason=""
    )
    server.will(JSONResponse({}, status_code=404))
    await use(server.url, lambda gateway: gateway.find(order))
    [seen] = server.seen
    assert httpx.URL(seen.path).path == "/refunds/by-key/refund:toko:T/1 ?#:B01:1"
    assert seen.path.count("/") == 3
    assert seen.query == ""


@pytest.mark.parametrize(
    "response", [JSONResponse({"error": "none"}, status_code=404), PlainTextResponse("Not Found", status_code=404)]
)
async def test_a_plain_404_means_that_the_key_is_not_known(server, response):
    assert (await found(server, response)).state is PayState.NOT_FOUND


@pytest.mark.parametrize(
    "response",
    [
        Response("<html>404</html>", status_code=404, media_type="text/html"),
        PlainTextResponse("\n<!doctype html>", status_code=404),
        JSONResponse(SAID, status_code=201),
        JSONResponse(SAID, status_code=500),
        JSONResponse(said(status="failed"), status_code=400),
        JSONResponse(said(amount=1)),
        JSONResponse(said(agent_id="A2")),
        JSONResponse([]),
        RedirectResponse("/elsewhere", status_code=302),
    ],
)
async def test_an_odd_reply_to_a_look_up_is_unknown(server, response):
    assert (await found(server, response)).state is PayState.UNKNOWN


async def told(server, response, result=RESULT, **changes):
    answer = await use(server.will(response).url, lambda gateway: gateway.report_result(result), **changes)
    return answer, server.seen


async def test_a_result_is_told_as_the_contract_says(server):
    answer, [seen] = await told(server, JSONResponse({"status": "failed"}))
    assert (seen.method, seen.path) == ("POST", "/orders/T1001/result")
    assert seen.headers["idempotency-key"] == RESULT.key
    assert json.loads(seen.body) == {"status": "failed", "serial_number": "", "reason": "gagal"}
    assert (answer.state, answer.server_status) == (ResultState.ACCEPTED, "failed")


@pytest.mark.parametrize(
    ("response", "state", "status"),
    [
        (JSONResponse({"status": "success"}, status_code=409), ResultState.CONFLICT, "success"),
        (JSONResponse({"status": "refunded"}, status_code=409), ResultState.CONFLICT, "refunded"),
        (JSONResponse({"status": "failed"}, status_code=409), ResultState.CONFLICT, "failed"),
        (JSONResponse({"status": "refunded"}), ResultState.CONFLICT, "refunded"),
        (JSONResponse({"status": "success"}), ResultState.CONFLICT, "success"),
        (JSONResponse({"status": "pending"}), ResultState.UNKNOWN, "pending"),
        (JSONResponse({"status": "FAILED"}), ResultState.UNKNOWN, ""),
        (JSONResponse({}), ResultState.UNKNOWN, ""),
        (JSONResponse({"status": None}, status_code=409), ResultState.UNKNOWN, ""),
        (PlainTextResponse("conflict", status_code=409), ResultState.UNKNOWN, ""),
        (PlainTextResponse("", status_code=405), ResultState.UNSUPPORTED, ""),
        (PlainTextResponse("", status_code=501), ResultState.UNSUPPORTED, ""),
        (PlainTextResponse("", status_code=404), ResultState.UNKNOWN, ""),
        (JSONResponse({"status": "failed"}, status_code=500), ResultState.UNKNOWN, ""),
        (JSONResponse({"status": "failed"}, status_code=201), ResultState.UNKNOWN, ""),
    ],
)
async def test_only_the_servers_own_word_is_acceptance(server, response, state, status):
    answer, _ = await told(server, response)
    assert (answer.state, answer.server_status) == (state, status)


async def test_a_server_that_takes_no_results_is_not_called(server):
    answer, seen = await told(server, JSONResponse({"status": "failed"}), takes_results=False)
    assert answer.state is ResultState.UNSUPPORTED
    assert seen == []


async def test_an_id_that_climbs_out_of_its_path_is_not_sent(server):
    climbing = OrderResult(transaction_id="..", key="k", status="failed")
    answer, seen = await told(server, JSONResponse({"status": "failed"}), climbing)
    assert answer.state is ResultState.UNSUPPORTED
    assert seen == []


async def test_the_wallet_is_read_live(server):
    items = [{"line_id": "W1", "amount": -10_500}]
    body = {"as_of": "2026-11-22T10:15:00+07:00", "items": items}
    server.will(JSONResponse(body))
    read = await use(server.url, lambda gateway: gateway.read_wallet("T 1&x=2"))
    [seen] = server.seen
    assert (seen.method, seen.path) == ("GET", "/wallet-lines")
    assert httpx.QueryParams(seen.query)["transaction_id"] == "T 1&x=2"
    assert read.as_of.isoformat() == "2026-11-22T03:15:00+00:00"
    assert read.rows == items


@pytest.mark.parametrize(
    "response",
    [
        JSONResponse({"items": []}),
        JSONResponse({"as_of": "2026-11-22T10:15:00", "items": []}),
        JSONResponse({"as_of": "0001-01-01T00:00:00+14:00", "items": []}),
        JSONResponse({"as_of": 1, "items": []}),
        JSONResponse({"as_of": "2026-11-22T10:15:00+07:00"}),
        JSONResponse({"as_of": "2026-11-22T10:15:00+07:00", "items": {}}),
        JSONResponse({"as_of": "2026-11-22T10:15:00+07:00", "items": [1]}),
        JSONResponse([]),
        PlainTextResponse("", status_code=404),
        PlainTextResponse("", status_code=500),
    ],
)
async def test_a_wallet_that_cannot_be_read_exactly_is_no_wallet(server, response):
    with pytest.raises(WalletUnreadableError) as refusal:
        await use(server.will(response).url, lambda gateway: gateway.read_wallet("T1001"))
    assert refusal.value.note
    assert not refusal.value.is_unsupported


async def test_a_server_without_a_live_wallet_says_so_without_a_call():
    with pytest.raises(WalletUnreadableError) as refusal:
        await use("http://127.0.0.1:9", lambda gateway: gateway.read_wallet("T1"), reads_wallet=False)
    assert refusal.value.is_unsupported


async def test_a_slow_wallet_is_unreadable():
    with raw_socket(b"", then_hold=True) as url, pytest.raises(WalletUnreadableError):
        await use(url, lambda gateway: gateway.read_wallet("T1"), deadline_seconds=0.3)


async def test_a_client_already_closed_pays_nothing_and_says_unknown():
    client = httpx.AsyncClient(trust_env=False)
    await client.aclose()
    answer = await HttpGateway(client, settings("http://127.0.0.1:9")).pay(ORDER)
    assert answer.state is PayState.UNKNOWN


async def test_a_gateway_works_over_a_client_of_the_tests_own(server):
    reply = httpx.MockTransport(lambda _: httpx.Response(200, json=SAID))
    async with httpx.AsyncClient(transport=reply) as client:
        gateway: Gateway = HttpGateway(client, settings("http://server.test"))
        answer = await gateway.pay(ORDER)
    assert answer.state is PayState.SUCCEEDED
    assert (gateway.name, gateway.gateway_class, gateway.window_seconds) == ("toko", GatewayClass.G2, 86_400)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a",
        "file:///etc/passwd",
        "a.example",
        "http://",
        "http://u:p@a/",
        "https://a/?token=1",
        "https://a/#x",
        "",
    ],
)
def test_an_address_that_could_carry_a_secret_or_lead_elsewhere_is_refused(url):
    with pytest.raises(ValueError, match="base_url"):
        settings(url)


def test_a_token_is_never_shown():
    assert "rahasia-sekali" not in repr(settings("https://a", token="rahasia-sekali"))


async def test_no_note_repeats_what_the_server_said(server):
    for response in ODD_REPLIES.values():
        note = (await paid(server, response)).note
        assert not any(word in note for word in ("maintenance", "insufficient", "A2", "Set-Cookie", "ref_2"))
