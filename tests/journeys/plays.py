"""Small stories made by hand: each sale has a name, and its fate is written out in the test that needs it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from rekon.sandbox.catalog import PRODUCTS, WIB, Product
from rekon.sandbox.people import OWN_SHOP, TOKO, Agent
from rekon.sandbox.plan import Step
from rekon.sandbox.story import Sale, Story
from rekon.sandbox.traits import Traits

STARTS = datetime(2026, 11, 16, 9, 0, tzinfo=WIB)
"""A Monday morning."""


class Play:
    """Collects sales. Each has an agent of its own, so that no limit of one agent is met by chance."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.sales: list[Sale] = []

    def sell(
        self,
        name: str,
        traits: Traits,
        *,
        source: str = TOKO,
        provider: str = "iak",
        product: str | Product = "S50",
        seconds: float = 300,
    ) -> Sale:
        """Sell something `seconds` after the curtain rises."""
        number = next(self._numbers)
        letter = source[0].upper()
        made = Sale(
            fate=name,
            source=source,
            transaction_id=f"{letter}{100_000 + number}",
            ref_id=f"{letter}K{700_000 + number}",
            agent_id=f"{letter}{number:03d}" if traits.charged == "agent_wallet" else OWN_SHOP,
            ordered_at=STARTS + timedelta(seconds=seconds),
            provider=provider,
            product=PRODUCTS[product] if isinstance(product, str) else product,
            destination=f"08121000{number:04d}",
            traits=replace(traits, steps=tuple(_with_serial(step, number) for step in traits.steps)),
        )
        self.sales.append(made)
        return made

    def story(self, *, minutes: float, seed: int = 1) -> Story:
        """Tell it; the clock runs for so many minutes."""
        ends_at = STARTS + timedelta(minutes=minutes)
        return Story(
            seed=seed,
            starts_at=STARTS,
            orders_end_at=ends_at,
            ends_at=ends_at,
            agents=tuple(_agents(self.sales)),
            sales=tuple(sorted(self.sales, key=lambda sale: (sale.ordered_at, sale.transaction_id))),
        )


def _with_serial(step: Step, number: int) -> Step:
    return replace(step, serial_number=f"0041{number:012d}") if step.serial_number == "*" else step


def _agents(sales: Iterable[Sale]) -> Iterable[Agent]:
    known = {sale.agent_id: sale.source for sale in sales if sale.agent_id != OWN_SHOP}
    for number, (agent_id, source) in enumerate(sorted(known.items()), start=1):
        yield Agent(source=source, agent_id=agent_id, name=f"Konter {number}", zone="WIB", opening=10_000_000, top_up=0)
