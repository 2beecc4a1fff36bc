"""What every planned provider shares: orders, their steps in time, charges, callbacks, the journal."""

import copy
import heapq
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, ClassVar

from rekon.sandbox.deposit import Deposit
from rekon.sandbox.dialects.codes import Code
from rekon.sandbox.dialects.orders import Delivery, Order, Refusal, Wanted, at_once, checked, serial_for
from rekon.sandbox.journal import Journal
from rekon.sandbox.plan import Plan, Step
from rekon.sandbox.wire import Fault, OutgoingCallback, Reply, Request


class PlannedCore(ABC):
    """A provider whose orders follow the plans it was given; see `ProviderCore` for the three calls of the wire.

    Journal rows, all with `provider` and `ref_id`: `order` (product, destination, price, via), `charge` (line_id,
    amount, line_kind, balance_after), `state` (state, code, serial_number), `inquiry` (via, code, created_order,
    fault: every request of an outsider, and the server's own repeats), `refused` (via, code: a request that stored
    nothing and told nothing of an order) and `callback` (state, code, due_at, genuine).
    """

    provider: ClassVar[str]
    codes: ClassVar[Mapping[str, Code]]
    success_code: ClassVar[str] = "00"

    def __init__(self, *, prices: Mapping[str, int], journal: Journal, opening_balance: int) -> None:
        self.prices = dict(prices)
        self.journal = journal
        self.deposit = Deposit(provider=self.provider, journal=journal, opening=opening_balance)
        self.refuse_with = ""
        """While set to a code, every request is answered with it and nothing is stored (41, 44, 45, 85 and kin)."""
        self._plans: dict[str, Plan] = {}
        self._orders: list[Order] = []
        self._by_ref: dict[str, list[Order]] = {}
        self._by_destination: dict[str, list[Order]] = {}
        self._agenda: list[tuple[datetime, int, int]] = []
        self._outbox: list[tuple[datetime, int, OutgoingCallback]] = []
        self._ticks = count()

    # What the world tells and asks.

    def plan(self, ref_id: str, plan: Plan) -> None:
        """Keep the fate of the next order under `ref_id`; it is used up when that order is placed or refused.

        Raises:
            ValueError: the plan cannot be played.
        """
        self._plans[ref_id] = checked(plan)

    def extend(self, ref_id: str, *steps: Step) -> None:
        """Add steps to the latest order under `ref_id`; `after` still counts from its purchase.

        Raises:
            KeyError: there is no such order.
            ValueError: a step lies before one already planned.
        """
        order = self._by_ref[ref_id][-1]
        first = len(order.plan.steps)
        order.plan = checked(replace(order.plan, steps=(*order.plan.steps, *steps)))
        for position in range(first, len(order.plan.steps)):
            self._schedule(order, position)

    def order(self, ref_id: str) -> Order | None:
        """Find the latest order under `ref_id`: its true state, serial number, charges and times."""
        found = self._by_ref.get(ref_id)
        return found[-1] if found else None

    def orders(self) -> Sequence[Order]:
        """List every order ever placed, oldest first; a ref that bought twice is there twice."""
        return tuple(self._orders)

    # The wire.

    def answer(self, request: Request, now: datetime) -> Reply | Fault:
        """Answer one request at business time `now`, after playing what is due."""
        with self.journal.batch():
            self._play(now)
            return self._respond(request, now)

    def advance(self, now: datetime) -> list[OutgoingCallback]:
        """Play every planned change due at or before `now` and return the callbacks that are due, each once."""
        with self.journal.batch():
            self._play(now)
        due = []
        while self._outbox and self._outbox[0][0] <= now:
            due.append(heapq.heappop(self._outbox)[2])
        return due

    def next_event_at(self) -> datetime | None:
        """Say when the next planned change or callback happens."""
        heads = [queue[0][0] for queue in (self._agenda, self._outbox) if queue]
        return min(heads, default=None)

    # Keeping and going back.

    remembered: ClassVar[tuple[str, ...]] = ("_plans", "_orders", "_by_ref", "_by_destination", "_agenda", "_outbox")

    def snapshot(self) -> dict[str, Any]:
        """Copy what the core remembers, so that it can be pickled; journal, prices and settings are not in it."""
        memory = {name: getattr(self, name) for name in self.remembered}
        return copy.deepcopy(memory | {"lines": self.deposit.lines})

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot of a core of the same kind; the journal keeps what it has."""
        memory = copy.deepcopy(dict(snapshot))
        self.deposit.restore(memory.pop("lines"))
        for name, value in memory.items():
            setattr(self, name, value)
        used = [entry[1] for entry in (*self._agenda, *self._outbox)]
        self._ticks = count(max(used, default=-1) + 1)

    # What a dialect adds.

    @abstractmethod
    def _respond(self, request: Request, now: datetime) -> Reply | Fault:
        """Route one request."""

    @abstractmethod
    def _callback(self, order: Order, *, lie: bool, signed: bool) -> OutgoingCallback | None:
        """Word a callback about the order's present state, or None when this provider reports no such state.

        A lie claims the opposite and carries a bad signature where there is one.
        """

    # Placing and asking.

    def _place(self, wanted: Wanted, *, via: str, now: datetime) -> Order:
        """Store a new order, charge it and play its first step."""
        number = len(self._orders) + 1
        price = self._price(wanted)
        serial = serial_for(number, wanted.ref_id, wanted.product, wanted.destination)
        plan = self._plans.pop(wanted.ref_id, None) or at_once(code=self.success_code, serial_number=serial)
        order = Order(number=number, wanted=wanted, price=price, via=via, created_at=now, plan=plan, asked_at=now)
        self._keep(order)
        self._charge(order, plan.charges, at=now)
        for position in range(1, len(plan.steps)):
            self._schedule(order, position)
        self._enter(order, at=now)
        self._play(now)
        return order

    def _keep(self, order: Order) -> None:
        self._orders.append(order)
        self._by_ref.setdefault(order.ref_id, []).append(order)
        self._by_destination.setdefault(order.destination, []).append(order)
        self.journal.append(
            "order",
            order.created_at,
            provider=self.provider,
            ref_id=order.ref_id,
            product=order.product,
            destination=order.destination,
            price=order.price,
            via=order.via,
        )

    def _price(self, wanted: Wanted) -> int:
        plan = self._plans.get(wanted.ref_id)
        return plan.price if plan is not None and plan.price is not None else self.prices[wanted.product]

    def _planned_refusal(self, ref_id: str) -> Refusal | None:
        """Use up a plan whose first answer forms no order; None when the purchase may go on."""
        plan = self._plans.get(ref_id)
        if plan is None or self._formed(plan.steps[0].code):
            return None
        step = self._plans.pop(ref_id).steps[0]
        return Refusal(step.code, step.text or self._text(step.code))

    def _refusal(self, code: str) -> Refusal:
        return Refusal(code, self._text(code))

    def _formed(self, code: str) -> bool:
        return code not in self.codes or self.codes[code].formed

    def _text(self, code: str) -> str:
        return self.codes[code].text if code in self.codes else ""

    def _note_refused(self, ref_id: str, *, code: str, via: str, now: datetime) -> None:
        """Journal a request that stored nothing; one that crossed a socket counts as an inquiry too."""
        self.journal.append("refused", now, provider=self.provider, ref_id=ref_id, via=via, code=code)
        if via == "http":
            self._note_inquiry(ref_id, code=code, via=via, now=now)

    def _note_inquiry(
        self, ref_id: str, *, code: str, via: str, now: datetime, created: bool = False, fault: str = ""
    ) -> None:
        self.journal.append(
            "inquiry",
            now,
            provider=self.provider,
            ref_id=ref_id,
            via=via,
            code=code,
            created_order=created,
            fault=fault,
        )

    def _inquired(self, order: Order, reply: Reply, *, via: str, now: datetime, ref_id: str = "") -> Reply | Fault:
        """Count an inquiry about a known order, journal it and give its reply or the fault planned for it.

        Planned faults strike only inquiries that crossed a socket. `ref_id` is the reference that asked when it is not
        the order's own.
        """
        fault = ""
        if via == "http":
            order.inquiries += 1
            fault = order.fault()
        order.asked_at = now
        self._note_inquiry(ref_id or order.ref_id, code=order.code, via=via, now=now, fault=fault)
        return Fault(kind=fault, reply=reply) if fault else reply

    # Time.

    def _schedule(self, order: Order, position: int) -> None:
        due = order.created_at + timedelta(seconds=order.plan.steps[position].after)
        heapq.heappush(self._agenda, (due, next(self._ticks), order.number))

    def _play(self, now: datetime) -> None:
        while self._agenda and self._agenda[0][0] <= now:
            due, _, number = heapq.heappop(self._agenda)
            self._enter(self._orders[number - 1], at=due)

    def _enter(self, order: Order, *, at: datetime) -> None:
        step = order.plan.steps[order.steps_played]
        order.steps_played += 1
        order.state, order.code, order.changed_at = step.state, step.code, at
        order.text = step.text or self._text(step.code)
        order.serial_number = step.serial_number or (order.serial_number if step.state != "success" else "")
        order.history.append((at, step.state, step.code))
        self.journal.append(
            "state",
            at,
            provider=self.provider,
            ref_id=order.ref_id,
            state=step.state,
            code=step.code,
            serial_number=step.serial_number,
        )
        self._settle(order, step, at=at)
        self._announce(order, Delivery.read(step.callback), at=at)

    def _settle(self, order: Order, step: Step, *, at: datetime) -> None:
        returns = step.state in {"failed", "reversed"} if step.returns_charge is None else step.returns_charge
        if returns:
            for _ in range(order.charges_kept):
                self.deposit.credit(order.price, at=at, ref_id=order.ref_id)
            order.charges_kept = 0
        elif step.state == "success" and order.steps_played > 1 and not order.charges_kept and order.plan.charges:
            self._charge(order, 1, at=at)

    def _charge(self, order: Order, times: int, *, at: datetime) -> None:
        for _ in range(times):
            self.deposit.debit(order.price, at=at, ref_id=order.ref_id)
        order.charges_kept += times

    def _announce(self, order: Order, delivery: Delivery, *, at: datetime) -> None:
        due = at + timedelta(seconds=delivery.late_seconds)
        genuine = self._callback(order, lie=False, signed=True) if delivery.copies else None
        for copy_number in range(delivery.copies):
            self._send(order, genuine, due=due + timedelta(seconds=copy_number), genuine=True)
        if delivery.unsigned:
            self._send(order, self._callback(order, lie=False, signed=False), due=due, genuine=False)
        if delivery.forged:
            self._send(order, self._callback(order, lie=True, signed=True), due=due, genuine=False)

    def _send(self, order: Order, callback: OutgoingCallback | None, *, due: datetime, genuine: bool) -> None:
        if callback is None:
            return
        heapq.heappush(self._outbox, (due, next(self._ticks), replace(callback, at=due)))
        self.journal.append(
            "callback",
            order.changed_at or due,
            provider=self.provider,
            ref_id=order.ref_id,
            state=order.state,
            code=order.code,
            due_at=due,
            genuine=genuine,
        )
