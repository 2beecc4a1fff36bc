"""One POST and whatever came back, within one deadline. Nothing here raises for what the other side does."""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

DEADLINE_SECONDS = 15.0
BODY_BYTES_MAX = 256 * 1024
RETRY_AFTER_SECONDS_MIN = 1
RETRY_AFTER_SECONDS_MAX = 3_600
_SECONDS = re.compile(r"[+-]?[0-9]{1,12}")
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back from a POST."""

    status: int
    """0 when no status came."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    fault: str = ""
    """Kind of the failure in one English word; empty when a reply came."""
    never_left: bool = False
    """True when it is certain that the request did not reach the other side."""

    def json_object(self) -> Mapping[str, object]:
        """Read the body as a JSON object; anything else is empty."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def is_success(self) -> bool:
        """Tell whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_server_error(self) -> bool:
        """Tell whether the status is 5xx: something between here and there failed, and nobody knows how far it got."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def is_too_early(self) -> bool:
        """Tell whether the other side asks for fewer requests."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS


def keep_urls_out_of_logs() -> None:
    """Drop httpx's line about each request: a channel's URL may hold a token. Calling it again changes nothing."""
    logging.getLogger("httpx").addFilter(_is_no_request_line)


def _is_no_request_line(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("HTTP Request")


def json_bytes(value: object) -> bytes:
    """Write JSON the same way every time, so that a signature and a repeat match."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


async def post(
    client: httpx.AsyncClient,
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Reply:
    """Post JSON once: no redirects, at most 256 KiB of reply, one deadline for everything.

    No exception leaves with the URL in it: a URL may hold a token.
    """
    try:
        # httpx measures the gap between bytes, so a dripping reply would never end by its timeout.
        async with asyncio.timeout(deadline_seconds):
            return await _exchange(client, url, body=body, headers=headers)
    except TimeoutError:
        return Reply(status=0, fault="deadline")
    except _NEVER_LEFT as error:
        return Reply(status=0, fault=type(error).__name__, never_left=True)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody knows whether the message arrived
        return Reply(status=0, fault=type(error).__name__)


async def _exchange(client: httpx.AsyncClient, url: str, *, body: bytes, headers: Mapping[str, str]) -> Reply:
    fixed = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "rekon"}
    request = client.build_request("POST", url, content=body, headers={**fixed, **headers})
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        received = await _limited(response)
    finally:
        await response.aclose()
    lowered = {name.lower(): value for name, value in response.headers.items()}
    return Reply(status=response.status_code, headers=lowered, body=received)


async def _limited(response: httpx.Response) -> bytes:
    """Read at most the limit, as it was sent; the status alone decides when the body is longer or packed."""
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return b""
    received = bytearray()
    async for chunk in response.aiter_bytes():
        received += chunk
        if len(received) > BODY_BYTES_MAX:
            return b""
    return bytes(received)


def retry_after(reply: Reply, *, now: datetime, default_seconds: int) -> int:
    """Read `Retry-After`, seconds or a date, held between a second and an hour (P5)."""
    text = reply.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return clamp(int(text))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return clamp(default_seconds)
    aware = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return clamp(int((aware - now).total_seconds()))


def clamp(seconds: int) -> int:
    """Hold a wait between a second and an hour."""
    return min(max(seconds, RETRY_AFTER_SECONDS_MIN), RETRY_AFTER_SECONDS_MAX)
