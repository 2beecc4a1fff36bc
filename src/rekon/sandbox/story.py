"""A told story as plain data: the sales of one day and the people in it."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from rekon.sandbox.catalog import Product
from rekon.sandbox.people import Agent
from rekon.sandbox.plan import Plan
from rekon.sandbox.traits import Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """One order as the world will play it."""

    fate: str
    """Name of the recipe; for tests and the tale, never written to a journal."""
    source: str
    transaction_id: str
    ref_id: str
    agent_id: str
    ordered_at: datetime
    provider: str
    product: Product
    destination: str
    traits: Traits
    repeat_counter: str = ""

    @property
    def plan(self) -> Plan:
        """The provider's part of it."""
        traits = self.traits
        return Plan(steps=traits.steps, charges=traits.charges, price=self.product.cost, faults=traits.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that will happen, in the order of its purchases."""

    seed: int
    starts_at: datetime
    orders_end_at: datetime
    ends_at: datetime
    agents: tuple[Agent, ...]
    sales: tuple[Sale, ...]
    imported: tuple[Sale, ...] = ()
    """Orders of long ago that the server still calls pending."""

    def fates(self) -> Counter[str]:
        """Count the orders of each fate and server, imported ones among them."""
        return Counter(f"{sale.source}.{sale.fate}" for sale in (*self.sales, *self.imported))
