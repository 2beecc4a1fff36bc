"""Decide again what was decided, from the inputs stored with it, and compare (I21)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rekon.domain.decide import decide
from rekon.domain.decision import RULE_VERSION, Decision, evidence_digest
from rekon.domain.policy import CheckKind, Policy, ProviderRules
from rekon.domain.snapshot import thaw

_COMPARED = ("action", "break_kind", "rule", "amount", "evidence")
_UNKNOWN_PROVIDER_AGE = timedelta(days=80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What deciding again says. `differences` name what is not the same; none means that it agrees."""

    agrees: bool
    differences: tuple[str, ...]
    same_version: bool


def replay(row: Mapping[Any, Any], configuration: Mapping[str, Any]) -> Replay:
    """Run the rules again on a stored decision's own inputs, numbers and instant.

    A decision of another rule version may differ rightly; `same_version` tells.
    """
    same_version = row["rule_version"] == RULE_VERSION
    made = _decide(row, configuration)
    candidates = [_differences(row, decision) for decision in made if decision.rule == row["rule"]]
    if not candidates:
        said = ", ".join(sorted({decision.rule for decision in made})) or "tidak ada"
        return Replay(
            agrees=False,
            differences=(f"aturan {row['rule']} kini tidak berlaku; yang berlaku: {said}",),
            same_version=same_version,
        )
    nearest = min(candidates, key=len)
    return Replay(agrees=not nearest, differences=tuple(nearest), same_version=same_version)


def _decide(row: Mapping[Any, Any], configuration: Mapping[str, Any]) -> Sequence[Decision]:
    return decide_again(row, policy=thaw(configuration["policy"]), known=thaw(configuration["providers"]))


def decide_again(row: Mapping[Any, Any], *, policy: Policy, known: Mapping[str, ProviderRules]) -> Sequence[Decision]:
    """Decide on the inputs stored with a decision, as of the time it was taken, by the numbers given."""
    inputs = {name: thaw(value) for name, value in row["inputs"].items()}
    now: datetime = row["at"]
    return decide(
        inputs["transaction"],
        inputs["legs"],
        inputs["wallet_lines"],
        inputs["reports"],
        policy,
        inputs["history"],
        now,
        providers={leg.provider: known.get(leg.provider) or _unknown(leg.provider) for leg in inputs["legs"]},
    )


def _unknown(provider: str) -> ProviderRules:
    """Rules of a provider nobody knew then: the most dangerous kind, as when it was decided."""
    return ProviderRules(
        name=provider, check=CheckKind.RESEND, max_check_age=_UNKNOWN_PROVIDER_AGE, sends_callbacks=False
    )


def _differences(row: Mapping[Any, Any], decision: Decision) -> list[str]:
    stored = {name: row[name] for name in _COMPARED} | dict(row["body"])
    stored["evidence"] = tuple(row["evidence"])
    made = {name: getattr(decision, name) for name in stored}
    made["break_kind"] = decision.break_kind or ""
    found = [
        f"{name}: tercatat {stored[name] or '-'}, kini {made[name] or '-'}"
        for name in stored
        if stored[name] != made[name]
    ]
    if row["rule_version"] == RULE_VERSION and not found:
        digest = evidence_digest(decision, transaction=row["transaction_key"])
        return [] if digest == row["digest"] else ["sidik bukti tidak sama"]
    return found


def describe_evidence(row: Mapping[Any, Any]) -> list[dict[str, str]]:
    """Say what each piece of a decision's evidence is, from the inputs stored with it. Numbers are never in it."""
    inputs = {name: thaw(value) for name, value in row["inputs"].items()}
    said: dict[str, str] = {}
    for report in inputs["reports"]:
        said[report.report_id] = (
            f"{report.received_at.isoformat()} penyedia ({report.source}): {report.outcome} {report.raw_code}"
        )
    for line in inputs["wallet_lines"]:
        said[line.key] = f"{line.posted_at.isoformat()} mutasi {line.kind} {line.amount}"
    for leg in inputs["legs"]:
        said[f"leg:{leg.key}"] = f"{leg.sent_at.isoformat()} kiriman ke {leg.provider}, {leg.send_state}"
    for credit in inputs["history"].statement_lines:
        said[f"stl:{credit.line_id}"] = (
            f"{credit.posted_at.isoformat()} rekening penyedia {credit.kind} {credit.amount}"
        )
    return [{"id": one, "text": said.get(one, "")} for one in row["evidence"]]
