"""Tell servers how orders ended. The key makes telling again harmless."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from rekon.connectors.gateways.contract import OrderResult, ResultAnswer, ResultState
from rekon.stages.act.lanes import Carry, Lanes, Party, Round
from rekon.stages.context import Context
from rekon.store import evaluations, results
from rekon.store.engine import Connection

_ATTEMPTS_MAX = 12

Row = results.Row


@dataclass(frozen=True, slots=True)
class Told:
    """What a server said to one order's end."""

    row: Row
    answer: ResultAnswer


async def step_results(here: Round, rows: Sequence[Row]) -> None:
    """Tell each claimed result once. Restored books tell nobody: their leases end by themselves."""
    if here.context.restored_epoch:
        return
    lanes = Lanes[Told](here, begin=partial(_tell, here.context), land=partial(_land, here))
    untouched = await lanes.run(rows)
    await here.apart(untouched, partial(_give_back, here))


async def _give_back(here: Round, rows: Sequence[Row]) -> Sequence[Row]:
    await here.context.write(results.give_back, rows, lease=here.lease, now=here.context.clock())
    return ()


async def _tell(context: Context, party: Party) -> Sequence[Told]:
    gateway = context.connectors.gateways.get(party.lane)
    if gateway is None:
        return [Told(row, ResultAnswer(state=ResultState.UNSUPPORTED)) for row in party.rows]
    return [Told(row, await gateway.report_result(_result_of(row))) for row in party.rows]


def _result_of(row: Row) -> OrderResult:
    return OrderResult(
        transaction_id=row["transaction_id"],
        key=row["key"],
        status=row["status"],
        serial_number=row["serial_number"],
        reason=row["reason"],
    )


async def _land(here: Round, told: Sequence[Told]) -> tuple[Sequence[Row], Carry[Told]]:
    await here.apart(told, partial(_record, here))
    return (), partial(_tell, here.context)


async def _record(here: Round, told: Sequence[Told]) -> Sequence[Row]:
    await here.context.write(record_results, told=told, lease=here.lease, now=here.context.clock())
    return ()


def record_results(connection: Connection, *, told: Sequence[Told], lease: str, now: datetime) -> None:
    """Write servers' answers to how orders ended."""
    written = [one.row["transaction_key"] for one in told if _record_one(connection, one, lease=lease, now=now)]
    evaluations.touch(connection, written, due_at=now)


def _record_one(connection: Connection, one: Told, *, lease: str, now: datetime) -> bool:
    row, answer = one.row, one.answer
    unclear = answer.state is ResultState.UNKNOWN and row["attempts"] + 1 < _ATTEMPTS_MAX
    wait = timedelta(seconds=answer.retry_after_seconds or min(2 * 2 ** row["attempts"], 600))
    state, due_at = ("pending", now + wait) if unclear else (answer.state.value, None)
    return results.record(connection, row, lease=lease, state=state, due_at=due_at, now=now)
