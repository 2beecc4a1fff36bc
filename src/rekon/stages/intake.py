"""INTAKE: files laid into a watched folder, and the server's own database read on a beat. The API writes by itself.

Reading happens outside any unit of work; each page is stored together with the cursor behind it, so a crash repeats at
most one page, and a page taken twice changes nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

from rekon.connectors.sources.files import SUFFIXES, FileError, read_rows
from rekon.connectors.sources.sql import Page, SourceError, SqlSource
from rekon.domain.intake import Book
from rekon.stages.context import Context, Feed, log
from rekon.store import cursors, intake
from rekon.store.engine import Connection

BATCH = 5_000
_PAGES_MAX = 20
STORE_BOOKS = {
    Book.TRANSACTIONS: "orders",
    Book.WALLET: "wallet",
    Book.AGENTS: "agents",
    Book.STATEMENT: "statement",
}


async def work(context: Context) -> int:
    """Read every watched folder and every database once. Returns how many rows were taken in or refused."""
    count = 0
    for feed in context.connectors.feeds:
        if feed.folder is not None:
            count += await _read_folder(context, feed, feed.folder)
        if feed.database is not None:
            count += await _read_database(context, feed, feed.database)
    return count


async def _read_folder(context: Context, feed: Feed, folder: Path) -> int:
    """Take the files of a folder in by name; a finished file moves to `done`, an unreadable one to `refused`."""
    count = 0
    for path in await context.run(lambda: _waiting(folder)):
        count += await _take_file(context, feed, path)
    return count


def _waiting(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and _book_of(path) is not None)


def _book_of(path: Path) -> Book | None:
    """Read the book from the name: `transactions-2026-11-22.csv`, `wallet.jsonl`."""
    if path.suffix.lower() not in SUFFIXES:
        return None
    return next((book for book in Book if path.name.lower().startswith(book.value)), None)


async def _take_file(context: Context, feed: Feed, path: Path) -> int:
    book = _book_of(path)
    if book is None:
        return 0
    count, target, note = 0, "done", ""
    rows = read_rows(path, book=book)
    try:
        while batch := await context.run(partial(_next_batch, rows)):
            count += await _take(context, feed, book, batch, origin=path.name)
    except FileError as error:
        target, note = "refused", str(error)
        log.warning("file.refused", file=path.name)
    await context.run(lambda: _move(path, target, note))
    log.info("file.taken", file=path.name, rows=count)
    return count


def _next_batch(rows: Iterator[tuple[int, dict[str, object]]]) -> list[tuple[int, dict[str, object]]]:
    return list(islice(rows, BATCH))


def _move(path: Path, target: str, note: str) -> None:
    folder = path.parent / target
    folder.mkdir(exist_ok=True)
    if note:
        (folder / f"{path.name}.txt").write_text(f"{note}\n", encoding="utf-8")
    path.replace(folder / path.name)


async def _take(
    context: Context, feed: Feed, book: Book, batch: list[tuple[int, dict[str, object]]], *, origin: str
) -> int:
    rows = intake.Batch(
        book=STORE_BOOKS[book],
        source=feed.source,
        rows=[row for _, row in batch],
        origin=origin,
        lines=[line for line, _ in batch],
        zone=feed.zone,
    )
    await context.write(intake.take, rows, now=context.clock())
    return len(batch)


async def _read_database(context: Context, feed: Feed, database: SqlSource) -> int:
    """Read what is new and what changed, apart: a status change must not wait behind a long catch-up."""
    count = 0
    for book in sorted(database.books):
        try:
            count += await _follow(context, feed, database, book)
        except SourceError as error:
            log.warning("source.unreadable", source=feed.source, book=book.value, error=str(error))
    return count


async def _follow(context: Context, feed: Feed, database: SqlSource, book: Book) -> int:
    started = context.clock()
    count, complete = 0, True
    for kind in ("new", "changed"):
        name = f"{feed.source}:{book.value}:{kind}"
        for _ in range(_PAGES_MAX):
            cursor = await context.read(cursors.find, name)
            found = await context.run(partial(_page, database, book, kind, cursor, now=context.clock()))
            as_of = started if found.is_complete and kind == "changed" and complete else None
            await context.write(
                _store_page, feed=feed, book=book, found=found, name=name, as_of=as_of, now=context.clock()
            )
            count += len(found.rows)
            if found.is_complete:
                break
        else:
            complete = False
    return count


def _page(database: SqlSource, book: Book, kind: str, cursor: str | None, *, now: datetime) -> Page:
    if kind == "new":
        return database.read_new(book, cursor=cursor)
    return database.read_changed(book, cursor=cursor, now=now)


def _store_page(
    connection: Connection,
    *,
    feed: Feed,
    book: Book,
    found: Page,
    name: str,
    as_of: datetime | None,
    now: datetime,
) -> None:
    """Store a page and the cursor behind it in one unit of work."""
    rows = intake.Batch(
        book=STORE_BOOKS[book], source=feed.source, rows=found.rows, origin=name, zone=feed.zone, as_of=as_of
    )
    intake.take(connection, rows, now=now)
    if found.next_cursor is not None:
        cursors.keep(connection, name, found.next_cursor, now=now)
