from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from rekon.domain.books import Agent, StatementLine
from rekon.domain.intake import (
    FIELDS,
    REQUIRED_FIELDS,
    Book,
    RowError,
    parse_agent,
    parse_statement_line,
    parse_transaction,
    parse_wallet_line,
)
from rekon.domain.transaction import (
    ChargedAccount,
    LegState,
    OrderStatus,
    SendState,
    WalletLine,
    WalletLineKind,
)

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
WIB = ZoneInfo("Asia/Jakarta")
TEN = datetime(2026, 11, 22, 3, 15, tzinfo=UTC)

ORDER = {
    "transaction_id": "T1001",
    "agent_id": "A1",
    "charged_account": "agent_wallet",
    "ordered_at": "2026-11-22T10:15:00+07:00",
    "product": "S10",
    "family": "pulsa",
    "destination": "081234567890",
    "price": 10_500,
    "face_value": 10_000,
    "order_status": "pending",
    "provider": "digiflazz",
    "ref_id": "T1001",
}
LINE = {
    "line_id": "W1",
    "agent_id": "A1",
    "posted_at": "2026-11-22T10:15:00+07:00",
    "amount": -10_500,
    "kind": "debit",
}
STATEMENT = {"line_id": "S1", "posted_at": "2026-11-22T10:15:00+07:00", "amount": -10_200, "kind": "charge"}


def order(*, zone=None, without=(), **changes):
    row = {name: value for name, value in (ORDER | changes).items() if name not in without}
    return parse_transaction(row, source="toko", zone=zone, now=NOW)


def line(**changes):
    return parse_wallet_line(LINE | changes, source="toko", zone=None, now=NOW)


def statement(**changes):
    return parse_statement_line(STATEMENT | changes, provider="digiflazz", account="main", zone=None, now=NOW)


def agent(**changes):
    return parse_agent({"agent_id": "A1"} | changes, zone=None, now=NOW)


def refusal(parse, **changes):
    with pytest.raises(RowError) as caught:
        parse(**changes)
    return caught.value


def test_a_row_with_the_required_fields_is_a_purchase_and_its_first_attempt():
    transaction, leg = order()
    assert transaction.key == "toko:T1001"
    assert transaction.charged_account is ChargedAccount.AGENT_WALLET
    assert transaction.ordered_at == TEN
    assert transaction.ordered_at.tzinfo is UTC
    assert (transaction.price, transaction.face_value) == (10_500, 10_000)
    assert transaction.order_status is OrderStatus.PENDING
    assert transaction.status_at == NOW
    assert (transaction.serial_number, transaction.raw_order, transaction.channel) == (None, "", "")
    assert (leg.key, leg.transaction_key, leg.leg_no) == ("toko:T1001#1", "toko:T1001", 1)
    assert (leg.provider, leg.provider_account, leg.ref_id) == ("digiflazz", "", "T1001")
    assert (leg.sent_at, leg.send_state, leg.send_count) == (TEN, SendState.UNKNOWN, 1)
    assert (leg.testing, leg.allow_dot, leg.max_price, leg.cb_url, leg.first_reply) == (False, False, None, "", None)
    assert (leg.state, leg.checks_done, leg.version) == (LegState.OPEN, 0, 0)


def test_the_providers_product_is_never_guessed_but_the_number_sent_is_the_number_ordered():
    _, leg = order()
    assert leg.provider_product == ""
    assert leg.destination_sent == "081234567890"


def test_every_field_of_a_full_row_arrives():
    transaction, leg = order(
        serial_number="0340/NAMA/R1",
        channel="whatsapp",
        raw_order="S10.0812****7890",
        leg_no="2",
        provider_account="main",
        provider_product="xld10",
        destination_sent="0812.34567890",
        testing="1",
        max_price="10300",
        allow_dot=True,
        cb_url="https://server.test/cb",
        sent_at="2026-11-22 03:15:07+00:00",
        send_state="sent",
        send_count=3,
        first_reply='{"data": {}}\n',
        repeat_counter=2,
        status_at="2026-11-22T10:16:00+07:00",
        order_status="failed",
    )
    assert (transaction.serial_number, transaction.channel) == ("0340/NAMA/R1", "whatsapp")
    assert (transaction.raw_order, transaction.repeat_counter) == ("S10.0812****7890", "2")
    assert transaction.status_at == TEN + timedelta(minutes=1)
    assert (leg.leg_no, leg.key, leg.provider_account, leg.provider_product) == (2, "toko:T1001#2", "main", "xld10")
    assert (leg.destination_sent, leg.testing, leg.max_price, leg.allow_dot) == ("0812.34567890", True, 10_300, True)
    assert (leg.cb_url, leg.sent_at) == ("https://server.test/cb", TEN + timedelta(seconds=7))
    assert (leg.send_state, leg.send_count, leg.first_reply) == (SendState.SENT, 3, '{"data": {}}\n')


def test_empty_texts_of_a_csv_mean_absent():
    empty = {name: "" for name in FIELDS[Book.TRANSACTIONS] if name not in REQUIRED_FIELDS[Book.TRANSACTIONS]}
    assert order(**empty, face_value="") == order(face_value=None)


@pytest.mark.parametrize("field", [f for f in REQUIRED_FIELDS[Book.TRANSACTIONS] if f != "face_value"])
@pytest.mark.parametrize("value", [None, "", ...])
def test_a_required_field_is_asked_for_by_name(field, value):
    changes = {"without": (field,)} if value is ... else {field: value}
    error = refusal(order, **changes)
    assert error.field == field
    assert "wajib" in error.reason or "salah satu dari" in error.reason


def test_the_face_value_must_be_there_and_may_be_empty():
    assert refusal(order, without=("face_value",)).field == "face_value"
    assert [order(face_value=value).transaction.face_value for value in (None, "", 0, "0")] == [None] * 4


def test_unknown_fields_are_ignored():
    assert order(nama_pelanggan="Budi", harga_modal="10.000") == order()


@pytest.mark.parametrize(
    ("sent", "reply", "state"),
    [
        (None, None, SendState.UNKNOWN),
        ("2026-11-22T10:15:00+07:00", None, SendState.SENT),
        ("2026-11-22T10:15:01+07:00", None, SendState.SENT),
        (None, "{}", SendState.SENT),
    ],
)
def test_what_is_known_of_sending_decides_the_send_state(sent, reply, state):
    assert order(sent_at=sent, first_reply=reply).leg.send_state is state


def test_a_said_send_state_wins_over_what_would_be_concluded():
    assert order(send_state="not_sent").leg.send_state is SendState.NOT_SENT
    assert order(send_state="unknown", sent_at=ORDER["ordered_at"]).leg.send_state is SendState.UNKNOWN


def test_not_sent_beside_a_reply_is_refused_because_it_would_move_money_without_asking():
    assert refusal(order, send_state="not_sent", first_reply="SUKSES").field == "send_state"


@pytest.mark.parametrize("price", [0, "0"])
def test_a_purchase_without_a_price_is_refused(price):
    assert refusal(order, price=price).field == "price"


@pytest.mark.parametrize(
    "value", ["PENDING", "Sukses", "success ", " success", "sukses", "0", 0, True, ["success"], {}]
)
def test_only_the_listed_word_is_a_status(value):
    error = refusal(order, order_status=value)
    assert error.field == "order_status"
    assert error.reason == "harus salah satu dari: pending, success, failed, refunded"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("charged_account", "wallet"),
        ("family", "PULSA"),
        ("send_state", "maybe"),
        ("leg_no", 0),
        ("leg_no", 100),
        ("leg_no", "1.0"),
        ("leg_no", True),
        ("leg_no", "²"),
        ("send_count", -1),
        ("send_count", 10_000),
        ("testing", "ya"),
        ("testing", 2),
        ("testing", []),
        ("allow_dot", "True"),
        ("max_price", "10.500"),
        ("max_price", -1),
        ("serial_number", "x" * 513),
        ("serial_number", "a\x00b"),
        ("serial_number", "\ud800"),
        ("serial_number", 123),
        ("raw_order", "x" * 4_001),
        ("first_reply", "x" * 65_537),
        ("first_reply", {"data": {}}),
        ("first_reply", "\x00"),
        ("channel", "a\nb"),
        ("channel", "x" * 33),
        ("repeat_counter", "1" * 17),
        ("repeat_counter", 1.5),
        ("cb_url", "https://a\r\nSet-Cookie: b"),
        ("cb_url", "x" * 513),
        ("provider", "x" * 65),
        ("provider_account", "x" * 65),
        ("provider_product", "a\tb"),
        ("ref_id", "x" * 129),
        ("destination_sent", "081"),
        ("status_at", "kemarin"),
        ("sent_at", "2026-11-22"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_field_out_of_bounds_is_named(field, value):
    assert refusal(order, **{field: value}).field == field


@pytest.mark.parametrize("row", [None, [], "T1001", 1, [("transaction_id", "T1001")]])
def test_a_row_that_is_not_an_object_is_refused(row):
    error = refusal(lambda: parse_transaction(row, source="toko", zone=None, now=NOW))
    assert (error.field, error.reason) == ("", "baris harus berupa objek dengan nama kolom")


def test_a_refusal_never_repeats_the_value():
    number = "081234567890"
    shifted = [dict.fromkeys(ORDER, number + "\x00"), dict.fromkeys(ORDER, number), dict.fromkeys(ORDER, 81234567890)]
    for row in shifted:
        for field in ORDER:
            error = refusal(order, **(ORDER | {field: row[field]} | {"price": number}))
            assert "8123" not in str(error)


def test_a_wallet_line_is_read():
    assert line(
        transaction_id="T1001", balance_after=-5, reference=" refund:toko:T1:B01:1 ", sequence="7"
    ) == WalletLine(
        key="toko:W1",
        source="toko",
        agent_id="A1",
        posted_at=TEN,
        amount=-10_500,
        kind=WalletLineKind.DEBIT,
        transaction_id="T1001",
        balance_after=-5,
        reference="refund:toko:T1:B01:1",
        sequence=7,
    )


def test_a_wallet_line_needs_no_purchase():
    assert line(kind="deposit", amount="50000", transaction_id="").transaction_id is None


@pytest.mark.parametrize(
    ("kind", "amount", "allowed"),
    [
        ("debit", -1, True),
        ("debit", 1, False),
        ("debit", 0, False),
        ("refund", 1, True),
        ("refund", -1, False),
        ("refund", 0, False),
        ("deposit", -1, True),
        ("transfer", 0, True),
        ("fee", -100, True),
        ("other", 5, True),
    ],
)
def test_the_sign_of_a_wallet_line_must_fit_its_kind(kind, amount, allowed):
    if allowed:
        assert line(kind=kind, amount=amount).amount == amount
    else:
        assert refusal(line, kind=kind, amount=amount).field == "amount"


@pytest.mark.parametrize("field", REQUIRED_FIELDS[Book.WALLET])
def test_a_wallet_line_without_a_required_field_names_it(field):
    assert refusal(line, **{field: None}).field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [("sequence", -1), ("sequence", "1e4"), ("balance_after", 1.5), ("reference", "x" * 257), ("transaction_id", 12)],
)
def test_a_wallet_field_out_of_bounds_is_named(field, value):
    assert refusal(line, **{field: value}).field == field


def test_a_statement_line_is_read():
    assert statement(ref_id="T1001", balance_after="900000") == StatementLine(
        provider="digiflazz",
        account="main",
        line_id="S1",
        posted_at=TEN,
        ref_id="T1001",
        amount=-10_200,
        kind="charge",
        balance_after=900_000,
    )
    assert statement().ref_id == ""


@pytest.mark.parametrize(
    ("kind", "amount"), [("charge", 5), ("reversal", -5), ("deposit", -5), ("charge", 0), ("purchase", -5)]
)
def test_a_statement_line_with_the_wrong_sign_or_kind_is_refused(kind, amount):
    assert refusal(statement, kind=kind, amount=amount).field in {"amount", "kind"}


def test_an_agent_is_read():
    full = agent(
        name="Toko Sinar", zone="WITA", channel="telegram", address=-100123, registered_at="2024-01-02T03:04:05Z"
    )
    assert full == Agent(
        agent_id="A1",
        name="Toko Sinar",
        zone="Asia/Makassar",
        channel="telegram",
        address="-100123",
        registered_at=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    assert agent() == Agent(agent_id="A1", name="", zone="Asia/Jakarta")


@pytest.mark.parametrize(
    ("zone", "name"),
    [("WIB", "Asia/Jakarta"), ("WIT", "Asia/Jayapura"), ("Asia/Pontianak", "Asia/Pontianak"), ("", "Asia/Jakarta")],
)
def test_an_agents_clock_is_one_of_the_indonesian_ones(zone, name):
    assert agent(zone=zone).zone == name


@pytest.mark.parametrize(
    ("field", "value"),
    [("zone", "Asia/Tokyo"), ("zone", "wib"), ("zone", []), ("agent_id", 7), ("channel", "a b "), ("address", "a\nb")],
)
def test_an_agents_field_out_of_bounds_is_named(field, value):
    assert refusal(agent, **{field: value}).field == field


@pytest.mark.parametrize("parse", [line, statement, agent])
def test_a_row_of_another_book_that_is_not_an_object_is_refused(parse):
    parsers = {
        line: lambda row: parse_wallet_line(row, source="toko", zone=None, now=NOW),
        statement: lambda row: parse_statement_line(row, provider="p", account="", zone=None, now=NOW),
        agent: lambda row: parse_agent(row, zone=None, now=NOW),
    }
    with pytest.raises(RowError):
        parsers[parse]([])


def test_the_zone_of_the_source_counts_only_where_the_instant_has_none():
    local = order(zone=WIB, ordered_at="2026-11-22 10:15:00", sent_at="2026-11-22 05:15:00+02:00")
    assert (local.transaction.ordered_at, local.leg.sent_at) == (TEN, TEN)


@pytest.mark.parametrize("kind", ["opening", "closing"])
def test_a_balance_of_a_statement_moves_nothing_and_is_known_by_its_instant(kind):
    found = statement(kind=kind, amount="0", balance_after="900000", line_id="digiflazz-edge", ref_id="")
    assert (found.kind, found.amount, found.balance_after, found.ref_id) == (kind, 0, 900_000, "")
    assert found.line_id == f"{kind}@{found.posted_at.isoformat()}"


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"amount": "-1", "balance_after": "1"}, "amount"), ({"amount": "0", "balance_after": ""}, "balance_after")],
)
def test_a_balance_with_an_amount_or_without_a_balance_is_refused(changes, field):
    assert refusal(statement, kind="closing", **changes).field == field
