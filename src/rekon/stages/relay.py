"""RELAY: callbacks that rekon took for the server go on to it, in their order, until it has them (design 7).

Each provider has one queue. While the server is away its queue waits; a callback the server keeps refusing steps aside
after a while, so that those behind it arrive.
"""

import asyncio
from datetime import datetime, timedelta

from rekon.connectors.providers.relay import Copy, Passed, RelayAnswer, RelayTarget
from rekon.stages.context import Context, log
from rekon.store import relays

BATCH = 20
LEASE = timedelta(seconds=120)
REFUSALS_MAX = 12
"""So often a callback may be answered with anything but 2xx, which takes more than an hour."""
AGE_MAX = timedelta(days=7)
_FIRST_RETRY = timedelta(seconds=2)
_LAST_RETRY = timedelta(minutes=10)
_DOUBLINGS_MAX = 10
_NOT_CONFIGURED = timedelta(minutes=10)


async def work(context: Context) -> int:
    """Pass on a batch of every queue that is due. Returns how many callbacks were tried."""
    now, lease = context.clock(), context.mint()
    queues = await context.write(relays.claim_due, now=now, limit=BATCH, lease=lease, lease_until=now + LEASE)
    done = await asyncio.gather(*(_empty(context, queue, lease=lease) for queue in queues))
    return sum(done)


async def _empty(context: Context, queue: relays.Waiting, *, lease: str) -> int:
    """Pass on one queue's batch until something is in the way, then write down how far it came."""
    target = context.connectors.relays.get(queue.provider)
    tried: list[relays.Tried] = []
    retry_at = context.clock() + _NOT_CONFIGURED if target is None else None
    for row in queue.rows:
        if target is None:
            break
        tried.append(await _pass_on(target, row, now=context.clock()))
        if tried[-1].state == "waiting":
            retry_at = context.clock() + _wait(queue.attempts if len(tried) == 1 else 0)
            break
    now = context.clock()
    await context.write(relays.record, queue, tried, lease=lease, retry_at=retry_at, now=now)
    return len(tried)


async def _pass_on(target: RelayTarget, row: relays.Row, *, now: datetime) -> relays.Tried:
    is_get = row["method"] == "GET"
    copy = Copy(
        method=row["method"],
        query=row["body"] if is_get else row["query"],
        headers=[(name, value) for name, value in row["headers"]],
        body=b"" if is_get else row["body"],
    )
    answer = await target.forward(copy)
    state = _state_after(answer, row, now=now)
    if state != Passed.TAKEN:
        log.warning("relay.failed", provider=row["provider"], inbox=row["inbox_id"], state=state, note=answer.note)
    return relays.Tried(inbox_id=row["inbox_id"], state=state, note=answer.note)


def _state_after(answer: RelayAnswer, row: relays.Row, *, now: datetime) -> str:
    if answer.state is Passed.TAKEN:
        return "taken"
    if now - row["recorded_at"] >= AGE_MAX:
        return "expired"
    if answer.state is Passed.REFUSED and row["attempts"] + 1 >= REFUSALS_MAX:
        return "refused"
    return "waiting"


def _wait(attempts: int) -> timedelta:
    wait: timedelta = _FIRST_RETRY * 2 ** min(attempts, _DOUBLINGS_MAX)
    return min(wait, _LAST_RETRY)
