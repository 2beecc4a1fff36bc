"""Turn a scenario into the sandbox's own terms: its sales, its people, its weather. There is no second world."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from rekon.domain.policy import Policy
from rekon.sandbox import traits
from rekon.sandbox.catalog import PRODUCTS, WIB
from rekon.sandbox.people import OWN_SHOP
from rekon.sandbox.people import Agent as Person
from rekon.sandbox.plan import Step
from rekon.sandbox.story import Sale, Story
from rekon.sandbox.traits import Traits
from rekon.simulation import scenario as form
from rekon.simulation.scenario_text import ScenarioError
from rekon.simulation.weather import Weather

_OPENING: Final = 10_000_000
_PLAIN_SECONDS: Final = 10
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A scenario in the world's terms. `refs` names the order of each key `source:transaction_id`."""

    story: Story
    weather: Weather
    policy: Policy
    refs: Mapping[str, str]


def tell(scenario: form.Scenario) -> Told:
    """Translate.

    Raises:
        ScenarioError: a number of the rules is named that does not exist.
    """
    teller = _Teller(scenario)
    sales = sorted(teller.sales(), key=lambda sale: (sale.ordered_at, sale.transaction_id))
    imported = tuple(teller.imported())
    starts_at = scenario.start.astimezone(WIB)
    ends_at = scenario.ends_at.astimezone(WIB)
    story = Story(
        seed=scenario.seed,
        starts_at=starts_at,
        orders_end_at=ends_at,
        ends_at=ends_at,
        agents=tuple(teller.people()),
        sales=tuple(sales),
        imported=imported,
    )
    refs = {f"{sale.source}:{sale.transaction_id}": sale.fate for sale in (*sales, *imported)}
    return Told(story=story, weather=_weather(scenario), policy=policy_of(scenario.config), refs=refs)


class _Teller:
    """Numbers the orders and finds everybody an agent."""

    def __init__(self, scenario: form.Scenario) -> None:
        self._scenario = scenario
        self._numbers = count(1)
        self._invented: dict[str, str] = {}

    def sales(self) -> Iterable[Sale]:
        for fact in self._scenario.facts:
            if isinstance(fact, form.SaleFact):
                for place in range(fact.repeat):
                    yield self._sale(fact, place)

    def imported(self) -> Iterable[Sale]:
        for fact in self._scenario.facts:
            if isinstance(fact, form.OldOrderFact):
                at = self._scenario.start - timedelta(days=fact.age_days)
                told = Traits(steps=(traits.accepted(fact.provider),))
                yield self._order(fact, at=at, told=told, ref=fact.ref, agent=fact.agent)

    def people(self) -> Iterable[Person]:
        for agent in self._scenario.agents:
            name = agent.name or f"Konter {agent.id}"
            yield Person(
                source=agent.source, agent_id=agent.id, name=name, zone=agent.zone, opening=agent.balance, top_up=0
            )
        for agent_id, source in self._invented.items():
            name = f"Konter {agent_id}"
            yield Person(source=source, agent_id=agent_id, name=name, zone="WIB", opening=_OPENING, top_up=0)

    def _sale(self, fact: form.SaleFact, place: int) -> Sale:
        at = self._scenario.instant(fact.at) + place * fact.every
        ref = fact.ref if fact.repeat == 1 else f"{fact.ref}-{place + 1}"
        agent = fact.agent if fact.charged == "agent_wallet" else OWN_SHOP
        return self._order(fact, at=at, told=_traits(self._scenario, fact), ref=ref, agent=agent)

    def _order(
        self, fact: form.SaleFact | form.OldOrderFact, *, at: datetime, told: Traits, ref: str, agent: str
    ) -> Sale:
        number, letter = next(self._numbers), fact.source[0].upper()
        steps = tuple(_with_serial(step, number) for step in told.steps)
        return Sale(
            fate=ref,
            source=fact.source,
            transaction_id=f"{letter}{100_000 + number}",
            ref_id=f"{letter}K{700_000 + number}",
            agent_id=agent or self._invent(letter, number, fact.source),
            ordered_at=at.astimezone(WIB),
            provider=fact.provider,
            product=PRODUCTS[fact.product],
            destination=fact.destination or f"0812{number:08d}",
            traits=replace(told, steps=steps),
            repeat_counter=getattr(fact, "repeat_counter", ""),
        )

    def _invent(self, letter: str, number: int, source: str) -> str:
        agent_id = f"{letter}{500_000 + number}"
        self._invented[agent_id] = source
        return agent_id


def _with_serial(step: Step, number: int) -> Step:
    return replace(step, serial_number=f"0041{number:012d}") if step.serial_number == traits.SERIAL else step


def _traits(scenario: form.Scenario, fact: form.SaleFact) -> Traits:
    words = [word for word in scenario.provider if word.ref == fact.ref]
    steps = tuple(_step(word.at, word.answer) for word in words if word.at is not None and word.answer is not None)
    return Traits(
        steps=steps or (traits.accepted(fact.provider), traits.delivered(fact.provider, _PLAIN_SECONDS)),
        charges=fact.charges,
        faults=_faults(words),
        send=fact.send,
        hears=fact.hears,
        charged=fact.charged,
        debited_again_after=_seconds(fact.debited_again_after),
        credited_again_after=_seconds(fact.credited_again_after),
        odd_report_after=_seconds(fact.odd_report_after),
    )


def _step(at: timedelta, answer: form.Answer) -> Step:
    return Step(
        after=at.total_seconds(),
        state=answer.state,
        code=answer.code,
        text=answer.text,
        serial_number=answer.serial if answer.state == "success" else "",
        callback=answer.callback,
        returns_charge=answer.returns_charge,
    )


def _faults(words: Iterable[form.Word]) -> tuple[str, ...]:
    struck = {word.inquiry: word.fault for word in words if word.inquiry is not None and word.fault is not None}
    return tuple(struck.get(number, "") for number in range(1, max(struck, default=0) + 1))


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())


def _weather(scenario: form.Scenario) -> Weather:
    def hours(moment: datetime | timedelta) -> float:
        return (scenario.instant(moment) - scenario.start) / _HOUR

    outages = [f for f in scenario.facts if isinstance(f, form.OutageFact)]
    stale = [f for f in scenario.facts if isinstance(f, form.StaleFact)]
    return Weather(
        gateway_class=scenario.config.gateway,
        outages=tuple((f.provider, hours(f.at), hours(f.until)) for f in outages),
        stale=tuple((f.source, hours(f.at), hours(f.until)) for f in stale),
    )


def policy_of(config: form.Config) -> Policy:
    """Build the rules' numbers a scenario asks for.

    Raises:
        ScenarioError: a number does not exist or is of another kind.
    """
    policy = Policy(mode=config.mode, modes=config.modes)
    numbers: dict[str, Any] = {name: _number(policy, name, value) for name, value in config.policy.items()}
    return replace(policy, **numbers)


def _number(policy: Policy, name: str, value: int | str) -> object:
    numbers = {f.name: getattr(policy, f.name) for f in fields(policy) if f.name not in {"mode", "modes"}}
    if name not in numbers:
        text = f"config.policy.{name}: no such number; allowed: {', '.join(sorted(numbers))}"
        raise ScenarioError(text)
    wants_span = isinstance(numbers[name], timedelta)
    if wants_span != isinstance(value, str):
        kind = "a span such as 5m" if wants_span else "a whole number"
        text = f"config.policy.{name}: {kind} is needed (given: {value!r})"
        raise ScenarioError(text)
    return form.span(value) if wants_span else value
