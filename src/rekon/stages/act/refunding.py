"""Carry refunds from the request to the answer: read the wallet, write the intent, tell the gateway, write its word.

No unit of work is open during a call. Nothing is ever sent twice on a guess (reliability 4.3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from rekon.connectors.gateways.contract import (
    Gateway,
    GatewayClass,
    ManyAtOnce,
    PayAnswer,
    PayState,
    RefundOrder,
)
from rekon.domain.money import Money
from rekon.domain.refund import RefundState
from rekon.stages.act import answers, intents
from rekon.stages.act.answers import Answered
from rekon.stages.act.lanes import Carry, Lanes, Party, Round
from rekon.stages.act.patience import ATTEMPTS_MAX, may_tell_again
from rekon.stages.act.wallets import Wallet, lines_of, read_wallets, transaction_id_of
from rekon.stages.context import Context
from rekon.store import books, refunds
from rekon.store.engine import Connection

Row = refunds.Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A refund that is to be sent, and its wallet just before; None where it could not be read."""

    row: Row
    wallet: Wallet | None


Step = Looked | Answered


async def step_refunds(here: Round, rows: Sequence[Row]) -> None:
    """Take each claimed refund one step further."""
    aside, due = _sorted(here.context, rows)
    await here.apart(aside, partial(_put_aside, here))
    lanes = Lanes[Step](here, begin=partial(_begin, here.context), land=partial(_land, here))
    untouched = await lanes.run(due)
    await here.apart(untouched, partial(_give_back, here))


async def _give_back(here: Round, rows: Sequence[Row]) -> Sequence[Row]:
    await here.context.write(refunds.give_back, rows, lease=here.lease, now=here.context.clock())
    return ()


def _sorted(context: Context, rows: Sequence[Row]) -> tuple[list[refunds.Move], list[Row]]:
    """Part refunds that go before a person without any call from those with a call to make."""
    aside, due = [], []
    for row in rows:
        was_sent, gateway = row["state"] == RefundState.SUBMITTED, context.connectors.gateways.get(row["source"])
        if context.restored_epoch and was_sent:
            continue  # its lease ends by itself, and it is asked about once the books are reconciled
        if gateway is None:
            aside.append(intents.before_a_person(row, reason="sumber ini tidak punya jalan pengembalian"))
        elif context.restored_epoch:
            aside.append(intents.before_a_person(row, reason="basis data hasil pemulihan"))
        elif was_sent and gateway.gateway_class is GatewayClass.G0:
            aside.append(answers.unknown(row, note="gerbang tidak dapat ditanya; periksa di server"))
        elif was_sent and row["attempts"] >= ATTEMPTS_MAX:
            aside.append(answers.unknown(row, note="gerbang tidak memberi jawaban pasti"))
        else:
            due.append(row)
    return aside, due


async def _put_aside(here: Round, moves: Sequence[refunds.Move]) -> Sequence[Row]:
    await here.context.write(answers.move_those_held, moves, lease=here.lease)
    return ()


async def _begin(context: Context, party: Party) -> Sequence[Step]:
    """Ask what became of those that were sent; look into the wallets of the others."""
    gateway = context.connectors.gateways[party.lane]
    sent = [row for row in party.rows if row["state"] == RefundState.SUBMITTED]
    fresh = [row for row in party.rows if row["state"] != RefundState.SUBMITTED]
    words = [await _find_out(context, row, gateway) for row in sent]
    steps: list[Step] = list(await _with_wallets(context, gateway, sent, words))
    wallets = await read_wallets(gateway, fresh, now=context.clock()) if fresh else []
    return steps + [Looked(row=row, wallet=wallet) for row, wallet in zip(fresh, wallets, strict=True)]


async def _find_out(context: Context, row: Row, gateway: Gateway) -> PayAnswer:
    """Find out what became of a refund that was told, or may have been told, to the gateway."""
    answer = await gateway.find(order_of(row))
    age = context.clock() - row["submitted_at"]
    if answer.state is PayState.NOT_FOUND and may_tell_again(gateway, age):
        return await gateway.pay(order_of(row))
    return answer


async def _pay(context: Context, party: Party) -> Sequence[Step]:
    """Tell the gateway once, and read the credit back."""
    gateway, orders = context.connectors.gateways[party.lane], [order_of(row) for row in party.rows]
    if isinstance(gateway, ManyAtOnce):
        words = await gateway.pay_many(orders)
    else:
        words = [await gateway.pay(order) for order in orders]
    return await _with_wallets(context, gateway, party.rows, words)


def order_of(row: Row) -> RefundOrder:
    """Build the order of a refund: the same row always gives the same bytes (I11)."""
    return RefundOrder(
        key=row["key"],
        refund_id=row["refund_id"],
        agent_id=row["agent_id"],
        transaction_id=transaction_id_of(row),
        amount=Money(row["amount"]),
        reason=row["break_kind"],
    )


async def _with_wallets(
    context: Context, gateway: Gateway, rows: Sequence[Row], words: Sequence[PayAnswer]
) -> list[Answered]:
    """Read the wallets of those that were paid: SETTLED only once the line with our key was read (design 5)."""
    paid = [row for row, said in zip(rows, words, strict=True) if said.state is PayState.SUCCEEDED]
    wallets = await read_wallets(gateway, paid, now=context.clock()) if paid else []
    seen = {row["refund_id"]: wallet for row, wallet in zip(paid, wallets, strict=True)}
    return [
        Answered(row=row, answer=said, wallet=seen.get(row["refund_id"]), gateway_class=gateway.gateway_class)
        for row, said in zip(rows, words, strict=True)
    ]


async def _land(here: Round, steps: Sequence[Step]) -> tuple[Sequence[Row], Carry[Step]]:
    """Write answers down, and the intents of those whose wallet was read; these go on to be paid."""
    await here.apart([one for one in steps if isinstance(one, Answered)], partial(_record, here))
    looked = [one for one in steps if isinstance(one, Looked)]
    kept = await here.apart([one for one in looked if _is_news(one)], partial(_keep, here))
    kept += [one for one in looked if not _is_news(one)]
    ready = [one.row for one in kept if one.wallet is not None]
    submitted: list[Row] = []
    for group in _no_purchase_twice(ready):
        submitted += await here.apart(group, partial(_intend, here))
    return submitted, partial(_pay, here.context)


async def _record(here: Round, answered: Sequence[Answered]) -> Sequence[Row]:
    await here.context.write(answers.record, answered=answered, lease=here.lease, now=here.context.clock())
    return ()


def _is_news(one: Looked) -> bool:
    return one.wallet is None or bool(one.wallet.lines)


async def _keep(here: Round, looked: Sequence[Looked]) -> Sequence[Looked]:
    await here.context.write(_keep_wallets, looked=looked, here=here)
    return looked


def _keep_wallets(connection: Connection, *, looked: Sequence[Looked], here: Round) -> None:
    """Store what the wallets show, before any intent is judged by it; without the wallet nothing is paid (I25)."""
    now = here.context.clock()
    lines = lines_of([one.wallet for one in looked])
    if lines:
        books.record_wallet_lines(connection, lines, now=now)
    unread = [answers.postponed(one.row, now=now) for one in looked if one.wallet is None]
    answers.move_those_held(connection, unread, lease=here.lease)


def _no_purchase_twice(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Deal rows into groups in which no purchase comes twice: the second is judged by what became of the first."""
    left = list(rows)
    while left:
        group: dict[str, Row] = {}
        for row in left:
            group.setdefault(row["transaction_key"], row)
        yield list(group.values())
        left = [row for row in left if group[row["transaction_key"]] is not row]


async def _intend(here: Round, rows: Sequence[Row]) -> Sequence[Row]:
    context = here.context
    return await context.intend(
        partial(intents.submit, context=context, rows=rows, lease=here.lease, now=context.clock())
    )
