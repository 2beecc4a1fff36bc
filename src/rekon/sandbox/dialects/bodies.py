"""How the providers word a reply's outside: JSON in a `data` envelope or plain text, dated by business time."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from rekon.sandbox.wire import Reply


def json_object(body: bytes) -> Mapping[str, Any]:
    """Read a request body; anything but a JSON object reads as empty."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def json_reply(data: Mapping[str, Any], now: datetime) -> Reply:
    """Wrap `data` in its envelope."""
    body = json.dumps({"data": data}, ensure_ascii=False).encode()
    return Reply(headers=_headers("application/json", now), body=body)


def text_reply(text: str, now: datetime, *, status: int = 200) -> Reply:
    """Answer in plain text."""
    return Reply(status=status, headers=_headers("text/plain; charset=utf-8", now), body=text.encode())


def _headers(content_type: str, now: datetime) -> Mapping[str, str]:
    return {"Content-Type": content_type, "Date": format_datetime(now.astimezone(UTC), usegmt=True)}
