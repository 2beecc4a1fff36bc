"""Messages written to files in the state directory: the channel that works before any other is set up.

`messages.jsonl` is the record, one JSON object a line; `messages.txt` holds the same for people. Both are fsynced.
A message that stands in the record is not written again.
"""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rekon.connectors.channels.contract import Delivery, OutgoingMessage, retry, sent
from rekon.domain.message_format import format_instant

RECORD = "messages.jsonl"
READABLE = "messages.txt"
_OWNER_ONLY = 0o600
_RULE = "=" * 20


class FileChannel:
    """Appends each message to two files in `directory`; one process at a time writes there."""

    def __init__(self, directory: Path, *, name: str = "file", zone: str = "WIB") -> None:
        self.name = name
        self._directory = directory
        self._zone = zone
        self._written: set[str] | None = None

    async def send(self, message: OutgoingMessage, *, now: datetime) -> Delivery:
        """Write the message once; a full or missing disk asks to try again."""
        try:
            self._write(_entry(message, now=now))
        except (OSError, ValueError, KeyError) as error:
            self._written = None
            return retry(f"berkas pesan tidak dapat dibaca atau ditulis ({type(error).__name__})")
        return sent(f"file:{message.message_id}")

    def _write(self, entry: Mapping[str, str]) -> None:
        if self._written is None:
            self._written = self._recover()
        if entry["message_id"] in self._written:
            return
        _append(self._directory / RECORD, json.dumps(entry, ensure_ascii=False) + "\n")
        _append(self._directory / READABLE, self._readable(entry))
        self._written.add(entry["message_id"])

    def _recover(self) -> set[str]:
        """Read what is there, cut a line that a crash tore, and write the text for people anew where it differs."""
        self._directory.mkdir(parents=True, exist_ok=True)
        _cut_torn_line(self._directory / RECORD)
        entries = _entries(self._directory / RECORD)
        _make_equal(self._directory / READABLE, "".join(self._readable(entry) for entry in entries))
        return {entry["message_id"] for entry in entries}

    def _readable(self, entry: Mapping[str, str]) -> str:
        at = format_instant(datetime.fromisoformat(entry["sent_at"]), self._zone)
        link = f"\nYA / TIDAK: {entry['answer_url']}\n" if entry["answer_url"] else ""
        about = f"{at} | agen {entry['agent_id']} | {entry['template']} | kasus {entry['case_id']}"
        return f"{_RULE} {entry['message_id']} {_RULE}\n{about}\n\n{entry['text']}\n{link}\n"


def _entry(message: OutgoingMessage, *, now: datetime) -> Mapping[str, str]:
    return {
        "sent_at": now.isoformat(),
        "message_id": message.message_id,
        "agent_id": message.agent_id,
        "address": message.address,
        "template": message.template,
        "variant": message.variant,
        "case_id": message.case_id,
        "text": message.text,
        "short_text": message.short_text,
        "answer_url": message.answer_url,
    }


def _entries(path: Path) -> list[Mapping[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


def _make_equal(path: Path, text: str) -> None:
    if path.exists() and path.read_bytes() == text.encode():
        return
    path.unlink(missing_ok=True)
    if text:
        _append(path, text)


def _cut_torn_line(path: Path) -> None:
    """Drop what stands after the last line end: that append never finished, and its message is sent again."""
    if not path.exists():
        return
    with path.open("r+b") as record:
        whole = record.read()
        keep = whole.rfind(b"\n") + 1
        if keep != len(whole):
            record.truncate(keep)
            os.fsync(record.fileno())


def _append(path: Path, text: str) -> None:
    is_new = not path.exists()
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _OWNER_ONLY)
    with os.fdopen(number, "ab") as stream:
        stream.write(text.encode())
        stream.flush()
        os.fsync(stream.fileno())
    if is_new:
        _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    number = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
