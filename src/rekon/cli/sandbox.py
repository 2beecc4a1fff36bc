"""`rekon sandbox`: the played world alone."""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sandbox")(sandbox)


def sandbox(
    port: int = typer.Option(8760, help="Porta yang didengarkan, hanya di komputer ini."),
    seed: int = typer.Option(1, help="Benih cerita: benih yang sama, cerita yang sama."),
    journal: Annotated[Path | None, typer.Option(help="Map jurnal; bawaan map sementara.")] = None,
    rekon_url: str = typer.Option("", help="Alamat rekon penerima kiriman dan laporan; kosong: tanpa rekon."),
    for_seconds: float = typer.Option(0.0, "--for", help="Lama cerita dalam detik nyata; 0 secepat diminta."),
    speed: float = typer.Option(0.0, help="Detik bisnis per detik nyata; mengalahkan --for."),
    *,
    by_itself: bool = typer.Option(False, help="Waktu berjalan sendiri tanpa rekon memintanya."),
    as_json: bool = typer.Option(False, "--json", help="Cetak keterangan sebagai JSON."),
) -> None:
    """Mainkan dunia luar: penyedia, dua server, kotak pesan, dan jam."""
    import json

    from rekon.sandbox import serve

    folder = journal or Path(tempfile.mkdtemp(prefix="rekon-sandbox-"))
    settings = serve.Settings(
        port=port,
        journal_dir=folder,
        rekon_url=rekon_url or None,
        seed=seed,
        for_seconds=for_seconds or None,
        speed=speed or None,
        by_itself=by_itself,
    )
    said = {"url": f"http://127.0.0.1:{port}", "journal": str(folder), "seed": seed}
    typer.echo(json.dumps(said) if as_json else f"Sandbox di {said['url']}, jurnal di {folder}, benih {seed}.")
    serve.run(settings, wall=time.monotonic)
