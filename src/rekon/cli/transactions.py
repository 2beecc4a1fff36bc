"""`rekon transactions`: purchases as the three books show them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rekon.cli import failures, house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config, Limit

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from rekon.cli.lookups import Row

app = typer.Typer(no_args_is_help=True, help="Transaksi menurut order, mutasi saldo, dan penyedia.")

_SHOWN = ("transaction_id", "source", "agent_id", "product", "price", "order_status", "ordered_at", "recorded_at")
_LEG = (
    "key",
    "provider",
    "provider_account",
    "ref_id",
    "provider_product",
    "sent_at",
    "send_state",
    "send_count",
    "state",
)


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="transactions")


@app.command("list")
def list_(
    config: Config = DEFAULT_CONFIG,
    *,
    status: Annotated[str | None, typer.Option("--status", help="pending, success, failed, atau refunded.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Hanya sumber ini.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Hanya agen ini.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """Daftar transaksi, terbaru di atas. Nomor tujuan disamarkan."""
    from rekon.cli import lookups
    from rekon.domain.transaction import OrderStatus

    if status is not None and status not in set(OrderStatus):
        failures.wrong_use(f"Status {status} tidak ada. Pilih: {', '.join(OrderStatus)}.")
    with house.opened(config) as place:
        rows = place.store.read(lookups.transactions, status=status, source=source, agent=agent, limit=limit)
    if as_json:
        output.write_json({"items": [masked(row) for row in rows]})
        return
    columns = ("TRANSAKSI", "AGEN", "PRODUK", "TUJUAN", "HARGA", "STATUS", "WAKTU")
    cells = [
        (
            row["key"],
            row["agent_id"],
            row["product"],
            masked(row)["destination"],
            output.money(row["price"]),
            row["order_status"],
            row["ordered_at"],
        )
        for row in rows
    ]
    output.table(columns, cells, empty="Tidak ada transaksi.")


def masked(row: "Row") -> dict[str, Any]:
    """Show an order with its number hidden, and without the words the agent typed: they may hold a PIN."""
    from rekon.domain.msisdn import mask

    return {"key": row["key"]} | {name: row[name] for name in _SHOWN} | {"destination": mask(row["destination"])}


@app.command("show")
def show(
    ref: Annotated[str, typer.Argument(metavar="REF", help="Nomor transaksi, ref_id, atau nomor kasus.")],
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Satu transaksi di semua buku, dan uang yang masih terpotong."""
    with house.opened(config) as place:
        found = place.store.read(_read, ref)
    if as_json:
        output.write_json(found)
    else:
        _print(found)


def _read(connection: "Connection", ref: str) -> dict[str, Any]:
    from sqlalchemy import select

    from rekon.cli import lookups
    from rekon.store import schema

    key = lookups.find_transaction(connection, ref)
    t, w = schema.transactions.c, schema.wallet_lines.c
    order = connection.execute(select(schema.transactions).where(t.key == key)).mappings().one()
    names = (w.key, w.posted_at, w.amount, w.kind, w.balance_after, w.reference)
    lines = connection.execute(select(*names).where(w.transaction_key == key).order_by(w.posted_at, w.key))
    case = lookups.case_of(connection, key)
    return {
        "order": masked(order),
        "net": _net(connection, key),
        "wallet_lines": lines.mappings().all(),
        "legs": [
            {name: leg[name] for name in _LEG}
            | {"next_check_at": leg["due_at"], "reports": lookups.reports_of(connection, leg["key"])}
            for leg in lookups.legs_of(connection, key)
        ],
        "refunds": [
            {name: row[name] for name in ("refund_id", "break_kind", "amount", "state", "requested_at", "settled_at")}
            for row in lookups.refunds_of(connection, key)
        ],
        "breaks": lookups.breaks_of(connection, case["case_id"]) if case else [],
        "case": case["number"] if case else None,
    }


def _net(connection: "Connection", key: str) -> int:
    """Count the money still taken, as the rules do."""
    from datetime import timedelta

    from rekon.domain.decide import gather
    from rekon.domain.policy import Policy
    from rekon.store import dossier

    one = dossier.load(connection, [key], sources={}, twin_window=timedelta(0))[0]
    facts = gather(
        one.transaction,
        one.legs,
        one.wallet_lines,
        one.reports,
        Policy(),
        one.history,
        one.transaction.ordered_at,
        providers={},
    )
    return facts.net


def _print(found: dict[str, Any]) -> None:
    order = found["order"]
    output.line(f"{order['key']}  {order['product']} ke {order['destination']}  {order['order_status']}")
    output.line(f"Agen {order['agent_id']}, {output.money(order['price'])}, {output.at(order['ordered_at'])}")
    output.line(f"Masih terpotong: {output.money(found['net'])}    kasus {found['case'] or '-'}")
    output.line()
    lines = [
        (w["posted_at"], w["kind"], output.money(w["amount"]), output.money(w["balance_after"]), w["reference"])
        for w in found["wallet_lines"]
    ]
    output.table(("MUTASI", "JENIS", "JUMLAH", "SALDO", "ACUAN"), lines, empty="Tidak ada mutasi saldo.")
    for leg in found["legs"]:
        output.line()
        output.line(
            f"{leg['provider']} {leg['ref_id']}  {leg['state']}, ditanya lagi {output.at(leg['next_check_at'])}"
        )
        said = [(r["received_at"], r["source"], r["outcome"], r["raw_code"], r["note"]) for r in leg["reports"]]
        output.table(("WAKTU", "DARI", "HASIL", "KODE", "CATATAN"), said, empty="Penyedia belum berkata apa pun.")
    for refund in found["refunds"]:
        output.line(f"Pengembalian {refund['refund_id']} {output.money(refund['amount'])} {refund['state']}")
    for one in found["breaks"]:
        output.line(f"Selisih {one['kind']} {one['state']} {output.money(one['amount'])}")
