"""The operator's own software, played: it sells, keeps agents' wallets and answers rekon's gateway calls.

`toko` leaves every refund to rekon; `mandiri` gives money back by itself when an order fails. Neither knows what a
provider truly did beyond what it was told. Whatever changes is journalled before anybody hears of it: `order`,
`change` (order_status, serial_number, cause), `wallet`, `refund_request` and `result_request` (with our answer).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rekon.sandbox.agenda import Agenda
from rekon.sandbox.journal import Journal
from rekon.sandbox.wallets import Wallets

Row = dict[str, Any]
OWN_REFUND_SECONDS: Final = (4, 6, 8)
"""How long `mandiri` takes to give money back, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How one server behaves."""

    refunds_itself: bool
    gateway_class: str = "G2"
    """G2 pays an identical key once, G1 pays every request but can be asked by key, G0 knows no keys at all."""


class PlayedServer:
    """One server: orders, wallets, and the money it moves on request."""

    def __init__(self, *, source: str, habits: Habits, journal: Journal, agenda: Agenda) -> None:
        self.source = source
        self.habits = habits
        self.journal = journal
        self.wallets = Wallets(source=source, journal=journal)
        self.changes: list[tuple[datetime, Row]] = []
        """Every order as it was after each change, in the order of change."""
        self._agenda = agenda
        self._orders: dict[str, Row] = {}
        self._again_after: dict[str, int] = {}
        self._own_refunds = 0

    # Selling.

    def take_order(self, row: Mapping[str, Any], *, at: datetime, charge: bool) -> None:
        """Write down an order (the columns of rekon's transactions book) and take its price from the agent's wallet."""
        order = dict(row)
        self._orders[order["transaction_id"]] = order
        self.journal.append("order", at, source=self.source, **order)
        self._remember(order, at)
        if charge:
            self.debit(order["transaction_id"], at=at)

    def debit(self, transaction_id: str, *, at: datetime) -> None:
        """Take the price of an order from its agent."""
        order = self._orders[transaction_id]
        self.wallets.post(order["agent_id"], -order["price"], kind="debit", at=at, transaction_id=transaction_id)

    def note_sending(self, transaction_id: str, *, at: datetime, **columns: object) -> None:
        """Write down what the log says about sending: send_state, send_count, sent_at and the raw first reply."""
        self._change(transaction_id, at=at, cause="sending", **columns)

    def credit_again(self, transaction_id: str, *, after: int) -> None:
        """Let the server's own refund of this order be followed by a second one, `after` seconds later."""
        self._again_after[transaction_id] = after

    def order(self, transaction_id: str) -> Row | None:
        """Find an order as the server sees it now."""
        found = self._orders.get(transaction_id)
        return dict(found) if found is not None else None

    def learn(self, transaction_id: str, state: str, *, serial_number: str, at: datetime) -> None:
        """Hear a result from the provider. A failure whose money is not back yet can still become a success."""
        order = self._orders[transaction_id]
        status = order["order_status"]
        if state == "success" and status in {"pending", "failed"}:
            self._close(order, "success", at=at, cause="provider", serial_number=serial_number)
        elif state == "success" and status == "success" and serial_number:
            self._change(transaction_id, at=at, cause="provider", serial_number=serial_number)
        elif state == "failed" and status == "pending":
            self._close(order, "failed", at=at, cause="provider")

    # What rekon asks of it.

    def refund(self, key: str, body: Mapping[str, Any], *, at: datetime) -> tuple[int, Row]:
        """Pay money back on request; return HTTP status and answer once everything is on disk.

        422 where the request makes no sense, 409 where a known key comes with another agent or amount.
        """
        with self.journal.batch():
            status, answer, paid = self._answered(key, body, at=at)
            asked = {name: body.get(name) for name in ("refund_id", "agent_id", "transaction_id", "amount")}
            self.journal.append(
                "refund_request", at, source=self.source, key=key, asked=asked, status=status, answer=answer, paid=paid
            )
        return status, answer

    def refund_by_key(self, key: str) -> Row | None:
        """Look up a refund by its key; a G0 gateway knows none."""
        if self.habits.gateway_class == "G0":
            return None
        line = self.wallets.paid_under(key)
        return _paid_answer(line) if line is not None else None

    def set_result(self, transaction_id: str, body: Mapping[str, Any], *, at: datetime) -> tuple[int, Row]:
        """Close an order as rekon asks and return HTTP status and answer: 200, 404, 409 (final otherwise) or 422."""
        with self.journal.batch():
            status, answer = self._set_result(transaction_id, body, at=at)
            wanted = str(body.get("status"))
            self.journal.append(
                "result_request", at, transaction_id=transaction_id, wanted=wanted, status=status, answer=answer
            )
        return status, answer

    # Inside.

    def _answered(self, key: str, body: Mapping[str, Any], *, at: datetime) -> tuple[int, Row, bool]:
        if not self._is_sound(body):
            named = {name: body.get(name) for name in ("agent_id", "amount")}
            return 422, {"status": "failed", "gateway_ref": ""} | named, False
        known = self.wallets.paid_under(key) if self.habits.gateway_class == "G2" else None
        if known is not None:
            same = (known["agent_id"], known["amount"]) == (body["agent_id"], body["amount"])
            return 200 if same else 409, _paid_answer(known), False
        transaction_id = body.get("transaction_id") or None
        line = self.wallets.post(
            body["agent_id"],
            body["amount"],
            kind="refund",
            at=at,
            transaction_id=transaction_id,
            reference="" if self.habits.gateway_class == "G0" else key,
        )
        self._after_refund(transaction_id, at=at)
        return 200, _paid_answer(line), True

    def _is_sound(self, body: Mapping[str, Any]) -> bool:
        amount, agent_id = body.get("amount"), body.get("agent_id")
        whole = isinstance(amount, int) and not isinstance(amount, bool) and amount > 0
        known = isinstance(agent_id, str) and self.wallets.knows(agent_id)
        return whole and known and body.get("currency") == "IDR"

    def _after_refund(self, transaction_id: str | None, *, at: datetime) -> None:
        order = self._orders.get(transaction_id or "")
        if order is not None and order["order_status"] == "failed" and self.wallets.net(order["transaction_id"]) <= 0:
            self._close(order, "refunded", at=at, cause="refund")

    def _set_result(self, transaction_id: str, body: Mapping[str, Any], *, at: datetime) -> tuple[int, Row]:
        order, wanted = self._orders.get(transaction_id), body.get("status")
        if order is None:
            return 404, {"status": "unknown"}
        if wanted not in {"failed", "success"}:
            return 422, {"status": order["order_status"]}
        if order["order_status"] == "pending":
            self._close(order, wanted, at=at, cause="rekon", serial_number=str(body.get("serial_number") or ""))
            return 200, {"status": wanted}
        agreed = {"failed": ("failed", "refunded"), "success": ("success",)}[wanted]
        if order["order_status"] not in agreed:
            return 409, {"status": order["order_status"]}
        return 200, {"status": order["order_status"]}

    def _close(self, order: Row, status: str, *, at: datetime, cause: str, serial_number: str = "") -> None:
        changed: Row = {"order_status": status} | ({"serial_number": serial_number} if serial_number else {})
        self._change(order["transaction_id"], at=at, cause=cause, **changed)
        if status == "failed" and self.habits.refunds_itself and order["charged_account"] == "agent_wallet":
            self._own_refunds += 1
            wait = OWN_REFUND_SECONDS[self._own_refunds % len(OWN_REFUND_SECONDS)]
            self._agenda.add(at + timedelta(seconds=wait), self._give_back(order["transaction_id"]))

    def _give_back(self, transaction_id: str) -> Callable[[datetime], None]:
        """Return the server's own refund, to be played later: the whole price, and once more where it is due to err."""

        def give(at: datetime) -> None:
            order = self._orders[transaction_id]
            if order["order_status"] == "success":
                return
            again = self._again_after.pop(transaction_id, None)
            self.wallets.post(
                order["agent_id"],
                order["price"],
                kind="refund",
                at=at,
                transaction_id=transaction_id,
                reference=f"G{transaction_id}",
            )
            if order["order_status"] == "failed":
                self._close(order, "refunded", at=at, cause="own_refund")
            if again is not None:
                self._agenda.add(at + timedelta(seconds=again), give)

        return give

    def _change(self, transaction_id: str, *, at: datetime, cause: str, **columns: object) -> None:
        order = self._orders[transaction_id]
        order.update(columns, status_at=at.isoformat())
        self.journal.append("change", at, source=self.source, transaction_id=transaction_id, cause=cause, **columns)
        self._remember(order, at)

    def _remember(self, order: Row, at: datetime) -> None:
        self.changes.append((at, dict(order)))


def _paid_answer(line: Mapping[str, Any]) -> Row:
    return {
        "status": "succeeded",
        "gateway_ref": line["line_id"],
        "agent_id": line["agent_id"],
        "amount": line["amount"],
    }
