import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from rekon.domain.breaks import BreakKind
from rekon.store import book_wallet, messages, schema, vouchers
from tests import builders
from tests.desk.counter import KEY, NOW, line, order
from tests.store import filling

WRITING = ("transactions", "wallet-lines", "agents", "statement-lines", "vouchers/KODE/redeem")
READING = ("agents/A01/alerts", "wallet-credits", "openapi.json")


def books(desk):
    return [row for table in schema.metadata.tables.values() for row in desk.rows(table)]


# Who may.


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer nope"}, {"authorization": f"Basic {KEY}"}])
@pytest.mark.parametrize("path", WRITING)
def test_nobody_writes_without_a_key(desk, path, headers):
    answer = desk.client.post(f"/api/v1/{path}", json={"source": "toko", "items": [order()]}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert books(desk) == []


@pytest.mark.parametrize("path", READING)
def test_nobody_reads_without_a_key(desk, path):
    assert desk.client.get(f"/api/v1/{path}").status_code == 401
    assert desk.get(f"/api/v1/{path}").status_code == 200


@pytest.mark.parametrize("key", ["x", KEY[:-1], f"{KEY}x", KEY.upper(), "kunci-é"])
def test_an_almost_right_key_is_no_key(desk, key):
    headers = {b"authorization": f"Bearer {key}".encode()}
    assert desk.client.post("/api/v1/agents", json={}, headers=headers).status_code == 401


def test_every_configured_key_is_taken(desk):
    answer = desk.post("/api/v1/agents", {"source": "toko", "items": []}, key="another-key-0123456789abcdef")
    assert answer.status_code == 200


def test_a_stranger_is_refused_before_his_body_is_read(desk):
    def endless():
        while True:
            yield b"[" * 65536

    with pytest.raises((httpx.TransportError, httpx.HTTPStatusError)):
        desk.client.post("/api/v1/transactions", content=endless()).raise_for_status()


# What is taken.


def test_orders_are_taken_with_their_leg_and_looked_at(desk):
    assert desk.push("transactions", order()) == {"accepted": 1, "unchanged": 0, "quarantined": []}
    stored = desk.one(schema.transactions)
    assert (stored["key"], stored["price"], stored["recorded_at"]) == ("toko:T1001", builders.PRICE, NOW)
    assert desk.one(schema.legs)["ref_id"] == "T1001"
    assert desk.one(schema.evaluations)["due_at"] == NOW


def test_the_same_rows_sent_again_change_nothing(desk):
    rows = [order(number) for number in (1001, 1002)]
    desk.push("transactions", *rows)
    desk.push("wallet-lines", line())
    before = books(desk)
    assert desk.push("transactions", *rows) == {"accepted": 0, "unchanged": 2, "quarantined": []}
    assert desk.push("wallet-lines", line()) == {"accepted": 0, "unchanged": 1, "quarantined": []}
    assert books(desk) == before


def test_a_new_status_is_taken_as_an_observation(desk):
    desk.push("transactions", order())
    assert desk.push("transactions", order(order_status="failed"))["accepted"] == 1
    assert [row["order_status"] for row in desk.rows(schema.observations)] == ["pending", "failed"]


def test_a_row_that_cannot_be_read_is_named_by_place_field_and_reason_and_kept(desk):
    bad = [order(), order(1002, price="10.500"), order(1003, destination=None)]
    said = desk.push("transactions", *bad)
    assert said["accepted"] == 1
    assert [(one["index"], one["field"]) for one in said["quarantined"]] == [(1, "price"), (2, "destination")]
    assert said["quarantined"][0]["reason"].startswith("harus rupiah bulat")
    kept = desk.rows(schema.quarantine)
    assert [(row["field"], row["row"]["transaction_id"]) for row in kept] == [
        ("price", "T1002"),
        ("destination", "T1003"),
    ]


def test_a_changed_amount_is_quarantined_and_the_first_one_stands(desk):
    desk.push("transactions", order())
    said = desk.push("transactions", order(price=1))
    assert [(one["index"], one["field"]) for one in said["quarantined"]] == [(0, "price")]
    assert desk.one(schema.transactions)["price"] == builders.PRICE


def test_a_quarantined_row_that_comes_again_is_kept_once(desk):
    for _ in range(2):
        desk.push("transactions", order(price="x"))
    assert len(desk.rows(schema.quarantine)) == 1


def test_times_without_a_zone_are_read_in_the_sources_own(desk):
    desk.push("transactions", order(ordered_at="2026-11-22T14:05:00"))
    assert desk.one(schema.transactions)["ordered_at"] == builders.T0


def test_an_unknown_source_must_say_its_zone(desk):
    said = desk.push("transactions", order(ordered_at="2026-11-22T14:05:00"), source="lain")
    assert said["quarantined"][0]["field"] == "ordered_at"


def test_agents_and_statement_lines_are_taken(desk):
    assert desk.push("agents", {"agent_id": "A01", "name": "Sari", "zone": "WIB"})["accepted"] == 1
    row = {
        "line_id": "S1",
        "posted_at": builders.T0.isoformat(),
        "ref_id": "T1001",
        "amount": -50_150,
        "kind": "charge",
    }
    answer = desk.post("/api/v1/statement-lines", {"provider": "iak", "account": "utama", "items": [row]})
    assert answer.json() == {"accepted": 1, "unchanged": 0, "quarantined": []}
    assert desk.one(schema.statement_lines)["amount"] == -50_150


# How much at once.


def test_ten_thousand_rows_are_one_batch(desk):
    rows = [order(number) for number in range(10_000)]
    assert desk.push("transactions", *rows)["accepted"] == 10_000


def test_one_more_than_ten_thousand_is_refused_whole(desk):
    rows = [line(number) for number in range(10_001)]
    assert desk.post("/api/v1/wallet-lines", {"source": "toko", "items": rows}).status_code == 422
    assert books(desk) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"source":"toko"}',
        b'{"source":"","items":[]}',
        b'{"source":"../x","items":[]}',
        b'{"source":"toko","items":{}}',
        b'{"source":"toko","items":[1]}',
        b'{"source":"toko","items":[],"lain":1}',
        b'{"source":"toko","items":[],"as_of":"2026-11-22T07:00:00"}',
        b"[" * 100_000,
    ],
)
def test_a_batch_that_is_none_is_refused_whole(desk, body):
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    assert desk.client.post("/api/v1/transactions", content=body, headers=headers).status_code in (400, 422)
    assert books(desk) == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_beyond_the_limit_is_refused(desk, announced):
    chunk = b" " * 1_048_576
    body = chunk * 17 if announced else (chunk for _ in range(17))
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    try:
        status = desk.client.post("/api/v1/transactions", content=body, headers=headers).status_code
    except httpx.TransportError:
        status = 413
    assert status == 413
    assert books(desk) == []


# Up to when a book is complete.


def mark(desk, book="orders"):
    return desk.one(schema.marks, book=book)["read_to"]


def test_an_empty_batch_is_a_heartbeat_that_moves_the_mark(desk):
    at = NOW - timedelta(minutes=1)
    said = desk.push("transactions", as_of=at.isoformat())
    assert said == {"accepted": 0, "unchanged": 0, "quarantined": []}
    assert mark(desk) == at


def test_each_book_has_a_mark_of_its_own_that_never_goes_back(desk):
    desk.push("transactions", as_of=NOW.isoformat())
    desk.push("wallet-lines", as_of=(NOW - timedelta(minutes=5)).isoformat())
    desk.push("transactions", as_of=(NOW - timedelta(minutes=9)).isoformat())
    assert (mark(desk), mark(desk, "wallet")) == (NOW, NOW - timedelta(minutes=5))


def test_no_book_is_complete_beyond_now(desk):
    desk.push("transactions", as_of=(NOW + timedelta(days=1)).isoformat())
    assert mark(desk) == NOW


def test_a_batch_without_a_mark_leaves_the_book_stale(desk):
    desk.push("transactions", order())
    assert desk.rows(schema.marks) == []


# What a server may read.


def tell(desk, event, **more):
    message = filling.new_message(event=event, case_id=None, **more)
    desk.store.write(messages.add, message, now=NOW)


def test_an_agent_is_shown_what_he_was_told_and_nobody_elses_news(desk):
    tell(desk, "one", template="M02")
    tell(desk, "two", agent_id="A02")
    tell(desk, "three", audience="provider")
    said = desk.get("/api/v1/agents/A01/alerts").json()
    assert [item["template"] for item in said["items"]] == ["M02"]
    assert set(said["items"][0]) == {"message_id", "template", "text", "state", "created_at"}
    assert datetime.fromisoformat(said["items"][0]["created_at"]) == NOW


def test_credits_of_our_own_wallet_book_are_pulled_from_a_position_on(desk):
    for number in (1, 2, 3):
        desk.store.write(
            book_wallet.credit,
            key=f"refund:toko:T{number}:B01:1",
            agent_id="A01",
            transaction_id=f"T{number}",
            amount=1_000 * number,
            reason="B01",
            now=NOW,
        )
    first, *_ = desk.get("/api/v1/wallet-credits").json()["items"]
    later = desk.get(f"/api/v1/wallet-credits?after={first['id']}").json()["items"]
    assert [item["amount"] for item in later] == [2_000, 3_000]
    assert datetime.fromisoformat(later[0]["at"]) == NOW


@pytest.fixture
def voucher(desk):
    transaction = filling.order(desk.store)
    desk.store.write(
        vouchers.issue,
        transaction,
        code="KODE-0001",
        kind=BreakKind.DEBITED_TWICE,
        amount=5_000,
        rule="comp.1",
        policy=builders.build_policy(),
        now=NOW,
    )
    return "KODE-0001"


def redeem(desk, code, agent_id="A01"):
    return desk.post(f"/api/v1/vouchers/{code}/redeem", {"agent_id": agent_id})


def test_a_voucher_is_taken_in_once_for_its_own_agent(desk, voucher):
    assert redeem(desk, voucher).json() == {"status": "redeeming"}
    assert desk.one(schema.vouchers)["due_at"] == NOW
    assert redeem(desk, voucher).json() == {"status": "redeeming"}


@pytest.mark.parametrize(("code", "agent_id"), [("KODE-0001", "A02"), ("KODE-9999", "A01")])
def test_a_voucher_of_somebody_else_or_of_nobody_is_not_known(desk, voucher, code, agent_id):
    assert redeem(desk, code, agent_id).status_code == 404
    assert desk.one(schema.vouchers)["state"] == "issued"


def test_an_expired_voucher_is_not_known(desk, voucher):
    desk.now = NOW + timedelta(days=31)
    assert redeem(desk, voucher).status_code == 404


def test_what_was_pushed_in_another_zone_is_the_same_instant(desk):
    desk.push("transactions", order(ordered_at="2026-11-22T16:05:00+09:00"))
    assert desk.one(schema.transactions)["ordered_at"] == datetime(2026, 11, 22, 7, 5, tzinfo=UTC)


def test_an_answer_is_json_that_programs_can_read(desk):
    answer = desk.post("/api/v1/transactions", {"source": "toko", "items": []})
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.content) == {"accepted": 0, "unchanged": 0, "quarantined": []}
