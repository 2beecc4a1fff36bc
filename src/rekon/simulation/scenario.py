"""The format of a scenario file: one small story, what each provider will say, and what rekon has to make of it.

A scenario is TOML. Spans are written `90s`, `5m`, `2h30m` or `3d`; instants are spans from `start` or whole dates with
a zone. Start reading at `Scenario`; `read` is the way in.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from rekon.domain.breaks import BreakKind, Mode
from rekon.sandbox import catalog, faults
from rekon.sandbox.dialects.orders import Delivery
from rekon.simulation import scenario_text
from rekon.simulation.scenario_text import ScenarioError

_SPAN: Final = re.compile(r"(?P<sign>[+-]?)(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SPAN_SCHEMA: Final = {"type": "string", "pattern": r"^[+-]?(\d+d)?(\d+h)?(\d+m)?(\d+s)?$", "examples": ["1h30m"]}
_REF: Final = r"^[A-Za-z][A-Za-z0-9_-]{0,31}$"


def span(value: object) -> object:
    """Read a span such as `2h30m`.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, timedelta):
        return value
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        text = "a span is needed, written like 90s, 5m, 2h30m or 3d"
        raise ValueError(text)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    size = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -size if found["sign"] == "-" else size


def _moment(value: object) -> object:
    return value if isinstance(value, datetime) else span(value)


def _product(value: object) -> object:
    if value not in catalog.PRODUCTS:
        text = f"no such product; allowed: {', '.join(sorted(catalog.PRODUCTS))}"
        raise ValueError(text)
    return value


def _fault(value: object) -> object:
    if not isinstance(value, str) or not faults.is_known(value):
        text = (
            "no such fault; allowed: timeout, reset, drip, html, truncated, huge, empty, redirect, wrong_type, "
            "other_ref and error_<status>"
        )
        raise ValueError(text)
    return value


def _callback(value: str) -> str:
    try:
        Delivery.read(value)
    except ValueError as error:
        text = f"{error}; allowed: sent, lost, twice, times:<n>, late:<seconds>, forged, unsigned, joined by commas"
        raise ValueError(text) from error
    return value


Span = Annotated[timedelta, BeforeValidator(span), WithJsonSchema(_SPAN_SCHEMA)]
Moment = Annotated[
    AwareDatetime | timedelta,
    BeforeValidator(_moment),
    WithJsonSchema({"anyOf": [_SPAN_SCHEMA, {"type": "string", "format": "date-time"}]}),
]
"""Since `start`, or an instant with its zone."""
Product = Annotated[
    str, BeforeValidator(_product), WithJsonSchema({"type": "string", "enum": sorted(catalog.PRODUCTS)})
]
Ref = Annotated[str, Field(pattern=_REF)]
Source = Literal["toko", "mandiri"]
Provider = Literal["digiflazz", "iak", "otomax"]
Wire = Annotated[str, BeforeValidator(_fault), WithJsonSchema({"type": "string"})]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Config(_Strict):
    """The installation's own choices."""

    mode: Mode = Mode.AUTOMATIC
    modes: dict[BreakKind, Mode] = {}
    """By the number of a break kind."""
    gateway: Literal["G0", "G1", "G2"] = "G2"
    policy: dict[str, int | str] = {}
    """Numbers of the rules by name: whole numbers, and spans as text."""


class Agent(_Strict):
    """One agent with a name. A sale without one gets an agent of its own."""

    id: Annotated[str, Field(pattern=r"^[A-Z]\d{3,6}$")]
    name: str = ""
    source: Source = "toko"
    zone: Literal["WIB", "WITA", "WIT"] = "WIB"
    balance: Annotated[int, Field(ge=0)] = 10_000_000
    """Whole rupiah when the story begins."""


class _Order(_Strict):
    ref: Ref
    """The name this order has everywhere in the file."""
    source: Source = "toko"
    agent: str = ""
    product: Product = "S50"
    destination: Annotated[str, Field(pattern=r"^\d{6,20}$")] | None = None


class SaleFact(_Order):
    """An agent orders, his wallet is debited, and the server sends it to the provider."""

    kind: Literal["sale"]
    at: Moment
    provider: Provider = "iak"
    charged: Literal["agent_wallet", "cash", "provider_deposit"] = "agent_wallet"
    send: Literal["sent", "not_sent", "lost", "reply_lost", "resent", "resent_lost"] = "sent"
    hears: Literal["callback", "always", "never"] = "callback"
    """How the server itself learns the provider's later words."""
    repeat_counter: str = ""
    charges: Annotated[int, Field(ge=1, le=5)] = 1
    """How often the provider takes its price."""
    debited_again_after: Span | None = None
    credited_again_after: Span | None = None
    odd_report_after: Span | None = None
    """An unsigned report whose status says success and whose words say failure."""
    repeat: Annotated[int, Field(ge=1, le=5_000)] = 1
    """More than one: `ref` becomes `ref-1`, `ref-2`, …, each with an agent and a number of its own."""
    every: Span = timedelta(seconds=10)


class OldOrderFact(_Order):
    """An order of long ago that the server still calls pending when rekon takes its books over."""

    kind: Literal["old_order"]
    age_days: Annotated[int, Field(ge=1, le=3_650)]
    provider: Literal["digiflazz"] = "digiflazz"


class OutageFact(_Strict):
    """A provider does not answer."""

    kind: Literal["outage"]
    provider: Provider
    at: Moment
    until: Moment


class StaleFact(_Strict):
    """The books of a server do not come through."""

    kind: Literal["stale_books"]
    source: Source
    at: Moment
    until: Moment


class CrashFact(_Strict):
    """The process dies at its next place after `at`, or right behind the commit that settles a refund of `settled`."""

    kind: Literal["crash"]
    at: Moment | None = None
    settled: Ref | None = None

    @model_validator(mode="after")
    def _one(self) -> "CrashFact":
        if (self.at is None) == (self.settled is None):
            text = "a crash needs either `at` or `settled`"
            raise ValueError(text)
        return self


Fact = Annotated[SaleFact | OldOrderFact | OutageFact | StaleFact | CrashFact, Field(discriminator="kind")]


class Answer(_Strict):
    """What the provider says of an order from then on."""

    state: Literal["pending", "success", "failed", "reversed"]
    code: str
    text: str = ""
    serial: str = "*"
    """Of a success; `*` stands for one that fits, an empty text for none."""
    callback: Annotated[str, AfterValidator(_callback)] = "sent"
    """sent, lost, twice, times:<n>, late:<seconds>, forged or unsigned; several joined by commas."""
    returns_charge: bool | None = None
    """Whether our deposit is credited; by itself a failure and a reversal do."""


class Word(_Strict):
    """One turn of a provider: an answer at a time after the order, or a fault in the place of one of its replies."""

    ref: Ref
    at: Span | None = None
    """Since the order; the first word of an order is at 0s and is what the purchase is answered."""
    answer: Answer | None = None
    inquiry: Annotated[int, Field(ge=1)] | None = None
    """The number of the question a fault strikes, counted from 1."""
    fault: Wire | None = None

    @model_validator(mode="after")
    def _pairs(self) -> "Word":
        answers = self.answer is not None and self.at is not None and self.fault is None and self.inquiry is None
        strikes = self.fault is not None and self.inquiry is not None and self.answer is None and self.at is None
        if not answers and not strikes:
            text = "either `at` with `answer`, or `inquiry` with `fault`"
            raise ValueError(text)
        return self


class ExpectedRow(_Strict):
    """What is expected of one or more rows about an order."""

    ref: str
    """The order, or a pattern such as `A-*`."""
    count: Annotated[int, Field(ge=1)] = 1
    after: Span | None = None
    """Not earlier than this since the order."""
    before: Span | None = None
    """Not later than this since the order."""


class ExpectedBreak(ExpectedRow):
    """One break, by the instant at which it was opened."""

    kind: BreakKind
    state: Literal["open", "in_review", "resolved", "written_off"] | None = None
    staff_asked: bool | None = None
    amount: int | None = None


class ExpectedRefund(ExpectedRow):
    """One refund, by the instant at which it was settled or, until then, asked for."""

    kind: BreakKind | None = None
    amount: int | None = None
    state: str | None = None


class ExpectedVoucher(ExpectedRow):
    """One voucher, by the instant at which it was issued."""

    amount: int | None = None
    state: str | None = None


class ExpectedComplaint(ExpectedRow):
    """One complaint to a provider, by the instant at which it was drafted."""

    kind: BreakKind | None = None
    state: str | None = None


class ExpectedMessage(ExpectedRow):
    """One message to an agent, by the instant at which it arrived."""

    template: str


class ExpectedInquiries(_Strict):
    """How often a provider is asked about one order."""

    ref: str
    least: Annotated[int, Field(ge=0)] = 0
    most: Annotated[int, Field(ge=0)] | None = None


class Expect(_Strict):
    """What has to be there at the end. Each list is complete: nothing else may be there."""

    breaks: list[ExpectedBreak] = []
    refunds: list[ExpectedRefund] = []
    vouchers: list[ExpectedVoucher] = []
    complaints: list[ExpectedComplaint] = []
    messages: list[ExpectedMessage] = []
    inquiries: list[ExpectedInquiries] = []
    """Only the orders named here are counted."""


class Scenario(_Strict):
    """One scenario file."""

    name: str
    seed: Annotated[int, Field(ge=0)] = 1
    start: AwareDatetime
    end: Moment
    config: Config = Config()
    agents: list[Agent] = []
    facts: Annotated[list[Fact], Field(min_length=1)]
    provider: list[Word] = []
    expect: Expect

    @property
    def ends_at(self) -> datetime:
        """When the story is over."""
        return self.instant(self.end)

    def instant(self, moment: datetime | timedelta) -> datetime:
        """Turn a span since the start into an instant."""
        return moment if isinstance(moment, datetime) else self.start + moment

    @model_validator(mode="after")
    def _hangs_together(self) -> "Scenario":
        problems = [*_unknown_refs(self), *_unknown_agents(self), *_broken_speech(self)]
        if self.ends_at <= self.start:
            problems.append("`end` lies before `start`")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def orders_of(scenario: Scenario) -> Iterable[SaleFact | OldOrderFact]:
    """List the facts that are orders."""
    return (fact for fact in scenario.facts if isinstance(fact, SaleFact | OldOrderFact))


def _unknown_refs(scenario: Scenario) -> list[str]:
    refs = [fact.ref for fact in orders_of(scenario)]
    said = [word.ref for word in scenario.provider]
    said += [fact.settled for fact in scenario.facts if isinstance(fact, CrashFact) and fact.settled]
    missing = sorted(set(said) - set(refs))
    twice = sorted({ref for ref in refs if refs.count(ref) > 1})
    allowed = ", ".join(sorted(set(refs)))
    return [f"no order is called {ref}; allowed: {allowed}" for ref in missing] + [f"two orders {r}" for r in twice]


def _unknown_agents(scenario: Scenario) -> list[str]:
    known = {(agent.source, agent.id) for agent in scenario.agents}
    allowed = ", ".join(sorted(agent for _, agent in known)) or "none is declared in [[agents]]"
    return [
        f"order {fact.ref}: no agent {fact.agent} at {fact.source}; allowed: {allowed}"
        for fact in orders_of(scenario)
        if fact.agent and (fact.source, fact.agent) not in known
    ]


def _broken_speech(scenario: Scenario) -> list[str]:
    """Name the orders whose words do not start with the purchase or go back in time."""
    found = []
    for ref in dict.fromkeys(word.ref for word in scenario.provider if word.answer):
        spans = [word.at for word in scenario.provider if word.ref == ref and word.at is not None]
        if spans[0] != timedelta(0) or spans != sorted(spans):
            found.append(f"[[provider]] of {ref}: the first answer is at 0s and each later one after it")
    return found


def read(path: Path) -> Scenario:
    """Read and judge a scenario file.

    Raises:
        ScenarioError: it is no TOML, or not a scenario; every fault is named with its line and its place.
        OSError: it cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    document = scenario_text.parsed(text, name=path.name)
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        faults_found = [scenario_text.fault(text, path.name, dict(one)) for one in error.errors()]
        raise ScenarioError("\n".join(faults_found)) from error


def json_schema() -> dict[str, Any]:
    """Describe the format as JSON Schema."""
    return Scenario.model_json_schema()
