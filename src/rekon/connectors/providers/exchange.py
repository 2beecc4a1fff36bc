"""One call and whatever came back, within one deadline. Nothing here raises for what a provider does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt

from rekon.connectors.providers.dialects.strict_json import BYTES_MAX
from rekon.connectors.providers.inquiry import InquiryRequest
from rekon.connectors.providers.pace import Pause

TRIES_MAX = 3
RETRY_AFTER_SECONDS_MIN = 1
RETRY_AFTER_SECONDS_MAX = 3600
RETRY_AFTER_SECONDS_MISSING = 60
WAIT_HERE_SECONDS_MAX = 2
"""A longer wait is the caller's to plan, never slept through."""
_FIRST_WAIT_SECONDS = 0.25
_BUSY = frozenset({429, 503})
_AGAIN = frozenset({502, 503, 504})
DEADLINE = "penyedia tidak menjawab dalam batas waktu"
NO_ANSWER = "penyedia tidak dapat dihubungi ({kind})"
TOO_LARGE = "jawaban terlalu besar"
PACKED = "jawaban dikirim dalam bentuk terkompresi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `fault` says why there is nothing to read, empty when there is."""

    raw: bytes = b""
    http_status: int = 0
    """0 when no status line came."""
    content_type: str = ""
    server_date: datetime | None = None
    fault: str = ""
    retry_after_seconds: int | None = None

    @property
    def may_ask_again(self) -> bool:
        """Tell whether a question that only reads may be asked again at once."""
        if self.retry_after_seconds is not None and self.retry_after_seconds > WAIT_HERE_SECONDS_MAX:
            return False
        return self.http_status in _AGAIN | _BUSY or (self.http_status == 0 and bool(self.fault))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The line to one provider: its client, where it is, how long a call may take in all."""

    http: httpx.AsyncClient
    url: str
    deadline_seconds: float
    pause: Pause

    async def ask_once(self, request: InquiryRequest) -> Answer:
        """Send a request exactly once."""
        return await self._within_deadline(request, tries=1)

    async def ask(self, request: InquiryRequest) -> Answer:
        """Send a request that cannot buy, at most three times, all within the one deadline."""
        return await self._within_deadline(request, tries=TRIES_MAX)

    async def _within_deadline(self, request: InquiryRequest, *, tries: int) -> Answer:
        # httpx measures the gap between bytes, so a dripping body would never end by its timeout.
        try:
            async with asyncio.timeout(self.deadline_seconds):
                return await (self._retried(request) if tries > 1 else self._exchange(request))
        except TimeoutError:
            return Answer(fault=DEADLINE)

    async def _retried(self, request: InquiryRequest) -> Answer:
        # Almost every question is answered at once; the machinery of retries costs a tenth of a call, so it waits.
        first = await self._exchange(request)
        if not first.may_ask_again:
            return first
        await self.pause(_gap(first, tries=1))
        retrying = AsyncRetrying(
            sleep=self.pause,
            stop=stop_after_attempt(TRIES_MAX - 1),
            wait=_wait,
            retry=retry_if_result(_may_ask_again),
            retry_error_callback=_last_answer,
        )
        answer: Answer = await retrying(self._exchange, request)
        return answer

    async def _exchange(self, request: InquiryRequest) -> Answer:
        try:
            return await self._send(request)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, there is no answer, and UNKNOWN is the word
            return Answer(fault=NO_ANSWER.format(kind=type(error).__name__))

    async def _send(self, request: InquiryRequest) -> Answer:
        query = f"?{request.query}" if request.query else ""
        # Built without the client: merging its base address and headers costs as much as sending. `send` adds timeouts.
        built = httpx.Request(
            request.method,
            f"{self.url}{request.path}{query}",
            headers={"accept": "*/*", "accept-encoding": "identity", "user-agent": "rekon", **request.headers},
            content=request.body or None,
        )
        response = await self.http.send(built, stream=True, follow_redirects=False)
        try:
            return await _received(response)
        finally:
            await response.aclose()


async def _received(response: httpx.Response) -> Answer:
    server_date = _date(response.headers.get("date", ""))
    raw, fault = await _body(response)
    busy = response.status_code in _BUSY
    return Answer(
        raw=raw,
        http_status=response.status_code,
        content_type=response.headers.get("content-type", ""),
        server_date=server_date,
        fault=fault,
        retry_after_seconds=_retry_after(response, now=server_date) if busy else None,
    )


async def _body(response: httpx.Response) -> tuple[bytes, str]:
    """Read at most the limit, as it was sent: an unpacked body has no limit of its own."""
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return b"", PACKED
    raw = bytearray()
    async for chunk in _chunks(response):
        raw += chunk
        if len(raw) > BYTES_MAX:
            return bytes(raw[:BYTES_MAX]), TOO_LARGE
    return bytes(raw), ""


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    if response.is_stream_consumed:
        yield response.content
        return
    async for chunk in response.aiter_raw():
        yield chunk


@lru_cache(maxsize=64)
def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _retry_after(response: httpx.Response, *, now: datetime | None) -> int:
    """Read `Retry-After`, seconds or a date by the provider's own clock, held between a second and an hour (P5)."""
    text = response.headers.get("retry-after", "").strip()
    seconds: float = RETRY_AFTER_SECONDS_MISSING
    if text.lstrip("+-").isascii() and text.lstrip("+-").isdigit():
        seconds = float(text[:12])
    elif now is not None and (at := _date(text)) is not None:
        seconds = (at - now).total_seconds()
    return int(min(max(seconds, RETRY_AFTER_SECONDS_MIN), RETRY_AFTER_SECONDS_MAX))


def _may_ask_again(answer: Answer) -> bool:
    return answer.may_ask_again


def _last_answer(state: RetryCallState) -> Answer:
    assert state.outcome is not None  # noqa: S101 - tenacity calls this after an attempt only
    answer: Answer = state.outcome.result()
    return answer


def _wait(state: RetryCallState) -> float:
    return _gap(_last_answer(state), tries=1 + state.attempt_number)


def _gap(answer: Answer, *, tries: int) -> float:
    return float(answer.retry_after_seconds or _FIRST_WAIT_SECONDS * 2 ** (tries - 1))
