"""`rekon check`: what is known of a purchase's legs, and when each is asked about next."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rekon.cli import failures, house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from sqlalchemy import Connection

    from rekon.cli.lookups import Row


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    ref: Annotated[str, typer.Argument(metavar="REF", help="Nomor transaksi, ref_id, atau nomor kasus.")],
    config: Config = DEFAULT_CONFIG,
    *,
    now: Annotated[bool, typer.Option("--now", help="Majukan giliran tanya ke sekarang.")] = False,
    as_json: AsJson = False,
) -> None:
    """Apa kata penyedia sejauh ini, dan kapan ditanya lagi. Yang bertanya tetap daemon dengan pengamannya."""
    with house.opened(config) as place:
        ages = _ages(place)
        use = place.store.write if now else place.store.read
        found = use(_look, ref, ages=ages, at=place.now, hasten=now)
    if now and not any(leg["hastened"] for leg in found["legs"]):
        said = "; ".join(f"{leg['provider']} {leg['ref_id']}: {leg['not_hastened']}" for leg in found["legs"])
        failures.refused(f"Tidak ada yang dimajukan. {said}.", reason="not_checkable")
    if as_json:
        output.write_json(found)
        return
    output.line(found["transaction"])
    for leg in found["legs"]:
        _print(leg)


def _ages(place: house.House) -> dict[str, "timedelta"]:
    """Say how old a purchase may be at most to be asked about, by provider (G1)."""
    from rekon import bootstrap

    definitions = bootstrap.load_provider_definitions(place.state_dir)
    return {name: definition.rules().max_check_age for name, definition in definitions.items()}


def _look(
    connection: "Connection", ref: str, *, ages: "Mapping[str, timedelta]", at: "datetime", hasten: bool
) -> dict[str, Any]:
    from rekon.cli import lookups
    from rekon.store import schedule

    key = lookups.find_transaction(connection, ref)
    legs = []
    for leg in lookups.legs_of(connection, key):
        refusal = _not_now(leg, age_max=ages.get(leg["provider"]), at=at) if hasten else ""
        if hasten and not refusal:
            schedule.hasten(connection, leg["key"], provider=leg["provider"], now=at)
        due = at if hasten and not refusal else leg["due_at"]
        legs.append(_leg(connection, leg, due=due) | {"hastened": hasten and not refusal, "not_hastened": refusal})
    return {"transaction": key, "legs": legs}


def _not_now(leg: "Row", *, age_max: "timedelta | None", at: "datetime") -> str:
    """Say why a leg is not asked about, or nothing."""
    if leg["send_state"] == "not_sent":
        return "tidak pernah dikirim ke penyedia"
    if leg["state"] == "final":
        return "hasilnya sudah pasti"
    if age_max is None:
        return "penyedia tidak dikenal"
    if at - leg["sent_at"] > age_max:
        return "terlalu tua untuk ditanyakan dengan aman"
    return ""


def _leg(connection: "Connection", leg: "Row", *, due: "datetime | None") -> dict[str, Any]:
    from rekon.cli import lookups

    names = (
        "key",
        "provider",
        "provider_account",
        "ref_id",
        "sent_at",
        "send_state",
        "state",
        "checks_done",
        "asked_at",
    )
    reports = lookups.reports_of(connection, leg["key"])
    shown = {name: leg[name] for name in names}
    return shown | {"next_check_at": due, "being_asked": leg["lease"] is not None, "reports": reports}


def _print(leg: dict[str, Any]) -> None:
    output.line()
    output.line(f"{leg['provider']} {leg['provider_account']}  ref {leg['ref_id']}  {leg['state']}")
    output.line(f"Dikirim {output.at(leg['sent_at'])}, sudah ditanya {leg['checks_done']} kali")
    if leg["hastened"]:
        output.line("Giliran tanya dimajukan ke sekarang; daemon bertanya bila rencana dan pengamannya mengizinkan.")
    elif leg["not_hastened"]:
        output.line(f"Tidak dimajukan: {leg['not_hastened']}.")
    else:
        output.line(f"Ditanya lagi {output.at(leg['next_check_at'])}")
    said = [(r["received_at"], r["source"], r["outcome"], r["raw_code"], r["note"]) for r in leg["reports"]]
    output.table(("WAKTU", "DARI", "HASIL", "KODE", "CATATAN"), said, empty="Penyedia belum berkata apa pun.")
