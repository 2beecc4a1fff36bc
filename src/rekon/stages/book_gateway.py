"""The `book` gateway: rekon keeps the wallet itself, for shops without a server that does (design 5)."""

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
        row = await self._context.write(
            book_wallet.credit,
            key=order.key,
            agent_id=order.agent_id,
            transaction_id=order.transaction_id,
            amount=order.amount,
            reason=order.reason,
            now=self._context.clock(),
        )
        return _answer(order, row)

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
        rows = await self._context.read(book_wallet.of_transaction, transaction_id)
        return WalletRead(
            as_of=self._context.clock(),
            rows=[
                {
                    "line_id": f"book-{row['id']}",
                    "agent_id": row["agent_id"],
                    "posted_at": row["at"].isoformat(),
                    "amount": row["amount"],
                    "kind": "refund",
                    "transaction_id": transaction_id,
                    "reference": row["key"],
                }
                for row in rows
            ],
        )


def _answer(order: RefundOrder, row: book_wallet.Row) -> PayAnswer:
    same = row["agent_id"] == order.agent_id and row["amount"] == order.amount
    return PayAnswer(
        state=PayState.SUCCEEDED if same else PayState.UNKNOWN,
        gateway_ref=str(row["id"]),
        agent_id=row["agent_id"],
        amount=Money(row["amount"]),
        note="" if same else "kunci ini sudah dipakai untuk jumlah atau agen lain",
    )
