"""A corpus of replies that must decide nothing (P1-P9, P12, reliability 6), for every dialect."""

import json
from itertools import chain

import pytest

from rekon.connectors.providers.dialects.strict_json import BYTES_MAX
from rekon.connectors.providers.reading import read_reply
from rekon.domain.outcome import Outcome, ReportSource
from tests.connectors.providers.builders import definition, leg

FIELDS = {
    "digiflazz": {
        "ref_id": "REF0001",
        "customer_no": "087800001230",
        "buyer_sku_code": "xld10",
        "message": "Transaksi Gagal",
        "status": "Gagal",
        "rc": "02",
        "sn": "",
        "buyer_last_saldo": 990000,
        "price": 10000,
    },
    "iak": {
        "ref_id": "REF0001",
        "customer_id": "087800001230",
        "product_code": "xld10",
        "message": "FAILED",
        "status": 2,
        "rc": "07",
        "sn": "",
        "balance": 990000,
        "price": 10000,
    },
}
NUMBER = {"digiflazz": "customer_no", "iak": "customer_id"}
PRODUCT = {"digiflazz": "buyer_sku_code", "iak": "product_code"}
BALANCE = {"digiflazz": "buyer_last_saldo", "iak": "balance"}
GONE = object()
OK_TEXT = "#17 R#REF0001 XLD10.087800001230 GAGAL. Nomor tujuan salah. Saldo 990.000 @18.37"
OURS = {"digiflazz": leg(), "iak": leg(provider="iak"), "otomax": leg(provider="otomax", provider_product="XLD10")}


def body(name, **changes):
    data = {**FIELDS[name], **changes}
    return json.dumps({"data": {key: value for key, value in data.items() if value is not GONE}}).encode()


def raw_number(name, literal):
    return body(name, price="@").replace(b'"@"', literal)


def wrapped(good):
    """Shapes that are wrong whatever stands inside."""
    return {
        "nothing": b"",
        "only spaces": b"  \n ",
        "cut off": good[: len(good) // 2],
        "two documents": good + good,
        "something after it": good + b" ok",
        "something before it": b"ok " + good,
        "a byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "UTF-32": good.decode().encode("utf-32"),
        "latin-1": good.replace(b"REF0001", b"REF0001 \xe9"),
        "HTML": b"<!doctype html><html><body>Gagal</body></html>",
        "XML": b'<?xml version="1.0"?><mp><status>2</status><rc>07</rc></mp>',
        "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + good,
        "too large": good + b" " * (BYTES_MAX + 1),
        "NUL bytes": b"\x00" * 40,
    }


def json_shapes(name):
    good = body(name)
    deep = b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    return wrapped(good) | {
        "plain text": b"GAGAL",
        "a text at the top": b'"Gagal"',
        "a number at the top": b"2",
        "null at the top": b"null",
        "true at the top": b"true",
        "a list at the top": b"[" + good + b"]",
        "an empty object": b"{}",
        "no envelope": json.dumps(FIELDS[name]).encode(),
        "an empty envelope": b'{"data":{}}',
        "a list in the envelope": b'{"data":[]}',
        "null in the envelope": b'{"data":null}',
        "a text in the envelope": b'{"data":"Gagal"}',
        "nesting without end": deep,
        "a code twice": good.replace(b'"rc"', b'"rc":"00","rc"'),
        "an envelope twice": good[:-1] + b',"data":{}}',
        "a comment": good[:-1] + b"/* x */}",
        "a comma too many": good[:-2] + b",}}",
        "single quotes": good.replace(b'"', b"'"),
        "a lone surrogate": good.replace(b'"sn": ""', b'"sn": "\\ud800"'),
        "a code as a number": body(name, rc=2),
        "a code without its zero": body(name, rc="2" if name == "digiflazz" else "7"),
        "a code with a space": body(name, rc="02 "),
        "a code in full-width digits": body(name, rc="０２"),  # noqa: RUF001 - the digits are the point
        "a code in Arabic digits": body(name, rc="٠٢"),
        "a code that nobody listed": body(name, rc="999"),
        "an endless code": body(name, rc="0" * 10_000),
        "no code": body(name, rc=GONE),
        "null as code": body(name, rc=None),
        "a list as code": body(name, rc=["02"]),
        "another status": body(name, status="Sukses" if name == "digiflazz" else 1),
        "a status in English": body(name, status="Failed"),
        "a status in capitals": body(name, status="GAGAL"),
        "a status with a space": body(name, status="Gagal "),
        "a status of another type": body(name, status=2 if name == "digiflazz" else "2"),
        "true as status": body(name, status=True),
        "no status": body(name, status=GONE),
        "another reference": body(name, ref_id="REF0002"),
        "a reference in small letters": body(name, ref_id="ref0001"),
        "a reference with a space": body(name, ref_id="REF0001 "),
        "a reference with NUL": body(name, ref_id="REF0001\x00"),
        "a reference as a number": body(name, ref_id=1),
        "no reference": body(name, ref_id=GONE),
        "an empty reference": body(name, ref_id=""),
        "another number": body(name, **{NUMBER[name]: "087800001231"}),
        "a masked number": body(name, **{NUMBER[name]: "0878****1230"}),
        "an empty number": body(name, **{NUMBER[name]: ""}),
        "a number as a number": body(name, **{NUMBER[name]: 87800001230}),
        "no number": body(name, **{NUMBER[name]: GONE}),
        "another product": body(name, **{PRODUCT[name]: "xld100"}),
        "a product in capitals": body(name, **{PRODUCT[name]: "XLD10"}),
        "no product": body(name, **{PRODUCT[name]: GONE}),
        "an amount as grouped text": body(name, price="10.500"),
        "an amount as plain text": body(name, price="10500"),
        "an amount with its currency": body(name, price="Rp10.500"),
        "true as amount": body(name, price=True),
        "an amount below zero": body(name, price=-1),
        "an amount as a list": body(name, price=[10000]),
        "a huge amount": body(name, price=10**22),
        "an amount without end": raw_number(name, b"9" * 5000),
        "an amount with an exponent": raw_number(name, b"1e4"),
        "an amount beyond floats": raw_number(name, b"1e400"),
        "NaN as amount": raw_number(name, b"NaN"),
        "Infinity as amount": raw_number(name, b"-Infinity"),
        "a text as balance": body(name, **{BALANCE[name]: "990000"}),
        "a number as serial": body(name, sn=123456789012345),
        "a list as message": body(name, message=["Gagal"]),
        "a message of success": body(name, message="Transaksi Sukses"),
        "a message of waiting": body(name, message="Transaksi Pending"),
    }


def text_shapes():
    good = OK_TEXT.encode()
    harmless = {"two documents", "cut off", "something before it", "something after it"}
    return {key: raw for key, raw in wrapped(good).items() if key not in harmless} | {
        "JSON": body("digiflazz"),
        "an OK": b"OK",
        "a number": b"20",
        "a bare keyword": b"GAGAL",
        "another number": good.replace(b"087800001230", b"087800001231"),
        "a longer number": good.replace(b"087800001230", b"0878000012301"),
        "a shorter number": good.replace(b"087800001230", b"08780000123"),
        "a masked number": good.replace(b"087800001230", b"0878xxxx1230"),
        "another product": good.replace(b"XLD10", b"XLD100"),
        "another reference": good.replace(b"REF0001", b"REF0002"),
        "a reference in small letters": good.replace(b"REF0001", b"ref0001"),
        "two purchases": good + b" XLD10.087800001299 GAGAL",
        "both ways": good.replace(b"GAGAL.", b"GAGAL. SUKSES."),
        "both ways by phrase": good.replace(b"GAGAL.", b"status Sukses GAGAL."),
        "no keyword": good.replace(b"GAGAL.", b""),
        "a keyword inside a word": good.replace(b"GAGAL.", b"KEGAGALAN."),
        "a keyword in another language": good.replace(b"GAGAL.", b"ERROR."),
        "a keyword behind the serial": good.replace(b"GAGAL.", b"SN: GAGAL"),
        "not successful": good.replace(b"GAGAL.", b"TIDAK BERHASIL."),
        "not yet successful": good.replace(b"GAGAL.", b"belum sukses."),
        "a validation": good.replace(b"GAGAL.", b"status Validasi Provider"),
        "a script": good + b"<script>alert(1)</script>",
        "escape codes": good + b"\x1b[31m",
        "a very long text": good + b" x" * 3000,
        "an unknown state": b"status=99&message=" + good,
        "a state at odds": b"status=20&message=" + good,
        "a state without a message": b"status=40&message=",
        "a purchase of somebody else": b"R#1 S5.081234567890 GAGAL. Nomor tujuan salah.",
        "a number without a product": b"Transaksi tujuan 087800001230 GAGAL.",
        "a web address": b"http://169.254.169.254/latest/meta-data",
        "a right-to-left mark": good.replace(b"XLD10", "\u202eXLD10".encode()),
    }


CORPUS = {"digiflazz": json_shapes("digiflazz"), "iak": json_shapes("iak"), "otomax": text_shapes()}
CASES = [(name, shape) for name, shapes in CORPUS.items() for shape in shapes]
GOOD = {"digiflazz": body("digiflazz"), "iak": body("iak"), "otomax": OK_TEXT.encode()}


def read(name, raw, *, source=ReportSource.INQUIRY, **wrapping):
    return read_reply(definition(name), leg=OURS[name], source=source, raw=raw, **wrapping)


@pytest.mark.parametrize("name", CORPUS)
def test_the_reply_the_corpus_is_made_from_is_a_failure(name):
    assert read(name, GOOD[name]).outcome is Outcome.FAILED
    assert len(CORPUS[name]) >= 40


@pytest.mark.parametrize(("name", "shape"), CASES, ids=[f"{name}: {shape}" for name, shape in CASES])
def test_a_bad_reply_decides_nothing(name, shape):
    raw = CORPUS[name][shape]
    for source in (ReportSource.INQUIRY, ReportSource.FIRST_REPLY):
        reading = read(name, raw, source=source)
        assert reading.outcome is Outcome.UNKNOWN
        assert reading.failure_class is None
        assert reading.serial_number is None
        assert reading.note


@pytest.mark.parametrize(("name", "shape"), CASES, ids=[f"{name}: {shape}" for name, shape in CASES])
def test_a_note_repeats_nothing_of_the_reply(name, shape):
    reading = read(name, CORPUS[name][shape])
    assert "0878" not in reading.note
    assert "REF000" not in reading.note


@pytest.mark.parametrize(("name", "shape"), CASES, ids=[f"{name}: {shape}" for name, shape in CASES])
def test_a_bad_callback_decides_nothing(name, shape):
    assert read(name, CORPUS[name][shape], source=ReportSource.CALLBACK).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "status", [100, 201, 204, 206, 301, 302, 307, 400, 401, 403, 404, 409, 429, 500, 502, 503, 504]
)
@pytest.mark.parametrize("name", CORPUS)
def test_any_http_status_but_200_decides_nothing(name, status):
    assert read(name, GOOD[name], http_status=status).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "application/xml", "text/plain", "application/json; charset=utf-16", "nonsense", "application/jsonp"],
)
def test_json_under_another_label_decides_nothing(content_type):
    assert read("digiflazz", GOOD["digiflazz"], content_type=content_type).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; Charset=UTF-8", ""])
def test_json_under_its_own_label_is_read(content_type):
    assert read("digiflazz", GOOD["digiflazz"], content_type=content_type).outcome is Outcome.FAILED


@pytest.mark.parametrize("content_type", ["application/json", "text/xml", "text/plain; charset=utf-16"])
def test_text_under_another_label_decides_nothing(content_type):
    assert read("otomax", GOOD["otomax"], content_type=content_type).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("name", CORPUS)
def test_a_reply_about_another_purchase_says_so(name):
    ours = OURS[name]
    for facts in ({"ref_id": "X"}, {"destination_sent": "089900001111"}, {"provider_product": "Z9"}):
        stranger = leg(
            provider=name,
            **({"provider_product": ours.provider_product} | facts),
        )
        reading = read_reply(definition(name), leg=stranger, source=ReportSource.INQUIRY, raw=GOOD[name])
        assert (reading.outcome, reading.about_this_leg) == (Outcome.UNKNOWN, False)


def test_every_shape_has_its_own_bytes():
    for shapes in CORPUS.values():
        assert len(set(chain(shapes.values()))) == len(shapes)
