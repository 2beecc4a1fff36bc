"""Tell a restored backup from a crash (design 9): the newest intent stands in the database and in a file beside it.

The file is written after each commit that records an intent, and before anything is sent. A database ahead of the file
is a crash. A database without the file's head, or of another epoch, came back from a backup: what it does not know may
have happened already, so nothing happens by itself until a person compared the books.
"""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, func, insert, select

from rekon.domain.refund import RefundState
from rekon.store import files, health, schema
from rekon.store.engine import Store

T = TypeVar("T")

_EPOCH = "epoch"
FILE = "rekon.epoch"


class Standing(StrEnum):
    """How the database stands to its file."""

    SAME = "same"
    AHEAD = "ahead"
    """The file was not written after the last commit: a crash, which is harmless."""
    NEW = "new"
    """Neither knows of an intent under a common epoch yet."""
    LOST = "lost"
    """The file knows an intent that the database does not: a backup was restored."""
    OTHER_EPOCH = "other_epoch"
    """The file belongs to another database."""
    NO_FILE = "no_file"
    """The database had a file, and it is gone."""
    UNREADABLE = "unreadable"


RESTORED = frozenset({Standing.LOST, Standing.OTHER_EPOCH, Standing.NO_FILE, Standing.UNREADABLE})


class RestoredBooksError(Exception):
    """The database came back from a backup. Compare the books, then `rekon db reconcile`."""


class _UnreadableFileError(Exception):
    """The file holds no head."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest intent: number 0 and an empty hash before the first one."""

    epoch: str
    number: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a comparison found. `filed` is None without a readable file."""

    standing: Standing
    filed: Head | None
    stored: Head


def path_of(store: Store, state_dir: Path) -> Path:
    """Return where the file stands: beside the SQLite database, else in the installation's folder."""
    return files.beside(store, state_dir, FILE)


def compare(connection: Connection, path: Path) -> Found:
    """Compare the database with its file; changes neither."""
    stored = _stored_head(connection)
    try:
        filed = _read(path)
    except _UnreadableFileError:
        return Found(standing=Standing.UNREADABLE, filed=None, stored=stored)
    return Found(standing=_standing(connection, filed, stored), filed=filed, stored=stored)


def _standing(connection: Connection, filed: Head | None, stored: Head) -> Standing:
    if filed is None:
        return Standing.NO_FILE if stored.epoch else Standing.NEW
    if not stored.epoch and not filed.number:
        return Standing.NEW
    if filed.epoch != stored.epoch:
        return Standing.OTHER_EPOCH
    if filed == stored:
        return Standing.SAME
    return Standing.AHEAD if _knows(connection, filed) else Standing.LOST


def _knows(connection: Connection, head: Head) -> bool:
    if not head.number:
        return True
    i = schema.intents.c
    found = connection.execute(select(i.hash).where(i.number == head.number)).scalar_one_or_none()
    return bool(found == head.hash)


def _stored_head(connection: Connection) -> Head:
    i = schema.intents.c
    newest = connection.execute(select(i.number, i.hash).order_by(i.number.desc()).limit(1)).one_or_none()
    number, link = newest or (0, "")
    return Head(epoch=health.fact(connection, _EPOCH) or "", number=number, hash=link)


def _append(connection: Connection, head: Head, *, token: str, now: datetime) -> Head:
    """Write the next intent down; its hash goes on from the head its writer knew."""
    link = hashlib.sha256(f"{head.epoch}:{head.hash}:{token}".encode()).hexdigest()
    number = connection.execute(
        insert(schema.intents).values(hash=link, recorded_at=now).returning(schema.intents.c.number)
    ).scalar_one()
    return Head(epoch=head.epoch, number=number, hash=link)


def _read(path: Path) -> Head | None:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return Head(epoch=str(body["epoch"]), number=int(body["number"]), hash=str(body["hash"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _UnreadableFileError from error


def _write(path: Path, head: Head) -> None:
    files.replace(path, json.dumps(asdict(head)))


class EpochKeeper:
    """Keeps the file of one running program. `restored` says why nothing may happen by itself, None when it may."""

    def __init__(self, store: Store, path: Path, *, mint: Callable[[], str], clock: Callable[[], datetime]) -> None:
        """Take the tools; `look` comes before anything else."""
        self.restored: Standing | None = None
        self._store, self._path, self._mint, self._clock = store, path, mint, clock
        self._writing, self._counting = threading.Lock(), threading.Lock()
        self._known = Head(epoch="", number=0, hash="")
        self._newest = self._known
        self._looked = False

    def look(self) -> Standing:
        """Compare the database with the file. After a crash the file moves up; a first start makes it."""
        found = self._store.read(compare, self._path)
        self._looked = True
        self.restored = found.standing if found.standing in RESTORED else None
        if self.restored is not None:
            return found.standing
        head = found.stored
        if found.standing is Standing.NEW:
            head = self._begin(found)
        elif found.standing is Standing.AHEAD:
            _write(self._path, head)
        self._known = self._newest = head
        return found.standing

    def _begin(self, found: Found) -> Head:
        """Give the database its epoch. The file comes first: a crash in between leaves one that knows of nothing."""
        epoch = found.filed.epoch if found.filed else self._mint() + self._mint()
        head = Head(epoch=epoch, number=found.stored.number, hash=found.stored.hash)
        if found.filed is None:
            _write(self._path, Head(epoch=epoch, number=0, hash=""))
        self._store.write(health.set_fact, _EPOCH, epoch)
        _write(self._path, head)
        return head

    def intend(self, function: Callable[[Connection], T], *, has_intent: Callable[[T], bool]) -> T:
        """Run a store function in a unit of work; where its result is an intent, number it and move the file up.

        Raises:
            RestoredBooksError: when the database lost the head under this very program; nothing was committed.
        """
        if not self._looked:
            self.look()
        if self.restored is not None:
            return self._store.write(function)
        result, head = self._store.write(self._numbered, function, has_intent)
        if head is not None:
            self._move_up(head)
        return result

    def _numbered(
        self, connection: Connection, function: Callable[[Connection], T], has_intent: Callable[[T], bool]
    ) -> tuple[T, Head | None]:
        result = function(connection)
        if not has_intent(result):
            return result, None
        known = self._known
        if health.fact(connection, _EPOCH) != known.epoch or not _knows(connection, known):
            self.restored = Standing.LOST
            text = "the database no longer holds the newest intent; compare the books, then `rekon db reconcile`"
            raise RestoredBooksError(text)
        return result, _append(connection, known, token=self._mint(), now=self._clock())

    def _move_up(self, head: Head) -> None:
        """Write the newest head there is: units of work that ended meanwhile share one writing."""
        with self._counting:
            self._newest = max(self._newest, head, key=lambda one: one.number)
        with self._writing:
            newest = self._newest
            if head.number > self._known.number:
                _write(self._path, newest)
                self._known = newest


@dataclass(frozen=True, slots=True, kw_only=True)
class AtStake:
    """What has to be compared by hand before restored books are trusted."""

    last_intent_at: datetime | None
    """The newest intent the database knows; everything later may be missing."""
    refunds: dict[str, int]
    """Unfinished refunds by state: each may have been paid already."""
    vouchers: int
    """Vouchers that were about to be paid out."""


def at_stake(connection: Connection) -> AtStake:
    """Gather what restored books may be wrong about."""
    r, v = schema.refunds.c, schema.vouchers.c
    unfinished = r.state.not_in([RefundState.SETTLED, RefundState.REJECTED, RefundState.FAILED])
    counted = select(r.state, func.count()).where(unfinished).group_by(r.state).order_by(r.state)
    paying = select(func.count()).where(v.state.in_(["redeeming", "unknown"]))
    return AtStake(
        last_intent_at=connection.execute(select(func.max(schema.intents.c.recorded_at))).scalar_one(),
        refunds=dict(connection.execute(counted).all()),
        vouchers=connection.execute(paying).scalar_one(),
    )


def reconcile(store: Store, path: Path, *, mint: Callable[[], str], now: datetime) -> Head:
    """Take the database as it is: a fresh intent becomes its head, which no older backup holds, and the file names it.

    The caller writes down who said so.
    """
    head = store.write(_fresh_head, mint() + mint(), now=now)
    _write(path, head)
    return head


def _fresh_head(connection: Connection, token: str, *, now: datetime) -> Head:
    stored = _stored_head(connection)
    if not stored.epoch:
        stored = Head(epoch=token, number=stored.number, hash=stored.hash)
        health.set_fact(connection, _EPOCH, stored.epoch)
    return _append(connection, stored, token=token, now=now)
