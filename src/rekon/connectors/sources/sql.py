"""Reading a server's own database: what is new by its growing key, and what changed by its change time.

Both are needed. A key alone misses rows that were committed late under a lower number and every change of status; a
change time alone misses rows that never had one. So changes are read again over the last 15 minutes, each time.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from rekon.connectors.sources.convert import INSTANT_FIELDS, exact, localise
from rekon.connectors.sources.mapping import AFTER_ID, CHANGED_AT, ID, LIMIT, SINCE, BookMapping, SqlMapping, Statements
from rekon.connectors.sources.read_only import reading
from rekon.connectors.sources.select_only import check_select
from rekon.domain.intake import Book

ROWS_MAX = 10_000
OVERLAP = timedelta(minutes=15)
_TOP_DIALECTS = frozenset({"mssql"})


class SourceError(Exception):
    """A book could not be read. Nothing was taken in and the cursor stays; try again at the next beat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows for intake, and where the next page begins.

    `is_complete` says that the source had nothing more; until then ask again with `next_cursor`.
    """

    rows: list[dict[str, object]]
    next_cursor: str | None
    is_complete: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in a book: a key, or a change time as the database wrote it with a key."""

    row_id: object = None
    changed_at: object = None


class SqlSource:
    """A server's database behind a mapping. Synchronous: run it in a thread, and outside every unit of work."""

    def __init__(self, engine: Engine, mapping: SqlMapping) -> None:
        self._engine = engine
        self._mapping = mapping
        has_top = engine.dialect.name in _TOP_DIALECTS
        self._statements = {book: item.statements(has_top=has_top) for book, item in mapping.books.items()}

    @property
    def books(self) -> frozenset[Book]:
        """Books this source can read."""
        return frozenset(self._mapping.books)

    def read_new(self, book: Book, *, cursor: str | None, limit: int = ROWS_MAX) -> Page:
        """Read rows inserted after the cursor, oldest first. None begins at the beginning.

        Raises:
            SourceError: the database did not answer as it should, or the cursor is not one of ours.
        """
        place = _place(cursor)
        statements = self._of(book)
        statement = statements.new_first if cursor is None else statements.new_next
        found = self._read(book, statement, {AFTER_ID: place.row_id}, limit=limit)
        kept = _whole_groups(found, limit=_bounded(limit), key=(ID,))
        last = _cursor(_Place(row_id=kept[-1][ID])) if kept else cursor
        return Page(rows=self._rows(book, kept), next_cursor=last, is_complete=len(found) < _bounded(limit))

    def read_changed(self, book: Book, *, cursor: str | None, now: datetime, limit: int = ROWS_MAX) -> Page:
        """Read rows changed since the cursor, oldest change first. None begins 15 minutes before `now`.

        A complete pass sets the cursor 15 minutes back from the newest change, and never past `now`, so that one row
        dated in the future cannot hide all that follow.

        Raises:
            SourceError: the database did not answer as it should, or the cursor is not one of ours.
        """
        place = _place(cursor) if cursor is not None else _Place(changed_at=self._native(now - OVERLAP))
        statements = self._of(book)
        statement = statements.changed_since if place.row_id is None else statements.changed_next
        binds = {SINCE: place.changed_at, AFTER_ID: place.row_id}
        found = self._read(book, statement, binds, limit=limit)
        kept = _whole_groups(found, limit=_bounded(limit), key=(CHANGED_AT, ID))
        last = _Place(kept[-1][ID], kept[-1][CHANGED_AT]) if kept else place
        is_complete = len(found) < _bounded(limit)
        # An empty look from a place already set back stays there; stepping back again would never end.
        is_at_rest = not kept and place.row_id is None
        following = self._rewound(last, now=now) if is_complete and not is_at_rest else last
        return Page(rows=self._rows(book, kept), next_cursor=_cursor(following), is_complete=is_complete)

    def _of(self, book: Book) -> Statements:
        if book not in self._statements:
            text_ = f"mapping {self._mapping.name} has no {book.value}"
            raise SourceError(text_)
        return self._statements[book]

    def _read(self, book: Book, statement: str, binds: Mapping[str, object], *, limit: int) -> list[dict[str, object]]:
        wanted = {name: value for name, value in binds.items() if f":{name}" in statement}
        try:
            with reading(self._engine) as connection:
                result = connection.execute(text(statement), {**wanted, LIMIT: _bounded(limit)})
                return [dict(row) for row in result.mappings().fetchmany(ROWS_MAX)]
        except SQLAlchemyError as error:
            # The driver's own text may quote a row; only the kind of trouble is told.
            text_ = f"source {self._mapping.name}: {book.value} could not be read ({type(error).__name__})"
            raise SourceError(text_) from None

    def _rows(self, book: Book, found: list[dict[str, object]]) -> list[dict[str, object]]:
        mapping = self._mapping.books[book]
        return [_convert(row, mapping, self._mapping) for row in found]

    def _rewound(self, place: _Place, *, now: datetime) -> _Place:
        """Step back from the newest change, or from `now` when that is earlier."""
        newest = _moment(place.changed_at)
        here = self._local(now, like=newest)
        return _Place(changed_at=self._native(min(newest, here) - OVERLAP, like=place.changed_at))

    def _local(self, now: datetime, *, like: datetime) -> datetime:
        if like.tzinfo is not None:
            return now
        return now.astimezone(self._mapping.zone or UTC).replace(tzinfo=None)

    def _native(self, moment: datetime, *, like: object = None) -> object:
        """Write an instant the way this database keeps it: SQLite as text, the others as a datetime."""
        zone = self._mapping.zone
        if moment.tzinfo is not None and zone is not None:
            moment = moment.astimezone(zone).replace(tzinfo=None)
        if isinstance(like, str) or (like is None and self._engine.dialect.name == "sqlite"):
            separator = "T" if isinstance(like, str) and "T" in like else " "
            return moment.isoformat(sep=separator, timespec="seconds")
        return moment


def rows_where(
    engine: Engine, mapping: SqlMapping, book: Book, *, where: str, binds: Mapping[str, object]
) -> list[dict[str, object]]:
    """Read the rows of one book that meet a condition of the operator's own, converted like every other row.

    Raises:
        SQLAlchemyError: the database did not answer.
        StatementRefusedError: the condition makes the statement anything but one plain SELECT.
    """
    item = mapping.books[book]
    statement = item.selecting(where)
    check_select(statement, binds=frozenset(binds))
    with reading(engine) as connection:
        found = connection.execute(text(statement), dict(binds)).mappings().fetchmany(ROWS_MAX)
    return [_convert(dict(row), item, mapping) for row in found]


def _convert(found: Mapping[str, object], mapping: BookMapping, whole: SqlMapping) -> dict[str, object]:
    row = {name: value for name, value in found.items() if name not in {ID, CHANGED_AT}}
    for field, step in mapping.steps:
        row[field] = step(row[field])
    for field in INSTANT_FIELDS & row.keys():
        row[field] = localise(row[field], whole.zone)
    row.update(mapping.constants)
    return row


def _whole_groups(found: list[dict[str, object]], *, limit: int, key: tuple[str, ...]) -> list[dict[str, object]]:
    """Drop the last purchase of a full page, because its other legs may stand on the next one."""
    if len(found) < limit:
        return found
    last = [found[-1][name] for name in key]
    kept = [row for row in found if [row[name] for name in key] != last]
    if not kept:
        reason = "more rows of one purchase than fit a page; raise the limit"
        raise SourceError(reason)
    return kept


def _bounded(limit: int) -> int:
    return max(1, min(limit, ROWS_MAX))


def _cursor(place: _Place) -> str:
    row_id = exact(place.row_id)
    row_id = row_id if row_id is None or isinstance(row_id, int | str) else str(row_id)
    at = place.changed_at
    if isinstance(at, datetime):
        return json.dumps({"id": row_id, "at": at.isoformat(), "kind": "instant"})
    return json.dumps({"id": row_id, "at": at, "kind": "text"})


def _place(cursor: str | None) -> _Place:
    if cursor is None:
        return _Place()
    try:
        found = json.loads(cursor)
        at = datetime.fromisoformat(found["at"]) if found["kind"] == "instant" else found["at"]
        return _Place(row_id=found["id"], changed_at=at)
    except (ValueError, TypeError, KeyError):
        reason = "the stored cursor is not readable; start the book again"
        raise SourceError(reason) from None


def _moment(value: object) -> datetime:
    try:
        return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        reason = "the change time of a row is not an instant; look at changed_at of the mapping"
        raise SourceError(reason) from None
