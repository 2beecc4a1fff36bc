"""Messages to the operator's own receiver over HTTP. It knows a message by its key, so telling it again is harmless."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

import httpx

from rekon.connectors.channels.contract import Delivery, OutgoingMessage, refused, retry, sent
from rekon.connectors.channels.exchange import (
    DEADLINE_SECONDS,
    Reply,
    json_bytes,
    keep_urls_out_of_logs,
    post,
    retry_after,
)

_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix such secrets carry, not one of them
_SECRET_BYTES_MIN = 24
_WAIT_SECONDS = 60


class WebhookChannel:
    """Posts each message as JSON, signed in the manner of Standard Webhooks when there is a secret.

    Two secrets during a rotation give two signatures. A secret is `whsec_` and base64, or plain text.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        url: str,
        secrets: Sequence[str] = (),
        name: str = "webhook",
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        keep_urls_out_of_logs()
        self.name = name
        self._client = client
        self._url = url
        self._keys = tuple(_key(secret) for secret in secrets)
        self._deadline_seconds = deadline_seconds

    async def send(self, message: OutgoingMessage, *, now: datetime) -> Delivery:
        """Post the message once; the receiver drops repeats by `Idempotency-Key`."""
        body = json_bytes(_body(message))
        headers = {"idempotency-key": message.message_id, **self._signature(message.message_id, body=body, now=now)}
        reply = await post(self._client, self._url, body=body, headers=headers, deadline_seconds=self._deadline_seconds)
        return _delivery(reply, now=now)

    def _signature(self, message_id: str, *, body: bytes, now: datetime) -> dict[str, str]:
        if not self._keys:
            return {}
        timestamp = str(int(now.timestamp()))
        signed = b".".join((message_id.encode(), timestamp.encode(), body))
        marks = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in self._keys)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(f"v1,{mark}" for mark in marks),
        }


def _body(message: OutgoingMessage) -> dict[str, str]:
    return {
        "message_id": message.message_id,
        "agent_id": message.agent_id,
        "address": message.address,
        "template": message.template,
        "text": message.text,
        "case_id": message.case_id,
        "answer_url": message.answer_url,
    }


def _delivery(reply: Reply, *, now: datetime) -> Delivery:
    if reply.fault:
        return retry(f"penerima pesan tidak menjawab ({reply.fault})")
    if reply.is_success and "html" in reply.headers.get("content-type", "").lower():
        return retry("jawaban berupa halaman, bukan dari penerima pesan")
    if reply.is_success:
        return sent(str(reply.json_object().get("id", "")))
    if reply.status in _AGAIN or reply.is_server_error:
        wait = retry_after(reply, now=now, default_seconds=_WAIT_SECONDS)
        return retry(f"penerima pesan sedang tidak siap (HTTP {reply.status})", after_seconds=wait)
    return refused(f"penerima menolak pesan (HTTP {reply.status})")


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True) if _is_coded(secret) else b""
    except binascii.Error:
        text = "a webhook secret that begins with whsec_ has to go on in base64"
        raise ValueError(text) from None
    key = key or secret.encode()
    if len(key) < _SECRET_BYTES_MIN:
        text = f"a webhook secret needs at least {_SECRET_BYTES_MIN} bytes"
        raise ValueError(text)
    return key


def _is_coded(secret: str) -> bool:
    return secret.startswith(_SECRET_PREFIX)
