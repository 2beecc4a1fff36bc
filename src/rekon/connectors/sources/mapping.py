"""A mapping from a server's own tables to rekon's rows: data in `config/sources/*.toml`, checked when it is loaded.

A book of a mapping names the expression that grows with every insertion (`id`), the instant of the last change
(`changed_at`), the `tables`, and one SQL expression for each field. Statements are put together here, never written by
hand, and every one of them has passed `check_select` before a connection is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rekon.connectors.sources.convert import MONEY, TEXT, Convert, WordMap, query_value
from rekon.connectors.sources.select_only import StatementRefusedError, check_part, check_select
from rekon.connectors.sources.tables import MappingError, as_table, as_text, as_texts, only_known, refuse
from rekon.domain.intake import FIELDS, REQUIRED_FIELDS, Book

__all__ = ["BookMapping", "MappingError", "SqlMapping", "Statements", "parse_mapping"]

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

    def selecting(self, condition: str) -> str:
        """Put a statement together for the rows that meet `condition`, in the book's own order, without a limit."""
        return f"{self._head('')}{self._where((condition,))} ORDER BY {self._order((self.parts['id'],))}"

    def _statement(self, conditions: tuple[str, ...], *, order: tuple[str, ...], has_top: bool) -> str:
        top, limit = (f"TOP (:{LIMIT}) ", "") if has_top else ("", f" LIMIT :{LIMIT}")
        return f"{self._head(top)}{self._where(conditions)} ORDER BY {self._order(order)}{limit}"

    def _head(self, top: str) -> str:
        wanted = {ID: self.parts["id"], CHANGED_AT: self.parts["changed_at"], **self.columns}
        columns = ", ".join(f"{expression} AS {name}" for name, expression in wanted.items())
        return f"SELECT {top}{columns} FROM {self.parts['tables']}"  # noqa: S608 - `check_select` sees every whole statement

    def _where(self, conditions: tuple[str, ...]) -> str:
        wanted = [f"({item})" for item in (self.parts["where"], *conditions) if item]
        return f" WHERE {' AND '.join(wanted)}" if wanted else ""

    def _order(self, order: tuple[str, ...]) -> str:
        return ", ".join((*order, *((self.parts["then"],) if self.parts["then"] else ())))


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
    only_known(document, _TOP_KEYS, where="mapping")
    name = as_text(document.get("name"), where="name")
    books = {
        book: _book(book, as_table(document[book.value], where=book.value), words=words or {})
        for book in Book
        if book.value in document
    }
    if not books:
        refuse(name, f"no book; allowed: {', '.join(book.value for book in Book)}")
    return SqlMapping(name=name, zone=_zone(zone or document.get("zone")), books=MappingProxyType(books))


def _book(book: Book, table: Mapping[str, object], *, words: Mapping[str, Mapping[str, str]]) -> BookMapping:
    where = book.value
    only_known(table, _BOOK_KEYS, where=where)
    parts = {key: as_text(table.get(key, ""), where=f"{where}.{key}", may_be_empty=True) for key in _PARTS}
    for key in ("id", "changed_at", "tables"):
        if not parts[key]:
            refuse(f"{where}.{key}", "must be given")
    columns = as_texts(table.get("columns", {}), where=f"{where}.columns")
    constants = as_table(table.get("constants", {}), where=f"{where}.constants")
    given = {*columns, *constants}
    _check_fields(book, given)
    added = words if book is Book.TRANSACTIONS else {}
    steps = (
        *_lookups(table, "money", MONEY, where=where),
        *_lookups(table, "text", TEXT, where=where),
        *_maps(as_table(table.get("maps", {}), where=f"{where}.maps"), words=added, where=f"{where}.maps"),
    )
    for field, _ in steps:
        if field not in columns:
            refuse(f"{where}: {field}", "is converted but has no column")
    mapping = BookMapping(book=book, parts=parts, columns=columns, constants=constants, steps=steps)
    _check_statements(mapping)
    return mapping


def _check_fields(book: Book, given: set[str]) -> None:
    unknown = sorted(given - set(FIELDS[book]))
    if unknown:
        refuse(f"{book.value}.columns.{unknown[0]}", f"not a field; allowed: {', '.join(FIELDS[book])}")
    missing = [field for field in REQUIRED_FIELDS[book] if field not in given]
    if missing:
        refuse(f"{book.value}.columns", f"required fields are missing: {', '.join(missing)}")


def _check_statements(mapping: BookMapping) -> None:
    for where, part in (*mapping.parts.items(), *mapping.columns.items()):
        try:
            check_part(part)
        except StatementRefusedError as error:
            refuse(f"{mapping.book.value}.{where}", str(error))
    for has_top in (False, True):
        made = mapping.statements(has_top=has_top)
        for statement in (made.new_first, made.new_next, made.changed_since, made.changed_next):
            try:
                check_select(statement, binds=BINDS)
            except StatementRefusedError as error:
                refuse(mapping.book.value, str(error))


def _lookups(
    table: Mapping[str, object], key: str, known: Mapping[str, Convert], *, where: str
) -> list[tuple[str, Convert]]:
    """Read `field = "name"` or `field = ["name", ...]`; `query:parameter` is a name with an argument."""
    steps = []
    for field, names in as_table(table.get(key, {}), where=f"{where}.{key}").items():
        for name in names if isinstance(names, list) else [names]:
            word = as_text(name, where=f"{where}.{key}.{field}")
            if word.startswith("query:"):
                steps.append((field, query_value(word.removeprefix("query:"))))
            elif word in known:
                steps.append((field, known[word]))
            else:
                refuse(f"{where}.{key}.{field}", f"{word!r} is not allowed; allowed: {', '.join(known)}")
    return steps


def _maps(
    tables: Mapping[str, object], *, words: Mapping[str, Mapping[str, str]], where: str
) -> list[tuple[str, Convert]]:
    unused = sorted(set(words) - set(tables))
    if unused:
        refuse(f"{where}.{unused[0]}", "has no map to add words to")
    steps: list[tuple[str, Convert]] = []
    for field, item in tables.items():
        table = as_table(item, where=f"{where}.{field}")
        only_known(table, _MAP_KEYS, where=f"{where}.{field}")
        values = as_texts(table.get("values", {}), where=f"{where}.{field}.values")
        values.update(words.get(field, {}))
        otherwise = as_text(table.get("otherwise", "refuse"), where=f"{where}.{field}.otherwise")
        if otherwise not in {"refuse", "keep"} and not otherwise.startswith("="):
            refuse(f"{where}.{field}.otherwise", "must be refuse, keep or =word")
        steps.append((field, WordMap(values, otherwise)))
    return steps


def _zone(name: object) -> tzinfo | None:
    if name is None or name == "":
        return None
    try:
        return ZoneInfo(as_text(name, where="zone"))
    except (ZoneInfoNotFoundError, ValueError):
        refuse("zone", "must be an IANA name such as Asia/Jakarta")
