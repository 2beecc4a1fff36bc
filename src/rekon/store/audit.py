"""Who did what: one row for each change of money, rule or access, in the unit of work of that change (I20).

Rows form a chain: each is sealed with a key that is not in the database, over its own words and the seal of the row
before it. Who edits, removes, reorders or adds a row without the key breaks a seal; who cuts the end off is told by the
anchor, a file outside the database that names the newest row it has seen.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text

from rekon.store import files, schema
from rekon.store.engine import AUDIT_KEY, Store
from rekon.store.inserts import wait_turn
from rekon.store.types import Quoted, micros

FILE = "rekon.audit"
_BATCH = 5_000
_WHO_MAX = 64
_ABOUT = Quoted(300)
_UNSEALED = "unsealed:"
"""Marks the seal before the first sealed row, so that nobody can make sealed rows look like older ones."""
_A = schema.audit.c
_NEWEST = select(_A.id, _A.link).order_by(_A.id.desc()).limit(1)
_LINK_OF = select(_A.link).where(_A.id == bindparam("number"))
_PAGE = text(
    "SELECT id, at, who, what, about, CAST(detail AS TEXT), link FROM audit WHERE id > :after ORDER BY id LIMIT :most"
)


class BrokenChainError(Exception):
    """The audit was changed behind rekon's back. Automatic money stands still; find out who, then restore a backup."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row: number 0 and an empty seal before the first one."""

    number: int
    link: str


class FaultKind(StrEnum):
    """How the audit is broken."""

    MISSING = "missing"
    """The row of this number is gone, and later ones are there."""
    CHANGED = "changed"
    """The seal of this row does not fit its words and the row before it: edited, moved or put in."""
    CUT_OFF = "cut_off"
    """The anchor knows of this row or a later one, and the audit ends before it."""
    REWRITTEN = "rewritten"
    """The anchor knows this row with another seal."""
    ANCHOR = "anchor"
    """The anchor file cannot be read."""


FAULT_TEXTS = {
    FaultKind.MISSING: "baris ini hilang",
    FaultKind.CHANGED: "segel baris ini tidak cocok: diubah, dipindah, atau disisipkan",
    FaultKind.CUT_OFF: "jejak audit terpotong mulai baris ini",
    FaultKind.REWRITTEN: "baris ini bukan yang dicatat berkas jangkar",
    FaultKind.ANCHOR: "berkas jangkar audit tidak terbaca",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first bad row of the audit."""

    number: int
    kind: FaultKind

    def __str__(self) -> str:
        """Write it on one line, in Indonesian."""
        return f"baris {self.number}: {FAULT_TEXTS[self.kind]}"


def record(
    connection: Connection, *, who: str, what: str, about: str, detail: Mapping[str, Any], now: datetime
) -> None:
    """Write down in the caller's unit of work who did what, sealed after the row before it.

    On PostgreSQL writers wait for each other until they commit, so that the chain never forks.
    """
    wait_turn(connection, "audit")
    before = head(connection)
    body = dict(detail)
    number, who = before.number + 1, who[:_WHO_MAX]
    about = _ABOUT.process_bind_param(about, connection.dialect) or ""
    link = _seal(connection, before.link, (number, micros(now), who, what, about, json.dumps(body)))
    values = {"id": number, "at": now, "who": who, "what": what, "about": about, "detail": body, "link": link}
    connection.execute(insert(schema.audit), values)


def _seal(connection: Connection, before: str, row: tuple[Any, ...]) -> str:
    key: bytes = connection.get_execution_options()[AUDIT_KEY]
    words = json.dumps([before, *row], default=repr)
    return hmac.digest(key, words.encode(), hashlib.sha256).hex()


def head(connection: Connection) -> Head:
    """Read the newest row. Rows from before there were seals count with the seal they would have had."""
    newest = connection.execute(_NEWEST).one_or_none()
    if newest is None:
        return Head(number=0, link="")
    number, link = newest
    if link:
        return Head(number=number, link=link)
    seal = ""
    for row in _rows(connection):
        seal = _seal(connection, seal, tuple(row[:-1]))
    return Head(number=number, link=_UNSEALED + seal)


def _rows(connection: Connection) -> Iterator[Any]:
    """Read every row as it is stored, in pages: words nobody can parse are evidence too."""
    after = -1
    while rows := connection.execute(_PAGE, {"after": after, "most": _BATCH}).all():
        yield from rows
        after = rows[-1][0]


def first_fault(connection: Connection, anchor: Path | None = None) -> Fault | None:
    """Recompute every seal, then compare with the anchor; None when all agree. Work grows with the whole audit."""
    return _chain_fault(connection) or (_anchor_fault(connection, anchor) if anchor else None)


def _chain_fault(connection: Connection) -> Fault | None:
    seal, number, first_unsealed, sealed = "", 0, 0, False
    for row in _rows(connection):
        words = tuple(row[:-1])
        if not sealed and not row.link:
            seal, number, first_unsealed = _seal(connection, seal, words), row.id, first_unsealed or row.id
            continue
        if row.id != number + 1:
            return Fault(number=number + 1, kind=FaultKind.MISSING)
        before = seal if sealed or not number else _UNSEALED + seal
        if row.link != _seal(connection, before, words):
            lost_its_seal = first_unsealed and not sealed and row.link == _seal(connection, seal, words)
            return Fault(number=first_unsealed if lost_its_seal else row.id, kind=FaultKind.CHANGED)
        seal, number, sealed = row.link, row.id, True
    return None


def _anchor_fault(connection: Connection, path: Path) -> Fault | None:
    try:
        known = read_anchor(path)
    except ValueError:
        return Fault(number=0, kind=FaultKind.ANCHOR)
    if known is None or not known.number:
        return None
    link = connection.execute(_LINK_OF, {"number": known.number}).scalar_one_or_none()
    if link is None:
        return Fault(number=head(connection).number + 1, kind=FaultKind.CUT_OFF)
    return None if link == known.link else Fault(number=known.number, kind=FaultKind.REWRITTEN)


def lost_rows(connection: Connection, path: Path) -> bool:
    """Say whether the anchor knows rows that the audit does not: a backup was put back, or the end was cut off."""
    fault = _anchor_fault(connection, path)
    return fault is not None and fault.kind in (FaultKind.CUT_OFF, FaultKind.REWRITTEN)


def path_of(store: Store, state_dir: Path) -> Path:
    """Return where the anchor stands: beside the SQLite database, else in the installation's folder."""
    return files.beside(store, state_dir, FILE)


def read_anchor(path: Path) -> Head | None:
    """Read the anchor; None when there is no file yet.

    Raises:
        ValueError: when the file holds something else.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return Head(number=int(body["number"]), link=str(body["link"]))
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError) as error:
        message = f"{path}: no anchor of the audit"
        raise ValueError(message) from error


def move_anchor(store: Store, path: Path) -> Head | None:
    """Move the anchor up to the newest row. Returns it when it moved.

    An anchor whose row is no longer there stays: it is the proof.
    """
    newest = store.read(head)
    try:
        known = read_anchor(path)
    except ValueError:
        return None
    if newest.number <= (known.number if known else 0) or store.read(_anchor_fault, path) is not None:
        return None
    return set_anchor(path, newest)


def set_anchor(path: Path, newest: Head) -> Head:
    """Have the anchor name this row, whatever it named before: a person compared restored books."""
    files.replace(path, json.dumps(asdict(newest)))
    return newest
