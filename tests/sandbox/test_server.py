import json
from datetime import timedelta

import httpx
import pytest

from rekon.sandbox.app import create_app
from rekon.sandbox.journal import Journal
from rekon.sandbox.server import OWN_REFUND_SECONDS
from rekon.sandbox.world import Knobs
from tests.sandbox.played import memory_server, sale_of, small_story, told, world_of
from tests.sandbox.provider_calls import NOON, later

ROW = {
    "transaction_id": "T1",
    "agent_id": "T001",
    "charged_account": "agent_wallet",
    "price": 10_600,
    "order_status": "pending",
    "serial_number": None,
}
ASKED = {"refund_id": "ref_1", "agent_id": "T001", "transaction_id": "T1", "amount": 10_600, "currency": "IDR"}
KEY = "refund:toko:T1:B01:1"


def sold(*, debits=1, **more):
    server, agenda = memory_server(**more)
    server.wallets.post("T001", 100_000, kind="deposit", at=NOON)
    server.take_order(ROW, at=NOON, charge=True)
    for _ in range(debits - 1):
        server.debit("T1", at=later(2))
    return server, agenda


def test_an_order_takes_its_price_from_the_wallet():
    server, _ = sold()

    (line,) = server.wallets.of_transaction("T1")
    assert (line["amount"], line["balance_after"], line["sequence"], line["kind"]) == (-10_600, 89_400, 2, "debit")
    assert server.wallets.balance("T001") == 89_400


def test_every_wallet_line_and_order_change_is_journalled():
    journal = Journal(None)
    server, _ = sold(journal=journal)
    server.learn("T1", "failed", serial_number="", at=later(5))
    server.refund(KEY, ASKED, at=later(200))

    lines = [(row["amount"], row["balance_after"]) for row in journal.rows("wallet")]
    assert lines == [(100_000, 100_000), (-10_600, 89_400), (10_600, 100_000)]
    assert [row["order_status"] for row in journal.rows("change")] == ["failed", "refunded"]
    (asked,) = journal.rows("refund_request")
    assert (asked["key"], asked["paid"], asked["answer"]["status"]) == (KEY, True, "succeeded")


def test_an_idempotent_gateway_pays_one_key_once():
    server, _ = sold()

    first = server.refund(KEY, ASKED, at=later(200))
    again = server.refund(KEY, ASKED, at=later(900))

    assert (
        first
        == again
        == (200, {"status": "succeeded", "gateway_ref": "TL0000003", "agent_id": "T001", "amount": 10_600})
    )
    assert [line["reference"] for line in server.wallets.of_transaction("T1")] == ["", KEY]


def test_a_known_key_with_another_amount_pays_nothing():
    server, _ = sold()
    server.refund(KEY, ASKED, at=later(200))

    status, answer = server.refund(KEY, ASKED | {"amount": 1}, at=later(201))

    assert (status, answer["amount"]) == (409, 10_600)
    assert len(server.wallets.of_transaction("T1")) == 2


@pytest.mark.parametrize(("gateway_class", "lines", "found"), [("G2", 2, True), ("G1", 3, True), ("G0", 3, False)])
def test_gateways_without_idempotency_pay_every_request(gateway_class, lines, found):
    server, _ = sold(gateway_class=gateway_class)

    server.refund(KEY, ASKED, at=later(200))
    server.refund(KEY, ASKED, at=later(201))

    assert len(server.wallets.of_transaction("T1")) == lines
    assert (server.refund_by_key(KEY) is not None) is found


@pytest.mark.parametrize(
    "change",
    [{"amount": 0}, {"amount": -5}, {"amount": "10600"}, {"amount": True}, {"currency": "USD"}, {"agent_id": "X"}],
)
def test_a_senseless_refund_is_refused(change):
    server, _ = sold()
    status, answer = server.refund(KEY, ASKED | change, at=later(200))
    assert (status, answer["status"]) == (422, "failed")
    assert len(server.wallets.lines) == 2


def test_the_server_that_leaves_refunds_to_rekon_gives_nothing_back():
    server, agenda = sold()
    server.learn("T1", "failed", serial_number="", at=later(5))
    agenda.play(later(86_400))
    assert server.wallets.net("T1") == 10_600
    assert server.order("T1")["order_status"] == "failed"


def test_the_server_that_refunds_itself_does_it_once_within_seconds():
    server, agenda = sold(refunds_itself=True)
    server.learn("T1", "failed", serial_number="", at=later(5))
    server.learn("T1", "failed", serial_number="", at=later(6))
    server.set_result("T1", {"status": "failed"}, at=later(7))
    agenda.play(later(5 + max(OWN_REFUND_SECONDS)))
    agenda.play(later(86_400))

    assert [line["amount"] for line in server.wallets.of_transaction("T1")] == [-10_600, 10_600]
    assert server.order("T1")["order_status"] == "refunded"


def test_an_order_seeded_for_it_is_credited_a_second_time():
    server, agenda = sold(refunds_itself=True)
    server.credit_again("T1", after=60)
    server.learn("T1", "failed", serial_number="", at=later(5))
    agenda.play(later(86_400))
    assert [line["amount"] for line in server.wallets.of_transaction("T1")] == [-10_600, 10_600, 10_600]


def test_telling_the_self_refunding_server_of_a_failure_makes_it_pay():
    server, agenda = sold(refunds_itself=True)

    assert server.set_result("T1", {"status": "failed", "reason": "wrong_number"}, at=later(300)) == (
        200,
        {"status": "failed"},
    )
    agenda.play(later(320))

    assert server.wallets.net("T1") == 0


def test_a_result_against_a_final_order_is_a_conflict():
    server, _ = sold()
    server.learn("T1", "success", serial_number="123", at=later(5))
    assert server.set_result("T1", {"status": "failed"}, at=later(6)) == (409, {"status": "success"})
    assert server.order("T1")["order_status"] == "success"


def test_a_result_told_twice_is_accepted_twice():
    server, _ = sold()
    body = {"status": "success", "serial_number": "0041"}
    assert [server.set_result("T1", body, at=later(s))[0] for s in (60, 61)] == [200, 200]
    assert server.order("T1")["serial_number"] == "0041"


@pytest.mark.parametrize(
    ("name", "body", "status"), [("T9", {"status": "failed"}, 404), ("T1", {"status": "gone"}, 422)]
)
def test_a_senseless_result_is_refused(name, body, status):
    server, _ = sold()
    assert server.set_result(name, body, at=later(6))[0] == status
    assert server.order("T1")["order_status"] == "pending"


def test_a_late_success_revives_an_order_only_while_its_money_was_kept():
    kept, _ = sold()
    kept.learn("T1", "failed", serial_number="", at=later(5))
    kept.learn("T1", "success", serial_number="77", at=later(60))
    assert kept.order("T1")["order_status"] == "success"

    refunded, _ = sold()
    refunded.learn("T1", "failed", serial_number="", at=later(5))
    refunded.refund(KEY, ASKED, at=later(200))
    refunded.learn("T1", "success", serial_number="77", at=later(300))
    assert refunded.order("T1")["order_status"] == "refunded"


def test_a_success_that_comes_before_the_servers_own_refund_stops_it():
    server, agenda = sold(refunds_itself=True)
    server.learn("T1", "failed", serial_number="", at=later(5))
    server.learn("T1", "success", serial_number="77", at=later(6))
    agenda.play(later(60))
    assert server.wallets.net("T1") == 10_600
    assert server.order("T1")["order_status"] == "success"


def test_a_success_taken_back_stays_a_success_at_the_server():
    server, _ = sold()
    server.learn("T1", "success", serial_number="77", at=later(5))
    server.learn("T1", "reversed", serial_number="", at=later(900))
    server.learn("T1", "failed", serial_number="", at=later(901))
    assert server.order("T1")["order_status"] == "success"


def test_a_refund_of_half_a_double_debit_leaves_the_order_a_success():
    server, _ = sold(debits=2)
    server.learn("T1", "success", serial_number="77", at=later(5))
    server.refund("refund:toko:T1:B10:1", ASKED, at=later(200))
    assert server.order("T1")["order_status"] == "success"
    assert server.wallets.net("T1") == 10_600


def test_a_voucher_is_a_gift_and_not_money_of_the_purchase():
    server, _ = sold()
    server.refund("voucher:ABC", ASKED | {"amount": 1_000}, at=later(200))
    assert server.wallets.net("T1") == 10_600
    assert server.wallets.balance("T001") == 90_400


def test_each_change_remembers_how_the_order_looked_then():
    server, _ = sold()
    server.learn("T1", "success", serial_number="77", at=later(5))
    assert [(at, row["order_status"]) for at, row in server.changes] == [(NOON, "pending"), (later(5), "success")]


def test_an_agents_wallet_is_older_than_his_oldest_order():
    world, _ = world_of(small_story(imported=told(1).imported))
    for sale in told(1).imported:
        mine = [line for line in world.servers["toko"].wallets.lines if line["agent_id"] == sale.agent_id]
        assert [line["kind"] for line in mine] == ["deposit", "debit"]
        assert mine[0]["posted_at"] < mine[1]["posted_at"] == sale.ordered_at.isoformat()
    posted = [line["posted_at"] for line in world.servers["toko"].wallets.lines]
    assert posted == sorted(posted)


# Over HTTP.


@pytest.fixture
def served():
    sale = sale_of("refused_later")
    world, clock = world_of(small_story(sales=[sale]), knobs=Knobs(lost_replies=(2,)))
    world.advance(sale.ordered_at + timedelta(minutes=5))
    clock.now = sale.ordered_at + timedelta(minutes=5)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(world, clock)), base_url="http://sandbox")
    return client, sale, clock


def body_of(sale):
    return ASKED | {"agent_id": sale.agent_id, "transaction_id": sale.transaction_id, "amount": sale.product.price}


async def test_a_refund_over_http_is_found_by_its_key(served):
    client, sale, clock = served
    key = f"refund:toko:{sale.transaction_id}:B01:1"

    paid = await client.post("/servers/toko/refunds", json=body_of(sale), headers={"Idempotency-Key": key})
    found = await client.get("/servers/toko/refunds/by-key/" + key.replace(":", "%3A"))
    lines = await client.get("/servers/toko/wallet-lines", params={"transaction_id": sale.transaction_id})

    assert paid.status_code == found.status_code == 200
    assert paid.json() == found.json()
    assert lines.json()["as_of"] == clock.now.isoformat()
    assert [line["reference"] for line in lines.json()["items"]] == ["", key]


async def test_an_unknown_key_or_server_is_not_found(served):
    client, _, _ = served
    assert (await client.get("/servers/toko/refunds/by-key/refund%3Ax")).status_code == 404
    assert (await client.post("/servers/lain/refunds", json={})).status_code == 404


async def test_a_lost_reply_hides_money_that_was_paid(served):
    client, sale, _ = served
    first, second = (f"refund:toko:{sale.transaction_id}:B01:{n}" for n in (1, 2))
    await client.post("/servers/toko/refunds", json=body_of(sale), headers={"Idempotency-Key": first})

    broken = await client.post("/servers/toko/refunds", json=body_of(sale), headers={"Idempotency-Key": second})
    again = await client.post("/servers/toko/refunds", json=body_of(sale), headers={"Idempotency-Key": second})
    found = await client.get(f"/servers/toko/refunds/by-key/{second}")

    assert broken.status_code == 502
    assert again.json() == found.json()
    assert found.json()["status"] == "succeeded"


async def test_a_result_over_http_closes_a_pending_order(served):
    client, sale, _ = served
    told = await client.post(f"/servers/toko/orders/{sale.transaction_id}/result", json={"status": "success"})
    assert (told.status_code, told.json()) == (409, {"status": "failed"})


async def test_providers_and_statements_share_the_port(served):
    client, sale, _ = served
    statement = await client.get(f"/statement/{sale.provider}")
    asked = await client.post("/digiflazz/v1/cek-saldo", json={})

    rows = statement.text.splitlines()
    assert rows[0] == "line_id,posted_at,ref_id,amount,kind,balance_after"
    assert [row.split(",")[4] for row in rows[1:]] == ["opening", "charge", "reversal", "closing"]
    assert json.loads(asked.content)["data"]["rc"] == "42"
    assert asked.headers["date"].endswith("GMT")
