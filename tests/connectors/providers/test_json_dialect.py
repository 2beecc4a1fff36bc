import json
from decimal import Decimal

import pytest

from rekon.connectors.providers.dialects.said import UnreadableError
from rekon.connectors.providers.dialects.strict_json import BYTES_MAX, loads
from rekon.connectors.providers.reading import read_reply
from rekon.domain.money import Money
from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from tests.connectors.providers.builders import definition, leg

FIELDS = {
    "ref_id": "REF0001",
    "customer_no": "087800001230",
    "buyer_sku_code": "xld10",
    "message": "Transaksi Sukses",
    "status": "Sukses",
    "rc": "00",
    "sn": "123",
    "buyer_last_saldo": 990000.5,
    "price": 10000,
    "tele": "@toko",
    "wa": "081200001111",
}
MEANINGS = [(code, row) for code, row in definition().codes.items()]


def read(source=ReportSource.INQUIRY, ours=None, **changes):
    raw = json.dumps({"data": {**FIELDS, **changes}}).encode()
    return read_reply(definition(), leg=ours or leg(), source=source, raw=raw)


@pytest.mark.parametrize(("code", "row"), MEANINGS, ids=[code for code, _ in MEANINGS])
def test_every_listed_code_is_read_by_both_columns(code, row):
    for source, meaning in (
        (ReportSource.FIRST_REPLY, row.as_first_reply),
        (ReportSource.INQUIRY, row.as_check),
        (ReportSource.CALLBACK, row.as_check),
    ):
        reading = read(source, rc=code, status=row.status, message=row.says)
        assert (reading.outcome, reading.failure_class) == (meaning.outcome, meaning.failure_class)
        assert (reading.raw_code, reading.contradiction) == (code, False)


@pytest.mark.parametrize("code", [f"{number:02}" for number in range(100) if f"{number:02}" not in definition().codes])
def test_a_code_that_is_not_listed_is_unknown(code):
    for status in ("Sukses", "Gagal", "Pending"):
        assert read(rc=code, status=status).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "serial"),
    [
        ({"sn": "R230512.1911.2100F1"}, "R230512.1911.2100F1"),
        ({"sn": " 123 "}, "123"),
        ({"sn": None}, None),
        ({"sn": ""}, None),
        ({"sn": "-"}, None),
        ({"sn": "0"}, None),
        ({"sn": "12\x1b[31m"}, None),
        ({"sn": "9" * 501}, None),
    ],
)
def test_a_missing_serial_number_is_no_doubt_about_delivery(changes, serial):
    reading = read(**changes)
    assert (reading.outcome, reading.serial_number) == (Outcome.DELIVERED, serial)


def test_a_failure_carries_no_serial_number():
    reading = read(rc="02", status="Gagal", message="Transaksi Gagal", sn="Trx gagal")
    assert (reading.outcome, reading.serial_number) == (Outcome.FAILED, None)


def test_amounts_are_exact():
    reading = read()
    assert (reading.price, reading.balance) == (Decimal(10000), Decimal("990000.5"))


def test_missing_amounts_are_no_doubt_about_the_outcome():
    reading = read(price=None, buyer_last_saldo=None)
    assert (reading.outcome, reading.price, reading.balance) == (Outcome.DELIVERED, None, None)


def test_unknown_extra_fields_are_nothing_to_us():
    assert read(trx_id="x", extra={"deep": [1, 2.5, None]}).outcome is Outcome.DELIVERED


@pytest.mark.parametrize("contact", ["", "  ", 5, None, "x" * 65, "a\nb"])
def test_a_contact_that_is_none_is_left_out(contact):
    reading = read(tele=contact)
    assert (reading.outcome, reading.contacts) == (Outcome.DELIVERED, ("wa:081200001111",))


def test_a_price_above_the_limit_that_was_sent_is_not_our_purchase():
    limited = leg(max_price=Money(9999))
    assert read(ours=limited).outcome is Outcome.UNKNOWN
    assert read(ours=leg(max_price=Money(10000))).outcome is Outcome.DELIVERED
    failed = read(ours=limited, rc="02", status="Gagal", message="Transaksi Gagal")
    assert failed.failure_class is FailureClass.SOFT


@pytest.mark.parametrize("spelled", ["087800001230", "6287800001230", "+62 878-0000-1230", "0878.0000.1230"])
def test_our_number_is_recognised_in_its_usual_spellings(spelled):
    assert read(customer_no=spelled).outcome is Outcome.DELIVERED


def test_every_single_changed_byte_of_a_failure_is_still_no_success():
    good = json.dumps({"data": {**FIELDS, "rc": "02", "status": "Gagal", "message": "Transaksi Gagal"}}).encode()
    for position in range(len(good)):
        for bit in (1, 2, 4, 16, 64, 128):
            raw = good[:position] + bytes([good[position] ^ bit]) + good[position + 1 :]
            reading = read_reply(definition(), leg=leg(), source=ReportSource.INQUIRY, raw=raw)
            assert reading.outcome in {Outcome.FAILED, Outcome.UNKNOWN, Outcome.REVERSED, Outcome.NOT_FOUND}


def test_every_cut_of_a_reply_is_unknown():
    good = json.dumps({"data": FIELDS}).encode()
    for length in range(len(good)):
        reading = read_reply(definition(), leg=leg(), source=ReportSource.INQUIRY, raw=good[:length])
        assert reading.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("raw", [b"1e4", b"[1E-2]", b"NaN", b'{"a":1,"a":1}', b'"\\udc00"', b" " * (BYTES_MAX + 1)])
def test_strict_json_refuses_what_the_standard_parser_forgives(raw):
    with pytest.raises(UnreadableError):
        loads(raw)


def test_strict_json_keeps_fractions_exact_and_pairs_whole():
    assert loads(b'{"a":0.10,"b":"\\ud83d\\ude00","c":[true,null]}') == {
        "a": Decimal("0.10"),
        "b": "\U0001f600",
        "c": [True, None],
    }


def test_a_refusal_that_reaches_a_log_repeats_nothing_of_the_reply():
    with pytest.raises(UnreadableError) as caught:
        loads(b'{"customer_no":"087800001230"')
    assert "0878" not in str(caught.value)
