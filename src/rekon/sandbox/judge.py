"""The demo's judge: compares what rekon says it found and did with what the journals of the outside say happened.

It imports nothing of rekon and knows no fate: every expectation is worked out from the journals by the written rules,
which stand in the docstrings of `judge_rules` (breaks) and `judge_money` (refunds).

`findings` is what rekon exports: `breaks` [{transaction, kind}], `refunds` [{transaction, kind, amount, state}],
`vouchers` [{transaction, amount, state}], `complaints` [{transaction, state}], `messages` [{template, state}], where a
`message_id` is compared with the inbox too. A transaction is named `source:transaction_id`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from rekon.sandbox import judge_books, judge_facts, judge_money, judge_rules
from rekon.sandbox.judge_facts import Books
from rekon.sandbox.judge_money import Settlement
from rekon.sandbox.judge_rules import MUST

KINDS: Final = ("B01", "B02", "B03", "B04", "B05", "B07", "B10", "B11", "B14", "B17", "B21", "B22", "B30")
CAUSED_AT_LEAST: Final = 3
REFUNDS_AT_LEAST: Final = 60
_ROUND: Final = 3


def judge(journal_dir: Path, findings: Mapping[str, Any]) -> dict[str, Any]:
    """Judge one finished run from its journals.

    `breaks.<kind>.expected` counts what must be found, `found` how much of it was, `invented` what is neither required
    nor defensible. `ok` needs every kind caused at least 3 times, at least 60 refunds due, and no difference at all;
    `reasons` names each difference.
    """
    return verdict(judge_facts.read(journal_dir), findings, folder=journal_dir)


def verdict(books: Books, findings: Mapping[str, Any], *, folder: Path | None = None) -> dict[str, Any]:
    """Judge facts that are read already; `folder` holds the providers' statement files, if there are any."""
    expected = judge_rules.breaks(books)
    settlement = judge_money.settle(books, expected)
    residual, unbalanced = judge_books.bridge(books, folder)
    bought = judge_books.purchases(books)
    compared, differences = _breaks(expected, findings)
    reasons = [
        *_enough(books, expected, settlement),
        *differences,
        *(f"wrong refund: {text}" for text in settlement.wrong),
        *(f"double refund: {text}" for text in settlement.double),
        *(f"missed refund: {text}" for text in settlement.missed),
        *_misreported(settlement, findings),
        *bought,
        *unbalanced,
        *judge_books.refused_pushes(books),
        *judge_books.vouchers(books, findings, settlement),
        *judge_books.complaints(findings, expected),
        *judge_books.messages(books, findings, settlement),
    ]
    return {
        "breaks": compared,
        "refunds": _refunds(settlement),
        "vouchers": len(findings.get("vouchers", [])),
        "complaints": len(findings.get("complaints", [])),
        "messages": len(books.rows("inbox", "message")),
        "purchases_caused": len(bought),
        "bridge_residual": residual,
        "seconds_to_refund": _seconds(settlement),
        "ok": not reasons,
        "reasons": reasons,
    }


def _breaks(
    expected: Mapping[str, Mapping[str, str]], findings: Mapping[str, Any]
) -> tuple[dict[str, dict[str, int]], list[str]]:
    said = {(str(b["kind"]), str(b["transaction"])) for b in findings.get("breaks", [])}
    compared, reasons = {}, []
    for kind in (*KINDS, *sorted({kind for kind, _ in said} - set(KINDS))):
        verdicts = expected.get(kind, {})
        must = {key for key, answer in verdicts.items() if answer == MUST}
        found = {key for name, key in said if name == kind}
        invented = found - set(verdicts)
        compared[kind] = {"expected": len(must), "found": len(found & must), "invented": len(invented)}
        reasons += [f"missed break: {key} {kind}" for key in sorted(must - found)]
        reasons += [f"invented break: {key} {kind}" for key in sorted(invented)]
    return compared, reasons


def _enough(books: Books, expected: Mapping[str, Mapping[str, str]], settlement: Settlement) -> Iterable[str]:
    if books.ends_at is None:
        yield "the story was not played to its end"
    for kind in KINDS:
        count = sum(answer == MUST for answer in expected.get(kind, {}).values())
        if count < CAUSED_AT_LEAST:
            yield f"{kind} was caused only {count} times"
    if len(settlement.due) < REFUNDS_AT_LEAST:
        yield f"only {len(settlement.due)} refunds were due"


def _misreported(settlement: Settlement, findings: Mapping[str, Any]) -> list[str]:
    """Compare the refunds rekon calls settled with the credits in the wallets."""
    settled = {
        (str(r["transaction"]), str(r["kind"]), int(r["amount"]))
        for r in findings.get("refunds", [])
        if r["state"] == "settled"
    }
    credited = {(p.transaction, p.kind, p.amount) for p in settlement.paid}
    reasons = [f"refund called settled, never credited: {key} {kind}" for key, kind, _ in sorted(settled - credited)]
    return reasons + [
        f"refund credited, not called settled: {key} {kind}" for key, kind, _ in sorted(credited - settled)
    ]


def _refunds(settlement: Settlement) -> dict[str, int]:
    return {
        "settled": len(settlement.paid),
        "amount": sum(payment.amount for payment in settlement.paid),
        "wrong": len(settlement.wrong),
        "double": len(settlement.double),
        "missed": len(settlement.missed),
    }


def _seconds(settlement: Settlement) -> dict[str, float | None]:
    shares = {"p50": 0.5, "p99": 0.99}
    found = {name: judge_money.percentile(settlement.seconds, share) for name, share in shares.items()}
    return {name: None if value is None else round(value, _ROUND) for name, value in found.items()}
