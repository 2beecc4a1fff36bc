import dataclasses
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekon.connectors.providers.callbacks import read_callback
from rekon.connectors.providers.dialects.rupiah_text import read_amount
from rekon.connectors.providers.reading import read_reply
from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from tests.connectors.providers.builders import definition, leg

OURS = leg(provider="otomax", provider_product="S5", destination_sent="081234567890")


def read(text, *, source=ReportSource.INQUIRY, ours=OURS):
    return read_reply(definition("otomax"), leg=ours, source=source, raw=text.encode())


def call_back(message, **fields):
    raw = urlencode({"t": "1", "refid": "REF0001", "price": "0", "message": message} | fields).encode()
    return read_callback(definition("otomax"), raw, leg=OURS).reading


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12.123", "12123"),
        ("71,900", "71900"),
        ("1.234.531.425,773", "1234531425.773"),
        ("90.909,00", "90909.00"),
        ("28,337,790.50", "28337790.50"),
        ("990000", "990000"),
        ("12,5", "12.5"),
        ("6.487.", "6487"),
        ("0", "0"),
        ("1.23.456", None),
        ("1234.567", None),
        ("12.34,56,78", None),
        ("1.234,567,8", None),
        ("", None),
        ("٣٤", None),
        ("9" * 30, None),
        ("1.234.567.890.123.456", None),
    ],
)
def test_an_amount_is_read_by_where_its_marks_stand(text, amount):
    assert read_amount(text) == (None if amount is None else Decimal(amount))


@given(st.integers(min_value=1000, max_value=10**12))
def test_thousands_may_be_marked_either_way(amount):
    for mark in ".,":
        assert read_amount(f"{amount:,}".replace(",", mark)) == amount


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("S5.081234567890 SUKSES. SN: 1. Saldo 1 - 1 = 0", Outcome.DELIVERED),
        ("S5.081234567890 BERHASIL, HRG:10000 SN:1. SISA SALDO:990000", Outcome.DELIVERED),
        ("S5.081234567890 sudah pernah jam 1, status Sukses. SN: 1.", Outcome.DELIVERED),
        ("S5.081234567890 sudah pernah jam 1, status Gagal.", Outcome.FAILED),
        ("S5.081234567890 FAILED. REASON: FR_NOT_SELECTED.", Outcome.FAILED),
        ("S5.081234567890, status Sukses Sebagian.", Outcome.PARTIAL),
        ("S5.081234567890, status Proses.", Outcome.PENDING),
        ("S5.081234567890, status PENDING.", Outcome.PENDING),
        ("R#REF0001 S5.081234567890 INPROGRESS. TRXID: 7", Outcome.PENDING),
        ("kode S5 ke 081234567890 sedang diproses @11:12", Outcome.PENDING),
        ("S5.081234567890 akan diproses @12.37", Outcome.PENDING),
        ("TIDAK ADA transaksi Tujuan 081234567890 pada tgl 1/1/2026.", Outcome.NOT_FOUND),
        ("S5.081234567890 sedang apa", Outcome.UNKNOWN),
    ],
)
def test_words_are_heard_in_their_order(text, outcome):
    assert read(text).outcome is outcome


@pytest.mark.parametrize(
    "name", ["BUDI GAGAL", "SUKSES ABADI", "PT TIDAK ADA DATA", "TIMEOUT MOTOR", "S5.081299999999"]
)
def test_a_customer_s_name_behind_the_serial_changes_nothing(name):
    reading = read(f"S5.081234567890 SUKSES. SN: 12345/{name}/R1. Saldo 10.000 - 5.000 = 5.000")
    assert (reading.outcome, reading.serial_number) == (Outcome.DELIVERED, f"12345/{name}/R1")


@pytest.mark.parametrize(
    ("tail", "serial"),
    [
        ("SN: R230512.1911.2100F1. Saldo 278.334 - 1.321 = 277.013", "R230512.1911.2100F1"),
        ("SN: TRXHS031266584 WAKTU 2025-04-05 20:32:56. SISA SALDO:60000", "TRXHS031266584"),
        ("SN:ABC REFID:TEST-1.", "ABC"),
        ("SN: 123", "123"),
        ("SN: 123.", "123"),
        ("SN/Ref: 0143 4804. Hrg 6.487", "0143 4804"),
        ("SN: BUDI SALDO/5. Saldo 5", "BUDI SALDO/5"),
        ("SN: . Saldo 5", None),
        ("SN: - . Saldo 5", None),
        ("SN: 0. Saldo 5", None),
        ("Saldo 5", None),
        ("SN: " + "9" * 600, None),
    ],
)
def test_a_serial_number_ends_at_the_next_known_word(tail, serial):
    reading = read(f"S5.081234567890 SUKSES. {tail}")
    assert (reading.outcome, reading.serial_number) == (Outcome.DELIVERED, serial)


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        ("GAGAL. Nomor tujuan salah.", FailureClass.SOFT, "wrong_number"),
        ("GAGAL. Stok sedang kosong/ditutup.", FailureClass.SOFT, "out_of_stock"),
        ("GAGAL. Produk sedang gangguan.", FailureClass.SOFT, "operator_trouble"),
        ("GAGAL. Cut off.", FailureClass.SOFT, "maintenance"),
        ("GAGAL. Prefix tidak sesuai.", FailureClass.SOFT, "wrong_prefix"),
        ("GAGAL. Di luar wilayah.", FailureClass.SOFT, "outside_area"),
        ("GAGAL. Nomor blacklist.", FailureClass.SOFT, "blocked_number"),
        ("GAGAL, Dibatalkan Refund Rp.9.000", FailureClass.SOFT, "cancelled_by_provider"),
        ("GAGAL. Harga tidak sesuai.", FailureClass.SOFT, "price_changing"),
        ("GAGAL.", FailureClass.SOFT, "unknown"),
        ("GAGAL Timeout.", FailureClass.TIMEOUT_LIKE, "busy"),
        ("status Gagal, time out.", FailureClass.TIMEOUT_LIKE, "busy"),
        ("status Gagal. Saldo tidak cukup.", FailureClass.SOFT, "unknown"),
    ],
)
def test_a_failure_carries_its_class_and_its_reason(words, kind, reason):
    reading = read(f"S5.081234567890 {words}")
    assert (reading.failure_class, reading.reason) == (kind, reason)


def test_too_little_deposit_is_never_formed_only_as_the_first_reply():
    text = "S5.081234567890 GAGAL. Saldo tidak cukup."
    assert read(text, source=ReportSource.FIRST_REPLY).failure_class is FailureClass.NEVER_FORMED
    assert read(text).failure_class is FailureClass.CHECK_ERROR


@pytest.mark.parametrize("spelled", ["081234567890", "6281234567890", "2.081234567890"])
def test_our_number_is_recognised_in_its_usual_spellings(spelled):
    assert read(f"S5.{spelled} SUKSES. SN: 1").outcome is Outcome.DELIVERED


def test_a_destination_that_is_not_a_number_is_found_as_it_was_sent():
    ours = leg(provider="otomax", provider_product="ML86", destination_sent="user_12(2001)")
    assert read("ML86.user_12(2001) SUKSES. SN: 1", ours=ours).outcome is Outcome.DELIVERED
    assert read("ML86.user_123(2001) SUKSES. SN: 1", ours=ours).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("state", "message", "outcome", "kind"),
    [
        ("20", "S5.081234567890 SUKSES. SN: 1", Outcome.DELIVERED, None),
        ("1", "S5.081234567890 akan diproses", Outcome.PENDING, None),
        ("40", "S5.081234567890 GAGAL.", Outcome.FAILED, FailureClass.SOFT),
        ("52", "S5.081234567890 GAGAL. Nomor tujuan salah", Outcome.FAILED, FailureClass.DEFINITE),
        ("40", "S5.081234567890 GAGAL Timeout.", Outcome.FAILED, FailureClass.TIMEOUT_LIKE),
        ("55", "S5.081234567890 GAGAL.", Outcome.FAILED, FailureClass.TIMEOUT_LIKE),
        ("40", "S5.081234567890 pesan yang tidak dikenal", Outcome.FAILED, FailureClass.SOFT),
        ("49", "S5.081234567890 GAGAL. PIN salah", Outcome.UNKNOWN, FailureClass.CHECK_ERROR),
        ("21", "S5.081234567890 SUKSES. SN: 1", Outcome.UNKNOWN, None),
        ("46", "S5.081234567890 GAGAL. Transaksi dobel", Outcome.UNKNOWN, None),
        ("", "S5.081234567890 SUKSES. SN: 1", Outcome.DELIVERED, None),
        ("20", "S5.081234567890 akan diproses", Outcome.UNKNOWN, None),
        ("77", "S5.081234567890 GAGAL.", Outcome.UNKNOWN, None),
        ("40", "", Outcome.UNKNOWN, None),
        ("40", "tanpa nomor", Outcome.UNKNOWN, None),
    ],
)
def test_a_state_number_and_its_words_must_agree(state, message, outcome, kind):
    reading = call_back(message, status=state)
    assert (reading.outcome, reading.failure_class) == (outcome, kind)


def test_a_callback_price_of_zero_is_no_price():
    assert call_back("S5.081234567890 SUKSES. SN: 1", status="20").price is None
    assert call_back("S5.081234567890 SUKSES. SN: 1", status="20", price="30442").price == 30442


@given(st.text(max_size=300))
def test_no_text_at_all_breaks_the_reader(text):
    for source in (ReportSource.INQUIRY, ReportSource.CALLBACK):
        assert read(text, source=source).outcome is Outcome.UNKNOWN


@given(st.binary(max_size=300))
@pytest.mark.parametrize("name", ["digiflazz", "iak", "otomax"])
def test_no_bytes_at_all_break_a_reader(name, raw):
    for source in ReportSource:
        reading = read_reply(definition(name), leg=leg(provider=name), source=source, raw=raw)
        assert reading.outcome is Outcome.UNKNOWN


def test_a_fault_of_our_own_is_unknown_too():
    broken = dataclasses.replace(OURS, destination_sent=None)
    assert read("S5.081234567890 SUKSES. SN: 1", ours=broken).outcome is Outcome.UNKNOWN
