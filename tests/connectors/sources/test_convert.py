from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from rekon.connectors.sources import convert
from rekon.connectors.sources.convert import Unmapped, WordMap


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (10_500.0, 10_500),
        (-10_500.0, -10_500),
        (0.0, 0),
        (2.0**53, 2**53),
        (Decimal("10500.00"), 10_500),
        (Decimal("1E+4"), 10_000),
        (10_500, 10_500),
        (None, None),
    ],
)
def test_a_whole_value_becomes_its_integer_exactly(value, found):
    result = convert.exact(value)
    assert result == found
    assert type(result) is type(found)


@pytest.mark.parametrize(
    "value",
    [10_500.10, 0.5, float("inf"), float("-inf"), Decimal("10500.773"), Decimal("NaN"), Decimal("Infinity"), "10500.0"],
)
def test_a_fraction_stays_for_intake_to_refuse(value):
    assert convert.exact(value) is value


def test_a_nan_stays_for_intake_to_refuse():
    assert isinstance(convert.exact(float("nan")), float)


@pytest.mark.parametrize(
    ("value", "found"), [(1_234_531_425.773, None), (Decimal("0.5"), None), (5.0, 5), (None, None), (7, 7)]
)
def test_a_balance_with_a_fraction_is_left_out(value, found):
    assert convert.whole_or_none(value) == found


def test_a_word_that_no_map_lists_is_never_guessed():
    words = WordMap({"20": "success", "": "none"})
    assert [words(value) for value in (20, "20", " 20 ", 20.0, Decimal(20), None)] == ["success"] * 5 + ["none"]
    assert words(21) == Unmapped("21")
    assert str(words(21)) == "21"
    assert words("success") == Unmapped("success")
    assert WordMap({}, "keep")(311) == "311"
    assert WordMap({}, "=other")("TSEL") == "other"


@pytest.mark.parametrize(
    ("order", "kept"),
    [
        ("S10.081234567890.1234", "S10.081234567890.****"),
        ("S10.081234567890.1234#trx55", "S10.081234567890.****#trx55"),
        ("S10.2.081234567890.123456", "S10.2.081234567890.****"),
        ("S10.081234567890.1234 tolong", "S10.081234567890.**** tolong"),
        ("S10.081234567890.rahasia", "S10.081234567890.****"),
        ("SAL.1234", "SAL.****"),
        (None, None),
    ],
)
def test_a_pin_does_not_come_along(order, kept):
    assert convert.without_pin(order) == kept


@pytest.mark.parametrize(
    ("remark", "key"),
    [
        ("refund:otomax:6558:B01:1", "refund:otomax:6558:B01:1"),
        ("Koreksi refund:otomax:6558:B01:1 oleh rekon", "refund:otomax:6558:B01:1"),
        ("voucher:RK-7", "voucher:RK-7"),
        ("TRX S10.081234567890 GAGAL", ""),
        (None, ""),
    ],
)
def test_only_our_own_key_is_kept_of_a_remark(remark, key):
    assert convert.our_key(remark) == key


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("refund:toko:INV/1:B01:1", "INV/1"),
        ("Koreksi refund:toko:6558:B10:12 selesai", "6558"),
        ("refund:toko:A:B01:1:B15:2", "A:B01:1"),
        ("6558", "6558"),
        (None, None),
    ],
)
def test_the_purchase_is_read_out_of_our_key(value, found):
    assert convert.transaction_of_key(value) == found


@pytest.mark.parametrize(
    ("request_text", "found"),
    [
        ("trx?product=TM1&qty=1&dest=081234567890&refID=6558&memberID=X&sign=abc", "081234567890"),
        ("http://10.0.0.1:6969/trx?dest=0812%2B34&pin=1", "0812+34"),
        ("dest=0812", "0812"),
        ("trx?dest=1&dest=2", None),
        ('{"customer_no": "0812"}', None),
        (None, None),
    ],
)
def test_one_parameter_is_read_out_of_a_request(request_text, found):
    assert convert.query_value("dest")(request_text) == found


def test_a_local_instant_gets_the_sources_zone():
    wib = ZoneInfo("Asia/Jakarta")
    expected = datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
    assert convert.localise("2026-11-22 10:15:00", wib) == expected
    assert convert.localise(expected.astimezone(wib).replace(tzinfo=None), wib) == expected


@pytest.mark.parametrize("value", ["2026-11-22", "kemarin", "2026-11-22T10:15:00+09:00", None, 5])
def test_what_is_not_a_local_instant_stays(value):
    assert convert.localise(value, ZoneInfo("Asia/Jakarta")) is value


def test_without_a_zone_nothing_is_added():
    assert convert.localise("2026-11-22 10:15:00", None) == "2026-11-22 10:15:00"
