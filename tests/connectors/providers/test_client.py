import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
import respx

from rekon.connectors.providers.account import AccountError
from rekon.connectors.providers.client import ProviderClient
from rekon.connectors.providers.dialects.strict_json import BYTES_MAX
from rekon.connectors.providers.inquiry import Unsafe, UnsafeInquiryError
from rekon.domain.outcome import Outcome
from tests.connectors.providers.builders import ADDRESSES, NOW, account, definition, formed_reply, leg, proof

DATE = "Sun, 22 Nov 2026 05:00:03 GMT"
SUCCESS = {
    "ref_id": "REF0001",
    "customer_no": "087800001230",
    "buyer_sku_code": "xld10",
    "message": "Transaksi Sukses",
    "status": "Sukses",
    "rc": "00",
    "sn": "123",
    "buyer_last_saldo": 990000,
    "price": 10000,
}
IAK = {
    "ref_id": "REF0001",
    "customer_id": "087800001230",
    "product_code": "xld10",
    "message": "SUCCESS",
    "status": 1,
    "rc": "00",
    "sn": "123",
    "balance": 990000,
    "price": 10000,
}


class Waits:
    """Stands in for sleeping and remembers for how long."""

    def __init__(self):
        self.seconds = []

    async def __call__(self, seconds):
        self.seconds.append(seconds)
        await asyncio.sleep(0)


class Endless(httpx.AsyncByteStream):
    """A body that never ends: it goes on giving `chunk`."""

    def __init__(self, chunk):
        self.chunk = chunk
        self.closed = False

    async def __aiter__(self):
        while True:
            yield self.chunk
            await asyncio.sleep(0)

    async def aclose(self):
        self.closed = True


class Provider:
    """A provider played by a respx router, behind the real client."""

    def __init__(self, name="digiflazz", *, deadline_seconds=15.0):
        self.router = respx.MockRouter(assert_all_called=False)
        self.waits = Waits()
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self.router.async_handler), trust_env=False)
        self.client = ProviderClient(
            definition(name), account(name), self.http, deadline_seconds=deadline_seconds, pause=self.waits
        )
        self.route = self.router.route(url__startswith=ADDRESSES[name])

    async def ask(self, known=None, **facts):
        return await self.client.inquire(leg(**facts), now=NOW, proof=known or proof())

    async def ask_iak(self):
        return await self.client.inquire(leg(provider="iak"), now=NOW, proof=None)


def data(fields, **extra):
    return httpx.Response(200, json={"data": fields}, **extra)


async def test_the_answer_comes_with_the_reading_the_raw_body_and_the_provider_s_clock():
    provider = Provider()
    provider.route.mock(return_value=data(SUCCESS, headers={"date": DATE}))
    result = await provider.ask()
    assert (result.reading.outcome, result.reading.serial_number) == (Outcome.DELIVERED, "123")
    assert json.loads(result.raw)["data"]["rc"] == "00"
    assert (result.http_status, result.server_date) == (200, datetime(2026, 11, 22, 5, 0, 3, tzinfo=UTC))
    assert result.elapsed_seconds >= 0


async def test_the_question_asks_for_an_unpacked_body():
    provider = Provider()
    provider.route.mock(return_value=data(SUCCESS))
    await provider.ask()
    request = provider.route.calls.last.request
    assert request.headers["accept-encoding"] == "identity"
    assert request.url == "https://api.digiflazz.com/v1/transaction"


@pytest.mark.parametrize(
    "facts",
    [
        {"sent_at": NOW - timedelta(days=81)},
        {"sent_at": NOW - timedelta(days=400)},
        {"send_state": "not_sent"},
        {"send_count": 0},
    ],
)
async def test_a_reference_that_could_be_bought_again_causes_no_request(facts):
    provider = Provider()
    with pytest.raises(UnsafeInquiryError):
        await provider.ask(**facts)
    assert provider.route.call_count == 0


@pytest.mark.parametrize("reply", [None, formed_reply(raw_code="44", outcome=Outcome.FAILED)])
async def test_a_purchase_that_was_never_formed_causes_no_request(reply):
    provider = Provider()
    with pytest.raises(UnsafeInquiryError):
        await provider.ask(known=proof(first_reply=reply))
    assert provider.route.call_count == 0


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectTimeout("slow 081234567890"),
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("torn"),
        httpx.UnsupportedProtocol("odd"),
        OSError("no route"),
        RuntimeError("odd"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "odd"),
    ],
)
async def test_a_question_that_could_buy_is_sent_once_whatever_happens(fault):
    provider = Provider()
    provider.route.mock(side_effect=fault)
    result = await provider.ask()
    assert (result.reading.outcome, result.http_status, result.raw) == (Outcome.UNKNOWN, 0, b"")
    assert type(fault).__name__ in result.reading.note
    assert "0812" not in result.reading.note
    assert (provider.route.call_count, provider.waits.seconds) == (1, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 503, 504])
async def test_a_question_that_could_buy_is_not_repeated_for_any_status(status):
    provider = Provider()
    provider.route.mock(return_value=httpx.Response(status, json={"data": SUCCESS}))
    result = await provider.ask()
    assert (result.reading.outcome, provider.route.call_count) == (Outcome.UNKNOWN, 1)


async def test_a_question_that_only_reads_is_asked_at_most_three_times():
    provider = Provider("iak")
    provider.route.mock(side_effect=httpx.ConnectError("refused"))
    result = await provider.ask_iak()
    assert (result.reading.outcome, provider.route.call_count) == (Outcome.UNKNOWN, 3)
    assert provider.waits.seconds == [0.25, 0.5]


async def test_a_question_that_only_reads_is_answered_by_its_second_try():
    provider = Provider("iak")
    provider.route.mock(side_effect=[httpx.Response(502), data(IAK)])
    result = await provider.ask_iak()
    assert (result.reading.outcome, provider.route.call_count) == (Outcome.DELIVERED, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
async def test_a_plain_refusal_is_not_asked_again(status):
    provider = Provider("iak")
    provider.route.mock(return_value=httpx.Response(status))
    assert (await provider.ask_iak()).reading.outcome is Outcome.UNKNOWN
    assert provider.route.call_count == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("3600", 3600),
        ("1000000000", 3600),
        ("9" * 400, 3600),
        (None, 60),
        ("soon", 60),
        ("Sun, 22 Nov 2026 05:01:03 GMT", 60),
        ("Sun, 22 Nov 2026 07:00:03 GMT", 3600),
        ("1.5", 60),
        ("٣", 60),
    ],
)
async def test_a_long_wait_is_handed_back_and_not_slept(header, seconds):
    provider = Provider("iak")
    headers = {"date": DATE} | ({} if header is None else {"retry-after": header.encode()})
    provider.route.mock(return_value=httpx.Response(429, headers=headers))
    result = await provider.ask_iak()
    assert result.reading.retry_after_seconds == seconds
    assert (provider.route.call_count, provider.waits.seconds) == (1, [])


@pytest.mark.parametrize(
    ("header", "waited"), [("1", 1.0), ("2", 2.0), ("0", 1.0), ("-5", 1.0), ("Sun, 22 Nov 2026 05:00:04 GMT", 1.0)]
)
async def test_a_short_wait_is_kept_before_the_next_try(header, waited):
    provider = Provider("iak")
    busy = httpx.Response(429, headers={"retry-after": header, "date": DATE})
    provider.route.mock(side_effect=[busy, data(IAK)])
    result = await provider.ask_iak()
    assert (result.reading.outcome, provider.waits.seconds) == (Outcome.DELIVERED, [waited])


async def test_a_busy_provider_of_the_re_send_kind_hands_its_wait_back():
    provider = Provider()
    provider.route.mock(return_value=httpx.Response(429, headers={"retry-after": "1"}))
    result = await provider.ask()
    assert (result.reading.retry_after_seconds, provider.route.call_count) == (1, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status):
    provider = Provider("iak")
    elsewhere = provider.router.route(host="169.254.169.254")
    provider.route.mock(return_value=httpx.Response(status, headers={"location": "http://169.254.169.254/"}))
    result = await provider.ask_iak()
    assert (result.reading.outcome, elsewhere.call_count, provider.route.call_count) == (Outcome.UNKNOWN, 0, 1)


async def test_a_dripping_body_ends_at_the_total_deadline():
    provider = Provider("iak", deadline_seconds=0.05)
    body = Endless(b"")
    provider.route.mock(return_value=httpx.Response(200, stream=body))
    result = await provider.ask_iak()
    assert (result.reading.outcome, result.http_status, body.closed) == (Outcome.UNKNOWN, 0, True)
    assert "batas waktu" in result.reading.note
    assert provider.route.call_count == 1


async def test_a_silent_provider_ends_at_the_total_deadline():
    async def silent(request):
        await asyncio.Event().wait()

    provider = Provider(deadline_seconds=0.05)
    provider.route.mock(side_effect=silent)
    assert (await provider.ask()).reading.outcome is Outcome.UNKNOWN


async def test_an_endless_body_is_cut_at_its_limit():
    provider = Provider()
    body = Endless(b"x" * 65_536)
    provider.route.mock(return_value=httpx.Response(200, stream=body))
    result = await provider.ask()
    assert (result.reading.outcome, len(result.raw), body.closed) == (Outcome.UNKNOWN, BYTES_MAX, True)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, br"])
async def test_a_packed_body_is_not_unpacked(encoding):
    provider = Provider()
    body = Endless(b"\x00" * 1024)
    provider.route.mock(return_value=httpx.Response(200, stream=body, headers={"content-encoding": encoding}))
    result = await provider.ask()
    assert (result.reading.outcome, result.raw, body.closed) == (Outcome.UNKNOWN, b"", True)


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 99 Nov 2026 05:00:03 GMT", "0"])
async def test_a_clock_that_cannot_be_read_is_no_clock(date):
    provider = Provider()
    provider.route.mock(return_value=data(SUCCESS, headers={"date": date}))
    result = await provider.ask()
    assert (result.server_date, result.reading.outcome) == (None, Outcome.DELIVERED)


async def test_one_reference_is_never_asked_about_twice_at_once():
    async def silent(request):
        await asyncio.Event().wait()

    provider = Provider()
    provider.route.mock(side_effect=silent)
    first = asyncio.create_task(provider.ask())
    await asyncio.sleep(0)
    with pytest.raises(UnsafeInquiryError) as caught:
        await provider.ask()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert caught.value.reason is Unsafe.IN_FLIGHT


async def test_a_leg_is_free_again_after_its_answer():
    provider = Provider()
    provider.route.mock(return_value=data(SUCCESS))
    await provider.ask()
    assert (await provider.ask()).reading.outcome is Outcome.DELIVERED


async def test_no_more_calls_are_open_than_the_provider_allows():
    open_now, most, full, gate = set(), [], asyncio.Event(), asyncio.Event()
    allowed = definition("iak").limits.concurrency

    async def count(request):
        open_now.add(id(request))
        most.append(len(open_now))
        if len(open_now) >= allowed:
            full.set()
        await gate.wait()
        open_now.discard(id(request))
        return data(IAK)

    provider = Provider("iak")
    provider.route.mock(side_effect=count)
    legs = [leg(provider="iak", key=f"toko:T{number}#1") for number in range(40)]
    asked = [asyncio.create_task(provider.client.inquire(one, now=NOW, proof=None)) for one in legs]
    await full.wait()
    gate.set()
    await asyncio.gather(*asked)
    assert (max(most), len(most)) == (allowed, 40)


async def test_calls_are_spread_over_the_second():
    provider = Provider("iak")
    provider.route.mock(return_value=data(IAK))
    for number in range(5):
        await provider.client.inquire(leg(provider="iak", key=f"toko:T{number}#1"), now=NOW, proof=None)
    gap = 1 / definition("iak").limits.per_second
    assert sum(provider.waits.seconds) <= 5 * 5 * gap
    assert len(provider.waits.seconds) == 4


@pytest.mark.parametrize(
    ("name", "reply", "amount"),
    [
        ("digiflazz", httpx.Response(200, json={"data": {"deposit": 500000}}), Decimal(500000)),
        ("digiflazz", httpx.Response(200, text='{"data":{"deposit":500000.25}}'), Decimal("500000.25")),
        ("iak", httpx.Response(200, json={"data": {"balance": 997061249, "rc": "00"}}), Decimal(997061249)),
        (
            "otomax",
            httpx.Response(200, text="Informasi Akun Anda\r\nNama : TOKO\r\nSaldo : 14.324.472\r\nBonus : 0"),
            Decimal(14324472),
        ),
    ],
)
async def test_a_balance_is_read_exactly(name, reply, amount):
    provider = Provider(name)
    # Text answers carry no content type of their own here: only what a provider labels is held against it.
    reply.headers.pop("content-type", None)
    provider.route.mock(return_value=reply)
    result = await provider.client.balance()
    assert (result.amount, result.note, result.http_status) == (amount, "", 200)


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200, json={"data": {"deposit": "500000"}}),
        httpx.Response(200, json={"data": {"deposit": None}}),
        httpx.Response(200, json={"data": {}}),
        httpx.Response(200, json={"data": {"rc": "41", "status": "Gagal"}}),
        httpx.Response(200, text="<html></html>"),
        httpx.Response(403),
        httpx.Response(200),
        httpx.ConnectError("refused"),
    ],
)
async def test_a_balance_that_is_not_there_is_none_and_says_why(reply):
    provider = Provider()
    provider.route.mock(**({"side_effect": reply} if isinstance(reply, Exception) else {"return_value": reply}))
    result = await provider.client.balance()
    assert result.amount is None
    assert result.note


async def test_a_balance_is_also_the_way_to_read_the_clock():
    provider = Provider()
    provider.route.mock(return_value=httpx.Response(200, json={"data": {"deposit": 1}}, headers={"date": DATE}))
    result = await provider.client.balance()
    assert result.server_date == datetime(2026, 11, 22, 5, 0, 3, tzinfo=UTC)
    assert provider.route.calls.last.request.url.path == "/v1/cek-saldo"


async def test_no_number_and_no_secret_reaches_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    provider = Provider("otomax")
    provider.route.mock(return_value=httpx.Response(200, text="x"))
    asked = leg(provider="otomax", destination_sent="081298765432")
    await provider.client.inquire(asked, now=NOW, proof=None)
    await provider.client.balance()
    assert "081298765432" in str(provider.route.calls[0].request.url)
    assert "0812" not in caplog.text
    assert "sign=" not in caplog.text


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"provider": "iak", "credentials": {}}, "belongs to 'iak'"),
        ({"credentials": {"username": "x"}}, "lacks the credential 'api_key'"),
        ({"base_url": "http://api.digiflazz.com"}, "plain http"),
        ({"base_url": "http://api.digiflazz.com", "allow_http": True}, "plain http"),
        ({"base_url": "http://127.0.0.1:9", "allow_private": True}, "plain http"),
        ({"base_url": "https://127.0.0.1:9"}, "private address"),
        ({"base_url": "https://[::1]:9"}, "private address"),
        ({"base_url": "https://user:pw@lain.example"}, "user name"),
        ({"base_url": "ftp://lain.example"}, "only https"),
        ({"base_url": "https://lain.example#x"}, "fragment"),
        ({"base_url": "https://[lain"}, "not an address"),
    ],
)
def test_an_account_that_may_not_be_called_builds_no_client(facts, said):
    with pytest.raises(AccountError, match=said):
        ProviderClient(definition(), account(**({"provider": "digiflazz"} | facts)), httpx.AsyncClient(trust_env=False))
