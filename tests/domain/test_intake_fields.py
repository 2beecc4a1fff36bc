from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekon.domain import intake_fields as read
from rekon.domain.intake_fields import RowError

LATEST = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
WIB = ZoneInfo("Asia/Jakarta")
ARABIC = "\u0660\u0668\u0661\u0662"
FULL_WIDTH = "\uff10\uff18\uff11\uff12"

BAD_AMOUNTS = [
    2**63,
    10**22,
    10**4_999,
    10**12,
    float("inf"),
    float("nan"),
    1e400,
    10_500.0,
    10_500.10,
    "10.500",
    "10,500",
    "10_500",
    "1e4",
    " 10500",
    "10500 ",
    "10500\n",
    "Rp10.500",
    "Rp 10500",
    "+10500",
    "0010500",
    "081234567890",
    "0x10",
    "1/2",
    "NaN",
    "Infinity",
    "\u2212" + "5",
    ARABIC,
    FULL_WIDTH,
    "\u00b2",
    "\u2460",
    "1" * 5_000,
    "9999999999999",
    "-0",
    "--5",
    "-",
    True,
    False,
    [],
    {},
    b"10500",
    10_500j,
]


def short(value):
    is_huge = isinstance(value, int) and value > 10**30
    return "a huge number" if is_huge else ascii(value)[:24]


@pytest.mark.parametrize("value", [*BAD_AMOUNTS, -1, "-1"], ids=short)
def test_what_is_not_a_plain_whole_amount_is_refused(value):
    with pytest.raises(RowError) as caught:
        read.whole({"price": value}, "price")
    assert caught.value.field == "price"
    assert caught.value.reason == read.RUPIAH


@pytest.mark.parametrize("value", [*BAD_AMOUNTS, "- 5", "-05", -(10**12)], ids=short)
def test_what_is_not_a_plain_signed_amount_is_refused(value):
    with pytest.raises(RowError):
        read.signed({"amount": value}, "amount")


@pytest.mark.parametrize(
    ("value", "amount"),
    [(0, 0), (10_500, 10_500), (2**31, 2**31), ("10500", 10_500), ("0", 0), ("", None), (None, None)],
)
def test_a_plain_whole_amount_is_read(value, amount):
    found = read.whole({"price": value}, "price")
    assert found == amount
    assert type(found) is type(amount)


@pytest.mark.parametrize(("value", "amount"), [(-5, -5), ("-10500", -10_500), ("7", 7), (0, 0), ("", None)])
def test_a_plain_signed_amount_is_read(value, amount):
    assert read.signed({"amount": value}, "amount") == amount


@given(st.integers(min_value=-read.AMOUNT_MAX, max_value=read.AMOUNT_MAX))
def test_an_amount_and_its_digits_are_the_same(amount):
    assert read.signed({"a": amount}, "a") == read.signed({"a": str(amount)}, "a") == amount


@given(st.text())
def test_a_text_that_is_not_ascii_digits_is_never_an_amount(text):
    try:
        found = read.whole({"a": text}, "a")
    except RowError:
        return
    assert text == "" or (text.isascii() and text.isdigit() and found == int(text))


@pytest.mark.parametrize(
    "value",
    [
        "T1001",
        "0",
        "007",
        "t1001",
        "a b",
        "O'Brien\"",
        "../../etc/passwd",
        "%00",
        "x" * 128,
        "toko:1#2",
        "Null",
        "=1+1",
        "<script>",
        "\u0422" + "1001",
    ],
)
def test_an_id_is_kept_as_it_is(value):
    assert read.identity({"id": value}, "id") == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        None,
        "x" * 129,
        "x" * 256,
        " T1",
        "T1 ",
        " ",
        "T\n1",
        "T1\n",
        "T\x001",
        "T\t1",
        "T\x1b[31m",
        "T\u200b1",
        "T\u202e1",
        "T\u00a01",
        "T\u20281",
        "\ufeffT1",
        "\ud800",
        "NULL",
        "null",
        "None",
        "nan",
        1001,
        10.0,
        True,
        ["T1"],
        b"T1",
    ],
)
def test_an_id_that_could_be_two_is_refused(value):
    with pytest.raises(RowError) as caught:
        read.identity({"id": value}, "id")
    assert caught.value.field == "id"


def test_a_number_as_an_id_is_refused_because_excel_drops_leading_zeros():
    with pytest.raises(RowError, match="format kolom menjadi Teks"):
        read.identity({"id": 812}, "id")


def test_ids_that_differ_in_case_or_zeros_stay_different():
    found = {read.identity({"id": value}, "id") for value in ("a1", "A1", "01", "1", "001")}
    assert len(found) == 5


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("081234567890", "081234567890"),
        ("+6281234567890", "+6281234567890"),
        ("6281234567890", "6281234567890"),
        ("81234567890", "81234567890"),
        ("0812-3456-7890", "0812-3456-7890"),
        ("0812 3456 7890", "0812 3456 7890"),
        ("0812.3456.7890", "0812.3456.7890"),
        (" 081234567890\r\n", "081234567890"),
        ("08123", "08123"),
        ("0812345678901234", "0812345678901234"),
        ("530000000001", "530000000001"),
        ("12345678(2001)", "12345678(2001)"),
        ("agen@toko.test", "agen@toko.test"),
        ("Na\u00efve#1234", "Na\u00efve#1234"),
        ("x" * 64, "x" * 64),
    ],
)
def test_a_customers_number_is_kept_as_the_server_wrote_it(value, number):
    assert read.destination({"destination": value}, "destination") == number


@pytest.mark.parametrize(
    "value",
    [
        "",
        None,
        "081",
        "   081   ",
        "x" * 65,
        "0812\x003456",
        "0812\n3456",
        "0812\t3456",
        "0812\x7f3456",
        "\u202e0987654321",
        "0812\u200f3456",
        "0812\u200b3456",
        "0812\u00a03456",
        "\ufeff081234567890",
        "0812\U0001f4f13456",
        "0812\u26053456",
        ARABIC * 3,
        FULL_WIDTH * 3,
        "0812\u00b23456",
        "0812\u05d03456",
        "\ud8000812",
        "\uff21\uff22\uff23\uff24",
        81234567890,
        81234567890.0,
        True,
        ["081234567890"],
    ],
)
def test_a_number_that_is_not_what_it_looks_like_is_refused(value):
    with pytest.raises(RowError) as caught:
        read.destination({"destination": value}, "destination")
    assert caught.value.field == "destination"


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-22T10:15:00+07:00",
        "2026-11-22 10:15:00+07:00",
        "2026-11-22T10:15+07:00",
        "2026-11-22T03:15:00Z",
        "2026-11-22T03:15:00.000+00:00",
        "2026-11-21T20:15:00-07:00",
        datetime(2026, 11, 22, 3, 15, tzinfo=UTC),
        datetime(2026, 11, 22, 12, 15, tzinfo=timezone(timedelta(hours=9))),
    ],
)
def test_an_instant_with_an_offset_is_read_in_utc(value):
    found = read.instant({"at": value}, "at", zone=None, latest=LATEST)
    assert found == datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
    assert found.tzinfo is UTC


@pytest.mark.parametrize("value", ["2026-11-22T10:15:00", "2026-11-22 10:15", datetime(2026, 11, 22, 10, 15)])  # noqa: DTZ001 - a time without a zone is the point
def test_an_instant_without_an_offset_needs_the_sources_zone(value):
    assert read.instant({"at": value}, "at", zone=WIB, latest=LATEST) == datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
    with pytest.raises(RowError) as caught:
        read.instant({"at": value}, "at", zone=None, latest=LATEST)
    assert caught.value.reason == read.NO_ZONE


@pytest.mark.parametrize(
    ("zone", "hour"), [("Asia/Jakarta", 17), ("Asia/Makassar", 16), ("Asia/Jayapura", 15), ("UTC", 0)]
)
def test_midnight_is_midnight_of_the_sources_zone(zone, hour):
    found = read.instant({"at": "2026-11-22 00:00:00"}, "at", zone=ZoneInfo(zone), latest=LATEST)
    assert found.hour == hour


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, read.REQUIRED),
        ("", read.REQUIRED),
        ("2026-11-22", read.INSTANT),
        ("22/11/2026 10:15:00", read.INSTANT),
        ("2026-11-22x10:15:00+07:00", read.INSTANT),
        ("2026-02-29T10:15:00+07:00", read.INSTANT),
        ("2026-11-22T24:15:00+07:00", read.INSTANT),
        ("2026-11-22T10:15:00 WIB", read.INSTANT),
        ("2026-11-22T10:15:00+07:00 ", read.INSTANT),
        ("2026-11-22T10", read.INSTANT),
        ("kemarin sore sekali", read.INSTANT),
        ("\uff12026-11-22T10:15:00+07:00", read.INSTANT),
        (1_795_000_000, read.INSTANT),
        (1_795_000_000.5, read.INSTANT),
        (True, read.INSTANT),
        (date(2026, 11, 22), read.INSTANT),
        ([], read.INSTANT),
        ("0001-01-01T00:00:00+07:00", read.INSTANT),
        ("9999-12-31T23:59:59-07:00", read.INSTANT),
        ("1999-12-31T23:59:59Z", read.TOO_OLD),
        ("1970-01-01T00:00:00Z", read.TOO_OLD),
        ("2026-11-23T05:00:00.000001Z", read.FUTURE),
        ("2126-11-22T10:15:00+07:00", read.FUTURE),
    ],
)
def test_an_instant_that_cannot_be_is_refused_with_its_reason(value, reason):
    with pytest.raises(RowError) as caught:
        read.instant({"at": value}, "at", zone=None, latest=LATEST)
    assert (caught.value.field, caught.value.reason) == ("at", reason)


def test_the_latest_instant_itself_is_allowed():
    assert read.instant({"at": LATEST}, "at", zone=None, latest=LATEST) == LATEST


def test_an_absent_instant_takes_the_default():
    assert read.instant_or({}, "at", LATEST, zone=None, latest=LATEST) is LATEST


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("false", False),
        ("1", True),
        (0, False),
        ("", False),
        (None, False),
    ],
)
def test_a_flag_is_read(value, flag):
    assert read.flag({"testing": value}, "testing") is flag


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "{{7*7}}", "=HYPERLINK()", "a\r\nb\x1b[31m", "x" * 512])
def test_hostile_text_is_kept_as_evidence(value):
    assert read.free_text({"text": value}, "text", length_max=512) == value


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes() | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from(["id", "n", "at", "p"]), ANYTHING))
def test_no_value_whatever_breaks_a_parser(row):
    parsers = [
        lambda: read.identity(row, "id"),
        lambda: read.destination(row, "id"),
        lambda: read.line(row, "id", length_max=9),
        lambda: read.free_text(row, "id", length_max=9),
        lambda: read.whole(row, "n"),
        lambda: read.signed(row, "n"),
        lambda: read.count(row, "n", default=1, low=1, high=9),
        lambda: read.flag(row, "n"),
        lambda: read.word(row, "p", {}),
        lambda: read.instant(row, "at", zone=WIB, latest=LATEST),
    ]
    reasons = []
    for parser in parsers:
        try:
            parser()
        except RowError as error:
            reasons.append(error.reason)
    assert all(reasons)
