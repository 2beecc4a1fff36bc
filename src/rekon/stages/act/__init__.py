"""ACT: move money, tell servers how orders ended, pay vouchers out. Intent, then send, then record.

A refund's intent is written only if the rules, run again on the stored books in that same unit of work, still ask for
exactly it (I25); limits are counted there too (I18). Many refunds share each unit of work; one that breaks it is left
out and raised at the end.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from rekon.stages.act.lanes import BATCH, LEASE, Round
from rekon.stages.act.payouts import step_vouchers
from rekon.stages.act.refunding import step_refunds
from rekon.stages.act.reporting import step_results
from rekon.stages.context import Context
from rekon.store import refunds, results, vouchers
from rekon.store.engine import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What one round took on."""

    refunds: Sequence[refunds.Row]
    results: Sequence[results.Row]
    vouchers: Sequence[vouchers.Row]

    def count(self) -> int:
        """Count the rows."""
        return len(self.refunds) + len(self.results) + len(self.vouchers)


async def work(context: Context) -> int:
    """Take one step for a batch of due refunds, order results and vouchers. Returns how many were claimed.

    Raises:
        Exception: the first defect, when everything that could be done was done.
    """
    lease, now = context.mint(), context.clock()
    claiming = partial(claim, lease=lease, now=now)
    claimed = await context.intend(claiming, has_intent=lambda found: bool(found.results))
    async with asyncio.TaskGroup() as tasks:
        here = Round(context=context, lease=lease, tasks=tasks)
        for steps in (
            step_refunds(here, claimed.refunds),
            step_results(here, claimed.results),
            step_vouchers(here, claimed.vouchers),
        ):
            tasks.create_task(here.through(steps))
    if here.faults:
        raise here.faults[0]
    return claimed.count()


def claim(connection: Connection, *, lease: str, now: datetime) -> Claimed:
    """Claim what is due. The lease is the intent of an order's result: its key makes telling it again harmless."""
    until = now + LEASE
    return Claimed(
        refunds=refunds.claim_due(connection, now=now, limit=BATCH, lease=lease, lease_until=until),
        results=results.claim_due(connection, now=now, limit=BATCH, lease=lease, lease_until=until),
        vouchers=vouchers.claim_due(connection, now=now, limit=BATCH, lease=lease, lease_until=until),
    )
