"""What truly happened, read back from the journals and from nothing else."""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

Row = Mapping[str, Any]
PROVIDERS: Final = ("digiflazz", "iak", "otomax")
SOURCES: Final = ("toko", "mandiri")
REFUND: Final = "refund:"
VOUCHER: Final = "voucher:"
_BLANK: Final = frozenset({"", "-", "0"})
_ACCEPTED: Final = 200
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a provider truly held of an order from `at` on."""

    at: datetime
    state: str
    code: str
    serial_number: str

    @property
    def has_serial(self) -> bool:
        """Say whether there is a serial number to show."""
        return self.serial_number.strip() not in _BLANK


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One wallet line."""

    at: datetime
    agent_id: str
    amount: int
    kind: str
    reference: str

    @property
    def is_own(self) -> bool:
        """Say whether it belongs to the purchase itself: debits and refunds, gifts left out."""
        return self.kind in {"debit", "refund"} and not self.reference.startswith(VOUCHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A word about an order that reached rekon: an inquiry's answer or a delivered callback."""

    at: datetime
    code: str


@dataclass(slots=True, kw_only=True)
class OrderFacts:
    """One order with everything the journals say about it."""

    key: str
    """`source:transaction_id`."""
    row: Row
    """The server's own row, as it was taken."""
    sent_at: datetime
    """When the server last sent it."""
    send_state: str = "unknown"
    send_count: int = 1
    has_reply: bool = False
    statuses: list[tuple[datetime, str, str]] = field(default_factory=list)
    """(instant, status, cause) of every change at the server."""
    lines: list[Line] = field(default_factory=list)
    refused: Heard | None = None
    """The provider refused the purchase and stored nothing."""
    states: list[State] = field(default_factory=list)
    money: list[tuple[datetime, int]] = field(default_factory=list)
    """(instant, signed amount) of every line of the provider's statement."""
    inquiries: list[Heard] = field(default_factory=list)
    """Honest answers to rekon's own questions."""
    callbacks: list[Heard] = field(default_factory=list)
    """Callbacks that rekon's door accepted."""
    sent_back: frozenset[str] = frozenset()
    """Codes the provider itself called back about."""
    proved_at: datetime | None = None
    """When a statement showing the returned charge reached rekon."""

    @property
    def source(self) -> str:
        """The server's name."""
        return self.key.partition(":")[0]

    @property
    def provider(self) -> str:
        """The provider's name."""
        return str(self.row["provider"])

    @property
    def account(self) -> str:
        """Whose money paid: agent_wallet, provider_deposit or cash."""
        return str(self.row["charged_account"])

    @property
    def price(self) -> int:
        """The agreed price in rupiah."""
        return int(self.row["price"])

    @property
    def ordered_at(self) -> datetime:
        """When the agent ordered."""
        return datetime.fromisoformat(self.row["ordered_at"])

    @property
    def debits(self) -> list[Line]:
        """Lines that took money for it."""
        return [line for line in self.lines if line.is_own and line.amount < 0]

    @property
    def credits(self) -> list[Line]:
        """Lines that gave money back for it."""
        return [line for line in self.lines if line.is_own and line.amount > 0]

    @property
    def server_credits(self) -> list[Line]:
        """Money the server gave back by itself."""
        return [line for line in self.credits if not line.reference.startswith(REFUND)]

    def closed_at(self, *, by_rekon: bool = True) -> datetime | None:
        """Say when the server first called it final; without `by_rekon` only what it learned elsewhere counts."""
        finals = (at for at, status, cause in self.statuses if status != "pending" and (by_rekon or cause != "rekon"))
        return min(finals, default=None)

    def ever(self, status: str) -> bool:
        """Say whether the server ever gave the order this status."""
        return any(said == status for _, said, _ in self.statuses)


@dataclass(slots=True, kw_only=True)
class Books:
    """All journals of one run."""

    journals: Mapping[str, Sequence[Row]]
    orders: Mapping[str, OrderFacts]
    ends_at: datetime | None
    """When the story was closed; None when it was not played to its end."""
    read_to: Mapping[str, Sequence[tuple[datetime, datetime]]]
    """Per source, how far each accepted push of orders reached and when it arrived, in order."""

    @property
    def last_instant(self) -> datetime:
        """The end of the story, or of what is known of it."""
        return self.ends_at or max((order.ordered_at for order in self.orders.values()), default=_LONG_AGO)

    def rows(self, journal: str, kind: str) -> list[Row]:
        """List the rows of one kind."""
        return [row for row in self.journals[journal] if row["kind"] == kind]

    def fresh_after(self, source: str, instant: datetime) -> datetime | None:
        """Say when rekon had read the orders of a source past `instant`."""
        marks = self.read_to.get(source, [])
        place = bisect_left(marks, instant, key=lambda mark: mark[0])
        return marks[place][1] if place < len(marks) else None


def when(text: str) -> datetime:
    """Read an instant of a journal."""
    return datetime.fromisoformat(text)


def read(folder: Path) -> Books:
    """Read every journal in `folder`; one that is missing reads as empty."""
    names = (*PROVIDERS, *(f"server-{source}" for source in SOURCES), "inbox", "deliveries")
    return gather({name: _rows(folder / f"{name}.jsonl") for name in names})


def gather(journals: Mapping[str, Sequence[Row]]) -> Books:
    """Tie the rows of all journals to the orders they are about."""
    orders = _orders(journals)
    by_ref = {(order.provider, str(order.row["ref_id"])): order for order in orders.values()}
    for provider in PROVIDERS:
        _read_provider(journals[provider], provider, by_ref)
    _read_deliveries(journals["deliveries"], by_ref)
    closings = [
        when(row["at"]) for source in SOURCES for row in journals[f"server-{source}"] if row["kind"] == "closing"
    ]
    return Books(
        journals=journals, orders=orders, ends_at=max(closings, default=None), read_to=_read_to(journals["deliveries"])
    )


def _read_to(rows: Iterable[Row]) -> dict[str, list[tuple[datetime, datetime]]]:
    marks: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "pushed" and row["book"] == "transactions" and row["status"] == _ACCEPTED:
            marks[row["source"]].append((when(row["as_of"]), when(row["at"])))
    return marks


def _rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _orders(journals: Mapping[str, Sequence[Row]]) -> dict[str, OrderFacts]:
    orders: dict[str, OrderFacts] = {}
    for source in SOURCES:
        for row in journals[f"server-{source}"]:
            if row["kind"] == "order":
                key = f"{source}:{row['transaction_id']}"
                orders[key] = OrderFacts(key=key, row=row, sent_at=when(row["ordered_at"]))
            elif row["kind"] == "change":
                _change(orders[f"{source}:{row['transaction_id']}"], row)
            elif row["kind"] == "wallet" and row.get("transaction_id"):
                order = orders.get(f"{source}:{row['transaction_id']}")
                if order is not None:
                    order.lines.append(wallet_line(row))
    return orders


def _change(order: OrderFacts, row: Row) -> None:
    if "order_status" in row:
        order.statuses.append((when(row["at"]), row["order_status"], row["cause"]))
    if "send_state" in row:
        order.send_state, order.send_count = row["send_state"], row["send_count"]
        order.has_reply = row["first_reply"] is not None
        order.sent_at = when(row["sent_at"]) if row["sent_at"] else order.sent_at


def wallet_line(row: Row) -> Line:
    """Read one wallet line of a server's journal."""
    return Line(
        at=when(row["at"]),
        agent_id=row["agent_id"],
        amount=row["amount"],
        kind=row["line_kind"],
        reference=row["reference"],
    )


def _read_provider(rows: Iterable[Row], provider: str, by_ref: Mapping[tuple[str, str], OrderFacts]) -> None:
    called: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        order = by_ref.get((provider, str(row.get("ref_id", ""))))
        if order is None:
            continue
        at, kind = when(row["at"]), row["kind"]
        if kind == "state":
            order.states.append(
                State(at=at, state=row["state"], code=row["code"], serial_number=row["serial_number"] or "")
            )
        elif kind == "charge":
            order.money.append((at, row["amount"]))
        elif kind == "refused" and row["via"] == "server":
            order.refused = Heard(at=at, code=row["code"])
        elif kind == "inquiry" and row["via"] == "http" and not row["fault"]:
            order.inquiries.append(Heard(at=at, code=row["code"]))
        elif kind == "callback" and row["genuine"]:
            called[order.key].add(row["code"])
            order.sent_back = frozenset(called[order.key])


def _read_deliveries(rows: Iterable[Row], by_ref: Mapping[tuple[str, str], OrderFacts]) -> None:
    for row in rows:
        if row["kind"] == "called_back" and row["status"] == _ACCEPTED:
            order = by_ref.get((row["provider"], row["ref_id"]))
            if order is not None:
                order.callbacks.append(Heard(at=when(row["at"]), code=row["code"]))
        elif row["kind"] == "stated" and row["status"] == _ACCEPTED:
            for ref_id in row["returned"]:
                order = by_ref.get((row["provider"], ref_id))
                if order is not None and order.proved_at is None:
                    order.proved_at = when(row["at"])
