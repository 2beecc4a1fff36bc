"""The callback door: judged on the raw body, stored, and only then answered (I13, I19)."""

import hmac

import structlog
from fastapi import APIRouter, Request, Response

from rekon.desk.feeds import desk_of
from rekon.domain.callback import Verdict
from rekon.store import inbox

log = structlog.get_logger()
router = APIRouter()


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
    if verdict is Verdict.PING:
        return Response(status_code=200)
    await desk.context_write(
        inbox.store,
        provider=provider,
        body=raw,
        content_type=headers.get("content-type", ""),
        verdict=verdict,
        now=desk.clock(),
    )
    return Response(status_code=200)


def _refuse(provider: str, why: str) -> Response:
    log.warning("callback.refused", provider=provider[:64], why=why)
    return Response(status_code=401)
