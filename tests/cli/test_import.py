import json
import subprocess
import sys
from datetime import datetime, timedelta

import openpyxl
import pytest

from rekon.cli import import_run
from rekon.sandbox import statement
from rekon.sandbox.deposit import Deposit
from rekon.sandbox.journal import Journal
from rekon.store import books, schema
from tests.cli.installation import NOW, program
from tests.store import filling

ORDER = (
    "transaction_id,agent_id,charged_account,ordered_at,product,family,destination,price,face_value,order_status,"
    "provider,ref_id"
)
WALLET = "line_id,agent_id,posted_at,amount,kind,transaction_id"
ORDERED = "2026-11-22T14:05:00+07:00"


def order(number, *, ordered_at=ORDERED, price="50600", status="failed", destination="081234567890"):
    return f"T{number},A01,agent_wallet,{ordered_at},P50,pulsa,{destination},{price},50000,{status},iak,R{number}"


def orders(folder, *lines, name="order.csv"):
    path = folder / name
    path.write_text("\n".join([ORDER, *lines]) + "\n", encoding="utf-8")
    return str(path)


def test_orders_are_taken_in_once_however_often_they_are_imported(rekon):
    path = orders(rekon.folder, order(1), order(2))
    first = rekon.json("import", "transactions", path, "--source", "toko")
    again = rekon.json("import", "transactions", path, "--source", "toko", "--again")
    assert (first["accepted"], first["unchanged"], first["quarantined"]) == (2, 0, 0)
    assert (again["accepted"], again["unchanged"], again["quarantined"]) == (0, 2, 0)
    assert len(filling.rows(rekon.store, schema.transactions)) == 2


def test_a_file_that_was_finished_is_not_read_again(rekon):
    path = orders(rekon.folder, order(1))
    rekon.json("import", "transactions", path, "--source", "toko")
    again = rekon.json("import", "transactions", path, "--source", "toko")
    assert again["was_finished"] is True


def test_a_bad_row_goes_to_quarantine_and_the_exit_code_says_so(rekon):
    path = orders(rekon.folder, order(1), order(2, price="50.600"), order(3))
    said = rekon.json("import", "transactions", path, "--source", "toko", code=1)
    assert (said["accepted"], said["quarantined"]) == (2, 1)
    assert [(one["line"], one["field"]) for one in said["refused"]] == [(3, "price")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price": "50600.00"}, "price"),
        ({"price": '"50600,00"'}, "price"),
        ({"price": "50.600"}, "price"),
        ({"price": "Rp50600"}, "price"),
        ({"ordered_at": "2026-11-24T14:05:00+07:00"}, "ordered_at"),
        ({"ordered_at": "22/11/2026 14:05"}, "ordered_at"),
        ({"ordered_at": "2026-13-01T00:00:00+07:00"}, "ordered_at"),
        ({"status": "Sukses"}, "order_status"),
    ],
)
def test_a_value_in_another_spelling_is_never_guessed(rekon, changes, field):
    path = orders(rekon.folder, order(1), order(2, **changes), order(3))
    said = rekon.json("import", "transactions", path, "--source", "toko", code=1)
    assert [(one["line"], one["field"]) for one in said["refused"]] == [(3, field)]
    assert [row["key"] for row in filling.rows(rekon.store, schema.transactions)] == ["toko:T1", "toko:T3"]


def test_an_id_that_stands_twice_is_one_purchase_and_the_first_price_stands(rekon):
    path = orders(rekon.folder, order(1), order(1), order(1, price="1"), order(2))
    said = rekon.json("import", "transactions", path, "--source", "toko", code=1)
    assert (said["accepted"], said["quarantined"]) == (2, 1)
    assert [(one["line"], one["field"]) for one in said["refused"]] == [(4, "price")]
    prices = {row["key"]: row["price"] for row in filling.rows(rekon.store, schema.transactions)}
    assert prices == {"toko:T1": 50_600, "toko:T2": 50_600}


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"nomor;harga\n1;2\n", "baris 1: kolom wajib tidak ada"),
        (f"{ORDER}\n{order(1)}\n".encode("utf-16"), "UTF-16"),
        (f"{ORDER}\n{order(1)}\n".encode() + b"caf\xe9\n", "baris 3: bukan UTF-8"),
    ],
    ids=["header", "utf-16", "latin-1"],
)
def test_a_file_that_cannot_be_read_is_told_by_name_and_line(rekon, content, where):
    path = rekon.folder / "order.csv"
    path.write_bytes(content)
    result = rekon.run("import", "transactions", str(path), "--source", "toko")
    assert result.exit_code == 2
    assert "order.csv" in result.stderr
    assert where in result.stderr


_WEIGHED = """
import pathlib, runpy, sys
try:
    runpy.run_module("rekon", run_name="__main__", alter_sys=True)
finally:
    status = pathlib.Path("/proc/self/status").read_text()
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), file=sys.stderr)
"""


def weight(rekon, count):
    """Import so many orders in a program of its own; give the most memory it ever held, in KiB."""
    path = orders(rekon.folder, *(order(n) for n in range(count)), name=f"order-{count}.csv")
    words = ["import", "transactions", path, "--source", f"toko{count}", "--json", "--config", str(rekon.config)]
    done = subprocess.run(
        [sys.executable, "-c", _WEIGHED, *words], capture_output=True, text=True, check=False, timeout=300
    )
    assert json.loads(done.stdout)["accepted"] == count, done.stderr
    return int(done.stderr.splitlines()[-1])


def test_an_import_needs_no_more_memory_for_a_file_five_times_as_large(rekon):
    small, large = weight(rekon, 2 * import_run.BATCH), weight(rekon, 10 * import_run.BATCH)
    pages_kept_by_the_database = 16 * 1024
    assert large < small + pages_kept_by_the_database + 8 * 1024


def test_a_number_never_reaches_the_screen_of_an_import(rekon):
    path = orders(rekon.folder, order(1, destination="081299998888", price="0"))
    result = rekon.run("import", "transactions", path, "--source", "toko")
    assert "081299998888" not in result.output


def test_wallet_lines_agents_and_statements_have_their_own_words(rekon):
    wallet, agents, statement = (rekon.folder / name for name in ("saldo.csv", "agen.jsonl", "rekening.csv"))
    wallet.write_text(f"{WALLET}\nW1,A01,{ORDERED},-50600,debit,T1\n")
    agents.write_text(json.dumps({"agent_id": "A01", "name": "Sari Cell", "zone": "WITA"}) + "\n")
    statement.write_text(f"line_id,posted_at,ref_id,amount,kind\nS1,{ORDERED},R1,-50150,charge\n")
    assert rekon.json("import", "wallet", str(wallet), "--source", "toko")["accepted"] == 1
    assert rekon.json("import", "agents", str(agents), "--source", "toko")["accepted"] == 1
    said = rekon.json("import", "statement", str(statement), "--provider", "iak", "--account", "utama")
    assert said["accepted"] == 1
    line = filling.one(rekon.store, schema.statement_lines)
    assert (line["provider"], line["account"], line["amount"]) == ("iak", "utama", -50_150)


def test_rows_without_an_offset_take_the_zone_of_their_source(rekon):
    rekon.configure('[sources.timur]\nzone = "Asia/Makassar"')
    path = orders(rekon.folder, order(1, ordered_at="2026-11-22T14:05:00"))
    rekon.json("import", "transactions", path, "--source", "timur")
    (row,) = filling.rows(rekon.store, schema.transactions)
    assert row["ordered_at"] == datetime.fromisoformat("2026-11-22T14:05:00+08:00")


def test_rows_without_an_offset_are_not_guessed_where_no_zone_is_known(rekon):
    path = orders(rekon.folder, order(1, ordered_at="2026-11-22T14:05:00"))
    said = rekon.json("import", "transactions", path, "--source", "lain", code=1)
    assert said["refused"][0]["field"] == "ordered_at"


def test_a_given_zone_wins(rekon):
    path = orders(rekon.folder, order(1, ordered_at="2026-11-22T14:05:00"))
    rekon.json("import", "transactions", path, "--source", "lain", "--zone", "Asia/Jayapura")
    (row,) = filling.rows(rekon.store, schema.transactions)
    assert row["ordered_at"] == datetime.fromisoformat("2026-11-22T14:05:00+09:00")


def mark(rekon, book="orders"):
    return rekon.store.read(books.marks).get(("toko", book))


def test_as_of_moves_the_mark_of_the_book(rekon):
    path = orders(rekon.folder, order(1))
    rekon.json("import", "transactions", path, "--source", "toko", "--as-of", "2026-11-22T14:20:00+07:00")
    assert mark(rekon) == datetime.fromisoformat("2026-11-22T14:20:00+07:00")


def test_without_as_of_the_book_stays_stale(rekon):
    rekon.json("import", "transactions", orders(rekon.folder, order(1)), "--source", "toko")
    assert mark(rekon) is None


def test_a_book_is_never_complete_beyond_now(rekon):
    path = orders(rekon.folder, order(1))
    late = (NOW + timedelta(days=3)).isoformat()
    rekon.json("import", "transactions", path, "--source", "toko", "--as-of", late)
    assert mark(rekon) == NOW


def test_a_broken_file_keeps_what_stands_before_the_fault_and_no_mark(rekon):
    path = orders(rekon.folder, order(1), order(2), "T3,terlalu,sedikit")
    reason = rekon.refused(
        "import", "transactions", path, "--source", "toko", "--as-of", "2026-11-22T14:20:00+07:00", code=2
    )
    assert reason == "file"
    assert len(filling.rows(rekon.store, schema.transactions)) == 2
    assert mark(rekon) is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--source", "nama aneh"], "usage"),
        (["--source", "toko", "--zone", "Mars/Phobos"], "usage"),
        (["--source", "toko", "--as-of", "kemarin"], "usage"),
        (["--source", "toko", "--as-of", "2026-11-22T14:20:00"], "usage"),
    ],
)
def test_wrong_words_are_refused_before_a_row_is_read(rekon, words, reason):
    path = orders(rekon.folder, order(1))
    assert rekon.refused("import", "transactions", path, *words, code=2) == reason
    assert filling.rows(rekon.store, schema.transactions) == []


def test_a_file_that_is_not_there_is_named(rekon):
    result = rekon.run("import", "transactions", "tidak-ada.csv", "--source", "toko")
    assert result.exit_code == 2
    assert "tidak-ada.csv" in result.stderr


def plan(path):
    return import_run.Plan(path=path, book=import_run.Book.TRANSACTIONS, source="toko")


def test_an_import_that_was_cut_off_goes_on_behind_its_last_batch(rekon, monkeypatch):
    monkeypatch.setattr(import_run, "BATCH", 3)
    path = rekon.folder / "order.csv"
    orders(rekon.folder, *(order(n) for n in range(1, 9)))

    class CutOffError(Exception):
        """The power went."""

    def cut(progress):
        if progress.accepted == 6:
            raise CutOffError

    with pytest.raises(CutOffError):
        import_run.run(rekon.store, plan(path), now=NOW, tell=cut)
    done = import_run.run(rekon.store, plan(path), now=NOW, tell=lambda _: None)
    assert done.continued_at == 7
    assert (done.progress.accepted, done.progress.unchanged) == (8, 0)
    assert len(filling.rows(rekon.store, schema.transactions)) == 8


def test_a_file_that_grew_is_another_file(rekon):
    path = rekon.folder / "order.csv"
    orders(rekon.folder, order(1))
    before = import_run.cursor_name(plan(path))
    orders(rekon.folder, order(1), order(2))
    assert import_run.cursor_name(plan(path)) != before


def test_a_file_that_was_moved_is_the_same_file(rekon):
    path = rekon.folder / "order.csv"
    orders(rekon.folder, order(1))
    before = import_run.cursor_name(plan(path))
    assert import_run.cursor_name(plan(path.rename(rekon.folder / "lain.csv"))) == before


def test_an_import_that_was_killed_can_be_run_again(rekon):
    path = orders(rekon.folder, *(order(n) for n in range(1, 5_501)))
    words = [sys.executable, "-m", "rekon", "import", "transactions", path, "--source", "toko"]
    with subprocess.Popen([*words, "--config", str(rekon.config)], stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        while "baris" not in (line := running.stderr.readline()):
            assert line
        running.kill()
    done = program("import", "transactions", path, "--source", "toko", "--json", REKON_CONFIG=str(rekon.config))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["continued_at"] >= 5_001
    assert (said["accepted"], said["unchanged"]) == (5_500, 0)


def quarantined(rekon):
    return rekon.json("intake", "quarantine", "list")["items"]


def test_quarantine_shows_the_reason_and_hides_the_number(rekon):
    path = orders(rekon.folder, order(1, price="gratis"))
    rekon.run("import", "transactions", path, "--source", "toko")
    (row,) = quarantined(rekon)
    assert (row["field"], row["line"], row["origin"]) == ("price", 2, "order.csv")
    assert row["row"]["destination"] == "0812****7890"
    assert "rupiah" in row["reason"]


def test_a_row_that_was_put_right_is_taken_in_and_leaves_quarantine(rekon):
    path = orders(rekon.folder, order(1, price="gratis"))
    rekon.run("import", "transactions", path, "--source", "toko")
    (row,) = quarantined(rekon)
    assert rekon.json("intake", "quarantine", "fix", str(row["id"]), "price=50600")["taken"] == 1
    assert quarantined(rekon) == []
    assert filling.one(rekon.store, schema.transactions)["price"] == 50_600


def test_a_row_that_is_still_wrong_stays_in_quarantine_once(rekon):
    path = orders(rekon.folder, order(1, price="gratis"))
    rekon.run("import", "transactions", path, "--source", "toko")
    (row,) = quarantined(rekon)
    said = rekon.json("intake", "quarantine", "fix", str(row["id"]), "price=murah", code=1)
    assert said["refused"][0]["field"] == "price"
    assert [one["row"]["price"] for one in quarantined(rekon)] == ["murah"]


def test_every_row_can_be_tried_again_at_once(rekon):
    rekon.run(
        "import",
        "transactions",
        orders(rekon.folder, *(order(n, ordered_at="2026-11-22T14:05:00") for n in (1, 2))),
        "--source",
        "toko",
    )
    assert rekon.json("intake", "quarantine", "retry", "--all", code=1)["taken"] == 0
    rekon.configure('[sources.toko]\nzone = "Asia/Jakarta"')
    assert rekon.json("intake", "quarantine", "retry", "--all") == {"taken": 2, "refused": []}
    assert quarantined(rekon) == []


@pytest.mark.parametrize("words", [["retry"], ["retry", "1", "--all"], ["fix", "1", "tanpa-sama-dengan"]])
def test_wrong_words_about_quarantine_are_refused(rekon, words):
    assert rekon.refused("intake", "quarantine", *words, code=2) == "usage"


@pytest.mark.parametrize("words", [["retry", "77"], ["fix", "77", "price=1"]])
def test_a_quarantine_row_that_is_not_there_is_named(rekon, words):
    assert rekon.refused("intake", "quarantine", *words, code=2) == "not_found"


def test_a_statement_with_its_opening_and_closing_is_taken_in_whole(rekon):
    deposit = Deposit(provider="iak", journal=Journal(None), opening=50_000)
    at = datetime.fromisoformat(ORDERED)
    path = statement.write(rekon.folder, deposit, opened_at=at - timedelta(hours=1), at=at)
    said = rekon.json("import", "statement", str(path), "--provider", "iak", "--account", "utama")
    assert (said["accepted"], said["quarantined"]) == (2, 0)
    found = {row["kind"]: row["balance_after"] for row in filling.rows(rekon.store, schema.statement_lines)}
    assert found == {"opening": 50_000, "closing": 50_000}


STATEMENT = "line_id,posted_at,ref_id,amount,kind"


def test_a_quarantined_statement_line_remembers_its_account(rekon):
    path = rekon.folder / "rekening.csv"
    path.write_text(f"{STATEMENT}\nS1,{ORDERED},R1,-50150,biaya\n", encoding="utf-8")
    rekon.json("import", "statement", str(path), "--provider", "iak", "--account", "utama", code=1)
    (row,) = rekon.json("intake", "quarantine", "list")["items"]
    assert row["account"] == "utama"
    assert rekon.json("intake", "quarantine", "fix", str(row["id"]), "kind=charge")["taken"] == 1
    assert filling.one(rekon.store, schema.statement_lines)["account"] == "utama"


def written_csv(path, rows):
    path.write_text("\n".join([ORDER, *(",".join(row) if row else "" for row in rows)]) + "\n", encoding="utf-8")


def written_jsonl(path, rows):
    names = ORDER.split(",")
    lines = [json.dumps(dict(zip(names, row, strict=True))) if row else "" for row in rows]
    path.write_text("\n".join(["", *lines]) + "\n", encoding="utf-8")


def written_xlsx(path, rows):
    book = openpyxl.Workbook()
    book.active.append(ORDER.split(","))
    for number, row in enumerate(rows, start=2):
        for column, value in enumerate(row, start=1):
            book.active.cell(number, column, value)
    book.save(path)


@pytest.mark.parametrize(
    ("name", "write"), [("o.csv", written_csv), ("o.jsonl", written_jsonl), ("o.xlsx", written_xlsx)]
)
def test_a_quarantined_row_names_its_own_line_of_the_file(rekon, name, write):
    rows = [order(1), "", order(2, price="0"), "", "", order(3, price="0")]
    path = rekon.folder / name
    write(path, [row.split(",") if row else [] for row in rows])
    said = rekon.json("import", "transactions", str(path), "--source", "toko", code=1)
    assert [one["line"] for one in said["refused"]] == [4, 7]
    assert [one["line"] for one in rekon.json("intake", "quarantine", "list")["items"]] == [4, 7]


def test_a_watched_folder_names_the_line_too(rekon):
    folder = rekon.folder / "masuk"
    folder.mkdir()
    rekon.configure(f'[sources.toko]\ndrop_folder = "{folder}"')
    orders(folder, order(1), "", order(2, price="0"), name="transactions-1.csv")
    rekon.beat()
    assert [one["line"] for one in rekon.json("intake", "quarantine", "list")["items"]] == [4]
