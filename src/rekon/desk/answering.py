"""Where agents answer YA or TIDAK: the signed link of a message, and Telegram."""

import hmac
from collections.abc import Mapping
from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from rekon.desk.feeds import desk_of
from rekon.domain.answer import Answer, verify_answer_token
from rekon.store import messages

router = APIRouter()

_PAGE = """<!doctype html><html lang="id"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>rekon</title><main><p>{text}</p>{form}</main></html>"""
_FORM = """<form method="post"><button name="answer" value="YA">Ya</button>
<button name="answer" value="TIDAK">Tidak</button></form>"""
_THANKS = "Terima kasih, jawaban Anda sudah kami catat."


@router.get("/answers/{token}")
async def show(request: Request, token: str) -> HTMLResponse:
    """Show the question again with two buttons. Opening the link changes nothing: chat programs open links too."""
    message = await _message(request, token)
    return HTMLResponse(_PAGE.format(text=escape(message["text"]), form=_FORM))


@router.post("/answers/{token}")
async def take(request: Request, token: str, answer: Annotated[str, Form()]) -> HTMLResponse:
    """Keep the answer; the first one counts."""
    if answer not in (Answer.YES, Answer.NO):
        raise HTTPException(422, "answer is YA or TIDAK")
    message = await _message(request, token)
    desk = desk_of(request)
    await desk.context_write(messages.record_answer, message["message_id"], answer=answer, now=desk.clock())
    return HTMLResponse(_PAGE.format(text=_THANKS, form=""))


async def _message(request: Request, token: str) -> Mapping[Any, Any]:
    desk = desk_of(request)
    identity = verify_answer_token(token, desk.secret)
    message: Mapping[Any, Any] | None = await desk.context_read(messages.find, identity) if identity else None
    if message is None:
        raise HTTPException(404, "tautan tidak dikenal")
    return message


@router.post("/telegram/{token}")
async def telegram(request: Request, token: str) -> Response:
    """Take one Telegram update in. Who the agent is follows from the chat, never from the button."""
    desk = desk_of(request)
    if not desk.telegram_token or not hmac.compare_digest(token.encode(), desk.telegram_token.encode()):
        raise HTTPException(404)
    raw = await request.body()
    said = desk.read_telegram(raw)
    if said is None or said.answer is None:
        return Response(status_code=200)
    message = await desk.context_read(messages.asked_in_chat, said.chat_id, said.message_id)
    if message is not None:
        await desk.context_write(messages.record_answer, message["message_id"], answer=said.answer, now=desk.clock())
    return JSONResponse(desk.acknowledge_telegram(said) or {})
