"""`rekon halt` and `rekon resume`: stop automatic money at once; let it move again by two people."""

from typing import TYPE_CHECKING, Annotated

import typer

from rekon.cli import failures, house, output, people
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config, TokenFile

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("halt")(halt)
    app.command("resume")(resume)


def halt(
    reason: Annotated[str, typer.Argument(metavar="ALASAN")],
    config: Config = DEFAULT_CONFIG,
    *,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Hentikan semua pengembalian otomatis sekarang juga. Siapa pun di konsol ini boleh."""
    if not reason.strip():
        failures.wrong_use("Sebutkan alasannya: `rekon halt ALASAN`.")
    with house.opened(config) as place:
        who = people.name_if_given(place, token_file)
        stands = place.store.write(_halt, reason=reason.strip(), who=who, now=place.now)
    if as_json:
        output.write_json({"halted": True, "reason": stands})
    else:
        output.line(f"Pengembalian otomatis berhenti: {output.printable(stands)}")
        output.line("Lanjutkan dengan `rekon resume` oleh dua penyelia.")


def _halt(connection: "Connection", *, reason: str, who: str, now: "datetime") -> str:
    """Halt, and return the reason that stands: the first one stays."""
    from rekon.store import approvals, limits

    limits.halt(connection, scope=limits.GLOBAL, reason=reason, by=who, now=now)
    approvals.audit(connection, who=who, what="halt.opened", about=limits.GLOBAL, detail={"reason": reason}, now=now)
    return limits.halted(connection, limits.GLOBAL)


def resume(config: Config = DEFAULT_CONFIG, *, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Izinkan lagi pengembalian otomatis: dua penyelia berbeda, masing-masing sekali, dalam 24 jam."""
    from rekon.domain.approval import NotAllowedError
    from rekon.store import approvals, limits

    with house.opened(config) as place:
        house.check_clock(place)
        person = people.identify(place, token_file)
        try:
            done = place.store.write(approvals.agree_to_resume, scope=limits.GLOBAL, person=person, now=place.now)
        except NotAllowedError as error:
            people.refuse(error.refusal, "Melanjutkan")
    if as_json:
        output.write_json(done)
    elif done.lifted:
        output.line("Pengembalian otomatis berjalan lagi.")
    else:
        output.line(f"Dicatat. Masih berhenti ({output.printable(done.reason)}); masih diperlukan: {done.missing}.")
