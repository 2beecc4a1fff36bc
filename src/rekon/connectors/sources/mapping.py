"""A mapping from a server's own tables to rekon's rows: data in `config/sources/*.toml`, checked when it is loaded.

A book of a mapping names the expression that grows with every insertion (`id`), the instant of the last change
(`changed_at`), the `tables`, and one SQL expression for each field. Statements are put together here, never written by
hand, and every one of them has passed `check_select` before a connection is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from types import MappingProxyType
from typing import NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rekon.connectors.sources.convert import MONEY, TEXT, Convert, WordMap, query_value
from rekon.connectors.sources.select_only import StatementRefusedError, check_select
from rekon.domain.intake import FIELDS, REQUIRED_FIELDS, Book

ID = "rekon_id"
CHANGED_AT = "rekon_changed_at"
AFTER_ID = "after_id"
SINCE = "since"
LIMIT = "row_limit"
BINDS = frozenset({AFTER_ID, SINCE, LIMIT})

_TOP_KEYS = frozenset({"name", "checked_on", "basis", "zone", "gateway", *(book.value for book in Book)})
_BOOK_KEYS = frozenset({"id", "changed_at", "then", "tables", "where", "columns", "constants", "money", "text", "maps"})
_MAP_KEYS = frozenset({"values", "otherwise"})
_PARTS = ("id", "changed_at", "tables", "where", "then")


class MappingError(ValueError):
    """A mapping cannot be used. The text names the key and what is allowed there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """The four questions a book is read with, for one family of databases."""

    new_first: str
    new_next: str
    changed_since: str
    changed_next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookMapping:
    """How one book is read."""

    book: Book
    parts: Mapping[str, str]
    columns: Mapping[str, str]
    constants: Mapping[str, object]
    steps: tuple[tuple[str, Convert], ...]
    """Field and conversion, in order."""

    def statements(self, *, has_top: bool) -> Statements:
        """Put the statements together; `has_top` is for SQL Server, which limits rows at the front."""
        row_id, changed_at = self.parts["id"], self.parts["changed_at"]
        by_id, by_change = f"{row_id} > :{AFTER_ID}", f"{changed_at} >= :{SINCE}"
        past = f"({changed_at} > :{SINCE} OR {row_id} > :{AFTER_ID})"
        return Statements(
            new_first=self._statement((), order=(row_id,), has_top=has_top),
            new_next=self._statement((by_id,), order=(row_id,), has_top=has_top),
            changed_since=self._statement((by_change,), order=(changed_at, row_id), has_top=has_top),
            changed_next=self._statement((by_change, past), order=(changed_at, row_id), has_top=has_top),
        )

    def _statement(self, conditions: tuple[str, ...], *, order: tuple[str, ...], has_top: bool) -> str:
        columns = ", ".join(
            f"{expression} AS {name}"
            for name, expression in {ID: self.parts["id"], CHANGED_AT: self.parts["changed_at"], **self.columns}.items()
        )
        wanted = [f"({item})" for item in (self.parts["where"], *conditions) if item]
        where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
        ordered = ", ".join((*order, *((self.parts["then"],) if self.parts["then"] else ())))
        top, limit = (f"TOP (:{LIMIT}) ", "") if has_top else ("", f" LIMIT :{LIMIT}")
        return f"SELECT {top}{columns} FROM {self.parts['tables']}{where} ORDER BY {ordered}{limit}"  # noqa: S608 - each whole statement passes `check_select` when the mapping is loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlMapping:
    """A whole mapping. `zone` is that of instants stored without an offset; None when the server stores offsets."""

    name: str
    zone: tzinfo | None
    books: Mapping[Book, BookMapping]


def parse_mapping(
    document: Mapping[str, object],
    *,
    zone: str | None = None,
    words: Mapping[str, Mapping[str, str]] | None = None,
) -> SqlMapping:
    """Read a mapping from its TOML document.

    `zone` replaces the document's. `words` adds an installation's own words to the maps of the transactions book by
    field, such as `{"provider": {"311": "digiflazz"}}`.

    Raises:
        MappingError: for an unknown or missing key, a required field without a column, a word of no use, or a
            statement that is not one plain SELECT.
    """
    _known(document, _TOP_KEYS, where="mapping")
    name = _text(document.get("name"), where="name")
    books = {
        book: _book(book, _table(document[book.value], where=book.value), words=words or {})
        for book in Book
        if book.value in document
    }
    if not books:
        _fail(name, f"no book; allowed: {', '.join(book.value for book in Book)}")
    return SqlMapping(name=name, zone=_zone(zone or document.get("zone")), books=MappingProxyType(books))


def _book(book: Book, table: Mapping[str, object], *, words: Mapping[str, Mapping[str, str]]) -> BookMapping:
    where = book.value
    _known(table, _BOOK_KEYS, where=where)
    parts = {key: _text(table.get(key, ""), where=f"{where}.{key}", may_be_empty=True) for key in _PARTS}
    for key in ("id", "changed_at", "tables"):
        if not parts[key]:
            _fail(f"{where}.{key}", "must be given")
    columns = _texts(table.get("columns", {}), where=f"{where}.columns")
    constants = _table(table.get("constants", {}), where=f"{where}.constants")
    given = {*columns, *constants}
    _check_fields(book, given)
    added = words if book is Book.TRANSACTIONS else {}
    steps = (
        *_lookups(table, "money", MONEY, where=where),
        *_lookups(table, "text", TEXT, where=where),
        *_maps(_table(table.get("maps", {}), where=f"{where}.maps"), words=added, where=f"{where}.maps"),
    )
    for field, _ in steps:
        if field not in columns:
            _fail(f"{where}: {field}", "is converted but has no column")
    mapping = BookMapping(book=book, parts=parts, columns=columns, constants=constants, steps=steps)
    _check_statements(mapping)
    return mapping


def _check_fields(book: Book, given: set[str]) -> None:
    unknown = sorted(given - set(FIELDS[book]))
    if unknown:
        _fail(f"{book.value}.columns.{unknown[0]}", f"not a field; allowed: {', '.join(FIELDS[book])}")
    missing = [field for field in REQUIRED_FIELDS[book] if field not in given]
    if missing:
        _fail(f"{book.value}.columns", f"required fields are missing: {', '.join(missing)}")


def _check_statements(mapping: BookMapping) -> None:
    for has_top in (False, True):
        made = mapping.statements(has_top=has_top)
        for statement in (made.new_first, made.new_next, made.changed_since, made.changed_next):
            try:
                check_select(statement, binds=BINDS)
            except StatementRefusedError as error:
                _fail(mapping.book.value, str(error))


def _lookups(
    table: Mapping[str, object], key: str, known: Mapping[str, Convert], *, where: str
) -> list[tuple[str, Convert]]:
    """Read `field = "name"` or `field = ["name", ...]`; `query:parameter` is a name with an argument."""
    steps = []
    for field, names in _table(table.get(key, {}), where=f"{where}.{key}").items():
        for name in names if isinstance(names, list) else [names]:
            word = _text(name, where=f"{where}.{key}.{field}")
            if word.startswith("query:"):
                steps.append((field, query_value(word.removeprefix("query:"))))
            elif word in known:
                steps.append((field, known[word]))
            else:
                _fail(f"{where}.{key}.{field}", f"{word!r} is not allowed; allowed: {', '.join(known)}")
    return steps


def _maps(
    tables: Mapping[str, object], *, words: Mapping[str, Mapping[str, str]], where: str
) -> list[tuple[str, Convert]]:
    unused = sorted(set(words) - set(tables))
    if unused:
        _fail(f"{where}.{unused[0]}", "has no map to add words to")
    steps: list[tuple[str, Convert]] = []
    for field, item in tables.items():
        table = _table(item, where=f"{where}.{field}")
        _known(table, _MAP_KEYS, where=f"{where}.{field}")
        values = _texts(table.get("values", {}), where=f"{where}.{field}.values") | words.get(field, {})
        otherwise = _text(table.get("otherwise", "refuse"), where=f"{where}.{field}.otherwise")
        if otherwise not in {"refuse", "keep"} and not otherwise.startswith("="):
            _fail(f"{where}.{field}.otherwise", "must be refuse, keep or =word")
        steps.append((field, WordMap(values, otherwise)))
    return steps


def _zone(name: object) -> tzinfo | None:
    if name is None or name == "":
        return None
    try:
        return ZoneInfo(_text(name, where="zone"))
    except (ZoneInfoNotFoundError, ValueError):
        _fail("zone", "must be an IANA name such as Asia/Jakarta")


def _known(table: Mapping[str, object], allowed: frozenset[str], *, where: str) -> None:
    unknown = sorted(set(table) - allowed)
    if unknown:
        _fail(where, f"unknown key {unknown[0]!r}; allowed: {', '.join(sorted(allowed))}")


def _table(value: object, *, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        _fail(where, "must be a table")
    return value


def _texts(value: object, *, where: str) -> dict[str, str]:
    return {name: _text(item, where=f"{where}.{name}") for name, item in _table(value, where=where).items()}


def _text(value: object, *, where: str, may_be_empty: bool = False) -> str:
    if not isinstance(value, str) or not (value.strip() or may_be_empty):
        _fail(where, "must be a text")
    return " ".join(value.split())


def _fail(where: str, what: str) -> NoReturn:
    text = f"{where}: {what}"
    raise MappingError(text)
