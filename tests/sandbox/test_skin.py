import json
import socket
import threading
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from rekon.sandbox import faults
from rekon.sandbox.journal import Journal
from rekon.sandbox.plan import Step
from rekon.sandbox.skin import LONGEST_SECONDS, Pace, provider_routes
from rekon.sandbox.wire import Fault, Reply
from tests.sandbox.provider_calls import (
    NOON,
    check,
    check_status,
    digiflazz,
    fate,
    iak,
    otomax,
    said,
    text,
    top_up,
    transaction,
    trx,
)

QUICK = Pace(hold_seconds=30, drip_seconds=0.001, drip_bytes=40)


class Echo:
    """A core that keeps what reached it."""

    def __init__(self):
        self.asked = []
        self.answered = threading.Event()

    def answer(self, request, now):
        self.asked.append((request, now))
        self.answered.set()
        return Reply(status=201, headers={"X-Kata": "ya"}, body=b"isi")

    def advance(self, now):
        return []

    def next_event_at(self):
        return None


class AlwaysFaulty(Echo):
    """A core that breaks every answer in one way."""

    def __init__(self, kind, body):
        super().__init__()
        self.fault = Fault(kind=kind, reply=Reply(headers={"Content-Type": "application/json"}, body=body))

    def answer(self, request, now):
        super().answer(request, now)
        return self.fault


class Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config):
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.listening.set()


@contextmanager
def served(core, *, pace=QUICK):
    """Serve a core below /toko on a free port of this machine and give its base URL."""
    app = Starlette(routes=provider_routes("/toko", core, lambda: NOON, pace=pace))
    config = uvicorn.Config(
        app, log_level="critical", date_header=False, server_header=False, ws="none", timeout_graceful_shutdown=1
    )
    server = Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert server.listening.wait(30)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/toko"
        finally:
            server.should_exit = True
            thread.join(30)


def send(base, request, **options):
    return httpx.request(
        request.method, base + request.path, params=request.query or None, content=request.body, timeout=30, **options
    )


@contextmanager
def broken(kind):
    """Serve a sold order whose first check meets a fault; give its URL, its question and its true reply."""
    core = digiflazz()
    core.plan("T1", fate(Step(after=0, state="success", code="00", serial_number="0123"), faults=(kind,)))
    core.answer(transaction("T1"), NOON)
    with served(core) as base:
        yield base, transaction("T1"), core


def test_a_request_reaches_the_core_whole_and_its_reply_comes_back():
    core = Echo()

    with served(core) as base:
        reply = httpx.post(base + "/v1/transaction?a=1&b=2", content=b"badan", headers={"X-Satu": "Dua"})

    ((request, now),) = core.asked
    assert (request.method, request.path, request.query) == ("POST", "/v1/transaction", {"a": "1", "b": "2"})
    assert (request.body, request.headers["x-satu"], request.via, now) == (b"badan", "Dua", "http", NOON)
    assert (reply.status_code, reply.headers["X-Kata"], reply.text) == (201, "ya", "isi")


@pytest.mark.parametrize(
    ("core", "bought", "asked"),
    [
        (digiflazz(), transaction("T1"), transaction("T1")),
        (iak(), top_up("T1"), check_status("T1")),
        (otomax(), trx("T1"), check("T1")),
    ],
    ids=["digiflazz", "iak", "otomax"],
)
def test_every_dialect_is_served(core, bought, asked):
    core.answer(bought, NOON)

    with served(core) as base:
        reply = send(base, asked)

    assert reply.status_code == 200
    assert core.order("T1").serial_number in reply.text
    assert reply.headers.get_list("Date") == ["Tue, 10 Mar 2026 05:00:00 GMT"]


def test_an_order_that_comes_over_the_socket_is_marked_so():
    journal = Journal(None)

    with served(digiflazz(journal)) as base:
        send(base, transaction("T1", via="server"))

    assert [row["via"] for row in journal.rows("order")] == ["http"]


def test_after_its_fault_an_order_is_told_honestly():
    with broken("empty") as (base, question, _core):
        replies = [send(base, question) for _ in range(2)]

    assert replies[0].content == b""
    assert replies[1].json()["data"]["sn"] == "0123"


def test_a_timeout_is_held_past_the_callers_deadline_although_the_core_has_answered():
    core = AlwaysFaulty("timeout", b"isi")

    with served(core) as base:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(base + "/x", timeout=httpx.Timeout(30, read=0.2))
        assert core.answered.wait(30)

    assert len(core.asked) == 1


def test_a_timeout_held_long_enough_is_answered_after_all():
    core = AlwaysFaulty("timeout", b"isi")

    with served(core, pace=Pace(hold_seconds=0.01)) as base:
        assert httpx.get(base + "/x", timeout=30).text == "isi"


def test_a_reset_closes_the_connection_in_the_middle_of_the_body():
    with broken("reset") as (base, question, _core):
        received, error = _read_until_broken(base, question)

    assert received
    assert "incomplete" in str(error) or "complete message" in str(error)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(received)


def test_a_drip_sends_so_many_single_bytes_and_closes():
    with broken("drip") as (base, question, _core):
        received, _error = _read_until_broken(base, question)

    assert received == b'{"data": {"ref_id": "T1", "customer_no": "081234567890"'[: QUICK.drip_bytes]


@pytest.mark.parametrize(("kind", "sent"), [("timeout", []), ("drip", [b"", b"x"])])
async def test_a_caller_who_hangs_up_is_sent_nothing_more(kind, sent):
    app = Starlette(routes=provider_routes("/toko", AlwaysFaulty(kind, b"x" * 100), lambda: NOON))
    arriving = [{"type": "http.disconnect"}, {"type": "http.request"}]
    messages = []

    async def receive():
        return arriving.pop()

    async def send(message):
        messages.append(message)

    await app({"type": "http", "method": "GET", "path": "/toko/x", "query_string": b"", "headers": []}, receive, send)

    assert [message.get("body", b"") for message in messages] == sent


def test_a_maintenance_page_is_html_under_two_hundred():
    with broken("html") as (base, question, _core):
        reply = send(base, question)

    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert reply.text.startswith("<!DOCTYPE html>")
    assert reply.headers["Date"] == "Tue, 10 Mar 2026 05:00:00 GMT"


def test_a_truncated_body_is_a_complete_reply_with_half_the_words():
    with broken("truncated") as (base, question, _core):
        reply = send(base, question)

    assert reply.status_code == 200
    assert int(reply.headers["Content-Length"]) == len(reply.content)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        reply.json()


def test_a_huge_body_is_the_reply_and_a_megabyte_behind_it():
    with broken("huge") as (base, question, _core):
        reply = send(base, question)

    assert len(reply.content) == faults.HUGE_BYTES == 1_000_000
    assert reply.json()["data"]["ref_id"] == "T1"


@pytest.mark.parametrize(("kind", "status"), [("error_500", 500), ("error_403", 403), ("error_503", 503)])
def test_an_error_status_says_nothing_about_the_order(kind, status):
    with broken(kind) as (base, question, _core):
        reply = send(base, question)

    assert (reply.status_code, reply.text) == (status, "Error")


def test_too_many_requests_name_a_wait():
    with broken("error_429") as (base, question, _core):
        assert send(base, question).headers["Retry-After"] == "30"


def test_a_redirect_points_elsewhere_on_this_machine_only():
    with broken("redirect") as (base, question, _core):
        reply = send(base, question)

    assert (reply.status_code, reply.headers["Location"]) == (302, "http://127.0.0.1:9/pindah")


def test_wrong_types_keep_the_words_but_not_their_form():
    with broken("wrong_type") as (base, question, _core):
        data = send(base, question).json()["data"]

    assert (data["ref_id"], data["rc"], data["status"], data["sn"]) == ("T1", 0, "sukses ", None)
    assert (data["price"], data["buyer_last_saldo"]) == ("10.000", "990.000")


def test_another_reference_stands_in_the_body():
    with broken("other_ref") as (base, question, _core):
        data = send(base, question).json()["data"]

    assert data["ref_id"] not in {"T1", ""}
    assert data["status"] == "Sukses"


def test_no_fault_lasts_longer_than_twenty_seconds():
    endless = Pace(hold_seconds=10_000, drip_seconds=0.5, drip_bytes=10_000)

    assert endless.held_for == LONGEST_SECONDS == 20
    assert endless.bytes_dripped * endless.drip_seconds == 20


def test_the_core_knows_nothing_of_the_fault_it_caused():
    with broken("error_500") as (base, question, core):
        send(base, question)

    assert said(core.answer(question, NOON))["status"] == "Sukses"
    assert len(core.orders()) == 1


def test_text_replies_break_too():
    core = otomax()
    kinds = ("wrong_type", "other_ref", "truncated", "huge")
    core.plan("T1", fate(Step(after=0, state="success", code="20", serial_number="0123"), faults=kinds))
    core.answer(trx("T1"), NOON)

    with served(core) as base:
        typed, other, cut, huge = (send(base, check("T1")) for _ in kinds)
    true = text(core.answer(check("T1"), NOON))

    assert typed.headers["Content-Type"] == "application/json"
    assert typed.json() == [true]
    assert "R#T1 " not in other.text
    assert other.text.replace("LAIN-990017", "T1") == true
    assert (cut.text, huge.text.rstrip()) == (true[: len(true) // 2], true)


def _read_until_broken(base, question):
    """Read a reply byte by byte until the connection breaks; give what came and the error."""
    received = bytearray()
    with pytest.raises(httpx.RemoteProtocolError) as error:
        _read_into(received, base, question)
    return bytes(received), error.value


def _read_into(received, base, question):
    with httpx.stream("POST", base + question.path, content=question.body, timeout=30) as reply:
        for chunk in reply.iter_raw():
            received += chunk
