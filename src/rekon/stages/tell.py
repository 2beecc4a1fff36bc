"""TELL: messages leave the outbox, each once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from rekon.connectors.channels.contract import Delivery, DeliveryState, OutgoingMessage
from rekon.stages.context import Context, log
from rekon.store import complaints, evaluations, messages
from rekon.store.engine import Connection

BATCH = 100
LEASE = timedelta(seconds=60)
_ATTEMPTS_MAX = 10
_COMPLAINT = "complaint:"

Row = messages.Row


async def work(context: Context) -> int:
    """Send one batch of waiting messages. Returns how many were tried."""
    now, lease = context.clock(), context.mint()
    if context.restored_epoch:
        await context.write(messages.put_off, now=now, until=now + LEASE)
        return 0
    claimed = await context.write(messages.claim_due, now=now, limit=BATCH, lease=lease, lease_until=now + LEASE)
    if claimed:
        deliveries = await asyncio.gather(*(_send(context, row) for row in claimed))
        await context.write(record, rows=claimed, deliveries=deliveries, lease=lease, now=context.clock())
    return len(claimed)


async def _send(context: Context, row: Row) -> Delivery:
    channel = context.connectors.channels.get(row["channel"])
    if channel is None:
        return Delivery(state=DeliveryState.REFUSED, note=f"saluran {row['channel']} tidak diatur")
    message = OutgoingMessage(
        message_id=row["message_id"],
        agent_id=row["agent_id"],
        address=row["address"],
        text=row["text"],
        short_text=row["short_text"],
        template=row["template"],
        variables=tuple((name, value) for name, value in row["variables"]),
        case_id=row["case_id"] or "",
        answer_url=row["answer_url"],
        last_inbound_at=await context.read(messages.last_inbound, row["agent_id"]),
    )
    return await channel.send(message, now=context.clock())


def record(
    connection: Connection, *, rows: Sequence[Row], deliveries: Sequence[Delivery], lease: str, now: datetime
) -> None:
    """Write what became of each message."""
    for row, delivery in zip(rows, deliveries, strict=True):
        if delivery.state is DeliveryState.RETRY and row["attempts"] + 1 < _ATTEMPTS_MAX:
            wait = timedelta(seconds=delivery.retry_after_seconds or min(5 * 2 ** row["attempts"], 900))
            messages.record(connection, row, lease=lease, due_at=now + wait, note=delivery.note[:300])
            continue
        sent = delivery.state is DeliveryState.SENT
        state = "sent" if sent else "unsent"
        written = messages.record(
            connection,
            row,
            lease=lease,
            state=state,
            due_at=None,
            sent_at=now if sent else None,
            note=delivery.note[:300],
            reference=delivery.reference[:200],
        )
        if not written:
            continue
        event = "message.sent" if sent else "message.failed"
        log.info(event, message=row["message_id"], template=row["template"])
        if sent and row["event"].startswith(_COMPLAINT):
            _complaint_went_out(connection, row, now=now)


def _complaint_went_out(connection: Connection, row: Row, *, now: datetime) -> None:
    complaint_id = row["event"].removeprefix(_COMPLAINT).partition(":")[0]
    if complaints.mark_sent(connection, complaint_id, by=f"saluran {row['channel']}", now=now) is not None:
        evaluations.touch(connection, [row["transaction_key"]], due_at=now)
