"""Reading by key and by change time, on SQLite and on PostgreSQL: nothing is missed, nothing ends in a loop."""

from datetime import UTC, datetime, timedelta

import pytest

from rekon.connectors.sources.mapping import parse_mapping
from rekon.connectors.sources.read_only import read_only_engine
from rekon.connectors.sources.sql import ROWS_MAX, SourceError, SqlSource
from rekon.domain.intake import Book, RowError, parse_agent, parse_transaction, parse_wallet_line
from rekon.domain.transaction import OrderStatus, WalletLineKind
from tests.connectors import databases
from tests.connectors.databases import put

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
NOON = datetime(2026, 11, 22, 12, 0)  # noqa: DTZ001 - the server writes its own time without a zone


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("pg_url")
    return f"sqlite:///{tmp_path / 'server.db'}"


@pytest.fixture
def server(url):
    engine = databases.laravel(url)
    put(engine, "users", name="Budi", phone="081200000000", saldo=100_000, created_at=at(0), updated_at=at(0))
    yield engine
    engine.dispose()


@pytest.fixture
def source(url, server):
    engine = read_only_engine(url)
    yield SqlSource(engine, parse_mapping(databases.preset("laravel_ppob")))
    engine.dispose()


def at(minutes):
    return (NOON + timedelta(minutes=minutes)).isoformat(sep=" ")


def sold(server, invoice, *, minutes=0, changed=None, **changes):
    row = {
        "user_id": 1,
        "invoice": invoice,
        "target": "081234567890",
        "buyer_sku_code": "xld10",
        "product_name": "XL 10.000",
        "price": "10500",
        "status": "Pending",
        "created_at": at(minutes),
        "updated_at": at(minutes if changed is None else changed),
    }
    put(server, "transactions", **(row | changes))


def moved(server, kind, amount, invoice, *, balance=50_000, minutes=0):
    put(
        server,
        "mutations",
        user_id=1,
        type=kind,
        description="x",
        amount=amount,
        latest_balance=0,
        current_balance=balance,
        invoice=invoice,
        created_at=at(minutes),
    )


def ids(page):
    return [row["transaction_id"] for row in page.rows]


def drain(read, cursor, **options):
    """Ask until the source has nothing more; gives every id and the cursor to go on from."""
    found = []
    while True:
        page = read(Book.TRANSACTIONS, cursor=cursor, **options)
        found += ids(page)
        cursor = page.next_cursor
        if page.is_complete:
            return found, cursor


def test_a_purchase_of_a_laravel_shop_is_taken_in(server, source):
    sold(server, "TRX1", status="Sukses", sn="0340", changed=1)
    [row] = source.read_new(Book.TRANSACTIONS, cursor=None).rows
    transaction, leg = parse_transaction(row, source="toko", zone=None, now=NOW)
    assert (transaction.key, transaction.agent_id, transaction.price) == ("toko:TRX1", "1", 10_500)
    assert transaction.ordered_at == datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
    assert (transaction.order_status, transaction.serial_number) == (OrderStatus.SUCCESS, "0340")
    assert transaction.status_at == transaction.ordered_at + timedelta(minutes=1)
    assert (transaction.family, transaction.face_value) == ("other", None)
    assert (leg.provider, leg.ref_id, leg.provider_product, leg.send_state) == ("digiflazz", "TRX1", "xld10", "sent")


@pytest.mark.parametrize("status", ["sukses", "SUKSES", "Sukses ", "Proses", "", None])
def test_only_the_words_of_the_map_are_known(server, source, status):
    sold(server, "TRX1", status=status)
    [row] = source.read_new(Book.TRANSACTIONS, cursor=None).rows
    if status == "Sukses ":
        assert row["order_status"] == "success"
        return
    with pytest.raises(RowError) as caught:
        parse_transaction(row, source="toko", zone=None, now=NOW)
    assert caught.value.field == "order_status"


@pytest.mark.parametrize("price", ["10.500", "10500.5", "10500.00", "Rp10500", ""])
def test_a_price_in_another_spelling_goes_to_quarantine(server, source, price):
    sold(server, "TRX1", price=price)
    [row] = source.read_new(Book.TRANSACTIONS, cursor=None).rows
    with pytest.raises(RowError) as caught:
        parse_transaction(row, source="toko", zone=None, now=NOW)
    assert caught.value.field == "price"


def test_the_mutations_of_a_laravel_shop_are_taken_in(server, source):
    sold(server, "TRX1")
    moved(server, "Debet", 10_500, "TRX1")
    moved(server, "Kredit", 10_500, "TRX1", balance=50_000.5)
    moved(server, "Kredit", 100_000, "DEP1")
    moved(server, "Debet", 5_000, "WD1")
    moved(server, "Kredit", 10_500, "refund:toko:TRX1:B01:1")
    moved(server, "Kredit", 2_000, "voucher:RK-7")
    page = source.read_new(Book.WALLET, cursor=None)
    lines = [parse_wallet_line(row, source="toko", zone=None, now=NOW) for row in page.rows]
    assert [(line.kind, line.amount, line.transaction_id, line.reference) for line in lines] == [
        (WalletLineKind.DEBIT, -10_500, "TRX1", ""),
        (WalletLineKind.REFUND, 10_500, "TRX1", ""),
        (WalletLineKind.DEPOSIT, 100_000, None, ""),
        (WalletLineKind.OTHER, -5_000, None, ""),
        (WalletLineKind.REFUND, 10_500, "TRX1", "refund:toko:TRX1:B01:1"),
        (WalletLineKind.REFUND, 2_000, None, "voucher:RK-7"),
    ]
    assert [line.balance_after for line in lines[:3]] == [50_000, None, 50_000]


def test_the_users_of_a_laravel_shop_are_agents(server, source):
    [row] = source.read_new(Book.AGENTS, cursor=None).rows
    agent = parse_agent(row, zone=None, now=NOW)
    assert (agent.agent_id, agent.name, agent.address) == ("1", "Budi", "081200000000")


@pytest.mark.parametrize("limit", [2, 3, 7, 100])
def test_every_new_row_comes_once_whatever_the_page(server, source, limit):
    for number in range(7):
        sold(server, f"TRX{number}")
    found, cursor = drain(source.read_new, None, limit=limit)
    assert found == [f"TRX{number}" for number in range(7)]
    sold(server, "TRX7")
    assert drain(source.read_new, cursor, limit=100)[0] == ["TRX7"]


@pytest.mark.parametrize("limit", [2, 3, 4, 100])
def test_every_change_comes_in_its_order_whatever_the_page(server, source, limit):
    for number in range(7):
        sold(server, f"TRX{number}", changed=20 - number // 2)
    start = source.read_changed(Book.TRANSACTIONS, cursor=None, now=NOW)
    found, _ = drain(source.read_changed, start.next_cursor, now=NOW + timedelta(hours=1), limit=limit)
    assert found == ["TRX6", "TRX4", "TRX5", "TRX2", "TRX3", "TRX0", "TRX1"]


def test_changes_of_the_last_quarter_hour_are_read_again(server, source):
    sold(server, "OLD", changed=10)
    sold(server, "LATE", changed=26)
    _, cursor = drain(source.read_changed, None, now=NOW + timedelta(minutes=26))
    sold(server, "HIDDEN", changed=12)
    sold(server, "TOO_LATE", changed=10)
    found, _ = drain(source.read_changed, cursor, now=NOW + timedelta(minutes=30))
    assert found == ["HIDDEN", "LATE"]


def test_a_quiet_source_is_asked_again_from_the_same_place(server, source):
    _, first = drain(source.read_changed, None, now=NOW)
    _, second = drain(source.read_changed, first, now=NOW + timedelta(days=3))
    assert first == second
    sold(server, "TRX1", changed=1)
    found, third = drain(source.read_changed, second, now=NOW + timedelta(days=3))
    again, fourth = drain(source.read_changed, third, now=NOW + timedelta(days=3))
    assert found == again == ["TRX1"]
    assert third == fourth


def test_a_row_dated_in_the_future_hides_nothing(server, source):
    sold(server, "FUTURE", changed=60 * 24 * 365)
    _, cursor = drain(source.read_changed, None, now=NOW + timedelta(minutes=1))
    sold(server, "TODAY", changed=2)
    found, _ = drain(source.read_changed, cursor, now=NOW + timedelta(minutes=3))
    assert found == ["TODAY", "FUTURE"]


def test_a_page_too_small_for_one_purchase_says_so(server, source):
    sold(server, "TRX1")
    with pytest.raises(SourceError, match="raise the limit"):
        source.read_new(Book.TRANSACTIONS, cursor=None, limit=1)


def test_a_page_is_never_larger_than_the_cap(server, source):
    assert ROWS_MAX == 10_000
    assert source.read_new(Book.TRANSACTIONS, cursor=None, limit=10**9).is_complete


@pytest.mark.parametrize("cursor", ["", "x", "[]", "{}", '{"id": 1, "at": "kemarin", "kind": "instant"}'])
def test_a_cursor_that_is_not_ours_is_refused(source, cursor):
    with pytest.raises(SourceError):
        source.read_changed(Book.TRANSACTIONS, cursor=cursor, now=NOW)


def test_a_book_the_mapping_does_not_have_is_refused(source):
    assert source.books == {Book.TRANSACTIONS, Book.WALLET, Book.AGENTS}
    with pytest.raises(SourceError, match="no statement"):
        source.read_new(Book.STATEMENT, cursor=None)


def test_trouble_in_the_database_names_no_row(server, source):
    databases.change(server, "DROP TABLE transactions")
    with pytest.raises(SourceError) as caught:
        source.read_new(Book.TRANSACTIONS, cursor=None)
    assert "source laravel_ppob: transactions could not be read" in str(caught.value)
    assert "SELECT" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_server_that_stores_offsets_is_read_in_utc(pg_url):
    engine = databases.create_engine(pg_url)
    databases.change(engine, "CREATE TABLE m (id BIGINT, agent TEXT, at TIMESTAMPTZ, amount NUMERIC(15, 2))")
    put(engine, "m", id=1, agent="A1", at="2026-11-22 12:00:00+07", amount=5)
    mapping = parse_mapping(
        {
            "name": "aware",
            "wallet": {
                "id": "m.id",
                "changed_at": "m.at",
                "tables": "m",
                "columns": {"line_id": "m.id", "agent_id": "m.agent", "posted_at": "m.at", "amount": "m.amount"},
                "constants": {"kind": "other"},
                "money": {"amount": "exact"},
                "text": {"line_id": "digits"},
            },
        }
    )
    source = SqlSource(engine, mapping)
    first = source.read_changed(Book.WALLET, cursor=None, now=NOW)
    again = source.read_changed(Book.WALLET, cursor=first.next_cursor, now=NOW + timedelta(hours=1))
    for page in (first, again, source.read_new(Book.WALLET, cursor=None)):
        [line] = [parse_wallet_line(row, source="toko", zone=None, now=NOW) for row in page.rows]
        assert (line.amount, line.posted_at) == (5, NOW)
    engine.dispose()
