"""Play a scenario through the real stages and the real SQL, and compare what came of it with what it expects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from sqlalchemy import Connection, Table, select

from rekon.sandbox.people import SOURCES
from rekon.simulation import expectation, telling
from rekon.simulation.run import Simulation, Terms
from rekon.simulation.scenario import CrashFact, Scenario
from rekon.store import schema

_SHORT: Final = timedelta(hours=6)
"""Longer stories let a server rest while nothing happens, or they would take minutes."""
_BUSY: Final[Mapping[str, Any]] = {"push_seconds": 10, "heartbeat_seconds": 60, "rest_seconds": 0}
_CALM: Final[Mapping[str, Any]] = {"push_seconds": 10, "heartbeat_seconds": 120, "rest_seconds": 60}
_GATEWAY_ROWS: Final = frozenset({"refund_request", "result_request"})

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a scenario came to. `differences` name what `expect` and the books do not share."""

    result: Row
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether it went as expected and nothing happened that must never happen."""
        return not self.differences and not self.result["violations"]


def play(scenario: Scenario, *, seed: int | None = None, trace: Callable[[str], object] | None = None) -> Outcome:
    """Play one scenario. The same scenario and seed give the same result and the same trace.

    Raises:
        ScenarioError: its configuration names a number that does not exist.
    """
    told = telling.tell(scenario)
    number = scenario.seed if seed is None else seed
    terms = Terms(
        policy=told.policy,
        knobs=_BUSY if told.story.ends_at - told.story.starts_at <= _SHORT else _CALM,
        calm_after=told.story.ends_at - told.story.starts_at,
        dies=_deaths(scenario, told),
        trace=trace,
    )
    simulation = Simulation(told.story, told.weather, Random(f"scenario/{number}"), terms=terms)
    violations = simulation.perform()
    result = _result(simulation, told) | {"violations": list(violations)}
    simulation.memory.close()
    return Outcome(result=result, differences=expectation.differences(scenario.expect, result))


# Dying.


def _deaths(scenario: Scenario, told: telling.Told) -> Callable[[Simulation, str], bool]:
    """Tell at every place whether the process dies there; each planned death happens once."""
    planned = [fact for fact in scenario.facts if isinstance(fact, CrashFact)]
    keys = {ref: key for key, ref in told.refs.items()}

    def dies(simulation: Simulation, place: str) -> bool:
        due = next((fact for fact in planned if _is_due(simulation, scenario, fact, keys, place)), None)
        if due is not None:
            planned.remove(due)
        return due is not None

    return dies


def _is_due(simulation: Simulation, scenario: Scenario, fact: CrashFact, keys: Mapping[str, str], place: str) -> bool:
    if fact.at is not None:
        return simulation.now() >= scenario.instant(fact.at)
    if place != "after commit":
        return False
    r = schema.refunds.c
    query = select(r.key).where(r.transaction_key == keys.get(fact.settled or ""), r.settled_at.is_not(None))
    with simulation.memory.engine.connect() as connection:
        return connection.execute(query).first() is not None


# What came of it.


def _result(simulation: Simulation, told: telling.Told) -> Row:
    reader = _Reader(told)
    with simulation.memory.engine.connect() as connection:
        found: Row = {
            "breaks": reader.rows(connection, schema.breaks, ("kind", "state", "amount", "staff_asked"), "opened_at"),
            "refunds": reader.rows(connection, schema.refunds, ("break_kind", "amount", "state"), "settled_at"),
            "vouchers": reader.rows(connection, schema.vouchers, ("amount", "state"), "issued_at"),
            "complaints": reader.rows(connection, schema.complaints, ("break_kind", "state", "provider"), "opened_at"),
            "messages": reader.rows(
                connection, schema.messages, ("template", "agent_id", "state", "audience"), "sent_at"
            ),
        }
    journals = simulation.world.journals
    provider = [row for name in simulation.world.cores for row in journals[name].rows()]
    gateway = [row for source in SOURCES for row in journals[f"server-{source}"].rows()]
    return found | {
        "inquiries": _inquiries(provider, told),
        "provider_journal": provider,
        "gateway_journal": [row for row in gateway if row["kind"] in _GATEWAY_ROWS],
    }


def _inquiries(journal: Sequence[Mapping[str, Any]], told: telling.Told) -> dict[str, int]:
    refs = {sale.ref_id: sale.fate for sale in (*told.story.sales, *told.story.imported)}
    asked = [refs.get(row["ref_id"], "") for row in journal if row["kind"] == "inquiry" and row["via"] == "http"]
    return {ref: asked.count(ref) for ref in refs.values()}


class _Reader:
    """Reads rows by the names orders have in the scenario, oldest first."""

    _FALLBACK: Final = {"settled_at": "requested_at", "sent_at": "created_at"}

    def __init__(self, told: telling.Told) -> None:
        self._told = told
        self._ordered = {
            f"{sale.source}:{sale.transaction_id}": sale.ordered_at
            for sale in (*told.story.sales, *told.story.imported)
        }

    def rows(self, connection: Connection, table: Table, columns: Sequence[str], at: str) -> list[Row]:
        found = [self._row(row, columns, at) for row in connection.execute(select(table)).mappings()]
        return sorted((row for row in found if row.pop("audience", "agent") == "agent"), key=_by_time)

    def _row(self, row: Mapping[Any, Any], columns: Sequence[str], at: str) -> Row:
        key = row["transaction_key"] or ""
        when: datetime = row[at] or row[self._FALLBACK[at]]
        ordered_at = self._ordered.get(key, self._told.story.starts_at)
        said = {name.removeprefix("break_"): row[name] for name in columns}
        seconds = round((when - ordered_at).total_seconds())
        return {"ref": self._told.refs.get(key, ""), "transaction": key, "at": when, "after_seconds": seconds} | said


def _by_time(row: Row) -> tuple[Any, ...]:
    return row["at"], row["transaction"], row.get("kind", ""), row.get("template", "")
