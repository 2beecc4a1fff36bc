"""Messages through a Telegram bot, with YA and TIDAK as buttons under the text.

The Bot API knows no idempotency key, so a send that got no reply is UNKNOWN. The token stands in the URL: the URL is
never logged, never in a note, and no exception leaves with it.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

import httpx

from rekon.connectors.channels.contract import Delivery, OutgoingMessage, refused, retry, sent, unknown
from rekon.connectors.channels.exchange import (
    DEADLINE_SECONDS,
    Reply,
    clamp,
    json_bytes,
    keep_urls_out_of_logs,
    post,
    retry_after,
)
from rekon.connectors.channels.telegram_updates import button_data
from rekon.domain.answer import Answer

BASE_URL = "https://api.telegram.org"
_BUTTON_BYTES_MAX = 64
_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,}")
_CHAT = re.compile(r"-?\d{1,19}")
_CREDENTIALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND})
_WAIT_SECONDS = 60
_CREDENTIALS_WAIT_SECONDS = 3_600


class TelegramChannel:
    """Sends each message with `sendMessage`; the address is the chat id."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        token: str,
        base_url: str = BASE_URL,
        name: str = "telegram",
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        if not _TOKEN.fullmatch(token):
            text = "the Telegram bot token does not look like one"
            raise ValueError(text)
        keep_urls_out_of_logs()
        self.name = name
        self._client = client
        self._url = f"{base_url.rstrip('/')}/bot{token}/sendMessage"
        self._deadline_seconds = deadline_seconds

    async def send(self, message: OutgoingMessage, *, now: datetime) -> Delivery:
        """Send the message once."""
        if not _CHAT.fullmatch(message.address):
            return refused("alamat Telegram bukan nomor percakapan")
        reply = await post(
            self._client,
            self._url,
            body=json_bytes(_body(message)),
            headers={},
            deadline_seconds=self._deadline_seconds,
        )
        return _delivery(reply, now=now)


def _body(message: OutgoingMessage) -> dict[str, object]:
    buttons = _buttons(message.message_id)
    body: dict[str, object] = {
        "chat_id": int(message.address),
        "text": message.text if buttons else message.text_with_link(),
        "link_preview_options": {"is_disabled": True},
    }
    return body | ({"reply_markup": {"inline_keyboard": [buttons]}} if buttons else {})


def _buttons(message_id: str) -> list[dict[str, str]]:
    """Make the two buttons; an id too long for Telegram's 64 bytes gets none, and the text carries the link."""
    data = {answer: button_data(answer, message_id) for answer in Answer}
    if any(len(text.encode()) > _BUTTON_BYTES_MAX for text in data.values()):
        return []
    return [{"text": answer.value, "callback_data": text} for answer, text in data.items()]


def _delivery(reply: Reply, *, now: datetime) -> Delivery:
    if reply.never_left:
        return retry(f"Telegram tidak dapat dihubungi ({reply.fault})")
    answer = reply.json_object()
    if reply.fault or reply.is_server_error or reply.is_success:
        return _said_yes(reply, answer)
    return _said_no(reply, answer, now=now)


def _said_yes(reply: Reply, answer: Mapping[str, object]) -> Delivery:
    result = answer.get("result")
    number = result.get("message_id") if isinstance(result, dict) else None
    if reply.is_success and answer.get("ok") is True and isinstance(number, int):
        return sent(str(number))
    return unknown(f"jawaban Telegram tidak jelas ({reply.fault or f'HTTP {reply.status}'})")


def _said_no(reply: Reply, answer: Mapping[str, object], *, now: datetime) -> Delivery:
    if reply.is_too_early:
        return retry("Telegram meminta menunggu", after_seconds=_wait(reply, answer, now=now))
    if reply.status in _CREDENTIALS:
        return retry("Telegram menolak token bot", after_seconds=_CREDENTIALS_WAIT_SECONDS)
    if answer.get("ok") is False and reply.status >= HTTPStatus.BAD_REQUEST:
        return refused(f"Telegram menolak percakapan ini (kode {reply.status})")
    return retry(f"jawaban bukan dari Telegram (HTTP {reply.status})", after_seconds=_WAIT_SECONDS)


def _wait(reply: Reply, answer: Mapping[str, object], *, now: datetime) -> int:
    parameters = answer.get("parameters")
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if isinstance(seconds, int) and not isinstance(seconds, bool):
        return clamp(seconds)
    return retry_after(reply, now=now, default_seconds=_WAIT_SECONDS)
