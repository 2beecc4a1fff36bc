"""Read a provider's recorded replies and compare them with what their author expects. Nothing is sent."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.reading import read_reply
from rekon.domain.outcome import FailureClass, Outcome, Reading, ReportSource
from rekon.domain.transaction import Leg, SendState

_FILE = Path("samples", "replies.toml")
_NOT_COMPARED = frozenset({"note"})
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRun:
    """What became of one provider's samples. `differences` are Indonesian lines, one a sample."""

    provider: str
    samples: int
    differences: tuple[str, ...]


def run(definition: Definition, folder: Path) -> SampleRun:
    """Read every sample of a provider's folder; a folder without samples has none."""
    path = folder / _FILE
    if not path.is_file():
        return SampleRun(provider=definition.name, samples=0, differences=())
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    found = document.get("sample", [])
    said = [_compare(definition, sample, document.get("leg", {})) for sample in found]
    return SampleRun(
        provider=definition.name, samples=len(found), differences=tuple(line for line in said if line is not None)
    )


def _compare(definition: Definition, sample: Mapping[str, Any], about: Mapping[str, Any]) -> str | None:
    reading = read_reply(
        definition,
        leg=_leg(definition.name, {**about, **sample.get("leg", {})}),
        source=ReportSource(sample["input"]),
        raw=sample["raw"].encode(),
        http_status=sample.get("http_status", 200),
        content_type=sample.get("content_type", ""),
    )
    wanted = _expected(sample["expected"])
    differing = [
        f"{one.name} {getattr(reading, one.name)!s}, harapan {getattr(wanted, one.name)!s}"
        for one in fields(Reading)
        if one.name not in _NOT_COMPARED and getattr(reading, one.name) != getattr(wanted, one.name)
    ]
    return f"{sample['name']}: {'; '.join(differing)}" if differing else None


def _expected(table: Mapping[str, Any]) -> Reading:
    facts = dict(table) | {"outcome": Outcome(table["outcome"]), "contacts": tuple(table.get("contacts", ()))}
    if "failure_class" in facts:
        facts["failure_class"] = FailureClass(facts["failure_class"])
    for name in ("price", "balance"):
        if name in facts:
            facts[name] = Decimal(facts[name])
    return Reading(**facts)


def _leg(provider: str, about: Mapping[str, Any]) -> Leg:
    facts = dict(about)
    return Leg(
        key="contoh:1#1",
        transaction_key="contoh:1",
        leg_no=1,
        provider=provider,
        provider_account="",
        provider_product=facts.pop("product"),
        destination_sent=facts.pop("destination"),
        sent_at=_LONG_AGO,
        send_state=SendState.SENT,
        **facts,
    )
