"""Paying inside a server's own database, on SQLite and on PostgreSQL: once a key, whatever happens in between."""

import asyncio
import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from rekon.connectors.gateways.contract import (
    Gateway,
    GatewayClass,
    OrderResult,
    PayState,
    RefundOrder,
    ResultState,
    WalletUnreadableError,
)
from rekon.connectors.gateways.sql import SqlGateway, parse_preset
from rekon.connectors.sources.mapping import MappingError
from rekon.connectors.sources.select_only import StatementRefusedError
from rekon.domain.intake import parse_wallet_line
from rekon.domain.transaction import WalletLineKind
from tests.connectors import databases
from tests.connectors.databases import ask, change, put

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
ORDER = RefundOrder(
    key="refund:toko:TRX1:B01:1",
    refund_id="ref_1",
    agent_id="1",
    transaction_id="TRX1",
    amount=10_500,
    reason="penyedia menyatakan gagal",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("pg_url")
    return f"sqlite:///{tmp_path / 'server.db'}"


@pytest.fixture
def server(url):
    engine = databases.laravel(url)
    for name in ("Budi", "Sari"):
        put(engine, "users", name=name, saldo=50_000)
    put(
        engine,
        "transactions",
        user_id=1,
        invoice="TRX1",
        target="081234567890",
        buyer_sku_code="xld10",
        product_name="XL",
        price="10500",
        status="Pending",
    )
    made(engine).set_up()
    yield engine
    engine.dispose()


def made(engine, preset=None, **options):
    preset = preset or parse_preset(databases.preset("laravel_ppob"))
    return SqlGateway(engine, preset, clock=lambda: NOW, **options)


def pay(engine, order=ORDER, **options):
    return asyncio.run(made(engine, **options).pay(order))


def find(engine, order=ORDER):
    return asyncio.run(made(engine).find(order))


def saldo(engine, user=1):
    return ask(engine, "SELECT saldo FROM users WHERE id = :id", id=user)[0][0]


def credits_of(engine):
    return ask(engine, "SELECT user_id, type, amount, latest_balance, current_balance, invoice FROM mutations")


def test_a_refund_credits_the_agent_and_writes_its_mutation(server):
    answer = pay(server)
    assert (answer.state, answer.gateway_ref) == (PayState.SUCCEEDED, ORDER.key)
    assert (answer.agent_id, answer.amount, answer.note) == ("1", 10_500, "")
    assert saldo(server) == 60_500
    assert credits_of(server) == [(1, "Kredit", 10_500, 50_000, 60_500, ORDER.key)]


def test_the_same_key_twice_credits_once(server):
    assert [pay(server).state, pay(server).state] == [PayState.SUCCEEDED] * 2
    assert saldo(server) == 60_500
    assert len(credits_of(server)) == 1


def test_the_same_key_from_many_threads_credits_once(server):
    together = threading.Barrier(8)

    def one(_):
        together.wait()
        return pay(server).state

    with ThreadPoolExecutor(8) as threads:
        states = list(threads.map(one, range(8)))
    assert set(states) <= {PayState.SUCCEEDED, PayState.UNKNOWN}
    assert find(server).state is PayState.SUCCEEDED
    assert saldo(server) == 60_500
    assert len(credits_of(server)) == 1


def test_different_keys_from_many_threads_all_credit(server):
    def one(number):
        return pay(server, replace(ORDER, key=f"refund:toko:TRX1:B01:{number}")).state

    with ThreadPoolExecutor(4) as threads:
        states = list(threads.map(one, range(12)))
    paid = states.count(PayState.SUCCEEDED)
    assert paid >= 1
    assert saldo(server) == 50_000 + paid * 10_500
    balances = sorted(row[4] for row in credits_of(server))
    assert balances == [50_000 + (number + 1) * 10_500 for number in range(paid)]


@pytest.mark.parametrize("other", [{"amount": 9_000}, {"agent_id": "2"}, {"transaction_id": "TRX2"}])
def test_a_key_used_for_something_else_pays_nothing_and_is_unknown(server, other):
    pay(server)
    answer = pay(server, replace(ORDER, **other))
    assert answer.state is PayState.UNKNOWN
    assert answer.note
    assert (saldo(server, 1), saldo(server, 2)) == (60_500, 50_000)


def test_an_agent_who_is_not_there_is_a_plain_failure_and_leaves_no_key(server):
    order = replace(ORDER, agent_id="99")
    answer = pay(server, order)
    assert (answer.state, answer.note) == (PayState.FAILED, "agen ini tidak ada di server")
    assert find(server, order).state is PayState.NOT_FOUND
    assert credits_of(server) == []


@pytest.mark.parametrize("agent_id", ["1abc", "01", " 1", "1 OR 1=1", "", "-1", "1.0", "\uff11", "9" * 30])
def test_an_agents_id_is_never_bent_into_a_number(server, agent_id):
    answer = pay(server, replace(ORDER, agent_id=agent_id))
    assert answer.state is PayState.FAILED
    assert (saldo(server, 1), saldo(server, 2)) == (50_000, 50_000)


@pytest.mark.parametrize("part", ["INSERT INTO rekon_refunds", "UPDATE users", "INSERT INTO mutations"])
@pytest.mark.parametrize("when", ["before_cursor_execute", "after_cursor_execute"])
def test_a_crash_between_the_statements_pays_nothing_and_the_repeat_pays_once(server, part, when):
    def crash(_connection, _cursor, statement, *_rest):
        if statement.startswith(part):
            raise KeyboardInterrupt

    event.listen(server, when, crash)
    with pytest.raises(KeyboardInterrupt):
        pay(server, run=inline)
    event.remove(server, when, crash)
    assert find(server).state is PayState.NOT_FOUND
    assert saldo(server) == 50_000
    assert pay(server).state is PayState.SUCCEEDED
    assert saldo(server) == 60_500


def test_a_lost_answer_to_the_commit_is_unknown_and_the_look_up_finds_it(server):
    def lose(connection):
        connection.connection.driver_connection.commit()
        statement = "COMMIT"
        raise OperationalError(statement, {}, ConnectionError())

    event.listen(server, "commit", lose)
    answer = pay(server)
    event.remove(server, "commit", lose)
    assert answer.state is PayState.UNKNOWN
    assert "OperationalError" in answer.note
    assert find(server).state is PayState.SUCCEEDED
    assert pay(server).state is PayState.SUCCEEDED
    assert saldo(server) == 60_500


def test_a_database_in_trouble_is_unknown_not_failed(server):
    change(server, "ALTER TABLE mutations RENAME TO gone")
    answer = pay(server)
    assert answer.state is PayState.UNKNOWN
    assert "SELECT" not in answer.note
    assert find(server).state is PayState.NOT_FOUND
    assert saldo(server) == 50_000


def test_a_locked_database_is_unknown(tmp_path):
    url = f"sqlite:///{tmp_path / 'server.db'}"
    holder = databases.laravel(url)
    put(holder, "users", name="Budi", saldo=1)
    made(holder).set_up()
    impatient = databases.create_engine(url, connect_args={"timeout": 0})
    with holder.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        assert pay(impatient).state is PayState.UNKNOWN
        connection.rollback()
    assert pay(impatient).state is PayState.SUCCEEDED
    for engine in (holder, impatient):
        engine.dispose()


def test_a_key_that_was_never_told_is_not_found(server):
    assert find(server).state is PayState.NOT_FOUND


def test_a_refund_taken_back_at_the_server_is_seen_by_look_up(server):
    pay(server)
    change(server, "UPDATE rekon_refunds SET status = 'returned'")
    assert find(server).state is PayState.RETURNED
    change(server, "UPDATE rekon_refunds SET status = 'SUCCEEDED'")
    assert find(server).state is PayState.UNKNOWN


def test_a_balance_that_is_empty_counts_as_nothing(server):
    change(server, "UPDATE users SET saldo = NULL WHERE id = 1")
    assert pay(server).state is PayState.SUCCEEDED
    assert saldo(server) == 10_500


def told(engine, status="failed", order="TRX1"):
    result = OrderResult(
        transaction_id=order, key=f"result:toko:{order}:{status}", status=status, serial_number="0340", reason="gagal"
    )
    return asyncio.run(made(engine).report_result(result))


@pytest.mark.parametrize(("status", "word"), [("failed", "Gagal"), ("success", "Sukses")])
def test_an_open_order_is_closed_as_told_and_stays_so(server, status, word):
    for _ in range(2):
        answer = told(server, status)
        assert (answer.state, answer.server_status) == (ResultState.ACCEPTED, status)
    assert ask(server, "SELECT status, sn, message FROM transactions") == [(word, "0340", "gagal")]


@pytest.mark.parametrize(
    ("before", "state", "status"),
    [
        ("Sukses", ResultState.CONFLICT, "success"),
        ("Gagal", ResultState.ACCEPTED, "failed"),
        ("Proses", ResultState.UNKNOWN, ""),
        (None, ResultState.UNKNOWN, ""),
    ],
)
def test_an_order_that_is_not_open_is_left_as_it_is(server, before, state, status):
    change(server, "UPDATE transactions SET status = :status", status=before)
    answer = told(server, "failed")
    assert (answer.state, answer.server_status) == (state, status)
    assert ask(server, "SELECT status, sn FROM transactions") == [(before, None)]


def test_an_order_that_is_not_there_is_unknown(server):
    assert told(server, "failed", "TRX9").state is ResultState.UNKNOWN


def test_the_credit_is_read_back_with_our_key_and_the_purchase(server):
    put(
        server,
        "mutations",
        user_id=1,
        type="Debet",
        description="x",
        amount=10_500,
        latest_balance=60_500,
        current_balance=50_000,
        invoice="TRX1",
        created_at="2026-11-22 11:00:00",
    )
    put(
        server,
        "mutations",
        user_id=2,
        type="Debet",
        description="x",
        amount=7,
        latest_balance=7,
        current_balance=0,
        invoice="TRX2",
        created_at="2026-11-22 11:00:00",
    )
    pay(server)
    read = asyncio.run(made(server).read_wallet("TRX1"))
    lines = [parse_wallet_line(row, source="toko", zone=None, now=NOW) for row in read.rows]
    assert read.as_of == NOW
    assert [(line.kind, line.amount, line.transaction_id, line.reference) for line in lines] == [
        (WalletLineKind.DEBIT, -10_500, "TRX1", ""),
        (WalletLineKind.REFUND, 10_500, "TRX1", ORDER.key),
    ]
    assert lines[1].posted_at == NOW
    assert lines[1].balance_after == 60_500


def test_a_wallet_that_cannot_be_read_is_no_wallet(server):
    change(server, "ALTER TABLE mutations RENAME TO gone")
    with pytest.raises(WalletUnreadableError) as caught:
        asyncio.run(made(server).read_wallet("TRX1"))
    assert not caught.value.is_unsupported


def smaller(**changes):
    document = copy.deepcopy(databases.preset("laravel_ppob"))
    document["gateway"] = {name: value for name, value in (document["gateway"] | changes).items() if value is not None}
    return document


def test_what_a_plan_does_not_offer_is_not_tried(server):
    gateway = made(server, parse_preset(smaller(report=None, wallet_where=None)))
    result = OrderResult(transaction_id="TRX1", key="k", status="failed")
    assert asyncio.run(gateway.report_result(result)).state is ResultState.UNSUPPORTED
    with pytest.raises(WalletUnreadableError) as caught:
        asyncio.run(gateway.read_wallet("TRX1"))
    assert caught.value.is_unsupported


def test_a_step_that_touches_too_much_is_undone(server):
    steps = copy.deepcopy(databases.preset("laravel_ppob"))["gateway"]["pay"]
    steps[1] = {"sql": "UPDATE users SET saldo = saldo + :amount", "rows": 1}
    gateway = made(server, parse_preset(smaller(pay=steps)))
    answer = asyncio.run(gateway.pay(ORDER))
    assert answer.state is PayState.UNKNOWN
    assert (saldo(server, 1), saldo(server, 2)) == (50_000, 50_000)
    assert find(server).state is PayState.NOT_FOUND


def test_a_payment_that_cannot_be_read_back_is_unknown(server):
    gateway = made(server, parse_preset(smaller(pay=[{"sql": "SELECT 1"}])))
    assert asyncio.run(gateway.pay(ORDER)).state is PayState.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"class": "G3"}, "gateway.class"),
        ({"class": None}, "gateway.class"),
        ({"pay": []}, "gateway.pay"),
        ({"pay": None}, "gateway.pay"),
        ({"pay": [{"sql": "UPDATE a SET b = :saldo"}]}, "saldo"),
        ({"pay": [{"sql": "UPDATE a SET b = 1; DROP TABLE c"}]}, "one statement"),
        ({"pay": [{"sql": "UPDATE a SET b = 1", "rows": -1}]}, "rows"),
        ({"pay": [{"sql": "UPDATE a SET b = 1", "row": 1}]}, "row"),
        ({"find": None}, "gateway.find"),
        ({"find": "SELECT 1 -- x"}, "one statement"),
        ({"integer_ids": ["saldo"]}, "integer_ids"),
        ({"order_words": {"Gagal": "gagal"}}, "order_words"),
        ({"order_status": None}, "gateway.report"),
        ({"report": {"sql": "UPDATE a SET b = 1"}}, "gateway.report"),
        ({"window_seconds": "1"}, "window_seconds"),
        ({"setup": "CREATE TABLE x (a INT)"}, "gateway.setup"),
        ({"gaji": 1}, "gaji"),
    ],
)
def test_a_plan_that_cannot_be_trusted_is_refused_when_it_is_loaded(changes, said):
    with pytest.raises(MappingError, match=said):
        parse_preset(smaller(**changes))


def test_a_preset_without_a_way_to_pay_is_refused():
    with pytest.raises(MappingError, match="no way to pay"):
        parse_preset(databases.preset("otomax"))


@pytest.mark.parametrize("where", ["1 = 1) OR (1 = 1", "m.id = pg_sleep(5)"])
def test_a_condition_that_is_more_than_a_condition_is_refused(tmp_path, where):
    engine = databases.create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(StatementRefusedError):
        made(engine, parse_preset(smaller(wallet_where=where)))


async def inline(function):
    return function()


async def test_a_gateway_says_what_it_promises_and_can_run_inline(tmp_path):
    engine = databases.laravel(f"sqlite:///{tmp_path / 'server.db'}")
    gateway: Gateway = made(engine, run=inline, name="toko")
    assert (gateway.name, gateway.gateway_class) == ("toko", GatewayClass.G2)
    assert gateway.window_seconds == 315_360_000
    assert (await gateway.find(ORDER)).state is PayState.UNKNOWN, "the table of keys is not there yet"
    engine.dispose()
