"""The callback door: judged on the raw body, stored, and only then answered (I13, I19)."""

import hmac
from collections.abc import Mapping

import structlog
from fastapi import APIRouter, Request, Response

from rekon.desk.feeds import desk_of
from rekon.desk.gate import BODY_MAX
from rekon.domain.callback import Verdict
from rekon.store import inbox
from rekon.store.relays import Envelope

log = structlog.get_logger()
router = APIRouter()

_OF_THE_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@router.post("/callbacks/{provider}/{token}")
@router.get("/callbacks/{provider}/{token}")
async def receive(request: Request, provider: str, token: str) -> Response:
    """Take one callback in. 401 says nothing about why."""
    desk = desk_of(request)
    raw = request.scope["query_string"] if request.method == "GET" else await request.body()
    if not hmac.compare_digest(token.encode(), desk.callback_token.encode()):
        return _refuse(provider, "token")
    headers = {name.lower(): value for name, value in request.headers.items()}
    verdict = desk.door.verify(provider, headers, raw)
    if verdict is Verdict.REFUSED:
        return _refuse(provider, "signature")
    return await _keep(request, provider, raw, headers, verdict)


@router.post("/api/v1/callbacks/{provider}")
@router.get("/api/v1/callbacks/{provider}")
async def receive_copy(request: Request, provider: str) -> Response:
    """Take a copy in that the server passed on to us; its API key was judged at the gate.

    A body that is still signed counts as the provider's own word. Anything else is only a hint: the key says who sent
    it, not who wrote it.
    """
    desk = desk_of(request)
    if provider not in desk.copies:
        return Response(status_code=404)
    raw = request.scope["query_string"] if request.method == "GET" else await request.body()
    if not 0 < len(raw) <= BODY_MAX:
        return Response(status_code=413 if raw else 422)
    headers = {name.lower(): value for name, value in request.headers.items()}
    verdict = desk.door.verify(provider, headers, raw)
    if verdict is Verdict.REFUSED:
        verdict = Verdict.HINT
    return await _keep(request, provider, raw, headers, verdict)


async def _keep(request: Request, provider: str, raw: bytes, headers: Mapping[str, str], verdict: Verdict) -> Response:
    """Store a callback, for the server too where rekon stands in front of it; only then say that it was taken."""
    desk = desk_of(request)
    if verdict is Verdict.PING:
        return Response(status_code=200)
    await desk.context_write(
        inbox.store,
        provider=provider,
        body=raw,
        content_type=headers.get("content-type", ""),
        verdict=verdict,
        now=desk.clock(),
        envelope=_envelope(request) if provider in desk.fronts else None,
    )
    return Response(status_code=200)


def _envelope(request: Request) -> Envelope:
    """Keep every header that is about the message; those about this one connection stay here."""
    named = request.headers.get("connection", "").lower().split(",")
    dropped = _OF_THE_CONNECTION | {name.strip() for name in named}
    return Envelope(
        method=request.method,
        query=request.scope["query_string"],
        headers=[(name, value) for name, value in request.headers.items() if name.lower() not in dropped],
    )


def _refuse(provider: str, why: str) -> Response:
    log.warning("callback.refused", provider=provider[:64], why=why)
    return Response(status_code=401)
