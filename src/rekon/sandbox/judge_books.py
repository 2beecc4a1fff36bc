"""Whether every book adds up, and what else must never happen: purchases by rekon, gifts paid twice, lost messages."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rekon.sandbox import judge_facts
from rekon.sandbox.judge_facts import VOUCHER, Books, Row
from rekon.sandbox.judge_money import Settlement

_ACCEPTED: Final = 200
_GIFT_STEP, _GIFT_MIN, _GIFT_MAX = 500, 1_000, 5_000
_GIFTS_PER_AGENT: Final = 2
_REDEEMED: Final = "redeemed"


def bridge(books: Books, folder: Path | None) -> tuple[int, list[str]]:
    """Add up every deposit and wallet: opening and all lines against the closing; return the residual and its reasons.

    A provider's lines come from its statement file where there is one, so that a line missing there shows.
    """
    reasons: list[str] = []
    total = 0
    for provider in judge_facts.PROVIDERS:
        lines = _statement(folder, provider) or _charges(books, provider)
        total += _residual(provider, lines, _closing(books, provider), reasons)
    for source in judge_facts.SOURCES:
        total += _wallets(books, source, reasons)
    return total, reasons


def purchases(books: Books) -> list[str]:
    """Name every order that came into being through a call of rekon's."""
    found = []
    for provider in judge_facts.PROVIDERS:
        found += [
            f"{provider} {row['ref_id']}: bought by a question at {row['at']}"
            for row in books.rows(provider, "order")
            if row["via"] == "http"
        ]
    return found


def refused_pushes(books: Books) -> list[str]:
    """Name every push that rekon did not take whole."""
    rows = [*books.rows("deliveries", "pushed"), *books.rows("deliveries", "stated")]
    return [
        f"push of {row.get('book', 'statement')} at {row['at']}: {row['status']}, quarantined {row['quarantined']}"
        for row in rows
        if row["status"] != _ACCEPTED or row["quarantined"]
    ]


def vouchers(books: Books, findings: Mapping[str, Any], settlement: Settlement) -> list[str]:
    """Check gifts: each voucher credited once and as issued, and one of COMP-1's size for each excess given back."""
    issued = Counter((str(v["transaction"]), int(v["amount"])) for v in findings.get("vouchers", []))
    told = Counter(
        (str(v["transaction"]), int(v["amount"])) for v in findings.get("vouchers", []) if v["state"] == _REDEEMED
    )
    credited: Counter[tuple[str, int]] = Counter()
    codes: Counter[str] = Counter()
    for key, row in _gifts(books):
        credited[key, row["amount"]] += 1
        codes[row["reference"]] += 1
    reasons = [f"a voucher was credited {count} times" for count in codes.values() if count > 1]
    reasons += [f"{key}: Rp {amount} credited for a voucher never issued" for key, amount in credited - issued]
    reasons += [f"{key}: voucher of Rp {amount} called redeemed, never credited" for key, amount in told - credited]
    return reasons + _apologies(books, issued, settlement)


def complaints(findings: Mapping[str, Any], expected: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Check complaints: one for an order, and none without a break of any kind behind it."""
    told = Counter(str(c["transaction"]) for c in findings.get("complaints", []))
    known = {key for verdicts in expected.values() for key in verdicts}
    reasons = [f"{key}: {count} complaints" for key, count in told.items() if count > 1]
    return reasons + [f"{key}: complaint without a break" for key in told if key not in known]


def messages(books: Books, findings: Mapping[str, Any], settlement: Settlement) -> list[str]:
    """Check messages: those called sent have arrived, none arrived unknown, and whoever got money back was told."""
    arrived = books.rows("inbox", "message")
    ids = {row["message_id"] for row in arrived}
    listed = [m for m in findings.get("messages", []) if "message_id" in m]
    reasons = []
    if listed:
        known = {m["message_id"] for m in listed}
        sent = {m["message_id"] for m in listed if m.get("state") in {"sent", "delivered"}}
        reasons += [f"message {i}: called sent, never arrived" for i in sorted(sent - ids)]
        reasons += [f"message {i}: arrived, unknown to its sender" for i in sorted(ids - known)]
    for payment in settlement.paid:
        agent = books.orders[payment.transaction].row["agent_id"] if payment.transaction in books.orders else None
        if not any(row["agent_id"] == agent and judge_facts.when(row["at"]) >= payment.at for row in arrived):
            reasons.append(f"{payment.transaction} {payment.kind}: the agent was never told")
    return reasons


def gift_for(nominal: int) -> int:
    """Work out COMP-1: a tenth of the nominal, to the nearest Rp 500, between Rp 1.000 and Rp 5.000."""
    tenth = (nominal + _GIFT_STEP * 5) // (_GIFT_STEP * 10) * _GIFT_STEP
    return min(_GIFT_MAX, max(_GIFT_MIN, tenth))


def _apologies(books: Books, issued: Mapping[tuple[str, int], int], settlement: Settlement) -> list[str]:
    had: Counter[str] = Counter()
    reasons = []
    for payment in settlement.paid:
        order = books.orders.get(payment.transaction)
        if payment.kind != "B10" or order is None:
            continue
        agent, amount = order.row["agent_id"], gift_for(int(order.row["face_value"] or order.price))
        had[agent] += 1
        if had[agent] <= _GIFTS_PER_AGENT and issued.get((payment.transaction, amount)) != 1:
            reasons.append(f"{payment.transaction}: no voucher of Rp {amount}")
    return reasons


def _gifts(books: Books) -> list[tuple[str, Row]]:
    """List every wallet line of a voucher with the transaction it apologises for."""
    return [
        (f"{source}:{row['transaction_id']}", row)
        for source in judge_facts.SOURCES
        for row in books.rows(f"server-{source}", "wallet")
        if row["reference"].startswith(VOUCHER) and row["amount"] > 0
    ]


def _statement(folder: Path | None, provider: str) -> list[tuple[int, int]]:
    """Read (amount, balance after) of each line of the statement file, the opening first; empty without a file."""
    path = folder / f"statement-{provider}.csv" if folder is not None else None
    if path is None or not path.exists():
        return []
    rows = list(csv.DictReader(path.read_text().splitlines()))
    return [(int(row["amount"]), int(row["balance_after"])) for row in rows if row["kind"] != "closing"]


def _charges(books: Books, provider: str) -> list[tuple[int, int]]:
    rows = books.rows(provider, "charge")
    opening = [(0, rows[0]["balance_after"] - rows[0]["amount"])] if rows else []
    return opening + [(row["amount"], row["balance_after"]) for row in rows]


def _closing(books: Books, provider: str) -> int | None:
    rows = books.rows(provider, "closing")
    return int(rows[-1]["balance"]) if rows else None


def _residual(name: str, lines: Sequence[tuple[int, int]], closing: int | None, reasons: list[str]) -> int:
    if closing is None:
        reasons.append(f"{name}: no closing balance")
        return 0
    if not lines:
        return 0
    opening = lines[0][1] - lines[0][0]
    left = opening + sum(amount for amount, _ in lines) - closing
    if left:
        reasons.append(f"{name}: Rp {left} unexplained between opening, lines and closing")
    return abs(left)


def _wallets(books: Books, source: str, reasons: list[str]) -> int:
    closings = books.rows(f"server-{source}", "closing")
    balances: Mapping[str, int] = closings[-1]["balances"] if closings else {}
    if not closings:
        reasons.append(f"server-{source}: no closing balances")
    lines: dict[str, list[tuple[int, int]]] = {}
    for row in books.rows(f"server-{source}", "wallet"):
        lines.setdefault(row["agent_id"], []).append((row["amount"], row["balance_after"]))
    return sum(
        _residual(f"{source} wallet of {agent}", mine, balances.get(agent), reasons) if closings else 0
        for agent, mine in sorted(lines.items())
    )
