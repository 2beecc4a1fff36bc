"""Pay vouchers out as wallet credit, through the same gateways and with the same care as refunds."""

from datetime import datetime, timedelta
from functools import partial

from rekon.connectors.gateways.contract import GatewayClass, PayAnswer, PayState, RefundOrder
from rekon.domain import ledger
from rekon.domain.money import Money
from rekon.domain.refund import voucher_key
from rekon.stages.act.patience import ATTEMPTS_MAX, HALTED_WAIT, may_tell_again
from rekon.stages.context import Context
from rekon.store import journal, limits, vouchers
from rekon.store.engine import Connection

Row = vouchers.Row


async def step_voucher(context: Context, row: Row, *, lease: str) -> None:
    """Pay a voucher out as wallet credit, with the same care as a refund."""
    gateway = context.connectors.gateways.get(row["source"])
    if context.restored_epoch and row["sent_at"] is not None:
        return
    if gateway is None or context.restored_epoch:
        await context.write(partial(vouchers.record, row=row, lease=lease, due_at=None, state="unknown"))
        return
    order = RefundOrder(
        key=voucher_key(row["code"]),
        refund_id=voucher_key(row["code"]),
        agent_id=row["agent_id"],
        transaction_id=row["transaction_key"].partition(":")[2],
        amount=Money(row["amount"]),
        reason="voucher",
    )
    now = context.clock()
    if row["sent_at"] is None and await context.read(limits.stands_still):
        await context.write(partial(vouchers.record, row=row, lease=lease, due_at=now + HALTED_WAIT))
        return
    if row["sent_at"] is None:
        if not await context.intend(partial(vouchers.mark_sent, row=row, lease=lease, now=now)):
            return
        answer = await gateway.pay(order)
    elif gateway.gateway_class is GatewayClass.G0:
        answer = PayAnswer(state=PayState.UNKNOWN)
    else:
        answer = await gateway.find(order)
        if answer.state is PayState.NOT_FOUND and may_tell_again(gateway, now - row["sent_at"]):
            answer = await gateway.pay(order)
    await context.write(
        record_voucher, row=row, answer=answer, gateway_class=gateway.gateway_class, lease=lease, now=context.clock()
    )


def record_voucher(
    connection: Connection, *, row: Row, answer: PayAnswer, gateway_class: GatewayClass, lease: str, now: datetime
) -> None:
    """Write what became of a voucher's payment."""
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
