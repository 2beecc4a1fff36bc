"""One sale from the agent's order to the provider's last word, as the played server lives it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from rekon.sandbox import callbacks, purchase
from rekon.sandbox.agenda import Agenda
from rekon.sandbox.dialects.core import PlannedCore
from rekon.sandbox.plan import Step
from rekon.sandbox.purchase import RESEND_SECONDS
from rekon.sandbox.server import PlayedServer
from rekon.sandbox.story import Sale
from rekon.sandbox.traits import SECOND
from rekon.sandbox.wire import OutgoingCallback, Reply

_ARRIVES: Final = frozenset({"sent", "reply_lost", "resent"})
_ANSWERED: Final = frozenset({"sent"})


class Selling:
    """Plays sales: wallet, purchase call, first reply, and what the server hears later."""

    def __init__(
        self,
        *,
        cores: Mapping[str, PlannedCore],
        servers: Mapping[str, PlayedServer],
        agenda: Agenda,
        send: Callable[[OutgoingCallback], None],
    ) -> None:
        self._cores = cores
        self._servers = servers
        self._agenda = agenda
        self._send = send

    def sell(self, sale: Sale, at: datetime) -> None:
        """Take the order and its money, then send it to the provider as its fate says."""
        server, traits = self._servers[sale.source], sale.traits
        server.take_order(purchase.order_row(sale), at=at, charge=traits.charged == "agent_wallet")
        if traits.debited_again_after is not None:
            again = at + timedelta(seconds=traits.debited_again_after)
            self._agenda.add(again, lambda when: server.debit(sale.transaction_id, at=when))
        if traits.credited_again_after is not None:
            server.credit_again(sale.transaction_id, after=traits.credited_again_after)
        self._first_send(sale, at)
        if traits.send in {"resent", "resent_lost"}:
            self._agenda.add(at + timedelta(seconds=RESEND_SECONDS), partial(self._second_send, sale))
        if traits.odd_report_after is not None:
            when = at + timedelta(seconds=traits.odd_report_after)
            self._agenda.add(when, lambda due: self._send(callbacks.odd_report(sale, due)))

    def _first_send(self, sale: Sale, at: datetime) -> None:
        reply = self._buy(sale, at) if sale.traits.send in _ARRIVES else None
        heard = reply if sale.traits.send in _ANSWERED else None
        self._servers[sale.source].note_sending(sale.transaction_id, at=at, **purchase.sending_columns(sale, heard))
        if heard is not None:
            self._hear(sale, sale.traits.steps[0], at)
        if reply is not None:
            self._plan_hearing(sale, at)

    def _second_send(self, sale: Sale, at: datetime) -> None:
        reply = self._buy(sale, at)
        columns = purchase.resending_columns(sale, reply)
        self._servers[sale.source].note_sending(sale.transaction_id, at=at, **columns)
        if sale.traits.send == "resent_lost":
            self._hear(sale, sale.traits.steps[0], at)

    def _buy(self, sale: Sale, at: datetime) -> str:
        core = self._cores[sale.provider]
        if core.order(sale.ref_id) is None:
            core.plan(sale.ref_id, sale.plan)
        answer = core.answer(purchase.purchase_request(sale), at)
        reply = answer if isinstance(answer, Reply) else answer.reply
        return reply.body.decode()

    def _plan_hearing(self, sale: Sale, at: datetime) -> None:
        """The server's own copy of a callback takes one grid step longer than rekon's."""
        hears = sale.traits.hears
        for step in sale.traits.steps[1:]:
            if hears == "always" or (hears == "callback" and step.callback != "lost"):
                when = at + timedelta(seconds=step.after + SECOND)
                self._agenda.add(when, partial(self._hear, sale, step))

    def _hear(self, sale: Sale, step: Step, at: datetime) -> None:
        serial = step.serial_number if step.state == "success" else ""
        self._servers[sale.source].learn(sale.transaction_id, step.state, serial_number=serial, at=at)
