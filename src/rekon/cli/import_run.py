"""Read a book from a file in batches, each stored together with how far the file was read: a killed import goes on."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path

from sqlalchemy import Connection

from rekon.connectors.sources.file_error import FileError
from rekon.connectors.sources.files import read_rows
from rekon.domain.intake import Book
from rekon.store import cursors, intake
from rekon.store.engine import Store

BATCH = 5_000
_IDENTITY_BYTES = 1024 * 1024
_SHOWN = 20
_STORE_BOOKS = {
    Book.TRANSACTIONS: "orders",
    Book.WALLET: "wallet",
    Book.AGENTS: "agents",
    Book.STATEMENT: "statement",
}

Numbered = tuple[int, dict[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to read and whose it is. `zone` is for instants without an offset."""

    path: Path
    book: Book
    source: str
    zone: tzinfo | None = None
    as_of: datetime | None = None
    provider: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a file was read: the last line whose batch is stored, and what became of the rows so far."""

    line: int = 0
    accepted: int = 0
    unchanged: int = 0
    quarantined: int = 0
    finished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did. `continued_at` is the line it went on behind; `refused` holds the first few."""

    progress: Progress
    continued_at: int
    was_finished: bool
    refused: tuple[Mapping[str, object], ...]


def cursor_name(plan: Plan) -> str:
    """Name a file by its first MiB and its size: a moved file is the same one, a longer one is new."""
    with plan.path.open("rb") as file:
        digest = hashlib.sha256(file.read(_IDENTITY_BYTES))
    digest.update(str(plan.path.stat().st_size).encode())
    whose = f"{plan.provider}/{plan.account}" if plan.book is Book.STATEMENT else plan.source
    return f"file:{plan.book}:{whose}:{digest.hexdigest()}"


def run(store: Store, plan: Plan, *, now: datetime, again: bool = False, tell: Callable[[Progress], None]) -> Imported:
    """Import a file, going on where an earlier run of the same file stopped.

    Raises:
        FileError: at the first row that cannot be read; everything before it is stored.
    """
    name = _name(plan)
    before = Progress() if again else store.read(find_progress, name)
    refused: list[Mapping[str, object]] = []
    progress = before
    if not before.finished:
        rows = itertools.dropwhile(lambda row: row[0] <= before.line, read_rows(plan.path, book=plan.book))
        for batch, error in _batches(rows):
            progress, some = store.write(_store, plan, batch, name=name, before=progress, now=now)
            refused += some[: _SHOWN - len(refused)]
            tell(progress)
            if error is not None:
                raise error
    progress = store.write(_finish, plan, name=name, before=progress, now=now)
    return Imported(
        progress=progress,
        continued_at=before.line,
        was_finished=before.finished,
        refused=tuple(refused),
    )


def _name(plan: Plan) -> str:
    try:
        return cursor_name(plan)
    except OSError as error:
        raise FileError(
            name=plan.path.name,
            line=None,
            what=f"tidak dapat dibuka ({type(error).__name__})",
            advice="Periksa nama berkas dan izin bacanya",
        ) from None


def _batches(rows: Iterator[Numbered]) -> Iterator[tuple[list[Numbered], FileError | None]]:
    """Cut rows into batches. A fault ends the last batch, so that what stands before it is kept."""
    batch: list[Numbered] = []
    try:
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                yield batch, None
                batch = []
    except FileError as error:
        yield batch, error
        return
    if batch:
        yield batch, None


def _store(
    connection: Connection, plan: Plan, batch: list[Numbered], *, name: str, before: Progress, now: datetime
) -> tuple[Progress, list[Mapping[str, object]]]:
    """Take one batch and write how far the file is read, together."""
    if not batch:
        return before, []
    lines = [line for line, _ in batch]
    taken = intake.take(connection, _batch(plan, [row for _, row in batch], lines=lines), now=now)
    progress = Progress(
        line=lines[-1],
        accepted=before.accepted + taken.accepted,
        unchanged=before.unchanged + taken.unchanged,
        quarantined=before.quarantined + len(taken.refused),
    )
    _save(connection, name, progress, now=now)
    return progress, [{"line": lines[one.index], "field": one.field, "reason": one.reason} for one in taken.refused]


def _finish(connection: Connection, plan: Plan, *, name: str, before: Progress, now: datetime) -> Progress:
    """Move the book's mark only now: before the last row it was not complete."""
    if plan.as_of is not None:
        intake.take(connection, replace(_batch(plan, [], lines=()), as_of=plan.as_of), now=now)
    progress = replace(before, finished=True)
    _save(connection, name, progress, now=now)
    return progress


def _batch(plan: Plan, rows: list[dict[str, object]], *, lines: Sequence[int]) -> intake.Batch:
    return intake.Batch(
        book=_STORE_BOOKS[plan.book],
        source=plan.source,
        rows=rows,
        origin=plan.path.name,
        lines=lines,
        zone=plan.zone,
        provider=plan.provider,
        account=plan.account,
    )


def find_progress(connection: Connection, name: str) -> Progress:
    """Read how far a file was read; one never seen starts at its beginning."""
    position = cursors.find(connection, name)
    return Progress(**json.loads(position)) if position else Progress()


def _save(connection: Connection, name: str, progress: Progress, *, now: datetime) -> None:
    cursors.keep(connection, name, json.dumps(asdict(progress)), now=now)
