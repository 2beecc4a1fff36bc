"""One day at the played operator, told from a seed: who buys what, and what truly becomes of each order.

A fate says what happens at the provider, at the server and on the way between them. It never says what a reconciler
should find; the judge works that out from the journals alone. Start at `tell_story`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from rekon.sandbox import fate_limits, fate_recipes, traits
from rekon.sandbox.catalog import PRODUCTS, WIB, Numbers, Product
from rekon.sandbox.fate_recipes import Recipe
from rekon.sandbox.people import MANDIRI, OWN_SHOP, TOKO, draw_agents
from rekon.sandbox.story import Sale, Story
from rekon.sandbox.traits import SECOND, SERIAL, Build, Traits

STORY_STARTS: Final = datetime(2026, 11, 16, 9, 0, tzinfo=WIB)
IMPORTED_AGES: Final = (81, 81, 81, 400, 400, 400)
"""Days that orders of long ago have been pending when the story starts."""
_ATTEMPTS: Final = 40
_SHARE_WITH_OLD_ORDER: Final = 0.3
_SHARE_OF_TOKO: Final = 0.65


def tell_story(
    seed: int,
    *,
    orders: int = 2000,
    hours: float = 4.25,
    tail_hours: float = 2.25,
    starts_at: datetime = STORY_STARTS,
) -> Story:
    """Tell the story of a seed: `orders` sales in `hours`, then `tail_hours` in which their ends are played.

    The same arguments tell the same story. A story that a careful operator's own limits would stop (a storm of
    failures, too many refunds in one hour) is told again from the next draw.

    Raises:
        ValueError: fewer orders than the fates need, or no draw stayed inside the limits.
    """
    for attempt in range(_ATTEMPTS):
        teller = _Teller(Random(f"{seed}/{attempt}"), window=timedelta(hours=hours), starts_at=starts_at)
        story = teller.tell(seed=seed, orders=orders, tail=timedelta(hours=tail_hours))
        if not fate_limits.objections(story.sales):
            return story
    message = f"no draw of seed {seed} with {orders} orders in {hours} hours stays inside the limits"
    raise ValueError(message)


def tell_short_story(
    seed: int, *, fates: int, hours: float, tail_hours: float, starts_at: datetime = STORY_STARTS
) -> Story:
    """Tell a story of a few orders, each fate drawn as often as the long story has it. No order is an ordinary success.

    The same arguments tell the same story.
    """
    rng = Random(f"short/{seed}")
    teller = _Teller(rng, window=timedelta(hours=hours), starts_at=starts_at)
    recipes = rng.choices(fate_recipes.RECIPES, weights=[recipe.count for recipe in fate_recipes.RECIPES], k=fates)
    told = teller.tell_of(recipes, seed=seed, tail=timedelta(hours=tail_hours))
    return teller.with_an_old_order(told) if rng.random() < _SHARE_WITH_OLD_ORDER else told


def on_grid(at: datetime) -> datetime:
    """Move an instant down to an even second, the grid of the story: many changes then share one step of the clock."""
    return at.replace(second=at.second // SECOND * SECOND, microsecond=0)


class _Teller:
    def __init__(self, rng: Random, *, window: timedelta, starts_at: datetime) -> None:
        self._rng = rng
        self._window = window
        self._starts_at = starts_at
        self._agents = draw_agents(rng)
        self._numbers = Numbers(rng)
        self._owed = Counter[str]()
        self._met = Counter[tuple[str, str]]()

    def tell(self, *, seed: int, orders: int, tail: timedelta) -> Story:
        special = [sale for recipe in fate_recipes.RECIPES for sale in self._special(recipe)]
        missing = orders - len(special)
        if missing < 0:
            message = f"{orders} orders are too few: the fates alone need {len(special)}"
            raise ValueError(message)
        return Story(
            seed=seed,
            starts_at=self._starts_at,
            orders_end_at=self._starts_at + self._window,
            ends_at=self._starts_at + self._window + tail,
            agents=self._agents,
            sales=_numbered([*special, *(self._plain() for _ in range(missing))]),
            imported=tuple(self._imported()),
        )

    def tell_of(self, recipes: Sequence[Recipe], *, seed: int, tail: timedelta) -> Story:
        sales = [sale for recipe in recipes for sale in self._special(replace(recipe, count=1))]
        known = {(sale.source, sale.agent_id) for sale in sales}
        return Story(
            seed=seed,
            starts_at=self._starts_at,
            orders_end_at=self._starts_at + self._window,
            ends_at=self._starts_at + self._window + tail,
            agents=tuple(agent for agent in self._agents if (agent.source, agent.agent_id) in known),
            sales=_numbered(sales),
        )

    def with_an_old_order(self, story: Story) -> Story:
        """Add one of the orders that have been pending for ages, with its agent."""
        old = self._rng.choice(self._imported())
        agents = {agent.agent_id: agent for agent in (*story.agents, *self._agents)}
        known = {agent.agent_id for agent in story.agents} | {old.agent_id}
        kept = tuple(agent for agent in agents.values() if agent.agent_id in known)
        return replace(story, agents=kept, imported=(old,))

    def _special(self, recipe: Recipe) -> list[Sale]:
        sales: list[Sale] = []
        for position in range(recipe.count):
            share = (position + self._rng.uniform(0.1, 0.9)) / recipe.count * recipe.latest
            first = self._sale(recipe, share=share, agent_id=self._agent_for(recipe))
            sales.append(first)
            if recipe.twin is not None:
                sales.append(self._twin(recipe, first, recipe.twin))
        return sales

    def _plain(self) -> Sale:
        source = TOKO if self._rng.random() < _SHARE_OF_TOKO else MANDIRI
        agent_id = self._rng.choice(self._agent_ids(source))
        return self._sale(fate_recipes.PLAIN[source], share=self._rng.random(), agent_id=agent_id)

    def _sale(self, recipe: Recipe, *, share: float, agent_id: str) -> Sale:
        at = on_grid(self._starts_at + share * self._window)
        provider = self._rng.choice(recipe.providers)
        product = self._rng.choice(fate_recipes.assortment(recipe))
        return Sale(
            fate=recipe.name,
            source=recipe.source,
            transaction_id="",
            ref_id="",
            agent_id=agent_id,
            ordered_at=at,
            provider=provider,
            product=product,
            destination=self._numbers.destination(product),
            traits=self._draw(recipe.build, provider=provider, product=product, at=at),
        )

    def _twin(self, recipe: Recipe, first: Sale, build: Build) -> Sale:
        at = first.ordered_at + timedelta(seconds=traits.soon(self._rng, 20, 90))
        return replace(
            first,
            ordered_at=at,
            traits=self._draw(build, provider=first.provider, product=first.product, at=at),
            repeat_counter="2" if recipe.counted else "",
        )

    def _draw(self, build: Build, *, provider: str, product: Product, at: datetime) -> Traits:
        drawn = build(self._rng, provider)
        steps = tuple(
            replace(step, serial_number=self._numbers.serial(product, at + timedelta(seconds=step.after)))
            if step.serial_number == SERIAL
            else step
            for step in drawn.steps
        )
        return replace(drawn, steps=steps)

    def _agent_for(self, recipe: Recipe) -> str:
        """Choose who has met this fate least often, then who is owed least, so that no agent stands out."""
        if recipe.charged != "agent_wallet":
            return OWN_SHOP
        pool = self._agent_ids(recipe.source)
        if recipe.source == MANDIRI:
            apart = len(pool) // 3
            pool = pool[:apart] if recipe.surplus else pool[apart:]
        self._rng.shuffle(pool)
        chosen = min(pool, key=lambda agent: (self._owed[agent] if recipe.owed else 0, self._met[recipe.name, agent]))
        self._met[recipe.name, chosen] += 1
        self._owed[chosen] += recipe.owed
        return chosen

    def _agent_ids(self, source: str) -> list[str]:
        return [agent.agent_id for agent in self._agents if agent.source == source]

    def _imported(self) -> list[Sale]:
        agents = self._agent_ids(TOKO)
        return [
            self._old_sale(number, days=days, agent_id=agents[-number])
            for number, days in enumerate(IMPORTED_AGES, start=1)
        ]

    def _old_sale(self, number: int, *, days: int, agent_id: str) -> Sale:
        product = PRODUCTS[self._rng.choice(("S5", "X10", "I10", "A10"))]
        age = timedelta(days=days, minutes=self._rng.randrange(5, 55))
        return Sale(
            fate=f"pending_since_{days}_days",
            source=TOKO,
            transaction_id=f"T{number:06d}",
            ref_id=f"TK{number:06d}",
            agent_id=agent_id,
            ordered_at=on_grid(self._starts_at - age),
            provider="digiflazz",
            product=product,
            destination=self._numbers.destination(product),
            traits=traits.never_ends(self._rng, "digiflazz"),
        )


def _numbered(sales: Sequence[Sale]) -> tuple[Sale, ...]:
    ordered = sorted(sales, key=lambda sale: (sale.ordered_at, sale.source, sale.agent_id, sale.destination))
    return tuple(
        replace(
            sale,
            transaction_id=f"{sale.source[0].upper()}{100_000 + number}",
            ref_id=f"{'TK' if sale.source == TOKO else 'MD'}{700_000 + number}",
        )
        for number, sale in enumerate(ordered, start=1)
    )
