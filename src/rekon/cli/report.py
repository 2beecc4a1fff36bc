"""`rekon report leaks`: what ninety days of history cost, on the first day, touching nothing."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rekon.cli import house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from rekon.store.leaks import Claim, Leak, Window

app = typer.Typer(no_args_is_help=True, help="Laporan.")

_WINDOW_HOURS = 72
"""A provider's complaint window when its definition is not known (rulebook 3.3)."""
_TITLES = {
    "failed_not_returned": "Gagal, saldo agen belum kembali",
    "debited_twice": "Terpotong lebih dari sekali",
    "credits_exceed_debits": "Kembali lebih banyak daripada terpotong",
    "pending_long": "Menggantung lebih dari sehari, saldo masih terpotong",
}


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="report")


@app.callback()
def _nouns() -> None:
    """Keep `leaks` a word of its own while it is the only report."""


@app.command("leaks")
def leaks(
    config: Config = DEFAULT_CONFIG,
    *,
    days: Annotated[int, typer.Option("--days", min=1, max=3_660, help="Sejauh ini ke belakang.")] = 90,
    source: Annotated[str | None, typer.Option("--source", help="Hanya sumber ini.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, max=100_000, help="Rincian per jenis.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Uang yang tidak kembali menurut riwayat yang tersimpan, dan yang masih dapat ditagih. Tidak mengubah apa pun."""
    from rekon import bootstrap
    from rekon.store.leaks import Window

    with house.opened(config) as place:
        window = Window(since=place.now - timedelta(days=days), until=place.now, source=source)
        definitions = bootstrap.load_provider_definitions(place.state_dir)
        windows = {name: timedelta(hours=d.complaint.window_hours) for name, d in definitions.items()}
        found = place.store.read(_read, window, windows=windows, limit=limit)
    if as_json:
        output.write_json(found)
    else:
        _print(found)


def _read(
    connection: "Connection", window: "Window", *, windows: "Mapping[str, timedelta]", limit: int
) -> dict[str, Any]:
    from rekon.store import leaks

    found = leaks.find_leaks(connection, window)
    claims = leaks.find_claims(connection, window, found)
    return {
        "since": window.since,
        "until": window.until,
        "source": window.source,
        "coverage": leaks.coverage(connection, window),
        "leaks": {kind.value: _kind([one for one in found if one.kind is kind], limit) for kind in leaks.LeakKind},
        "claims": {
            provider: _provider(
                [one for one in claims if one.provider == provider], windows, now=window.until, limit=limit
            )
            for provider in sorted({one.provider for one in claims})
        },
    }


def _kind(found: "Sequence[Leak]", limit: int) -> dict[str, Any]:
    return {"count": len(found), "amount": sum(one.amount for one in found), "items": list(found[:limit])}


def _provider(
    claims: "Sequence[Claim]", windows: "Mapping[str, timedelta]", *, now: datetime, limit: int
) -> dict[str, Any]:
    """Split a provider's claims by whether its complaint window is still open."""
    span = windows.get(claims[0].provider, timedelta(hours=_WINDOW_HOURS))
    open_ = [one for one in claims if one.sent_at + span > now]
    late = [one for one in claims if one.sent_at + span <= now]
    proved = [one for one in open_ if one.proved]
    return {
        "window_hours": int(span.total_seconds()) // 3600,
        "count": len(open_),
        "amount": sum(one.amount for one in open_),
        "proved_count": len(proved),
        "proved_amount": sum(one.amount for one in proved),
        "first_deadline": min((one.sent_at + span for one in open_), default=None),
        "last_deadline": max((one.sent_at + span for one in open_), default=None),
        "too_late_count": len(late),
        "too_late_amount": sum(one.amount for one in late),
        "items": [_claim(one, until=one.sent_at + span) for one in open_[:limit]],
    }


def _claim(one: "Claim", *, until: datetime) -> dict[str, Any]:
    return {
        "transaction_key": one.transaction_key,
        "ref_id": one.ref_id,
        "amount": one.amount,
        "proved": one.proved,
        "sent_at": one.sent_at,
        "until": until,
    }


def _print(found: dict[str, Any]) -> None:
    covered = found["coverage"]
    whose = f" dari {found['source']}" if found["source"] else ""
    output.line(f"Laporan kebocoran {output.at(found['since'])} sampai {output.at(found['until'])}")
    output.line(f"{covered.orders} order{whose}; tidak ada yang diubah.")
    if covered.without_wallet_lines:
        output.line(f"Tidak dapat diperiksa: {covered.without_wallet_lines} order tanpa mutasi saldo yang tersimpan.")
    if covered.cash:
        output.line(f"Tidak dapat diperiksa: {covered.cash} order tunai, tidak ada buku saldonya.")
    for kind, part in found["leaks"].items():
        output.line()
        output.line(f"{_TITLES[kind]}: {part['count']} order, {output.money(part['amount'])}")
        cells = [
            (one.transaction_key, one.agent_id, one.product, output.money(one.amount), one.ordered_at)
            for one in part["items"]
        ]
        if cells:
            output.table(("TRANSAKSI", "AGEN", "PRODUK", "JUMLAH", "WAKTU"), cells, empty="")
        if part["count"] > len(cells):
            output.line(f"... dan {part['count'] - len(cells)} lagi; `--limit` menampilkan lebih banyak.")
    output.line()
    if not found["claims"]:
        output.line("Tidak ada yang perlu ditagih ke penyedia.")
    for provider, part in found["claims"].items():
        _print_provider(provider, part)


def _print_provider(provider: str, part: dict[str, Any]) -> None:
    window, total = part["window_hours"], output.money(part["amount"])
    output.line(f"Masih dapat ditagih ke {provider} (batas lapor {window} jam): {part['count']} order, {total}")
    if part["count"]:
        proved = output.money(part["proved_amount"])
        output.line(f"  Terbukti di rekening penyedia: {part['proved_count']} order, {proved}")
        nearest, farthest = output.at(part["first_deadline"]), output.at(part["last_deadline"])
        output.line(f"  Batas paling dekat {nearest}, paling jauh {farthest}")
    if part["too_late_count"]:
        late = output.money(part["too_late_amount"])
        output.line(f"  Sudah lewat batas: {part['too_late_count']} order, {late}")
    for one in part["items"]:
        proof = "terbukti" if one["proved"] else "belum terbukti"
        amount, until = output.money(one["amount"]), output.at(one["until"])
        output.line(f"  {one['ref_id']}  {one['transaction_key']}  {amount}  {proof}, sampai {until}")
