"""One HTTP call to a gateway and whatever came back: one deadline, one body limit, no redirect, no second try."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

BODY_MAX = 64 * 1024
RETRY_AFTER_SECONDS_MIN = 1
RETRY_AFTER_SECONDS_MAX = 3600
DEADLINE_PASSED = "server tidak menjawab sampai batas waktu"
BODY_TOO_LARGE = "jawaban server terlalu besar"
BODY_COMPRESSED = "jawaban server dikirim dalam bentuk terkompresi"
_SECONDS_DIGITS_MAX = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. With a `fault` (Indonesian, for staff) there is nothing to read and nothing to conclude."""

    status: int = 0
    content_type: str = ""
    body: bytes = b""
    retry_after_seconds: int | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to make, exactly once."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None


async def exchange(client: httpx.AsyncClient, call: Call, *, deadline_seconds: float) -> Reply:
    """Make a call once and read its reply within one total deadline. Never raises for what the outside does."""
    try:
        # httpx times the gaps between bytes; a dripping body would never end by that.
        async with asyncio.timeout(deadline_seconds):
            return await _send(client, call)
    except TimeoutError:
        return Reply(fault=DEADLINE_PASSED)
    except Exception as error:  # noqa: BLE001 - the bytes may have left, so whatever broke means the outcome is unknown
        return Reply(fault=f"server tidak dapat dihubungi atau memutus jawaban ({type(error).__name__})")


async def _send(client: httpx.AsyncClient, call: Call) -> Reply:
    request = client.build_request(
        call.method,
        call.url,
        headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": "rekon", **call.headers},
        content=call.content,
    )
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        return await _received(response)
    finally:
        await response.aclose()


async def _received(response: httpx.Response) -> Reply:
    body, fault = await _body(response)
    return Reply(
        status=response.status_code,
        content_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
        body=body,
        retry_after_seconds=_retry_after(response.headers),
        fault=fault,
    )


async def _body(response: httpx.Response) -> tuple[bytes, str]:
    """Read the body as it was sent: unpacking first would put the limit behind the bomb."""
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return b"", BODY_COMPRESSED
    body = bytearray()
    async for chunk in _chunks(response):
        body += chunk
        if len(body) > BODY_MAX:
            return b"", BODY_TOO_LARGE
    return bytes(body), ""


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    if response.is_stream_consumed:
        yield response.content
        return
    async for chunk in response.aiter_raw():
        yield chunk


def _retry_after(headers: httpx.Headers) -> int | None:
    """Read `Retry-After` as seconds or as a date by the server's own clock; without that clock a date means an hour."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    seconds = RETRY_AFTER_SECONDS_MAX
    if text.isascii() and text.lstrip("-").isdigit():
        seconds = int(text[:_SECONDS_DIGITS_MAX])
    else:
        then, now = _date(text), _date(headers.get("date", ""))
        if then is not None and now is not None:
            seconds = int((then - now).total_seconds())
    return min(max(seconds, RETRY_AFTER_SECONDS_MIN), RETRY_AFTER_SECONDS_MAX)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
