"""The approval card: everything a person needs to agree to a refund, or not (rulebook 3.9)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from rekon.cli import lookups, output
from rekon.domain import approval
from rekon.domain.breaks import BREAK_TITLES, BreakKind
from rekon.domain.msisdn import mask
from rekon.domain.policy import Policy
from rekon.store import approvals, schema

_ORDER = ("transaction_id", "source", "agent_id", "product", "price", "order_status", "ordered_at", "charged_account")


def read(connection: Connection, refund_id: str, *, policy: Policy, now: datetime) -> dict[str, Any]:
    """Read a refund's card.

    Raises:
        CommandError: when there is no such refund.
    """
    r = schema.refunds.c
    row = lookups.get(
        connection,
        select(schema.refunds).where(r.refund_id == refund_id),
        what=f"Pengembalian {refund_id}",
        advice="Lihat `rekon refunds list`.",
    )
    key = row["transaction_key"]
    order = connection.execute(select(schema.transactions).where(schema.transactions.c.key == key)).mappings().one()
    case = lookups.case_of(connection, key)
    question = approvals.question_of(connection, row)
    return {
        "refund": {name: value for name, value in row.items() if name != "lease"},
        "title": BREAK_TITLES.get(BreakKind(row["break_kind"]), row["break_kind"]),
        "case": case["number"] if case else None,
        "order": {name: order[name] for name in _ORDER} | {"destination": mask(order["destination"])},
        "wallet_lines": _lines(connection, key),
        "legs": [_leg(connection, leg) for leg in lookups.legs_of(connection, key)],
        "decisions": [
            {"name": one.person.name, "role": one.person.role, "word": one.word, "at": one.at, "digest": one.digest}
            for one in question.said
        ],
        "missing": approval.still_missing(question, policy=policy, now=now),
    }


def _lines(connection: Connection, key: str) -> list[Mapping[str, Any]]:
    w = schema.wallet_lines.c
    query = select(w.key, w.posted_at, w.amount, w.kind, w.balance_after, w.reference).where(w.transaction_key == key)
    return [dict(row) for row in connection.execute(query.order_by(w.posted_at, w.key)).mappings()]


def _leg(connection: Connection, leg: Mapping[Any, Any]) -> dict[str, Any]:
    shown = {name: leg[name] for name in ("key", "provider", "ref_id", "sent_at", "send_state", "send_count", "state")}
    return shown | {"reports": [dict(report) for report in lookups.reports_of(connection, leg["key"])]}


def show(card: Mapping[str, Any]) -> None:
    """Print a card."""
    refund, order = card["refund"], card["order"]
    output.line(f"{refund['refund_id']}  {refund['break_kind']} {card['title']}  {output.money(refund['amount'])}")
    output.line(f"Keadaan    {refund['state']}" + (f" ({refund['hold_reason']})" if refund["hold_reason"] else ""))
    output.line(f"Kasus      {card['case'] or '-'}    diajukan {output.at(refund['requested_at'])}")
    output.line(
        f"Order      {refund['transaction_key']}  {order['product']} ke {order['destination']}  {order['order_status']}"
    )
    output.line(
        f"           agen {order['agent_id']}, {output.money(order['price'])}, {output.at(order['ordered_at'])}"
    )
    output.line(f"Aturan     {refund['rule']} versi {refund['rule_version']}")
    output.line(f"Sidik      {refund['digest']}")
    output.line()
    cells = [
        (w["posted_at"], w["kind"], output.money(w["amount"]), output.money(w["balance_after"]), w["reference"])
        for w in card["wallet_lines"]
    ]
    output.table(("MUTASI", "JENIS", "JUMLAH", "SALDO", "ACUAN"), cells, empty="Tidak ada mutasi saldo.")
    output.line()
    said = [
        (
            leg["provider"],
            leg["ref_id"],
            one["received_at"],
            one["source"],
            one["outcome"],
            one["raw_code"],
            one["note"],
        )
        for leg in card["legs"]
        for one in leg["reports"]
    ]
    output.table(
        ("PENYEDIA", "REF_ID", "WAKTU", "DARI", "HASIL", "KODE", "CATATAN"),
        said,
        empty="Penyedia belum berkata apa pun.",
    )
    output.line()
    decided = [(d["at"], d["name"], d["role"].value, d["word"].value, d["digest"][:12]) for d in card["decisions"]]
    output.table(("WAKTU", "PETUGAS", "PERAN", "KEPUTUSAN", "SIDIK"), decided, empty="Belum ada keputusan petugas.")
    if card["missing"] and refund["state"] == "awaiting_approval":
        output.line(f"Masih diperlukan: {card['missing']}.")
