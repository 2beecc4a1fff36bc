"""`rekon doctor`: is everything there that money needs?"""

from typing import TYPE_CHECKING

import typer

from rekon.cli import failures, house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config

if TYPE_CHECKING:
    from rekon.cli.doctor_checks import Finding

_MARKS = {"ok": "baik", "info": "info", "warn": "PERINGATAN", "bad": "SALAH"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Periksa konfigurasi, rahasia, basis data, jam, penyedia, petugas, dan templat. Kode 1 bila ada yang salah."""
    found = _examine(config)
    wrong = sum(one.level == "bad" for one in found)
    warned = sum(one.level == "warn" for one in found)
    if as_json:
        output.write_json({"items": found, "bad": wrong, "warn": warned})
    else:
        for one in found:
            output.line(f"[{_MARKS[one.level]}] {one.name}: {output.printable(one.text)}")
        output.line(f"{wrong} salah, {warned} peringatan.")
    if wrong:
        raise typer.Exit(failures.FOUND)


def _examine(config: Config) -> "list[Finding]":
    """Run every check; one that cannot run says so and stops only those that need it."""
    from rekon.cli import doctor_checks, doctor_store
    from rekon.settings import ConfigError, load

    try:
        settings = load(config)
    except ConfigError as error:
        return [doctor_checks.bad("konfigurasi", str(error))]
    found = doctor_checks.of_settings(config, settings)
    try:
        now = house.now_of(settings)
        house.must_exist(settings, doctor_store.state_dir(config))
    except Exception as error:
        failure = failures.explain(error)
        if failure is None:
            raise
        return [*found, doctor_checks.bad("basis data", failure.text)]
    return [*found, *doctor_checks.of_providers(config, settings, now), *doctor_store.of_store(config, settings, now)]
