"""`rekon simulate`: play a written scenario through the real stages in virtual time, and judge what came of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rekon.cli import failures, output
from rekon.cli.options import AsJson

if TYPE_CHECKING:
    from rekon.simulation.playing import Outcome
    from rekon.simulation.scenario import Scenario

_TITLES = {
    "breaks": "Selisih",
    "refunds": "Pengembalian",
    "vouchers": "Voucher",
    "complaints": "Laporan ke penyedia",
    "messages": "Pesan ke agen",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(
    scenario: Annotated[Path | None, typer.Argument(metavar="SKENARIO", help="Berkas skenario (TOML).")] = None,
    *,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Benih lain daripada yang di berkas.")] = None,
    trace: Annotated[Path | None, typer.Option("--trace", help="Tulis jejak setiap langkah ke berkas ini.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Cetak JSON Schema format skenario, lalu selesai.")] = False,
    as_json: AsJson = False,
) -> None:
    """Mainkan satu skenario dengan aturan dan SQL yang sebenarnya. Kode 1 bila hasilnya tidak seperti diharapkan."""
    from rekon.simulation import scenario as form

    if schema:
        output.write_json(form.json_schema())
        return
    if scenario is None:
        failures.wrong_use("Sebut berkas skenario, atau --schema untuk melihat formatnya.")
    told = form.read(scenario)
    outcome = _play(told, seed, trace)
    if as_json:
        output.write_json({"name": told.name, "ok": outcome.ok, "differences": outcome.differences} | outcome.result)
    else:
        _print(told, outcome)
    if not outcome.ok:
        raise typer.Exit(failures.FOUND)


def _play(told: "Scenario", seed: int | None, trace: Path | None) -> "Outcome":
    from rekon import logs
    from rekon.simulation import playing

    with logs.silenced():
        if trace is None:
            return playing.play(told, seed=seed)
        with trace.open("w", encoding="utf-8") as lines:
            return playing.play(told, seed=seed, trace=lines.write)


def _print(told: "Scenario", outcome: "Outcome") -> None:
    output.line(told.name)
    for name, title in _TITLES.items():
        output.line()
        output.line(title)
        rows = outcome.result[name]
        columns = [key for key in rows[0] if key not in {"at", "transaction", "after_seconds"}] if rows else []
        cells = [(_clock(row["after_seconds"]), *(row[key] for key in columns)) for row in rows]
        output.table(("SETELAH", *(key.upper() for key in columns)), cells, empty="-")
    output.line()
    for text in (*outcome.differences, *(f"PELANGGARAN: {one}" for one in outcome.result["violations"])):
        output.line(f"- {output.printable(text)}")
    output.line("Seperti diharapkan." if outcome.ok else "TIDAK seperti diharapkan.")


def _clock(seconds: int) -> str:
    minutes, rest = divmod(abs(seconds), 60)
    return f"{'-' if seconds < 0 else ''}{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
