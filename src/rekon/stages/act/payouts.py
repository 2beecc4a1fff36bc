"""Pay vouchers out as wallet credit, through the same gateways and with the same care as refunds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from rekon.connectors.gateways.contract import Gateway, GatewayClass, PayAnswer, PayState, RefundOrder
from rekon.domain import ledger
from rekon.domain.money import Money
from rekon.domain.refund import voucher_key
from rekon.stages.act.lanes import Carry, Lanes, Party, Round
from rekon.stages.act.patience import ATTEMPTS_MAX, HALTED_WAIT, may_tell_again
from rekon.stages.act.wallets import transaction_id_of
from rekon.stages.context import Context
from rekon.store import journal, limits, vouchers
from rekon.store.engine import Connection

Row = vouchers.Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What a gateway said about one voucher; nothing yet where it has a place to be sent."""

    row: Row
    gateway_class: GatewayClass
    answer: PayAnswer | None = None


async def step_vouchers(here: Round, rows: Sequence[Row]) -> None:
    """Take each claimed voucher one step further."""
    context = here.context
    lost: list[Row] = []
    due: list[Row] = []
    for row in rows:
        if context.restored_epoch and row["sent_at"] is not None:
            continue
        has_way = row["source"] in context.connectors.gateways and not context.restored_epoch
        (due if has_way else lost).append(row)
    await here.apart(lost, partial(_give_up, here))
    lanes = Lanes[Paid](here, begin=partial(_begin, context), land=partial(_land, here))
    untouched = await lanes.run(due)
    await here.apart(untouched, partial(_give_back, here))


async def _give_back(here: Round, rows: Sequence[Row]) -> Sequence[Row]:
    await here.context.write(vouchers.give_back, rows, lease=here.lease, now=here.context.clock())
    return ()


async def _give_up(here: Round, rows: Sequence[Row]) -> Sequence[Row]:
    def write(connection: Connection) -> None:
        for row in rows:
            vouchers.record(connection, row, lease=here.lease, due_at=None, state="unknown")

    await here.context.write(write)
    return ()


async def _begin(context: Context, party: Party) -> Sequence[Paid]:
    """Ask what became of those that were sent; the others only take their place."""
    gateway = context.connectors.gateways[party.lane]
    kind = gateway.gateway_class
    answers = [await _find_out(context, row, gateway) if row["sent_at"] else None for row in party.rows]
    return [Paid(row=row, gateway_class=kind, answer=said) for row, said in zip(party.rows, answers, strict=True)]


async def _find_out(context: Context, row: Row, gateway: Gateway) -> PayAnswer:
    if gateway.gateway_class is GatewayClass.G0:
        return PayAnswer(state=PayState.UNKNOWN)
    answer = await gateway.find(_order_of(row))
    if answer.state is PayState.NOT_FOUND and may_tell_again(gateway, context.clock() - row["sent_at"]):
        return await gateway.pay(_order_of(row))
    return answer


async def _pay(context: Context, party: Party) -> Sequence[Paid]:
    gateway = context.connectors.gateways[party.lane]
    kind = gateway.gateway_class
    return [Paid(row=row, gateway_class=kind, answer=await gateway.pay(_order_of(row))) for row in party.rows]


def _order_of(row: Row) -> RefundOrder:
    return RefundOrder(
        key=voucher_key(row["code"]),
        refund_id=voucher_key(row["code"]),
        agent_id=row["agent_id"],
        transaction_id=transaction_id_of(row),
        amount=Money(row["amount"]),
        reason="voucher",
    )


async def _land(here: Round, paid: Sequence[Paid]) -> tuple[Sequence[Row], Carry[Paid]]:
    """Write answers down, and the intents of those that have a place."""
    await here.apart([one for one in paid if one.answer is not None], partial(_record, here))
    placed = [one.row for one in paid if one.answer is None]
    return await here.apart(placed, partial(_intend, here)), partial(_pay, here.context)


async def _intend(here: Round, rows: Sequence[Row]) -> Sequence[Row]:
    context = here.context
    return await context.intend(partial(mean, context=context, rows=rows, lease=here.lease, now=context.clock()))


def mean(connection: Connection, *, context: Context, rows: Sequence[Row], lease: str, now: datetime) -> Sequence[Row]:
    """Commit that these are about to be paid, unless all money stands still. Returns those still ours (I16)."""
    if context.restored_epoch:
        return []
    if limits.stands_still(connection):
        for row in rows:
            vouchers.record(connection, row, lease=lease, due_at=now + HALTED_WAIT)
        return []
    return [row for row in rows if vouchers.mark_sent(connection, row, lease=lease, now=now)]


async def _record(here: Round, paid: Sequence[Paid]) -> Sequence[Row]:
    await here.context.write(record_vouchers, paid=paid, lease=here.lease, now=here.context.clock())
    return ()


def record_vouchers(connection: Connection, *, paid: Sequence[Paid], lease: str, now: datetime) -> None:
    """Write what became of the payments of vouchers."""
    for one in paid:
        if one.answer is not None:
            _record_one(connection, one.row, one.answer, gateway_class=one.gateway_class, lease=lease, now=now)


def _record_one(
    connection: Connection, row: Row, answer: PayAnswer, *, gateway_class: GatewayClass, lease: str, now: datetime
) -> None:
    if answer.state is PayState.SUCCEEDED:
        if vouchers.record(
            connection, row, lease=lease, state="redeemed", redeemed_at=now, due_at=None, gateway_ref=answer.gateway_ref
        ):
            for entry in ledger.voucher_redeemed(row["code"], amount=row["amount"], at=now):
                journal.post(connection, entry, now=now)
    elif answer.state is PayState.FAILED:
        vouchers.record(connection, row, lease=lease, state="refused", due_at=None)
    elif gateway_class is GatewayClass.G0 or row["attempts"] >= ATTEMPTS_MAX:
        vouchers.record(connection, row, lease=lease, state="unknown", due_at=None)
    else:
        wait = timedelta(seconds=min(2 * 2 ** row["attempts"], 600))
        vouchers.record(connection, row, lease=lease, due_at=now + wait, attempts=row["attempts"] + 1)
