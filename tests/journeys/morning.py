"""One Monday morning with a sale of every kind that matters, each at 09.05 by an agent of its own."""

import asyncio
from datetime import datetime, timedelta

from rekon.cli.demo_setup import Stage
from rekon.sandbox import traits
from rekon.sandbox.catalog import Product
from rekon.sandbox.plan import Step
from rekon.sandbox.story import Sale
from rekon.sandbox.traits import Traits, delivered, failed
from rekon.store import schema
from tests.cli.installation import Clock, Installation
from tests.journeys import inside, plays
from tests.journeys.outside import Outside
from tests.store import filling

MINUTES = 140
FAILED_AFTER = 30
LATE_AFTER = 2400
DEPOSIT_BACK_AFTER = timedelta(minutes=25)
VERY_DEAR = Product(code="B600", family="data", brand="telkomsel", face_value=600_000, price=605_000, cost=600_000)


def accepted(provider: str, *steps: Step, **more: object) -> Traits:
    """Be on its way first."""
    return Traits(steps=(traits.accepted(provider), *steps), **more)


class Morning:
    """The sales by name."""

    def __init__(self) -> None:
        self.play = plays.Play()
        self.sales: dict[str, Sale] = {}
        self._of_the_wallet()
        self._failures()
        self._waiting()
        self._dear()
        self._own_shop()
        self._at_mandiri()

    def _sell(self, name: str, fate: Traits, **more: object) -> None:
        self.sales[name] = self.play.sell(name, fate, **more)

    def _of_the_wallet(self) -> None:
        twice = {"debited_again_after": 10}
        self._sell("twice", accepted("digiflazz", delivered("digiflazz", 20), **twice), provider="digiflazz")
        self._sell("twice_denied", accepted("iak", delivered("iak", 20), **twice))

    def _failures(self) -> None:
        digiflazz = {"provider": "digiflazz"}
        self._sell("unformed", Traits(steps=(failed(0, "68", callback="lost"),)), **digiflazz)
        self._sell("definite", accepted("iak", failed(FAILED_AFTER, "14")))
        self._sell("definite_signed", accepted("digiflazz", failed(FAILED_AFTER, "54")), **digiflazz)
        self._sell("soft", accepted("iak", failed(FAILED_AFTER, "07")))
        self._sell("soft_kept", accepted("iak", failed(FAILED_AFTER, "07", kept=True)))
        self._sell("timed_out", Traits(steps=(failed(0, "01", callback="lost"),)), **digiflazz)
        self._sell("timed_out_kept", Traits(steps=(failed(0, "70", kept=True, callback="lost"),)), **digiflazz)
        self._sell("unheard", accepted("iak", failed(FAILED_AFTER, "14"), hears="never"))
        self._sell("never_sent", accepted("iak", send="not_sent", hears="never"))
        late = (failed(FAILED_AFTER, "02"), delivered("digiflazz", LATE_AFTER))
        self._sell("late_signed", accepted("digiflazz", *late), **digiflazz)
        self._sell("late", accepted("iak", failed(FAILED_AFTER, "07"), delivered("iak", LATE_AFTER)))

    def _waiting(self) -> None:
        self._sell("plain", accepted("otomax", delivered("otomax", 20)), provider="otomax")
        self._sell("early", accepted("digiflazz", delivered("digiflazz", 2)), provider="digiflazz", seconds=302)
        self._sell("endless", accepted("iak"))

    def _dear(self) -> None:
        self._sell("dear", accepted("iak", failed(FAILED_AFTER, "14")), product="S150")
        self._sell("very_dear", accepted("iak", failed(FAILED_AFTER, "14")), product=VERY_DEAR)

    def _own_shop(self) -> None:
        direct = {"charged": "provider_deposit"}
        self._sell("direct_kept", accepted("iak", failed(FAILED_AFTER, "14", kept=True), **direct))
        self._sell("direct", accepted("iak", failed(FAILED_AFTER, "14"), **direct))
        self._sell("cash", accepted("iak", failed(FAILED_AFTER, "14"), charged="cash"))

    def _at_mandiri(self) -> None:
        mandiri = {"source": "mandiri"}
        self._sell("self_refunded", accepted("iak", failed(FAILED_AFTER, "14")), **mandiri)
        self._sell("silent_server", accepted("iak", failed(FAILED_AFTER, "14"), hears="never"), **mandiri)
        self._sell("twice_at_mandiri", accepted("iak", delivered("iak", 20), debited_again_after=10), **mandiri)

    def answers(self) -> dict[tuple[str, str], str]:
        """Say who answers what to which message."""
        said = {"twice": "YA", "twice_denied": "TIDAK", "twice_at_mandiri": "YA"}
        return {(self.sales[name].agent_id, "M06"): word for name, word in said.items()}

    def set_up(self, outside: Outside, stage: Stage) -> inside.Act:
        """Give the kept deposit back at last, and send the approvers to work."""
        sale = self.sales["direct_kept"]
        deposit = outside.world.cores[sale.provider].deposit
        back_at = sale.ordered_at + DEPOSIT_BACK_AFTER
        outside.world.agenda.add(back_at, lambda at: deposit.credit(sale.product.cost, at=at, ref_id=sale.ref_id))
        self.office = Office(stage, self.sales)
        return self.office.act


class Office:
    """Staff at work with the command line, each errand once when its time has come."""

    def __init__(self, stage: Stage, sales: dict[str, Sale]) -> None:
        self._stage = stage
        self._sales = sales
        self.said: dict[str, object] = {}
        self._errands = [
            (plays.STARTS + timedelta(minutes=15), self._first_person),
            (plays.STARTS + timedelta(minutes=20), self._second_person),
        ]

    async def act(self, now: datetime) -> None:
        """Do what is due. The command line asks the sandbox what time it is, so it runs beside its loop."""
        while self._errands and now >= self._errands[0][0]:
            _, errand = self._errands.pop(0)
            await asyncio.to_thread(self._run, errand)

    def _run(self, errand: object) -> None:
        desk = Installation(folder=self._stage.folder, clock=Clock())
        try:
            errand(desk)
        finally:
            desk.store.close()

    def _first_person(self, desk: Installation) -> None:
        self._sari = desk.hire("Sari")
        for name in ("dear", "very_dear"):
            self.said[name] = desk.json("refunds", "approve", self._refund(desk, name), token=self._sari)

    def _second_person(self, desk: Installation) -> None:
        refund_id = self._refund(desk, "very_dear")
        self.said["again"] = desk.refused("refunds", "approve", refund_id, token=self._sari)
        ratna = desk.hire("Ratna", "penyelia")
        self.said["second"] = desk.json("refunds", "approve", refund_id, token=ratna)

    def _refund(self, desk: Installation, name: str) -> str:
        key = inside.key_of(self._sales[name])
        return filling.one(desk.store, schema.refunds, transaction_key=key)["refund_id"]
