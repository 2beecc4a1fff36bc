"""Callbacks through rekon to the server behind it, and from the server to rekon, over real HTTP."""

import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from rekon.connectors.channels.telegram_updates import acknowledgement, read_update
from rekon.connectors.providers.callbacks import ProviderDoor
from rekon.connectors.providers.relay import RelayTarget
from rekon.desk.app import Desk, make_app
from rekon.stages import check, relay
from rekon.store import schema
from tests.callback_server import CallbackServer
from tests.stages import bench as benches
from tests.stages.bench import CALLBACK_SECRET
from tests.stages.test_act import unformed

TOKEN = "pintu-demo-0123456789"
KEY = "kunci-server-0123456789"


@pytest.fixture
def server():
    """Give the server behind rekon; it is away until the test lets it up."""
    behind = CallbackServer()
    with behind.up():
        """Learn a port that is free."""
    return behind


@pytest.fixture
async def bench(set_up, server):
    """Give a bench whose Digiflazz and OtomaX callbacks go on to the server."""
    made = await set_up(unformed().story(minutes=6000))
    targets = {
        name: RelayTarget(f"{server.url}/hook/{name}", allow_http=True, allow_private=True)
        for name in ("digiflazz", "otomax")
    }
    made.context = replace(made.context, connectors=replace(made.context.connectors, relays=targets))
    yield made
    for target in targets.values():
        await target.aclose()


@asynccontextmanager
async def desk(bench, *, fronts=("digiflazz", "otomax"), copies=()):
    built = Desk(
        context_write=bench.context.write,
        context_read=bench.context.read,
        clock=lambda: bench.now,
        door=ProviderDoor(benches.definitions(), list(benches.accounts("http://127.0.0.1:1").values())),
        secret=benches.SECRET,
        api_keys=frozenset({KEY}),
        callback_token=TOKEN,
        telegram_token="",
        read_telegram=read_update,
        acknowledge_telegram=acknowledgement,
        zones={},
        fronts=frozenset(fronts),
        copies=frozenset(copies),
        is_alive=lambda: True,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(make_app(built)), base_url="http://rekon") as client:
        yield client


def said(ref="T100001", *, message="Sukses"):
    """Word a callback with blanks and an order no JSON library would write again."""
    data = {"ref_id": ref, "customer_no": "081210000001", "buyer_sku_code": "S50", "rc": "03", "status": "Pending"}
    return json.dumps({"data": data | {"message": message}}, separators=(" ,  ", " :")).encode() + b"\n"


def signed(body):
    mark = hmac.new(CALLBACK_SECRET.encode(), body, hashlib.sha1).hexdigest()
    return {"x-hub-signature": f"sha1={mark}", "x-digiflazz-event": "update", "content-type": "application/json"}


async def call(client, body, *, headers=None, path=f"/callbacks/digiflazz/{TOKEN}"):
    answer = await client.post(path, content=body, headers=signed(body) if headers is None else headers)
    return answer.status_code


def states(bench):
    return [row["state"] for row in bench.rows(schema.relays)]


async def test_a_callback_is_stored_here_and_arrives_there_byte_for_byte(bench, server):
    body = said()
    async with desk(bench) as client:
        assert await call(client, body) == 200
    assert (len(bench.rows(schema.inbox)), states(bench)) == (1, ["waiting"])
    with server.up():
        await relay.work(bench.context)
    (heard,) = server.heard
    assert (heard.target, heard.body) == ("/hook/digiflazz", body)
    assert signed(body).items() <= heard.headers.items()
    row = bench.one(schema.relays)
    assert (row["state"], row["headers"], row["ended_at"]) == ("taken", [], bench.now)


async def test_a_query_string_of_a_text_provider_goes_on_as_it_came(bench, server):
    query = "refid=T100001&message=T1.081210000001%20SUKSES.SN%3a01%2f2"
    async with desk(bench) as client:
        assert (await client.get(f"/callbacks/otomax/{TOKEN}?{query}")).status_code == 200
    with server.up():
        await relay.work(bench.context)
    assert [(one.method, one.target) for one in server.heard] == [("GET", f"/hook/otomax?{query}")]


async def test_while_the_server_is_away_callbacks_wait_and_then_arrive_in_order_once(bench, server):
    bodies = [said(message=f"ke-{number}") for number in range(30)]
    async with desk(bench) as client:
        for body in bodies[:20]:
            assert await call(client, body) == 200
        for seconds in (0, 2, 4):
            await bench.forward(seconds)
            await relay.work(bench.context)
        for body in bodies[20:]:
            await call(client, body)
    assert states(bench) == ["waiting"] * 30
    assert bench.one(schema.relay_queue)["attempts"] == 3
    with server.up():
        await bench.forward(600)
        while any(state == "waiting" for state in states(bench)):
            assert await relay.work(bench.context)
    assert [one.body for one in server.heard] == bodies
    assert (states(bench), bench.one(schema.relay_queue)["due_at"]) == (["taken"] * 30, None)


async def test_a_server_that_took_some_is_asked_again_soon(bench, server):
    async with desk(bench) as client:
        for number in range(2):
            await call(client, said(message=f"ke-{number}"))
    for seconds in (0, 2, 4):
        await bench.forward(seconds)
        await relay.work(bench.context)
    server.statuses = [200, 503]
    with server.up():
        await bench.forward(600)
        await relay.work(bench.context)
    queue = bench.one(schema.relay_queue)
    assert (states(bench), queue["attempts"]) == (["taken", "waiting"], 1)
    assert (queue["due_at"] - bench.now).total_seconds() == 2


async def test_a_repeated_callback_is_one_here_and_one_there(bench, server):
    async with desk(bench) as client:
        assert [await call(client, said()) for _ in range(3)] == [200, 200, 200]
    assert bench.one(schema.inbox)["copies"] == 3
    with server.up():
        await relay.work(bench.context)
        await bench.forward(60)
        await relay.work(bench.context)
    assert len(server.heard) == 1


async def test_a_callback_the_server_refuses_holds_the_others_up_only_for_a_while(bench, server):
    async with desk(bench) as client:
        await call(client, said(message="beracun"))
        await call(client, said(message="baik"))
    server.statuses = [500] * relay.REFUSALS_MAX
    with server.up():
        for _ in range(relay.REFUSALS_MAX):
            assert server.heard[-1:] == [] or b"beracun" in server.heard[-1].body
            await bench.forward(601)
            await relay.work(bench.context)
    assert states(bench) == ["refused", "taken"]


async def test_a_callback_older_than_a_week_is_given_up(bench, server):
    async with desk(bench) as client:
        await call(client, said())
    await bench.forward(relay.AGE_MAX.total_seconds())
    await relay.work(bench.context)
    assert (states(bench), bench.one(schema.relay_queue)["due_at"]) == (["expired"], None)


async def test_a_forged_callback_is_neither_kept_nor_passed_on(bench, server):
    async with desk(bench) as client:
        assert await call(client, said(), headers={"x-hub-signature": "sha1=00"}) == 401
    assert (bench.rows(schema.inbox), bench.rows(schema.relays)) == ([], [])


async def test_a_provider_that_is_not_relayed_keeps_its_callbacks_here(bench, server):
    async with desk(bench, fronts=()) as client:
        await call(client, said())
    assert (len(bench.rows(schema.inbox)), bench.rows(schema.relays)) == (1, [])


async def test_the_daemon_finds_a_waiting_callback_by_itself(bench, server):
    async with desk(bench) as client:
        await call(client, said())
    with server.up():
        await bench.beat()
    assert (states(bench), len(server.heard)) == (["taken"], 1)


COPY = "/api/v1/callbacks/digiflazz"


@pytest.mark.parametrize(("headers", "verdict"), [(True, "signed"), (False, "hint")])
async def test_a_copy_from_the_server_counts_as_a_reading_only_while_its_body_is_signed(bench, headers, verdict):
    body, key = said("TK700001"), {"authorization": f"Bearer {KEY}"}
    async with desk(bench, fronts=(), copies=("digiflazz",)) as client:
        given = key | (signed(body) if headers else {"content-type": "application/json"})
        assert await call(client, body, headers=given, path=COPY) == 200
        assert await call(client, body, headers=given, path=COPY) == 200
    assert (bench.one(schema.inbox)["verdict"], bench.one(schema.inbox)["copies"]) == (verdict, 2)
    await bench.forward(5)
    await check.work(bench.context)
    report = bench.one(schema.reports, source="callback")
    assert report["body_signed"] is (verdict == "signed")


async def test_a_copy_without_the_key_or_for_another_way_is_refused(bench):
    body = said()
    async with desk(bench, fronts=(), copies=("digiflazz",)) as client:
        assert await call(client, body, path=COPY) == 401
        key = {"authorization": f"Bearer {KEY}"}
        assert await call(client, body, headers=key, path="/api/v1/callbacks/otomax") == 404
        assert await call(client, b"", headers=key, path=COPY) == 422
        assert await call(client, b"x" * 70_000, headers=key, path=COPY) == 413
    assert bench.rows(schema.inbox) == []
