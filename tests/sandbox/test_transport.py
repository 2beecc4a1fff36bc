import httpx
import pytest

from rekon.sandbox.plan import Step
from rekon.sandbox.transport import CoreTransport
from tests.sandbox.provider_calls import NOON, check, digiflazz, fate, iak, otomax, said, transaction, trx


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def core():
    return digiflazz()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def client(core, clock):
    cores = {
        "https://api.digiflazz.com": core,
        "http://sandbox.test/iak": iak(),
        "http://sandbox.test:8751/otomax": otomax(),
        "http://sandbox.test": digiflazz(),
    }
    async with httpx.AsyncClient(transport=CoreTransport(cores, clock)) as client:
        yield client


def planned(core, kind):
    core.plan("T1", fate(Step(after=0, state="success", code="00", serial_number="0123"), faults=(kind,)))
    core.answer(transaction("T1"), NOON)
    return transaction("T1").body


async def test_a_request_is_answered_by_the_core_at_its_address(client, core):
    body = transaction("T1").body

    reply = await client.post("https://api.digiflazz.com/v1/transaction", content=body)

    assert reply.json()["data"] == said(core.answer(transaction("T1"), NOON))
    assert core.order("T1").via == "http"


async def test_the_longest_base_wins_and_the_core_sees_what_follows(client):
    reply = await client.post("http://sandbox.test/iak/api/check-status", content=b"{}")

    assert reply.json()["data"]["rc"] == "107"


async def test_a_base_is_a_whole_part_of_a_path(client):
    reply = await client.post("http://sandbox.test/iakx/api/check-status", content=b"{}")

    assert reply.status_code == 404


async def test_a_query_reaches_the_core(client):
    reply = await client.get("http://sandbox.test:8751/otomax/trx", params=dict(check("T1").query))

    assert reply.text.startswith("TIDAK ADA transaksi")


async def test_the_clock_is_read_at_every_request(client, clock):
    clock.now = NOON.replace(hour=17)

    reply = await client.get("http://sandbox.test:8751/otomax/trx", params=dict(trx("T1").query))

    assert reply.headers["Date"] == "Tue, 10 Mar 2026 17:00:00 GMT"


@pytest.mark.parametrize(
    "url", ["https://lain.test/v1/transaction", "http://api.digiflazz.com/v1/transaction", "http://sandbox.test:1/x"]
)
async def test_an_address_without_a_core_cannot_be_connected_to(client, url):
    with pytest.raises(httpx.ConnectError):
        await client.post(url, content=b"{}")


@pytest.mark.parametrize(
    ("kind", "error"), [("timeout", httpx.ReadTimeout), ("drip", httpx.ReadTimeout), ("reset", httpx.ReadError)]
)
async def test_a_socket_fault_is_raised_as_httpx_would(client, core, kind, error):
    body = planned(core, kind)

    with pytest.raises(error) as caught:
        await client.post("https://api.digiflazz.com/v1/transaction", content=body)

    assert caught.value.request.url.host == "api.digiflazz.com"
    assert core.order("T1").inquiries == 1


@pytest.mark.parametrize(
    ("kind", "status"), [("html", 200), ("truncated", 200), ("empty", 200), ("error_500", 500), ("redirect", 302)]
)
async def test_any_other_fault_is_the_reply_the_socket_would_carry(client, core, kind, status):
    body = planned(core, kind)

    reply = await client.post("https://api.digiflazz.com/v1/transaction", content=body)

    assert reply.status_code == status
    assert b'"sn": "0123"' not in reply.content
