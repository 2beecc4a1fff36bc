import csv
import io
import json
import sys
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest

from rekon.connectors.sources import table_files
from rekon.connectors.sources.files import SUFFIXES, FileError, read_rows
from rekon.domain.intake import REQUIRED_FIELDS, Book, parse_transaction, parse_wallet_line

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
LINE = {
    "line_id": "W1",
    "agent_id": "A1",
    "posted_at": "2026-11-22T10:15:00+07:00",
    "amount": "-10500",
    "kind": "debit",
}
HEADER = ",".join(LINE)
ROW = ",".join(LINE.values())


def written(tmp_path, content, name="wallet.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def wallet(path):
    return list(read_rows(path, book=Book.WALLET))


def refusal(path, book=Book.WALLET):
    with pytest.raises(FileError) as caught:
        list(read_rows(path, book=book))
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_csv_file_is_read_whatever_its_separator(tmp_path, delimiter, mark, ending):
    text = ending.join(line.replace(",", delimiter) for line in (HEADER, ROW, ROW)) + ending
    assert wallet(written(tmp_path, mark + text.encode())) == [(2, LINE), (3, LINE)]


def test_the_separator_is_told_by_the_header_alone(tmp_path):
    text = f"{HEADER};catatan\n".replace(",", ";") + f'W1;A1;{LINE["posted_at"]};-10500;debit;"a,b,c,d,e,f"\n'
    [(_, row)] = wallet(written(tmp_path, text))
    assert row["catatan"] == "a,b,c,d,e,f"
    assert parse_wallet_line(row, source="toko", zone=None, now=NOW).amount == -10_500


def test_column_order_and_extra_columns_do_not_matter(tmp_path):
    text = "catatan, amount ,kind,line_id,posted_at,agent_id\nx,-10500,debit,W1,2026-11-22T10:15:00+07:00,A1\n"
    [(_, row)] = wallet(written(tmp_path, text))
    assert {name: row[name] for name in LINE} == LINE


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    noted = f'{HEADER},catatan\n{ROW},"satu\ndua"\n\n{ROW},x\n'
    assert [line for line, _ in wallet(written(tmp_path, noted))] == [2, 5]


def test_a_file_without_a_final_line_break_is_whole(tmp_path):
    assert wallet(written(tmp_path, f"{HEADER}\n{ROW}")) == [(2, LINE)]


@pytest.mark.parametrize("book", list(Book))
def test_missing_columns_are_named(tmp_path, book):
    error = refusal(written(tmp_path, "nomor,tanggal\n1,2\n"), book)
    assert (error.name, error.line) == ("wallet.csv", 1)
    assert all(field in error.what for field in REQUIRED_FIELDS[book])
    assert str(error).startswith("wallet.csv baris 1: kolom wajib tidak ada: ")


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        ("", 1, "kolom wajib tidak ada"),
        ("\n", 1, "kolom wajib tidak ada"),
        (f"{HEADER.upper()}\n", 1, "kolom wajib tidak ada"),
        (f"{HEADER},amount\n{ROW},5\n", 1, "kolom amount tertulis dua kali"),
        (f"{HEADER}\n{ROW}\n{ROW},lebih\n", 3, "berisi 6 kolom, seharusnya 5"),
        (f"{HEADER}\n{ROW}\nW2,A1\n", 3, "berisi 2 kolom, seharusnya 5"),
        (f'{HEADER}\n"W1"x,A1,2026,5,debit\n', 2, "tanda kutip"),
        (f'{HEADER}\n{ROW}\n"W2,A1,2026,5,debit\n', 3, "tanda kutip"),
        (f"{HEADER}\r{ROW}\r", 1, "kolom wajib tidak ada"),
        (f"{HEADER}\n".encode("utf-16"), 1, "UTF-16"),
        (f"{HEADER}\n".encode("utf-16-be"), 1, "UTF-16"),
        (f"{HEADER}\n{ROW}\n".encode() + b"W2,A1,2026,5,d\xe9bit\n", 3, "bukan UTF-8"),
        (b"PK\x03\x04\x00\x00", 1, "UTF-16 atau bukan berkas teks"),
        (f"{HEADER}\n" + "x" * 1_100_000, 2, "baris terlalu panjang"),
        ("x" * 1_100_000, 1, "baris terlalu panjang"),
        (f"{HEADER}\n{'x' * 200_000},A1,2026,5,debit\n", 2, "tanda kutip"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_csv_file_that_cannot_be_read_says_where_and_what_to_do(tmp_path, content, line, what):
    error = refusal(written(tmp_path, content))
    assert error.line == line
    assert what in error.what
    assert error.advice


def test_rows_before_the_broken_one_are_given(tmp_path):
    rows = read_rows(written(tmp_path, f"{HEADER}\n{ROW}\n{ROW},x\n"), book=Book.WALLET)
    assert next(rows) == (2, LINE)
    with pytest.raises(FileError):
        next(rows)


def test_a_refusal_repeats_nothing_of_the_file(tmp_path):
    for content in (f"{HEADER}\n081234567890,x\n", f'{HEADER}\n"081234567890"x,\n', "081234567890,081234567890\n"):
        error = refusal(written(tmp_path, content))
        assert "0812" not in str(error)


def test_json_lines_are_read(tmp_path):
    content = b"\xef\xbb\xbf" + (json.dumps(LINE) + "\n\n" + json.dumps(LINE | {"amount": -5})).encode()
    assert wallet(written(tmp_path, content, "wallet.jsonl")) == [(1, LINE), (3, LINE | {"amount": -5})]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "null", '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1} {"b": 2}', '{"a": 1},', "[" * 50_000, "\x1f"],
    ids=lambda value: ascii(value)[:20],
)
def test_a_line_that_is_not_one_object_is_named(tmp_path, line):
    error = refusal(written(tmp_path, json.dumps(LINE) + "\n" + line + "\n", "wallet.ndjson"))
    assert (error.line, error.what) == (2, "bukan satu objek JSON yang sah")


def test_a_json_file_that_is_not_utf8_is_named(tmp_path):
    assert refusal(written(tmp_path, b'{}\n{"a": "\xe9"}\n', "wallet.jsonl")).line == 2
    assert refusal(written(tmp_path, b"\xff\xfe{\x00}\x00", "wallet.jsonl")).line == 1


def workbook(tmp_path, *rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    path = tmp_path / "wallet.xlsx"
    book.save(path)
    return path


def test_a_workbook_is_read_with_the_types_of_its_cells(tmp_path):
    moment = datetime(2026, 11, 22, 10, 15)  # noqa: DTZ001 - a cell knows no zone
    path = workbook(
        tmp_path,
        [*LINE, None],
        ["W1", "A1", moment, -10_500, "debit"],
        [None, None],
        ["W2", 12, moment, -10_500.5, "debit"],
        ["W3", "A1", moment],
    )
    first, second, third = wallet(path)
    assert first == (2, LINE | {"posted_at": moment, "amount": -10_500})
    assert second == (4, {"line_id": "W2", "agent_id": 12, "posted_at": moment, "amount": -10_500.5, "kind": "debit"})
    assert third == (5, {"line_id": "W3", "agent_id": "A1", "posted_at": moment, "amount": None, "kind": None})


def test_a_workbook_with_values_beside_its_columns_is_refused(tmp_path):
    error = refusal(workbook(tmp_path, list(LINE), [*LINE.values(), "lebih"]))
    assert (error.line, error.what) == (2, "berisi nilai di luar kolom yang bernama")


@pytest.mark.parametrize("rows", [[], [["nomor"]], [[None, "line_id"]]])
def test_a_workbook_without_the_columns_is_refused(tmp_path, rows):
    error = refusal(workbook(tmp_path, *rows))
    assert error.line == 1
    assert "agent_id" in error.what


@pytest.mark.parametrize("content", [b"", b"line_id,agent_id\n", b"PK\x03\x04"])
def test_a_file_that_is_no_workbook_is_refused(tmp_path, content):
    assert "bukan berkas Excel" in refusal(written(tmp_path, content, "wallet.xlsx")).what


def parquet(tmp_path, select):
    path = tmp_path / "wallet.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path


WALLET_SELECT = (
    "SELECT 'W' || i AS line_id, 'A1' AS agent_id, TIMESTAMPTZ '2026-11-22 10:15:00+07' AS posted_at, "
    "(-10500)::DECIMAL(18, 0) AS amount, 'debit' AS kind, TIMESTAMP '2026-11-22 10:15:00' AS local_at, "
    "1.5::DOUBLE AS rate, 0.5::DECIMAL(9, 2) AS part FROM range({count}) t(i)"
)


def test_a_parquet_file_is_read_in_its_own_order(tmp_path):
    found = wallet(parquet(tmp_path, WALLET_SELECT.format(count=5_000)))
    assert [line for line, _ in found] == list(range(1, 5_001))
    assert [row["line_id"] for _, row in found] == [f"W{number}" for number in range(5_000)]
    row = found[0][1]
    assert row["posted_at"] == datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
    assert (row["amount"], type(row["amount"]), row["rate"], row["part"]) == (-10_500, int, 1.5, Decimal("0.50"))
    assert parse_wallet_line(row, source="toko", zone=None, now=NOW).amount == -10_500


@pytest.mark.parametrize("content", [b"", b"PAR1", b"line_id,agent_id\n", b"PAR1" + b"x" * 100 + b"PAR1"])
def test_a_file_that_is_no_parquet_is_refused(tmp_path, content):
    assert "bukan berkas Parquet" in refusal(written(tmp_path, content, "wallet.parquet")).what


def test_a_parquet_file_without_the_columns_is_refused(tmp_path):
    error = refusal(parquet(tmp_path, "SELECT 1 AS nomor"))
    assert (error.line, "line_id" in error.what) == (None, True)


def test_a_name_that_means_many_files_is_refused(tmp_path):
    assert "Ganti namanya" in refusal(written(tmp_path, b"PAR1", "a*.parquet")).advice


def test_a_missing_reader_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    error = refusal(written(tmp_path, b"PAR1", "wallet.parquet"))
    assert "belum terpasang" in error.what
    assert 'pip install "rekon[statements]"' in error.advice


def test_the_heavy_readers_are_loaded_when_a_file_asks_for_them():
    text = Path(table_files.__file__).read_text(encoding="utf-8")
    assert "\nimport duckdb" not in text
    assert "\nimport openpyxl" not in text


@pytest.mark.parametrize("name", ["wallet.xls", "wallet", "wallet.csv.gz", "wallet.pdf"])
def test_an_unknown_kind_of_file_names_the_known_ones(tmp_path, name):
    error = refusal(written(tmp_path, b"x", name))
    assert all(suffix in error.advice for suffix in SUFFIXES)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_not_there_is_told_plainly(tmp_path, suffix):
    error = refusal(tmp_path / f"missing{suffix}")
    assert (error.name, error.line) == (f"missing{suffix}", None)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "x.csv").mkdir()
    assert "tidak dapat dibuka" in refusal(tmp_path / "x.csv").what


ORDER = {
    "transaction_id": "T{n}",
    "agent_id": "A1",
    "charged_account": "agent_wallet",
    "ordered_at": "2026-11-22T10:15:00+07:00",
    "product": "S10",
    "family": "pulsa",
    "destination": "081234567890",
    "price": "10500",
    "face_value": "10000",
    "order_status": "success",
    "provider": "digiflazz",
    "ref_id": "T{n}",
}


def orders(path, count):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(ORDER)
        writer.writerows([value.format(n=number) for value in ORDER.values()] for number in range(count))


def peak_of(path):
    """Read a whole file; give how many rows there were and the highest memory above the start."""
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_rows(path, book=Book.TRANSACTIONS))
        return count, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_two_hundred_thousand_rows_need_no_more_memory_than_two_thousand(tmp_path):
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    orders(small, 2_000)
    orders(large, 200_000)
    _, small_peak = peak_of(small)
    count, large_peak = peak_of(large)
    assert count == 200_000
    assert large_peak < small_peak + 256 * 1024


def test_a_row_of_a_csv_file_becomes_a_purchase(tmp_path):
    path = tmp_path / "orders.csv"
    orders(path, 1)
    [(line, row)] = read_rows(path, book=Book.TRANSACTIONS)
    transaction, leg = parse_transaction(row, source="toko", zone=None, now=NOW)
    assert (line, transaction.key, transaction.price, leg.ref_id) == (2, "toko:T0", 10_500, "T0")


def test_a_quoted_field_may_hold_everything(tmp_path):
    hostile = ['a"b', "a,b;c\td", "satu\ndua", "=HYPERLINK()", "\u00e9\U0001f4f1", " x "]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([*LINE, "catatan"])
    for text in hostile:
        writer.writerow([*LINE.values(), text])
    found = wallet(written(tmp_path, file.getvalue()))
    assert [row["catatan"] for _, row in found] == hostile
