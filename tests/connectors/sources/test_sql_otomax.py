"""An OtomaX database, read through its preset and taken in: what a purchase, its attempts and its money look like."""

from datetime import UTC, datetime, timedelta

import pytest

from rekon.connectors.sources.mapping import parse_mapping
from rekon.connectors.sources.read_only import read_only_engine
from rekon.connectors.sources.sql import SqlSource
from rekon.domain.intake import Book, RowError, parse_agent, parse_transaction, parse_wallet_line
from rekon.domain.transaction import OrderStatus, SendState, WalletLineKind
from tests.connectors import databases
from tests.connectors.databases import put

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
WORDS = {"provider": {"311": "digiflazz", "312": "otomax_pusat"}, "family": {"TSEL": "pulsa"}}
PERINTAH = "trx?product=TM1&qty=1&dest=081234567890&refID=6558&memberID=LMC001&pin=4321&sign=abc"


@pytest.fixture
def server(tmp_path):
    engine = databases.otomax(tmp_path / "otomax.db")
    put(engine, "produk", kode="TM1", nama="Telkomsel 1", nominal=1000.0, kode_operator="TSEL")
    yield engine
    engine.dispose()


@pytest.fixture
def source(tmp_path, server):
    engine = read_only_engine(f"sqlite:///{tmp_path / 'otomax.db'}")
    yield SqlSource(engine, parse_mapping(databases.preset("otomax"), words=WORDS))
    engine.dispose()


def sold(server, kode=6558, **changes):
    row = {
        "kode": kode,
        "tgl_entri": "2026-11-22 10:15:00",
        "kode_produk": "TM1",
        "tujuan": "081234567890 ",
        "kode_reseller": "RK0007",
        "tipe_pengirim": "W",
        "harga": 1_550.0,
        "kode_inbox": 1,
        "status": 2,
        "tgl_status": "2026-11-22 10:15:02",
        "kode_modul": 311,
        "perintah": PERINTAH,
        "counter": 1,
    }
    put(server, "transaksi", **(row | changes))


def sent(server, kode, module, *, order=6558, at="2026-11-22 10:15:01", text=PERINTAH):
    put(server, "outbox", kode=kode, tgl_entri=at, pesan=text, kode_transaksi=order, is_perintah=1, kode_modul=module)


def answered(server, kode, text, *, order=6558):
    put(server, "inbox", kode=kode, pesan=text, kode_transaksi=order, is_jawaban=1)


def rows(source, book=Book.TRANSACTIONS):
    return source.read_new(book, cursor=None).rows


def purchases(source):
    return [parse_transaction(row, source="otomax", zone=None, now=NOW) for row in rows(source)]


def wallet(source):
    return [parse_wallet_line(row, source="otomax", zone=None, now=NOW) for row in rows(source, Book.WALLET)]


def test_a_purchase_is_read_with_its_attempt_and_the_first_answer(server, source):
    put(server, "inbox", kode=1, pesan="TM1.081234567890.9876", kode_transaksi=6558, is_jawaban=0)
    sold(server)
    sent(server, 70, 311)
    answered(server, 80, "R#6558 TM1.081234567890 akan diproses @10.15")
    answered(server, 90, "R#6558 TM1.081234567890 SUKSES. SN : 0340")
    [(transaction, leg)] = purchases(source)
    assert (transaction.transaction_id, transaction.agent_id, transaction.product) == ("6558", "RK0007", "TM1")
    assert transaction.ordered_at == datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
    assert transaction.status_at == datetime(2026, 11, 22, 3, 15, 2, tzinfo=UTC)
    assert (transaction.family, transaction.destination) == ("pulsa", "081234567890")
    assert (transaction.price, transaction.face_value) == (1_550, 1_000)
    assert (transaction.order_status, transaction.channel, transaction.repeat_counter) == (
        OrderStatus.PENDING,
        "W",
        "1",
    )
    assert (leg.provider, leg.ref_id, leg.leg_no) == ("digiflazz", "6558", 1)
    assert (leg.provider_product, leg.destination_sent) == ("TM1", "081234567890")
    assert leg.sent_at == datetime(2026, 11, 22, 3, 15, 1, tzinfo=UTC)
    assert (leg.send_state, leg.send_count) == (SendState.SENT, 1)
    assert leg.first_reply == "R#6558 TM1.081234567890 akan diproses @10.15"


def test_neither_pin_nor_signature_leaves_the_database(server, source):
    put(server, "inbox", kode=1, pesan="TM1.081234567890.9876", kode_transaksi=6558, is_jawaban=0)
    sold(server)
    sent(server, 70, 311)
    shown = repr(rows(source))
    assert not any(secret in shown for secret in ("9876", "4321", "sign=abc", "LMC001"))


def test_a_re_routed_order_has_one_attempt_a_module(server, source):
    sold(server, kode_modul=312, status=201)
    sent(server, 70, 311)
    sent(server, 71, 311, at="2026-11-22 10:16:00")
    sent(server, 75, 312, at="2026-11-22 10:18:00")
    answered(server, 80, "GAGAL")
    first, second = (found.leg for found in purchases(source))
    assert (first.leg_no, first.provider, first.send_count) == (1, "digiflazz", 2)
    assert (second.leg_no, second.provider, second.send_count) == (2, "otomax_pusat", 1)
    assert second.sent_at == datetime(2026, 11, 22, 3, 18, tzinfo=UTC)
    assert (first.first_reply, second.first_reply) == (None, None), "nobody can tell whose answer it is"


def test_nothing_is_claimed_about_sending_when_the_outbox_was_emptied(server, source):
    sold(server)
    answered(server, 80, "GAGAL")
    [(_, leg)] = purchases(source)
    assert (leg.send_state, leg.send_count, leg.first_reply) == (SendState.UNKNOWN, 1, None)


@pytest.mark.parametrize(
    ("status", "word"),
    [(0, "pending"), (3, "pending"), (20, "success"), (40, "failed"), (55, "failed"), (200, "pending")],
)
def test_a_known_status_is_translated(server, source, status, word):
    sold(server, status=status)
    assert rows(source)[0]["order_status"] == word


@pytest.mark.parametrize("status", [21, 22, 23, 46, 48, 999, -1, None])
def test_an_unknown_status_goes_to_quarantine(server, source, status):
    sold(server, status=status)
    with pytest.raises(RowError) as caught:
        purchases(source)
    assert caught.value.field == "order_status"


def test_a_price_with_a_fraction_goes_to_quarantine(server, source):
    sold(server, harga=1_550.773)
    with pytest.raises(RowError) as caught:
        purchases(source)
    assert caught.value.field == "price"


def test_a_module_without_a_name_stays_a_number_nobody_is_asked_about(server, source):
    sold(server, kode_modul=999)
    assert purchases(source)[0].leg.provider == "999"


def test_an_order_without_a_price_or_an_attempt_is_not_read_yet(server, source):
    sold(server, harga=0.0)
    sold(server, kode=6559, kode_modul=None, status=0)
    sold(server, kode=6560, kode_modul=None, status=43)
    [(transaction, leg)] = purchases(source)
    assert (transaction.transaction_id, leg.provider) == ("6560", "tanpa-modul")


@pytest.mark.parametrize(
    ("jenis", "amount", "kind"),
    [
        ("T", -1_550.0, WalletLineKind.DEBIT),
        ("G", 1_550.0, WalletLineKind.REFUND),
        ("B", 500_000.0, WalletLineKind.DEPOSIT),
        ("1", -10_000.0, WalletLineKind.TRANSFER),
        ("2", 10_000.0, WalletLineKind.TRANSFER),
        ("O", -100.0, WalletLineKind.FEE),
        ("K", 5_000.0, WalletLineKind.OTHER),
        ("Z", -3_000.0, WalletLineKind.OTHER),
        ("+", 3_000.0, WalletLineKind.OTHER),
        (None, 3_000.0, WalletLineKind.OTHER),
    ],
)
def test_a_mutation_is_read(server, source, jenis, amount, kind):
    put(
        server,
        "mutasi",
        kode=1,
        kode_reseller="RK0007",
        tanggal="2026-11-22 10:15:00",
        jumlah=amount,
        jenis=jenis,
        kode_transaksi=6558 if jenis in {"T", "G"} else None,
        saldo_akhir=48_450.0,
        keterangan="TRX TM1.081234567890",
    )
    [line] = wallet(source)
    assert (line.key, line.kind, line.amount, line.balance_after) == ("otomax:1", kind, int(amount), 48_450)
    assert line.transaction_id == ("6558" if jenis in {"T", "G"} else None)
    assert line.reference == "", "a remark may name a customer"


def test_a_manual_credit_with_our_key_is_our_refund(server, source):
    put(
        server,
        "mutasi",
        kode=2,
        kode_reseller="RK0007",
        tanggal="2026-11-22 10:20:00",
        jumlah=1_550.0,
        jenis="+",
        saldo_akhir=50_000.5,
        keterangan="refund:otomax:6558:B01:1",
    )
    [line] = wallet(source)
    assert (line.kind, line.transaction_id) == (WalletLineKind.REFUND, "6558")
    assert line.reference == "refund:otomax:6558:B01:1"
    assert line.balance_after is None, "a balance with a fraction is left out, the money is not"


def test_an_unknown_kind_of_mutation_goes_to_quarantine(server, source):
    put(server, "mutasi", kode=3, kode_reseller="R", tanggal="2026-11-22 10:20:00", jumlah=5.0, jenis="Q")
    with pytest.raises(RowError) as caught:
        wallet(source)
    assert caught.value.field == "kind"


def test_a_reseller_is_an_agent(server, source):
    put(
        server, "reseller", kode="RK0007 ", nama="Toko Sinar", nomor_hp="081200000000", tgl_daftar="2024-01-02 03:04:05"
    )
    [row] = rows(source, Book.AGENTS)
    agent = parse_agent(row, zone=None, now=NOW)
    assert (agent.agent_id, agent.name, agent.address) == ("RK0007", "Toko Sinar", "081200000000")
    assert agent.registered_at == datetime(2024, 1, 1, 20, 4, 5, tzinfo=UTC)


def test_a_page_never_cuts_the_attempts_of_a_purchase_apart(server, source):
    sold(server, kode=1)
    sold(server, kode=2)
    sent(server, 70, 311, order=2)
    sent(server, 71, 312, order=2)
    first = source.read_new(Book.TRANSACTIONS, cursor=None, limit=2)
    assert [row["transaction_id"] for row in first.rows] == ["1"]
    second = source.read_new(Book.TRANSACTIONS, cursor=first.next_cursor, limit=3)
    assert [(row["transaction_id"], row["leg_no"]) for row in second.rows] == [("2", 1), ("2", 2)]


def test_a_status_change_is_seen_though_the_row_is_old(server, source):
    sold(server)
    new = source.read_new(Book.TRANSACTIONS, cursor=None)
    changes = source.read_changed(Book.TRANSACTIONS, cursor=None, now=NOW - timedelta(minutes=90))
    databases.change(
        server, "UPDATE transaksi SET status = 40, tgl_status = '2026-11-22 10:20:00', sn = 'x' WHERE kode = 6558"
    )
    assert source.read_new(Book.TRANSACTIONS, cursor=new.next_cursor).rows == []
    [row] = source.read_changed(Book.TRANSACTIONS, cursor=changes.next_cursor, now=NOW).rows
    assert (row["transaction_id"], row["order_status"]) == ("6558", "failed")
