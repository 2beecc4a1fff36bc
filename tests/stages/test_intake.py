"""INTAKE on a beat: real files in a watched folder, and a real database of a server, new rows apart from changes."""

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rekon import wiring
from rekon.connectors.sources.mapping import parse_mapping
from rekon.connectors.sources.read_only import read_only_engine
from rekon.connectors.sources.sql import SourceError, SqlSource
from rekon.domain.intake import Book
from rekon.settings import ConfigError, Settings
from rekon.stages import intake
from rekon.stages.context import Feed, inline
from rekon.store import books, cursors, quarantine, schema
from tests.connectors import databases
from tests.journeys import plays

JAKARTA = ZoneInfo("Asia/Jakarta")
HEADER = (
    "transaction_id,agent_id,charged_account,ordered_at,product,family,destination,price,face_value,order_status,"
    "provider,ref_id"
)


def order(number, *, price="50600", ordered_at="2026-11-16T09:00:00", destination="081234567890", status="pending"):
    return f"T{number},A01,agent_wallet,{ordered_at},P50,pulsa,{destination},{price},50000,{status},iak,R{number}"


def lay(folder, name, *lines, header=HEADER):
    (folder / name).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "masuk"
    made.mkdir()
    return made


@asynccontextmanager
async def _quiet(set_up, **feed):
    """Give a bench without sales that reads these books by itself."""
    bench = await set_up(plays.Play().story(minutes=60 * 24 * 20))
    fed = Feed(source="toko", zone=JAKARTA, **feed)
    bench.context = replace(bench.context, connectors=replace(bench.context.connectors, feeds=(fed,)))
    yield bench


@pytest.fixture
async def bench(set_up, folder):
    async with _quiet(set_up, folder=folder) as made:
        yield made


def numbers(bench):
    return sorted(row["key"] for row in bench.rows(schema.transactions))


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# The watched folder.


async def test_files_of_every_book_are_taken_in_and_moved_away(bench, folder):
    lay(folder, "transactions-2026-11-16.csv", order(1), order(2))
    line = {"line_id": "L1", "agent_id": "A01", "posted_at": "2026-11-16T09:00:01", "amount": -50_600, "kind": "debit"}
    (folder / "wallet.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    lay(folder, "agents.tsv", "A01\tSari", header="agent_id\tname")
    assert await intake.work(bench.context) == 4
    assert numbers(bench) == ["toko:T1", "toko:T2"]
    assert bench.one(schema.wallet_lines)["amount"] == -50_600
    assert bench.one(schema.agents)["name"] == "Sari"
    assert names(folder) == ["done/agents.tsv", "done/transactions-2026-11-16.csv", "done/wallet.jsonl"]


async def test_times_without_an_offset_are_read_in_the_zone_of_the_source(bench, folder):
    lay(folder, "transactions.csv", order(1, ordered_at="2026-11-16 09:00:00"))
    await intake.work(bench.context)
    assert bench.one(schema.transactions)["ordered_at"] == datetime(2026, 11, 16, 9, tzinfo=JAKARTA)


async def test_a_bad_row_waits_in_quarantine_with_file_line_field_and_reason(bench, folder):
    lay(folder, "transactions.csv", order(1), order(2, price="50.600"), order(3, destination=""))
    assert await intake.work(bench.context) == 3
    assert numbers(bench) == ["toko:T1"]
    waiting = bench.store.read(quarantine.waiting)
    seen = [(row["source"], row["origin"], row["line"], row["field"]) for row in waiting]
    assert seen == [("toko", "transactions.csv", 3, "price"), ("toko", "transactions.csv", 4, "destination")]
    assert waiting[0]["reason"].startswith("harus rupiah bulat")
    assert waiting[0]["row"]["price"] == "50.600"


async def test_lines_are_named_as_an_editor_counts_them(bench, folder):
    blank = ["", "", order(1, price="x")]
    lay(folder, "transactions.csv", '"T9\n', *blank)  # a quote nobody closes: refused, nothing is taken
    lay(folder, "transactions-2.csv", order(2), *blank)
    await intake.work(bench.context)
    assert [(row["origin"], row["line"]) for row in bench.store.read(quarantine.waiting)] == [("transactions-2.csv", 5)]
    assert "baris 2" in (folder / "refused" / "transactions.csv.txt").read_text(encoding="utf-8")


async def test_nothing_enters_twice_however_often_a_file_is_laid_down(bench, folder):
    for name in ("transactions-1.csv", "transactions-2.csv", "transactions-1.csv"):
        lay(folder, name, order(1), order(2, price="x"))
        await intake.work(bench.context)
    assert numbers(bench) == ["toko:T1"]
    assert len(bench.rows(schema.observations)) == 1
    assert len(bench.rows(schema.quarantine)) == 1


async def test_a_crash_between_storing_and_moving_takes_nothing_twice(bench, folder):
    class CutOffError(Exception):
        """The power went."""

    async def cut(function):
        if getattr(function, "__name__", "") == "<lambda>" and "_move" in function.__code__.co_names:
            raise CutOffError
        return function()

    lay(folder, "transactions.csv", order(1), order(2))
    with pytest.raises(CutOffError):
        await intake.work(replace(bench.context, run=cut))
    assert numbers(bench) == ["toko:T1", "toko:T2"]
    assert names(folder) == ["transactions.csv"]
    await intake.work(bench.context)
    assert len(bench.rows(schema.observations)) == 2
    assert names(folder) == ["done/transactions.csv"]


async def test_a_changed_status_in_a_later_file_is_one_more_observation(bench, folder):
    for number, status in enumerate(("pending", "failed", "failed")):
        lay(folder, f"transactions-{number}.csv", order(1, status=status))
        await intake.work(bench.context)
    assert [row["order_status"] for row in bench.rows(schema.observations)] == ["pending", "failed"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nomor,harga\n1,2\n", "kolom wajib tidak ada"),
        (f"{HEADER}\n{order(1)}\n".encode("utf-16"), "UTF-16"),
        (f"{HEADER}\n{order(1)}\n".encode() + b"T2,caf\xe9\n", "bukan UTF-8"),
        (f"{HEADER}\n{order(1)},lebih\n".encode(), "baris 2"),
    ],
    ids=["header", "utf-16", "latin-1", "columns"],
)
async def test_a_file_that_cannot_be_read_is_set_aside_with_the_reason_and_stops_no_other(bench, folder, content, said):
    (folder / "transactions-1.csv").write_bytes(content)
    lay(folder, "transactions-2.csv", order(7))
    await intake.work(bench.context)
    assert "toko:T7" in numbers(bench)
    assert (folder / "refused" / "transactions-1.csv").read_bytes() == content
    note = (folder / "refused" / "transactions-1.csv.txt").read_text(encoding="utf-8")
    assert note.startswith("transactions-1.csv")
    assert said in note


async def test_a_row_dated_far_in_the_future_goes_to_quarantine(bench, folder):
    lay(folder, "transactions.csv", order(1), order(2, ordered_at="2027-01-01T00:00:00"))
    await intake.work(bench.context)
    assert numbers(bench) == ["toko:T1"]
    assert bench.one(schema.quarantine)["field"] == "ordered_at"


async def test_a_file_with_another_name_or_kind_is_left_alone(bench, folder):
    lay(folder, "laporan.csv", order(1))
    lay(folder, "transactions.csv.part", order(2))
    (folder / "transactions-kosong").mkdir()
    assert await intake.work(bench.context) == 0
    assert names(folder) == ["laporan.csv", "transactions.csv.part"]


async def test_a_provider_statement_is_not_taken_for_nobodys(bench, folder):
    lay(folder, "statement.csv", "S1,2026-11-16T09:00:00,-1,charge", header="line_id,posted_at,amount,kind")
    await intake.work(bench.context)
    assert bench.rows(schema.statement_lines) == []
    assert "--provider" in (folder / "refused" / "statement.csv.txt").read_text(encoding="utf-8")


async def test_a_file_that_is_still_being_written_stays_until_it_is_whole(bench, folder):
    path = folder / "transactions.csv"
    lay(folder, path.name, order(1))
    late = iter([order(2)])

    async def writing(function):
        result = function()
        if getattr(function, "func", None) is intake._next_batch and (row := next(late, None)):
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{row}\n")
        return result

    await intake.work(replace(bench.context, run=writing))
    assert names(folder) == ["transactions.csv"]
    await intake.work(bench.context)
    assert numbers(bench) == ["toko:T1", "toko:T2"]
    assert names(folder) == ["done/transactions.csv"]


async def test_a_file_says_nothing_about_how_far_its_book_is_complete(bench, folder):
    lay(folder, "transactions.csv", order(1))
    await intake.work(bench.context)
    assert bench.store.read(books.marks) == {}


async def test_a_folder_that_is_not_there_is_no_trouble(set_up, tmp_path):
    async with _quiet(set_up, folder=tmp_path / "belum-ada") as bench:
        assert await intake.work(bench.context) == 0


async def test_a_large_file_is_stored_batch_by_batch(bench, folder):
    lay(folder, "transactions.csv", *(order(number) for number in range(intake.BATCH + 3)))
    sizes = []

    async def counting(function):
        result = function()
        if getattr(function, "func", None) is intake._next_batch:
            sizes.append(len(result))
        return result

    await intake.work(replace(bench.context, run=counting))
    assert sizes == [intake.BATCH, 3, 0]
    assert len(bench.rows(schema.transactions)) == intake.BATCH + 3


# The server's own database.

BEGINS = plays.STARTS.replace(tzinfo=None)


def local(minutes):
    """Write a time the way the shop does: its own clock, no offset."""
    return (BEGINS + timedelta(minutes=minutes)).isoformat(sep=" ")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return request.getfixturevalue("pg_url") if request.param == "postgresql" else f"sqlite:///{tmp_path / 'toko.db'}"


@pytest.fixture
def server(url):
    engine = databases.laravel(url)
    databases.put(engine, "users", name="Budi", phone="081200000000", created_at=local(0), updated_at=local(0))
    yield engine
    engine.dispose()


@pytest.fixture
def database(url, server):
    engine = read_only_engine(url)
    yield SqlSource(engine, parse_mapping(databases.preset("laravel_ppob")))
    engine.dispose()


@pytest.fixture
async def shop(set_up, database):
    async with _quiet(set_up, database=database) as made:
        yield made


def sold(server, invoice, *, minutes=0, **changes):
    row = {
        "user_id": 1,
        "invoice": invoice,
        "target": "081234567890",
        "buyer_sku_code": "xld10",
        "product_name": "XL 10.000",
        "price": "10500",
        "status": "Pending",
        "created_at": local(minutes),
        "updated_at": local(minutes),
    }
    databases.put(server, "transactions", **(row | changes))


def turned(server, invoice, status, *, minutes):
    statement = "UPDATE transactions SET status = :status, updated_at = :at WHERE invoice = :invoice"
    databases.change(server, statement, status=status, at=local(minutes), invoice=invoice)


async def look(shop, minutes):
    """Read the shop's books at this minute of the play."""
    shop.clock.now = plays.STARTS + timedelta(minutes=minutes)
    return await intake.work(shop.context)


def statuses(shop, invoice):
    rows = shop.rows(schema.observations, transaction_key=f"toko:{invoice}")
    return [row["order_status"] for row in rows]


def cursor(shop, kind, book="transactions"):
    return shop.store.read(cursors.find, f"toko:{book}:{kind}")


async def test_a_shops_orders_wallet_and_agents_are_read_and_their_books_marked_complete(shop, server):
    sold(server, "TRX1")
    moved = {"user_id": 1, "type": "Debet", "description": "x", "amount": 10_500, "invoice": "TRX1"}
    databases.put(server, "mutations", **moved, latest_balance=0, current_balance=5, created_at=local(0))
    await look(shop, 1)
    assert numbers(shop) == ["toko:TRX1"]
    assert shop.one(schema.wallet_lines)["amount"] == -10_500
    assert shop.one(schema.agents)["name"] == "Budi"
    marks = shop.store.read(books.marks)
    assert {marks["toko", "orders"], marks["toko", "wallet"]} == {shop.now}


async def test_a_status_change_of_an_old_row_is_seen_apart_from_new_rows(shop, server):
    sold(server, "TRX1")
    sold(server, "TRX2")
    await look(shop, 1)
    behind = cursor(shop, "new")
    turned(server, "TRX1", "Gagal", minutes=30)
    await look(shop, 31)
    assert statuses(shop, "TRX1") == ["pending", "failed"]
    assert statuses(shop, "TRX2") == ["pending"]
    assert cursor(shop, "new") == behind


async def test_looking_again_takes_nothing_twice(shop, server):
    sold(server, "TRX1")
    await look(shop, 1)
    before = [shop.rows(table) for table in (schema.transactions, schema.observations, schema.wallet_lines)]
    for minute in (2, 3, 20, 400):
        await look(shop, minute)
    assert [shop.rows(table) for table in (schema.transactions, schema.observations, schema.wallet_lines)] == before


async def test_a_change_that_was_committed_up_to_a_quarter_hour_late_is_not_missed(shop, server):
    sold(server, "TRX1")
    sold(server, "TRX2")
    turned(server, "TRX2", "Sukses", minutes=30)
    await look(shop, 31)
    turned(server, "TRX1", "Gagal", minutes=17)  # it was written at minute 17 and became visible only now
    await look(shop, 32)
    assert statuses(shop, "TRX1") == ["pending", "failed"]


async def test_where_it_stopped_outlives_the_program(shop, server, database):
    for number in range(5):
        sold(server, f"TRX{number}", minutes=number)
    await look(shop, 10)
    kept = [cursor(shop, "new"), cursor(shop, "changed")]
    asked = []

    class Watched:
        """Passes on and remembers where each question began."""

        books = database.books

        def read_new(self, book, *, cursor):
            asked.append(("new", book, cursor))
            return database.read_new(book, cursor=cursor)

        def read_changed(self, book, *, cursor, now):
            asked.append(("changed", book, cursor))
            return database.read_changed(book, cursor=cursor, now=now)

    feeds = (Feed(source="toko", zone=JAKARTA, database=Watched()),)
    again = replace(shop.context, connectors=replace(shop.context.connectors, feeds=feeds))
    await intake.work(again)
    begun = [place for _, book, place in asked if book is Book.TRANSACTIONS]
    assert begun[:2] == kept
    assert None not in begun


async def test_a_crash_in_the_middle_of_a_catch_up_goes_on_at_the_next_page(shop, server, database):
    for number in range(6):
        sold(server, f"TRX{number}")

    class Short:
        """Gives pages of two rows, and dies on the third."""

        books = frozenset({Book.TRANSACTIONS})
        pages = 0

        def read_new(self, book, *, cursor):
            self.pages += 1
            if self.pages == 3:
                text = "connection lost"
                raise SourceError(text)
            return database.read_new(book, cursor=cursor, limit=3)

        def read_changed(self, book, *, cursor, now):
            return database.read_changed(book, cursor=cursor, now=now)

    source = Short()
    feeds = (Feed(source="toko", zone=JAKARTA, database=source),)
    context = replace(shop.context, connectors=replace(shop.context.connectors, feeds=feeds))
    await intake.work(context)
    assert len(shop.rows(schema.transactions)) == 4
    assert shop.store.read(books.marks) == {}
    await intake.work(context)
    assert len(shop.rows(schema.observations)) == 6
    assert source.pages == 4


async def test_a_row_that_cannot_be_taken_in_does_not_stop_the_rows_behind_it(shop, server):
    sold(server, "TRX1", price="10.500,00")
    sold(server, "TRX2", status="Entahlah")
    sold(server, "TRX3")
    await look(shop, 1)
    assert numbers(shop) == ["toko:TRX3"]
    waiting = shop.store.read(quarantine.waiting)
    seen = {(row["source"], row["origin"].rpartition(":")[0], row["field"]) for row in waiting}
    assert seen == {("toko", "toko:transactions", "price"), ("toko", "toko:transactions", "order_status")}
    assert len(waiting) == 2
    assert all(row["reason"] for row in waiting)


async def test_a_book_that_cannot_be_read_stops_no_other_and_loses_no_place(shop, server, log):
    sold(server, "TRX1")
    databases.change(server, "ALTER TABLE mutations RENAME TO mutasi")
    await look(shop, 1)
    assert numbers(shop) == ["toko:TRX1"]
    told = [line for line in log if line["event"] == "source.unreadable"]
    assert [(line["source"], line["book"]) for line in told] == [("toko", "wallet")]
    assert "wallet" not in {book for _, book in shop.store.read(books.marks)}
    databases.change(server, "ALTER TABLE mutasi RENAME TO mutations")
    await look(shop, 2)
    assert "wallet" in {book for _, book in shop.store.read(books.marks)}


async def test_reading_changes_nothing_at_the_server(shop, server):
    sold(server, "TRX1")
    before = databases.ask(server, "SELECT * FROM transactions")
    await look(shop, 1)
    assert databases.ask(server, "SELECT * FROM transactions") == before


# How the configuration makes feeds.


def built(url, folder=""):
    source = {"sql_url": url, "sql_preset": "laravel_ppob"} if url else {"drop_folder": folder}
    server = {"secret": "s" * 32, "callback_token": "t" * 32}
    settings = Settings.model_validate({"server": server, "sources": {"toko": source}})
    return list(wiring.build_feeds(settings, Path(folder or "/"), []))


async def test_a_configured_folder_is_read(set_up, folder):
    bench = await set_up(plays.Play().story(minutes=600))
    lay(folder, "transactions.csv", order(1))
    context = replace(bench.context, connectors=replace(bench.context.connectors, feeds=tuple(built("", str(folder)))))
    assert await intake.work(replace(context, run=inline)) == 1


def test_a_configured_database_is_opened_for_reading_only(tmp_path):
    path = tmp_path / "salah-ketik.db"
    (feed,) = built(f"sqlite:///{path}")
    with pytest.raises(SourceError):
        feed.database.read_new(Book.TRANSACTIONS, cursor=None)
    assert not path.exists()


@pytest.mark.parametrize("url", ["oracle://rahasia:kunci@host/x", "bukan alamat kunci"])
def test_a_database_that_cannot_be_held_to_reading_is_a_fault_of_the_configuration(url):
    with pytest.raises(ConfigError, match=r"sources\.toko\.sql_url") as raised:
        built(url)
    assert "kunci" not in str(raised.value)


def test_folders_are_paths(folder):
    (feed,) = built("", str(folder))
    assert (feed.folder, feed.zone, feed.database) == (Path(folder), JAKARTA, None)
