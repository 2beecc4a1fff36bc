"""A played world in memory, and a scripted reconciler that knows every fate and does exactly what is right."""

import hmac
import json
from dataclasses import replace
from datetime import timedelta
from functools import cache

from rekon.sandbox import purchase
from rekon.sandbox.agenda import Agenda
from rekon.sandbox.clock import DemoClock
from rekon.sandbox.dialects.digiflazz import DigiflazzAccount, hub_signature
from rekon.sandbox.dialects.iak import IakAccount
from rekon.sandbox.fates import tell_story
from rekon.sandbox.journal import Journal
from rekon.sandbox.judge_books import gift_for
from rekon.sandbox.parcels import Answer, NobodyHome
from rekon.sandbox.server import Habits, PlayedServer
from rekon.sandbox.wire import Request
from rekon.sandbox.world import World

FINDINGS = {
    "toko": {
        "never_formed": "B01", "refused_at_once": "B01", "refused_later": "B01", "refused_unheard": "B01",
        "refused_dear": "B01", "unsure_at_once": "B01", "unsure_later": "B01", "timed_out": "B01",
        "unsure_then_late_delivered": "B01 B04", "slow_refused": "B01 B02", "very_slow_refused": "B01 B02",
        "unreported_refused": "B01 B02 B22", "unreported": "B02 B03 B22", "unreported_known": "B02 B22",
        "never_sent": "B17", "sent_not_there": "B17", "taken_back": "B05", "taken_back_kept": "B05",
        "cash_refused": "B01", "direct_refused_kept": "B01", "serial_late": "B07",
        "pending_since_81_days": "B30", "pending_since_400_days": "B30",
    },
    "mandiri": {
        "refused_unheard": "B01", "unsure_then_late_delivered": "B04", "credited_twice": "B14",
        "unreported": "B02 B03 B22",
    },
    "both": {
        "slow": "B02", "very_slow": "B02", "never_ends": "B02", "delivered_unheard": "B03", "serial_never": "B07",
        "contradicted": "B21", "debited_twice": "B10",
    },
}  # fmt: skip
"""What each fate should lead to, decided by hand from the rulebook; the judge works it out from the journals."""


def memory_server(*, refunds_itself=False, gateway_class="G2", journal=None):
    """Build one server and its agenda, without a world around it."""
    agenda = Agenda()
    habits = Habits(refunds_itself=refunds_itself, gateway_class=gateway_class)
    source = "mandiri" if refunds_itself else "toko"
    return PlayedServer(source=source, habits=habits, journal=journal or Journal(None), agenda=agenda), agenda


def world_of(story, door=None, **more):
    """Set the stage of a story in memory, with a clock that waits for nobody."""
    world = World(story, door=door or NobodyHome(), **more)
    world.start()
    return world, DemoClock(world, speed=None, wall=lambda: 0.0)


told = cache(tell_story)
"""Tell a story once for all tests that read it."""


def sale_of(fate, source="toko", seed=1):
    """Find the first sale of a fate."""
    return next(sale for sale in told(seed).sales if (sale.fate, sale.source) == (fate, source))


def small_story(seed=1, *, sales=(), imported=(), hours=0.5, tail_hours=0.5):
    """Take the people of a told story and replace its orders and hours."""
    return replace(
        told(seed),
        sales=tuple(sales),
        imported=tuple(imported),
        orders_end_at=told(seed).starts_at + timedelta(hours=hours),
        ends_at=told(seed).starts_at + timedelta(hours=hours + tail_hours),
    )


async def play_out(world, clock, next_due=lambda: None, act=lambda now: None):
    """Ask for time until the story is told."""
    while True:
        act(clock.now)
        if (await clock.grant(next_due())).done:
            return


class Door:
    """Accept everything as rekon would, and remember it; `is_open` False plays a rekon that is away."""

    def __init__(self):
        self.calls = []
        self.is_open = True

    async def call(self, call):
        if not self.is_open:
            return None
        self.calls.append(call)
        if call.path.startswith("/callbacks/digiflazz"):
            wanted = hub_signature(DigiflazzAccount().webhook_secret, call.content)
            good = hmac.compare_digest(wanted, call.headers.get("X-Hub-Signature", ""))
            return Answer(status=200 if good else 401, body=b"")
        return Answer(status=200, body=json.dumps({"accepted": 0, "unchanged": 0, "quarantined": []}).encode())

    def pushed(self, book):
        """List the documents pushed to one book."""
        return [json.loads(c.content) for c in self.calls if c.path == f"/api/v1/{book}"]


class Scripted:
    """Does for every sale what its fate asks for, at instants fixed beforehand."""

    def __init__(self, world, clock):
        self.world, self.clock = world, clock
        self.agenda = Agenda()
        self.paid = []
        self.skip = set()
        """Transactions whose money is not given back."""
        self.early = timedelta(0)
        """How much too early money is given back."""
        for sale in world.story.sales:
            script = getattr(self, f"_{sale.fate}", None)
            if script is not None and (sale.fate != "equal_second_failed" or sale.traits.steps[-1].state == "failed"):
                script(sale)

    def findings(self):
        """Word what was found and done as rekon would export it."""
        breaks = [{"transaction": key, "kind": kind} for key, kind in self._breaks()]
        refunds = [{"transaction": k, "kind": kind, "amount": a, "state": "settled"} for k, kind, a in self.paid]
        return {"breaks": breaks, "refunds": refunds, "vouchers": self._vouchers(), "complaints": [], "messages": []}

    def _breaks(self):
        twins = set()
        for sale in (*self.world.story.sales, *self.world.story.imported):
            key, kinds = f"{sale.source}:{sale.transaction_id}", FINDINGS[sale.source] | FINDINGS["both"]
            found = kinds.get(sale.fate, "").split()
            if sale.fate.startswith("equal_"):
                second = (sale.agent_id, sale.destination) in twins
                twins.add((sale.agent_id, sale.destination))
                found = [{"equal_both_delivered": "B11", "equal_second_failed": "B01"}[sale.fate]] if second else []
            yield from ((key, kind) for kind in found)

    def _vouchers(self):
        sales = {f"{s.source}:{s.transaction_id}": s for s in self.world.story.sales}
        return [
            {"transaction": key, "amount": gift_for(sales[key].product.face_value), "state": "issued"}
            for key, kind, _ in self.paid
            if kind == "B10"
        ]

    # Scripts by fate; seconds count from the order.

    def _never_formed(self, sale):
        self._pay(sale, "B01", after=40)

    def _refused(self, sale, *, hold=124, heard=True):
        failed = next(step.after for step in sale.traits.steps if step.state == "failed")
        self._ask(sale, failed + 2, failed + hold)
        if not heard:
            wait = 190 if sale.source == "mandiri" else hold + 2
            self._result(sale, "failed", after=failed + wait)
        self._pay(sale, "B01", after=failed + hold + 4)

    def _refused_unheard(self, sale):
        self._refused(sale, heard=False)

    def _unsure(self, sale):
        self._refused(sale, hold=544)

    _refused_at_once = _refused_later = _slow_refused = _very_slow_refused = _equal_second_failed = _refused
    _unsure_at_once = _unsure_later = _unsure_then_late_delivered = _unsure

    def _timed_out(self, sale):
        self._ask(sale, 300, 900, 2702)
        self._pay(sale, "B01", after=2704)

    def _unreported(self, sale):
        self._ask(sale, 902)
        self._result(sale, "success", after=970)

    def _unreported_known(self, sale):
        self._ask(sale, 902)

    def _unreported_refused(self, sale):
        self._ask(sale, 902, 1024)
        self._result(sale, "failed", after=1026)
        self._pay(sale, "B01", after=1028)

    def _delivered_unheard(self, sale):
        self._result(sale, "success", after=130)

    def _never_sent(self, sale):
        self._result(sale, "failed", after=126)
        self._pay(sale, "B17", after=142)

    def _sent_not_there(self, sale):
        self._ask(sale, 60, 480, 900)

    def _debited_twice(self, sale):
        self._pay(sale, "B10", after=200)

    # What they are made of.

    def _at(self, sale, after, action):
        self.agenda.add(sale.ordered_at + timedelta(seconds=after), action)

    def _ask(self, sale, *seconds):
        for after in seconds:
            self._at(sale, after, lambda _: self.world.cores[sale.provider].answer(question(sale), self.clock.now))

    def _result(self, sale, status, *, after):
        body = {"status": status, "serial_number": "1234567890123456"}
        server = self.world.servers[sale.source]
        self._at(sale, after, lambda _: server.set_result(sale.transaction_id, body, at=self.clock.now))

    def _pay(self, sale, kind, *, after):
        if sale.source == "mandiri" and kind != "B10":
            return
        self.agenda.add(sale.ordered_at + timedelta(seconds=after) - self.early, lambda _: self.pay(sale, kind))

    def pay(self, sale, kind, *, amount=None, sequence=1):
        """Give the price (or `amount`) back and tell the agent."""
        key = f"{sale.source}:{sale.transaction_id}"
        if key in self.skip or (sale.fate == "refused_later" and sale.product.price > 105_000):
            return
        amount = amount or sale.product.price
        body = {"refund_id": "r", "agent_id": sale.agent_id, "transaction_id": sale.transaction_id}
        refund_key = f"refund:{key}:{kind}:{sequence}"
        server, now = self.world.servers[sale.source], self.clock.now
        status, _ = server.refund(refund_key, body | {"amount": amount, "currency": "IDR"}, at=now)
        assert status == 200
        self.paid.append((key, kind, amount))
        self.world.inbox.receive(refund_key, message(agent_id=sale.agent_id, message_id=refund_key), at=now)


def message(**changes):
    """Word a message as rekon's webhook channel posts it."""
    plain = {"message_id": "msg_1", "agent_id": "T001", "address": "inbox:T001", "template": "M01", "text": "Halo."}
    return plain | {"case_id": "case_1", "answer_url": ""} | changes


def question(sale):
    """Word rekon's status inquiry about a sale."""
    bought = purchase.purchase_request(sale)
    if sale.provider == "digiflazz":
        return replace(bought, via="http")
    if sale.provider == "otomax":
        return replace(bought, via="http", query=dict(bought.query) | {"check": "1"})
    account = IakAccount()
    body = {"username": account.username, "ref_id": sale.ref_id, "sign": account.sign(sale.ref_id)}
    return Request(method="POST", path="/api/check-status", body=json.dumps(body).encode())
