"""The `book` gateway: rekon keeps the wallet itself, for shops without a server that does (design 5)."""

from collections.abc import Mapping, Sequence

from rekon.connectors.gateways.contract import (
    GatewayClass,
    OrderResult,
    PayAnswer,
    PayState,
    RefundOrder,
    ResultAnswer,
    ResultState,
    WalletRead,
)
from rekon.domain.money import Money
from rekon.stages.context import Context
from rekon.store import book_wallet

_FOREVER_SECONDS = 100 * 365 * 86_400


class BookGateway:
    """Credits rekon's own wallet book. Idempotent for ever: the key is unique in the database."""

    name = "book"
    gateway_class = GatewayClass.G2
    window_seconds = _FOREVER_SECONDS

    def __init__(self, context: Context) -> None:
        """Take the store and clock from `context`."""
        self._context = context

    async def pay(self, order: RefundOrder) -> PayAnswer:
        """Credit the agent once a key."""
        return (await self.pay_many([order]))[0]

    async def pay_many(self, orders: Sequence[RefundOrder]) -> list[PayAnswer]:
        """Credit each agent once a key, all in one unit of work."""
        rows = await self._context.write(
            book_wallet.credit_all, [_credit(order) for order in orders], now=self._context.clock()
        )
        return [_answer(order, row) for order, row in zip(orders, rows, strict=True)]

    async def find(self, order: RefundOrder) -> PayAnswer:
        """Look the key up."""
        row = await self._context.read(book_wallet.find, order.key)
        return _answer(order, row) if row is not None else PayAnswer(state=PayState.NOT_FOUND)

    async def report_result(self, result: OrderResult) -> ResultAnswer:
        """No server stands behind this book: rekon itself closes the order."""
        del result
        return ResultAnswer(state=ResultState.ACCEPTED)

    async def read_wallet(self, transaction_id: str) -> WalletRead:
        """Give the credits of one purchase as wallet rows."""
        return (await self.read_wallets([transaction_id]))[transaction_id]

    async def read_wallets(self, transaction_ids: Sequence[str]) -> Mapping[str, WalletRead]:
        """Give the credits of many purchases as wallet rows."""
        found = await self._context.read(book_wallet.of_transactions, transaction_ids)
        as_of = self._context.clock()
        return {key: WalletRead(as_of=as_of, rows=[_wallet_row(row) for row in rows]) for key, rows in found.items()}


def _credit(order: RefundOrder) -> Mapping[str, object]:
    return {
        "key": order.key,
        "agent_id": order.agent_id,
        "transaction_id": order.transaction_id,
        "amount": order.amount,
        "reason": order.reason,
    }


def _wallet_row(row: book_wallet.Row) -> dict[str, object]:
    return {
        "line_id": f"book-{row['id']}",
        "agent_id": row["agent_id"],
        "posted_at": row["at"].isoformat(),
        "amount": row["amount"],
        "kind": "refund",
        "transaction_id": row["transaction_id"],
        "reference": row["key"],
    }


def _answer(order: RefundOrder, row: book_wallet.Row) -> PayAnswer:
    same = row["agent_id"] == order.agent_id and row["amount"] == order.amount
    return PayAnswer(
        state=PayState.SUCCEEDED if same else PayState.UNKNOWN,
        gateway_ref=str(row["id"]),
        agent_id=row["agent_id"],
        amount=Money(row["amount"]),
        note="" if same else "kunci ini sudah dipakai untuk jumlah atau agen lain",
    )
