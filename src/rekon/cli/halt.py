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


Provider = Annotated[
    str, typer.Option("--provider", help="Hanya uang yang kembali atas jawaban penyedia ini; tanpa ini semuanya.")
]


def halt(
    reason: Annotated[str, typer.Argument(metavar="ALASAN", help="Sebabnya; ikut tercatat.")],
    config: Config = DEFAULT_CONFIG,
    *,
    provider: Provider = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Hentikan semua pengembalian otomatis sekarang juga. Siapa pun di konsol ini boleh."""
    if not reason.strip():
        failures.wrong_use("Sebutkan alasannya: `rekon halt ALASAN`.")
    with house.opened(config) as place:
        scope = _scope(place, provider)
        who = people.name_if_given(place, token_file)
        stands = place.store.write(_halt, scope=scope, reason=reason.strip(), who=who, now=place.now)
    if as_json:
        output.write_json({"halted": True, "scope": scope, "reason": stands})
    else:
        whose = f" {provider}" if provider else ""
        output.line(f"Pengembalian otomatis{whose} berhenti: {output.printable(stands)}")
        output.line(
            f"Lanjutkan dengan `rekon resume{f' --provider {provider}' if provider else ''}` oleh dua penyelia."
        )


def _scope(place: house.House, provider: str) -> str:
    """Name the scope; a provider nobody knows would halt nothing."""
    from rekon import bootstrap
    from rekon.store import limits

    if not provider:
        return limits.GLOBAL
    known = sorted(bootstrap.load_provider_definitions(place.state_dir))
    if provider not in known:
        failures.wrong_use(f"Penyedia {provider!r} tidak dikenal. Yang dikenal: {', '.join(known)}.")
    return limits.scope_of(provider)


def _halt(connection: "Connection", *, scope: str, reason: str, who: str, now: "datetime") -> str:
    """Halt, and return the reason that stands: the first one stays."""
    from rekon.store import approvals, limits

    if not limits.halt(connection, scope=scope, reason=reason, by=who, now=now):
        approvals.audit(connection, who=who, what="halt.asked_again", about=scope, detail={"reason": reason}, now=now)
    return limits.halted(connection, scope)


def resume(
    config: Config = DEFAULT_CONFIG, *, provider: Provider = "", token_file: TokenFile = None, as_json: AsJson = False
) -> None:
    """Izinkan lagi pengembalian otomatis: dua penyelia berbeda, masing-masing sekali, dalam 24 jam."""
    from rekon.domain.approval import NotAllowedError
    from rekon.store import approvals

    with house.opened(config) as place:
        house.check_clock(place)
        scope = _scope(place, provider)
        person = people.identify(place, token_file)
        try:
            done = place.store.write(approvals.agree_to_resume, scope=scope, person=person, now=place.now)
        except NotAllowedError as error:
            people.refuse(error.refusal, "Melanjutkan")
    if as_json:
        output.write_json(done)
    elif done.lifted:
        output.line("Pengembalian otomatis berjalan lagi.")
    else:
        output.line(f"Dicatat. Masih berhenti ({output.printable(done.reason)}); masih diperlukan: {done.missing}.")
