"""What a person sees of the demo: a table that lives while the story runs, and the verdict at its end."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from rekon.cli.demo_setup import Stage
from rekon.domain.breaks import BREAK_TITLES, BreakKind
from rekon.domain.message_format import format_hour
from rekon.domain.money import format_rupiah
from rekon.store.engine import Store
from rekon.store.findings import Summary, summarise

View = Callable[[str], None]


@contextlib.contextmanager
def live(stage: Stage, *, quiet: bool) -> Iterator[View]:
    """Show the story as it goes; a function takes the business time. Quiet shows nothing."""
    if quiet:
        yield lambda _now: None
        return
    store = Store(f"sqlite:///{stage.folder / 'rekon.sqlite3'}")
    console = Console()
    try:
        if not console.is_terminal:
            yield _lines(store, console)
            return
        with Live(console=console, refresh_per_second=4) as screen:
            yield lambda now: screen.update(_table(store.read(summarise), now))
    finally:
        store.close()


def _lines(store: Store, console: Console) -> View:
    """Print one line a change of the business hour where there is no terminal to redraw."""
    last = ""

    def show(now: str) -> None:
        nonlocal last
        hour = format_hour(datetime.fromisoformat(now), "WIB")[:4]
        if hour != last:
            last = hour
            summary = store.read(summarise)
            found = sum(summary.breaks.values())
            console.print(
                f"{format_hour(datetime.fromisoformat(now), 'WIB')}  transaksi {summary.transactions}  selisih {found}"
                f"  kembali {summary.refunds_settled} ({format_rupiah(summary.refunds_amount)})"
                f"  pesan {summary.messages}"
            )

    return show


def _table(summary: Summary, now: str) -> Table:
    title = f"rekon demo · {format_hour(datetime.fromisoformat(now), 'WIB')} · {summary.transactions} transaksi"
    table = Table(title=title)
    table.add_column("Selisih")
    table.add_column("Ditemukan", justify="right")
    table.add_column("Terbuka", justify="right")
    for kind in BreakKind:
        table.add_row(
            f"{kind.value} {BREAK_TITLES[kind]}",
            str(summary.breaks.get(kind.value, 0)),
            str(summary.open.get(kind.value, 0)),
        )
    table.add_section()
    table.add_row("Saldo kembali", str(summary.refunds_settled), format_rupiah(summary.refunds_amount))
    table.add_row("Menunggu petugas", str(summary.refunds_waiting), "")
    table.add_row("Voucher · laporan · pesan", str(summary.vouchers), f"{summary.complaints} · {summary.messages}")
    return table


def show_verdict(verdict: dict[str, Any]) -> None:
    """Print what the judge says."""
    console = Console()
    table = Table(title="Putusan hakim, dihitung dari jurnal dunia luar saja")
    for name in ("Selisih", "Seharusnya", "Ditemukan", "Mengada-ada"):
        table.add_column(name, justify="left" if name == "Selisih" else "right")
    for kind, counts in verdict["breaks"].items():
        title = BREAK_TITLES[BreakKind(kind)] if kind in set(BreakKind) else ""
        table.add_row(f"{kind} {title}", str(counts["expected"]), str(counts["found"]), str(counts["invented"]))
    console.print(table)
    refunds, seconds = verdict["refunds"], verdict["seconds_to_refund"]
    console.print(
        f"Pengembalian: {refunds['settled']} sebesar {format_rupiah(refunds['amount'])}; salah {refunds['wrong']}, "
        f"ganda {refunds['double']}, terlewat {refunds['missed']}; p50 {seconds['p50']} s, p99 {seconds['p99']} s."
    )
    console.print(
        f"Voucher {verdict['vouchers']}, laporan ke penyedia {verdict['complaints']}, pesan {verdict['messages']}; "
        f"pembelian karena rekon {verdict['purchases_caused']}, sisa jembatan {verdict['bridge_residual']}."
    )
    for reason in verdict.get("reasons", [])[:40]:
        console.print(f"- {reason}")
    console.print("SESUAI" if verdict["ok"] else "TIDAK SESUAI")
