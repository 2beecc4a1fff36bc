"""Where the server's books come in: orders, wallet lines, agents and provider statements (design 7)."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from rekon.store import book_wallet, intake, messages, vouchers

if TYPE_CHECKING:
    from rekon.desk.app import Desk


def desk_of(request: Request) -> "Desk":
    """Return the desk's tools."""
    desk: Desk = request.app.state.desk
    return desk


router = APIRouter(prefix="/api/v1")


class Batch(BaseModel):
    """Rows of one book; `as_of` says up to when the book is complete. Empty items are a heartbeat."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")
    as_of: AwareDatetime | None = None
    items: list[dict[str, Any]] = Field(max_length=intake.ITEMS_MAX)


class Statement(BaseModel):
    """Lines of one provider account's statement."""

    model_config = ConfigDict(extra="forbid")

    provider: str = Field(min_length=1, max_length=64)
    account: str = Field(default="", max_length=64)
    as_of: AwareDatetime | None = None
    items: list[dict[str, Any]] = Field(max_length=intake.ITEMS_MAX)


@router.post("/transactions")
async def transactions(request: Request, batch: Batch) -> JSONResponse:
    """Take orders, one row a leg."""
    return await _take(request, batch, book="orders")


@router.post("/wallet-lines")
async def wallet_lines(request: Request, batch: Batch) -> JSONResponse:
    """Take mutations of agents' balances."""
    return await _take(request, batch, book="wallet")


@router.post("/agents")
async def agents(request: Request, batch: Batch) -> JSONResponse:
    """Take agents; the newest row wins."""
    return await _take(request, batch, book="agents")


@router.post("/statement-lines")
async def statement_lines(request: Request, batch: Statement) -> JSONResponse:
    """Take lines of a provider's statement."""
    rows = intake.Batch(
        book="statement",
        source=batch.provider,
        rows=batch.items,
        origin="api",
        as_of=batch.as_of,
        provider=batch.provider,
        account=batch.account,
    )
    return await _store(request, rows)


async def _take(request: Request, batch: Batch, *, book: str) -> JSONResponse:
    zone = desk_of(request).zones.get(batch.source)
    rows = intake.Batch(
        book=book,
        source=batch.source,
        rows=batch.items,
        origin="api",
        zone=ZoneInfo(zone) if zone else None,
        as_of=batch.as_of,
    )
    return await _store(request, rows)


async def _store(request: Request, rows: intake.Batch) -> JSONResponse:
    desk = desk_of(request)
    now = desk.clock()
    if rows.as_of is not None and rows.as_of > now:
        rows = _not_from_the_future(rows, now)
    taken: intake.Taken = await desk.context_write(intake.take, rows, now=now)
    return JSONResponse(
        {
            "accepted": taken.accepted,
            "unchanged": taken.unchanged,
            "quarantined": [{"index": r.index, "field": r.field, "reason": r.reason} for r in taken.refused],
        }
    )


def _not_from_the_future(rows: intake.Batch, now: datetime) -> intake.Batch:
    """A book cannot be complete beyond now; a server whose clock runs ahead must not make stale books look fresh."""
    return replace(rows, as_of=now)


@router.get("/agents/{agent_id}/alerts")
async def alerts(request: Request, agent_id: str) -> dict[str, Any]:
    """List what an agent was told, newest first."""
    rows = await desk_of(request).context_read(messages.alerts, agent_id)
    names = ("message_id", "template", "text", "state")
    return {
        "agent_id": agent_id,
        "items": [{name: row[name] for name in names} | {"created_at": row["created_at"].isoformat()} for row in rows],
    }


@router.get("/wallet-credits")
async def wallet_credits(request: Request, after: int = 0) -> dict[str, Any]:
    """List credits of the `book` gateway behind a position, for a server that pulls them."""
    rows = await desk_of(request).context_read(book_wallet.after, after, limit=1000)
    names = ("id", "key", "agent_id", "transaction_id", "amount", "reason")
    return {"items": [{name: row[name] for name in names} | {"at": row["at"].isoformat()} for row in rows]}


class Redemption(BaseModel):
    """Who wants to use a voucher."""

    model_config = ConfigDict(extra="forbid")

    agent_id: str = Field(min_length=1, max_length=128)


@router.post("/vouchers/{code}/redeem")
async def redeem(request: Request, code: str, body: Redemption) -> JSONResponse:
    """Take a voucher in for its agent; the credit follows through the gateway."""
    desk = desk_of(request)
    now = desk.clock()
    done = await desk.context_write(vouchers.redeem, code, agent_id=body.agent_id, now=now)
    if done:
        return JSONResponse({"status": "redeeming"})
    row = await desk.context_read(vouchers.find, code)
    if row is not None and row["agent_id"] == body.agent_id and row["state"] in ("redeeming", "redeemed"):
        return JSONResponse({"status": row["state"]})
    raise HTTPException(404, "voucher unknown, expired or not this agent's")
