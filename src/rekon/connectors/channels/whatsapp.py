"""Messages through the WhatsApp Cloud API.

Free text is allowed within 24 hours of the reader's last message; outside them only an approved template goes, with
its variables in order. The API knows no idempotency key, so a send that got no reply is UNKNOWN.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

import httpx

from rekon.connectors.channels.contract import Delivery, OutgoingMessage, refused, retry, sent, unknown
from rekon.connectors.channels.exchange import (
    DEADLINE_SECONDS,
    Reply,
    json_bytes,
    keep_urls_out_of_logs,
    post,
    retry_after,
)
from rekon.domain.msisdn import normal

BASE_URL = "https://graph.facebook.com"
VERSION = "v23.0"
WINDOW = timedelta(hours=24)
_WINDOW_MARGIN = timedelta(minutes=5)
_MOBILE = re.compile(r"08\d{8,11}")
_WAIT_SECONDS = 60
_ACCOUNT_WAIT_SECONDS = 3_600
_CREDENTIALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_UNKNOWN_FAULT = 1
_WINDOW_CLOSED = 131_047
_BUSY = frozenset({2, 4, 80_007, 130_429, 131_000, 131_016, 131_056})
_ACCOUNT = frozenset({0, 3, 10, 190, 368, 131_005, 131_031, 131_042, 131_048, *range(200, 300)})
"""The token, the account or its standing: every message would fail alike until a person acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedTemplate:
    """A template Meta approved for one of ours. `variables` names ours in its order; empty takes the book's order."""

    name: str
    language: str = "id"
    variables: tuple[str, ...] = ()


class WhatsAppChannel:
    """Sends each message as text or as an approved template; the address is the reader's number.

    `approved` maps `M01` or `M01.cancelled` (template and variant) to what Meta approved.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        token: str,
        phone_number_id: str,
        approved: Mapping[str, ApprovedTemplate],
        base_url: str = BASE_URL,
        version: str = VERSION,
        name: str = "whatsapp",
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        keep_urls_out_of_logs()
        self.name = name
        self._client = client
        self._token = token
        self._approved = dict(approved)
        self._url = f"{base_url.rstrip('/')}/{version}/{phone_number_id}/messages"
        self._deadline_seconds = deadline_seconds

    async def send(self, message: OutgoingMessage, *, now: datetime) -> Delivery:
        """Send the message once; free text the API refuses for a closed window goes as a template at once."""
        number = normal(message.address)
        if not _MOBILE.fullmatch(number):
            return refused("alamat WhatsApp bukan nomor seluler")
        to = f"62{number[1:]}"
        if _window_is_open(message, now=now):
            reply = await self._post(_text_body(message, to=to))
            if _code(reply) != _WINDOW_CLOSED:
                return _delivery(reply, now=now)
        template = self._template_body(message, to=to)
        if isinstance(template, Delivery):
            return template
        return _delivery(await self._post(template), now=now)

    async def _post(self, body: Mapping[str, object]) -> Reply:
        headers = {"authorization": f"Bearer {self._token}"}
        return await post(
            self._client, self._url, body=json_bytes(body), headers=headers, deadline_seconds=self._deadline_seconds
        )

    def _template_body(self, message: OutgoingMessage, *, to: str) -> Mapping[str, object] | Delivery:
        keys = (f"{message.template}.{message.variant}", message.template if message.variant == "standard" else "")
        approved = next((self._approved[key] for key in keys if key in self._approved), None)
        if approved is None:
            return refused(f"belum ada templat WhatsApp yang disetujui untuk {keys[0]}")
        values = dict(message.variables)
        names = approved.variables or tuple(values)
        if missing := [name for name in names if name not in values]:
            return refused(f"templat WhatsApp {approved.name} meminta isian yang tidak ada: {', '.join(missing)}")
        return _approved_body(message, to=to, approved=approved, values=[values[name] for name in names])


def _window_is_open(message: OutgoingMessage, *, now: datetime) -> bool:
    return message.last_inbound_at is not None and now - message.last_inbound_at < WINDOW - _WINDOW_MARGIN


def _text_body(message: OutgoingMessage, *, to: str) -> Mapping[str, object]:
    text = {"preview_url": False, "body": message.text_with_link()}
    return {**_envelope(message, to=to), "type": "text", "text": text}


def _approved_body(
    message: OutgoingMessage, *, to: str, approved: ApprovedTemplate, values: list[str]
) -> Mapping[str, object]:
    parameters = [{"type": "text", "text": value} for value in values]
    template = {
        "name": approved.name,
        "language": {"code": approved.language},
        "components": [{"type": "body", "parameters": parameters}],
    }
    return {**_envelope(message, to=to), "type": "template", "template": template}


def _envelope(message: OutgoingMessage, *, to: str) -> Mapping[str, object]:
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": to,
        "biz_opaque_callback_data": message.message_id,
    }


def _delivery(reply: Reply, *, now: datetime) -> Delivery:
    if reply.never_left:
        return retry(f"WhatsApp tidak dapat dihubungi ({reply.fault})")
    if reply.is_success:
        reference = _message_id(reply)
        return sent(reference) if reference else unknown("jawaban WhatsApp tanpa nomor pesan")
    code = _code(reply)
    if code is not None:
        return _said_no(code, reply, now=now)
    if reply.fault or reply.is_server_error:
        return unknown(f"jawaban WhatsApp tidak jelas ({reply.fault or f'HTTP {reply.status}'})")
    wait = retry_after(reply, now=now, default_seconds=_WAIT_SECONDS)
    return retry(f"jawaban bukan dari WhatsApp (HTTP {reply.status})", after_seconds=wait)


def _said_no(code: int, reply: Reply, *, now: datetime) -> Delivery:
    if code in _BUSY or reply.is_too_early:
        wait = retry_after(reply, now=now, default_seconds=_WAIT_SECONDS)
        return retry(f"WhatsApp meminta menunggu (kode {code})", after_seconds=wait)
    if code in _ACCOUNT or reply.status in _CREDENTIALS:
        return retry(f"akun WhatsApp perlu diperiksa (kode {code})", after_seconds=_ACCOUNT_WAIT_SECONDS)
    if code == _UNKNOWN_FAULT or reply.is_server_error:
        return unknown(f"WhatsApp mengalami gangguan (kode {code})")
    return refused(f"WhatsApp menolak pesan (kode {code})")


def _code(reply: Reply) -> int | None:
    if reply.is_success:
        return None
    error = reply.json_object().get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _message_id(reply: Reply) -> str:
    messages = reply.json_object().get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    found = first.get("id") if isinstance(first, dict) else None
    return found if isinstance(found, str) else ""
