import re
import sqlite3

import pytest

from rekon.store import schema
from tests.desk import counter
from tests.desk.counter import KEY, TOKEN, line, order
from tests.desk.test_callbacks import BODY

GUARDED = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def test_the_process_says_that_it_answers(desk):
    assert desk.client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(("is_alive", "status"), [(True, 200), (False, 503)])
def test_it_is_ready_once_beats_run(desk, is_alive, status):
    desk.is_alive = is_alive
    assert desk.client.get("/readyz").status_code == status


def addresses(desk):
    """Write every route of the application as method and path."""
    for path, methods in desk.app.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), re.sub(r"\{\w+\}", "x", path)
    yield "GET", desk.app.openapi_url


def test_every_answer_carries_the_guarding_headers(desk):
    seen = [*addresses(desk), ("GET", "/nowhere"), ("DELETE", "/healthz"), ("POST", "/api/v1/nowhere")]
    assert len(seen) > 15
    for method, path in seen:
        answer = desk.client.request(method, path, headers={"authorization": f"Bearer {KEY}"})
        for name, value in GUARDED.items():
            assert answer.headers.get(name) == value, (method, path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy


def test_every_address_of_the_api_wants_a_key(desk):
    api = [(method, path) for method, path in addresses(desk) if path.startswith("/api/")]
    assert len(api) >= 7
    for method, path in api:
        assert desk.client.request(method, path).status_code == 401, (method, path)


def test_nothing_is_shown_about_how_it_is_made(desk):
    for path in ("/docs", "/redoc", "/openapi.json", "/metrics", "/debug"):
        assert desk.client.get(path).status_code == 404
    assert "server" not in desk.client.get("/healthz").headers


def test_a_defect_of_ours_is_answered_without_a_word_about_it(store, board, client):
    async def broken(*args, **kwargs):
        text = "SELECT destination FROM transactions"
        raise RuntimeError(text)

    desk = counter.open_counter(store, board, client, context_write=broken)
    answer = desk.post("/api/v1/transactions", {"source": "toko", "items": []})
    assert (answer.status_code, answer.content) == (500, b"")
    assert {name: answer.headers.get(name) for name in GUARDED} == GUARDED


# The database is away.


@pytest.fixture
def locked(desk):
    """Hold the database the way another program would, and let nobody wait for it."""
    desk.store.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=1"))
    other = sqlite3.connect(desk.store.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def test_while_the_database_is_locked_senders_are_asked_to_come_again(desk, locked):
    answers = [
        desk.post("/api/v1/transactions", {"source": "toko", "items": [order()]}),
        desk.post("/api/v1/wallet-lines", {"source": "toko", "items": [line()]}),
        desk.client.post(
            f"/callbacks/digiflazz/{TOKEN}",
            content=BODY,
            headers={"x-hub-signature": counter.hub_signature(counter.bench.CALLBACK_SECRET, BODY)},
        ),
    ]
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "5")] * 3


def test_what_was_sent_again_after_the_lock_is_all_there(desk, locked):
    def send():
        return [
            desk.post("/api/v1/transactions", {"source": "toko", "items": [order()]}).status_code,
            desk.post("/api/v1/wallet-lines", {"source": "toko", "items": [line()]}).status_code,
            desk.call_back(BODY),
        ]

    assert send() == [503, 503, 503]
    locked.execute("ROLLBACK")
    assert send() == [200, 200, 200]
    assert [len(desk.rows(table)) for table in (schema.transactions, schema.wallet_lines, schema.inbox)] == [1, 1, 1]


@pytest.fixture
def full(desk):
    """Let the database grow no further, as on a full disk; the fixture gives what makes room again."""

    def pages(limit):
        return desk.store.write(
            lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={limit}").scalar()
        )

    pages(1)  # SQLite never goes below what is there
    return lambda: pages(1_000_000)


def test_on_a_full_disk_a_batch_is_stored_whole_or_not_at_all(desk, full):
    rows = [order(number) for number in range(2_000)]
    answer = desk.post("/api/v1/transactions", {"source": "toko", "items": rows})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert desk.rows(schema.transactions) == []
    full()
    assert desk.push("transactions", *rows)["accepted"] == 2_000


def test_on_a_full_disk_a_callback_is_not_answered_as_taken(desk, full):
    bodies = [BODY[:-1] + b" " * 60_000 + f', "x": {number}}}'.encode() for number in range(40)]
    answers = [desk.call_back(body) for body in bodies]
    assert 503 in answers
    assert len(desk.rows(schema.inbox)) == answers.count(200)
    full()
    assert {desk.call_back(body) for body in bodies} == {200}
    assert len(desk.rows(schema.inbox)) == len(bodies)


def test_pages_that_only_read_answer_while_somebody_writes(desk, locked):
    assert desk.get("/api/v1/agents/A01/alerts").status_code == 200
    assert desk.client.get("/healthz").status_code == 200
