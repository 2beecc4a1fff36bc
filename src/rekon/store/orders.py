"""Purchases and their legs, written down. A new status is an observation, another amount or number a conflict."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, case, func, update

from rekon.domain.transaction import Leg, LegState, OrderStatus, SendState, Transaction
from rekon.store import evaluations, inbox, schedule, schema
from rekon.store.inserts import insert_rows, wait_turn
from rekon.store.recording import SETTLED_AFTER, Conflict, Recorded, existing
from rekon.store.types import micros

_FIXED = ("agent_id", "product", "destination", "price", "charged_account")
_fixed = attrgetter(*_FIXED)
_LEG_FIXED = ("provider", "ref_id", "provider_product", "destination_sent")
_DIFFERS = "berbeda dari yang sudah tercatat untuk transaksi ini; periksa sumbernya"

_PLAIN = (
    "key",
    "source",
    "transaction_id",
    "agent_id",
    "product",
    "family",
    "destination",
    "price",
    "face_value",
    "serial_number",
    "channel",
    "raw_order",
    "repeat_counter",
)
_COLUMNS = (*_PLAIN, "charged_account", "ordered_at", "order_status", "status_at", "recorded_at")
_plain = attrgetter(*_PLAIN)
_HAS_REPLY = schema.legs.c.first_reply.is_not(None).label("has_reply")
_OBSERVED = ("transaction_key", "order_status", "serial_number", "recorded_at")

_LEG_PLAIN = (
    "key",
    "transaction_key",
    "leg_no",
    "provider",
    "provider_account",
    "ref_id",
    "provider_product",
    "destination_sent",
    "max_price",
    "cb_url",
    "send_count",
    "first_reply",
    "checks_done",
    "version",
)
_LEG_COLUMNS = (*_LEG_PLAIN, "testing", "allow_dot", "sent_at", "send_state", "state")
_leg_plain = attrgetter(*_LEG_PLAIN)


def record_orders(connection: Connection, rows: Sequence[tuple[int, Transaction, Leg]], *, now: datetime) -> Recorded:
    """Store purchases with their legs. `rows` carry the index each came from, for conflicts."""
    for source in sorted({transaction.source for _, transaction, _ in rows}):
        wait_turn(connection, f"orders:{source}")
    batch = _Batch(connection, rows, now)
    for index, transaction, leg in rows:
        batch.take(index, transaction, leg)
    batch.write()
    return batch.done


def is_history(transaction: Transaction, now: datetime) -> bool:
    """Say whether an order entered closed and long ago."""
    return transaction.order_status.is_final and now - transaction.ordered_at > SETTLED_AFTER


class _KnownLeg(NamedTuple):
    """What may still grow of a leg, and what may not differ."""

    key: str
    transaction_key: str
    provider: str
    ref_id: str
    provider_product: str
    destination_sent: str
    send_count: int
    send_state: str
    has_reply: bool


class _Batch:
    """One batch: every row is compared with what is stored and with the rows before it, then all is written at once."""

    def __init__(self, connection: Connection, rows: Sequence[tuple[int, Transaction, Leg]], now: datetime) -> None:
        t, c = schema.transactions.c, schema.legs.c
        self.done = Recorded()
        self._connection = connection
        self._now = now
        self._known = existing(
            connection,
            t.key,
            [transaction.key for _, transaction, _ in rows],
            t.order_status,
            t.serial_number,
            t.status_at,
            t.ordered_at,
            t.recorded_at,
            *(t[name] for name in _FIXED),
        )
        stored = existing(
            connection,
            c.key,
            [leg.key for _, _, leg in rows],
            c.transaction_key,
            *(c[name] for name in _LEG_FIXED),
            c.send_count,
            c.send_state,
            _HAS_REPLY,
        )
        self._known_legs = {key: _KnownLeg._make(row) for key, row in stored.items()}
        self._newest: dict[str, Transaction] = {}
        self._observed: list[tuple[Any, ...]] = []
        self._fresh_legs: dict[str, Leg] = {}
        self._grown: dict[str, tuple[_KnownLeg, str | None]] = {}
        self._woken: dict[str, Leg] = {}
        self._touched: set[str] = set()
        self._now_micros = micros(now)

    def take(self, index: int, transaction: Transaction, leg: Leg) -> None:
        """Compare one row; it is taken whole or refused whole."""
        before = self._newest.get(transaction.key) or self._known.get(transaction.key)
        leg_before = self._leg_before(leg.key)
        name = _difference(before, transaction, leg_before, leg)
        if name:
            self.done.conflicts.append(Conflict(index, name, _DIFFERS))
            return
        is_news = self._take_order(before, transaction)
        if self._take_leg(leg_before, leg) or is_news:
            self.done.accepted += 1
            self._touched.add(transaction.key)
        else:
            self.done.unchanged += 1

    def _leg_before(self, key: str) -> _KnownLeg | None:
        fresh = self._fresh_legs.get(key)
        return self._known_legs.get(key) if fresh is None else _standing(fresh)

    def _take_order(self, before: Transaction | Row[Any] | None, transaction: Transaction) -> bool:
        if before is not None:
            if transaction.status_at < before.status_at and before.order_status != OrderStatus.PENDING:
                return False
            serial = transaction.serial_number or before.serial_number
            if transaction.order_status == before.order_status and serial == before.serial_number:
                return False
        seen = (transaction.key, transaction.order_status.value, transaction.serial_number, self._now_micros)
        self._observed.append(seen)
        if before is not None and before.serial_number and not transaction.serial_number:
            transaction = replace(transaction, serial_number=before.serial_number)
        self._newest[transaction.key] = transaction
        return True

    def _take_leg(self, before: _KnownLeg | None, leg: Leg) -> bool:
        """Take what the server learned since: the first reply, another send. Identity never changes."""
        if before is None:
            self._fresh_legs[leg.key] = leg
            return True
        new_reply = leg.first_reply if not before.has_reply else None
        was_sent = before.send_state == SendState.SENT or leg.send_state is SendState.SENT
        after = before._replace(
            has_reply=before.has_reply or new_reply is not None,
            send_count=max(before.send_count, leg.send_count),
            send_state=SendState.SENT.value if was_sent else before.send_state,
        )
        if after == before:
            return False
        fresh = self._fresh_legs.get(leg.key)
        if fresh is not None:
            state = SendState(after.send_state)
            reply = fresh.first_reply or new_reply
            self._fresh_legs[leg.key] = replace(fresh, first_reply=reply, send_count=after.send_count, send_state=state)
            return True
        if new_reply is not None or after.send_state != before.send_state:
            self._woken[leg.key] = leg
        self._grown[leg.key] = (after, new_reply or self._grown.get(leg.key, (after, None))[1])
        self._known_legs[leg.key] = after
        return True

    def write(self) -> None:
        """Write the whole batch."""
        fresh = [t for key, t in self._newest.items() if key not in self._known]
        insert_rows(self._connection, schema.transactions, _COLUMNS, [self._row(t) for t in fresh])
        self._write_statuses([t for key, t in self._newest.items() if key in self._known])
        insert_rows(self._connection, schema.observations, _OBSERVED, self._observed)
        self._write_legs()
        live = [key for key in self._touched if not self._is_history(key)]
        evaluations.add(self._connection, (key for key in live if key not in self._known), due_at=self._now)
        evaluations.touch(self._connection, (key for key in live if key in self._known), due_at=self._now)

    def _row(self, transaction: Transaction) -> tuple[Any, ...]:
        return (
            *_plain(transaction),
            transaction.charged_account.value,
            micros(transaction.ordered_at),
            transaction.order_status.value,
            micros(transaction.status_at),
            self._now_micros,
        )

    def _write_statuses(self, changed: Iterable[Transaction]) -> None:
        """Keep the newest status on transactions that were stored before."""
        values = [
            {
                "order": t.key,
                "order_status": t.order_status.value,
                "status_at": t.status_at,
                "serial_number": t.serial_number,
            }
            for t in sorted(changed, key=attrgetter("key"))
        ]
        if values:
            change = update(schema.transactions).where(schema.transactions.c.key == bindparam("order"))
            self._connection.execute(change, values)

    def _write_legs(self) -> None:
        opened = {key for key, leg in self._fresh_legs.items() if self._is_asked(leg)}
        rows = [
            (
                *_leg_plain(leg),
                int(leg.testing),
                int(leg.allow_dot),
                micros(leg.sent_at),
                leg.send_state.value,
                LegState.OPEN.value if leg.key in opened else LegState.STOPPED.value,
            )
            for leg in self._fresh_legs.values()
        ]
        insert_rows(self._connection, schema.legs, _LEG_COLUMNS, rows)
        schedule.add(self._connection, (self._fresh_legs[key] for key in sorted(opened)), due_at=self._now)
        inbox.wake(self._connection, sorted({(leg.provider, leg.ref_id) for leg in self._fresh_legs.values()}))
        self._write_grown()

    def _write_grown(self) -> None:
        """Write what legs learned. The version moves on, so that whoever is asking about one looks at it again."""
        c = schema.legs.c
        awake = {key for key, leg in self._woken.items() if self._is_asked(leg)}
        for wakes in (False, True):
            values = [
                {"leg": key, "reply": reply, "send_count": after.send_count, "send_state": after.send_state}
                for key, (after, reply) in sorted(self._grown.items())
                if (key in awake) is wakes
            ]
            state = case((c.state == LegState.STOPPED.value, LegState.OPEN.value), else_=c.state) if wakes else c.state
            first_reply = func.coalesce(c.first_reply, bindparam("reply"))
            change = update(schema.legs).where(c.key == bindparam("leg"))
            if values:
                self._connection.execute(
                    change.values(first_reply=first_reply, state=state, version=c.version + 1), values
                )
        schedule.put(self._connection, (self._woken[key] for key in awake), due_at=self._now)

    def _is_asked(self, leg: Leg) -> bool:
        return leg.send_state is not SendState.NOT_SENT and not self._is_history(leg.transaction_key)

    def _is_history(self, key: str) -> bool:
        stored = self._known.get(key)
        if stored is None:
            return is_history(self._newest[key], self._now)
        entered_old: bool = stored.recorded_at - stored.ordered_at > SETTLED_AFTER
        return entered_old and stored.order_status != OrderStatus.PENDING


def _standing(leg: Leg) -> _KnownLeg:
    return _KnownLeg(
        key=leg.key,
        transaction_key=leg.transaction_key,
        provider=leg.provider,
        ref_id=leg.ref_id,
        provider_product=leg.provider_product,
        destination_sent=leg.destination_sent,
        send_count=leg.send_count,
        send_state=leg.send_state.value,
        has_reply=leg.first_reply is not None,
    )


def _difference(
    before: Transaction | Row[Any] | None, transaction: Transaction, leg_before: _KnownLeg | None, leg: Leg
) -> str:
    """Name the field that may never differ and does, or give an empty text."""
    if before is not None and _fixed(before) != _fixed(transaction):
        return next(name for name in _FIXED if getattr(before, name) != getattr(transaction, name))
    if leg_before is None:
        return ""
    for name in _LEG_FIXED:
        stored, said = getattr(leg_before, name), getattr(leg, name)
        if stored != said and stored and said:
            return name
    return ""
