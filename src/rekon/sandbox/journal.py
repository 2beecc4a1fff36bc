"""An append-only record of what truly happened outside, so that a judge can compare it with what rekon believed."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


class Journal:
    """Append rows as JSON Lines, each one flushed and fsynced before the call returns.

    With `path` None the rows live in memory only. An existing file is read back and continued, never rewritten; a last
    line torn by a power cut is left where it is and counted in `torn`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.torn = 0
        self._rows: list[Row] = []
        self._by_kind: dict[str, list[Row]] = {}
        self._batches = 0
        self._unsynced = False
        past = path.read_bytes() if path is not None and path.exists() else b""
        self._read(past)
        self._file = path.open("ab") if path is not None else None
        if past and not past.endswith(b"\n"):
            self._write(b"\n")

    def append(self, kind: str, at: datetime, **fields: object) -> Row:
        """Write one row and return it as it will be read back: `seq`, `kind`, `at` and the fields.

        Raises:
            ValueError: `at` has no zone.
            TypeError: a field is neither JSON nor a datetime.
        """
        if at.tzinfo is None:
            message = "a journal row needs an instant with a zone"
            raise ValueError(message)
        head = {"seq": len(self._rows) + 1, "kind": kind, "at": at}
        line = json.dumps(head | fields, default=_encoded, ensure_ascii=False)
        self._write(line.encode() + b"\n")
        return self._remember(json.loads(line))

    def rows(self, kind: str | None = None) -> list[Row]:
        """List the rows written so far in their order, of one kind or of all."""
        return list(self._rows if kind is None else self._by_kind.get(kind, ()))

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Let all appends inside share one fsync, made when the outermost batch ends, however it ends."""
        self._batches += 1
        try:
            yield
        finally:
            self._batches -= 1
            if not self._batches:
                self._sync()

    def close(self) -> None:
        """Close the file; a later append to it raises ValueError."""
        if self._file is not None:
            self._sync()
            self._file.close()

    def _write(self, line: bytes) -> None:
        if self._file is None:
            return
        self._file.write(line)
        self._file.flush()
        self._unsynced = True
        if not self._batches:
            self._sync()

    def _sync(self) -> None:
        if self._file is not None and self._unsynced:
            os.fsync(self._file.fileno())
            self._unsynced = False

    def _remember(self, row: Row) -> Row:
        self._rows.append(row)
        self._by_kind.setdefault(row["kind"], []).append(row)
        return row

    def _read(self, past: bytes) -> None:
        for line in past.splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                self.torn += 1
            else:
                self._remember(row)


def _encoded(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    message = f"a journal field cannot hold {type(value).__name__}"
    raise TypeError(message)
