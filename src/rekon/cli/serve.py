"""`rekon serve` and `rekon run --once`: the daemon, for good or for one beat."""

from typing import Annotated

import typer

from rekon.cli import failures, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("run")(run)


def serve(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Jalankan rekon sampai dihentikan (Ctrl-C atau SIGTERM). Catatan keluar di stderr."""
    import asyncio

    from rekon import daemon

    _must_exist(config)
    asyncio.run(daemon.serve(config))
    if as_json:
        output.write_json({"stopped": True})


def run(
    config: Config = DEFAULT_CONFIG,
    *,
    once: Annotated[bool, typer.Option("--once", help="Kerjakan yang jatuh tempo sekarang, lalu selesai.")] = False,
    as_json: AsJson = False,
) -> None:
    """Kerjakan sekali semua yang jatuh tempo sekarang, dan katakan kapan yang berikutnya."""
    import asyncio

    from rekon import daemon, logs

    if not once:
        failures.wrong_use("Pakai `rekon run --once`, atau `rekon serve` untuk berjalan terus.")
    logs.configure()
    _must_exist(config)
    next_due = asyncio.run(daemon.run_once(config))
    if as_json:
        output.write_json({"next_due": next_due})
    else:
        output.line(f"Jatuh tempo berikutnya: {output.at(next_due)}" if next_due else "Tidak ada yang menunggu.")


def _must_exist(config: Config) -> None:
    from rekon import bootstrap
    from rekon.cli import house
    from rekon.settings import load

    house.must_exist(load(config), bootstrap.state_dir_of(config))
