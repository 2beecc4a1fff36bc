"""`rekon backtest`: decide the stored past again, by the present rules and by a candidate's, and compare the money."""

from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rekon.cli import house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rekon.domain.backtest import Comparison, Seen
    from rekon.domain.policy import Policy, ProviderRules
    from rekon.store.engine import Store

PAGE = 200
"""Decisions in memory at a time."""
_FATES = {"refunded": "Dikembalikan otomatis", "asked": "Ditanyakan ke petugas", "held": "Ditahan"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backtest")(backtest)


def backtest(
    since: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="Sejak tanggal ini (WIB).")],
    until: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Sampai tanggal ini, ikut dihitung.")],
    candidate: Annotated[Path, typer.Option("--config", help="Konfigurasi calon.", exists=True, dir_okay=False)],
    present: Annotated[
        Path, typer.Option("--present", envvar="REKON_CONFIG", help="Konfigurasi yang berlaku.")
    ] = DEFAULT_CONFIG,
    *,
    limit: Annotated[int, typer.Option("--limit", min=0, max=100_000, help="Rincian perbedaan.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Putuskan ulang riwayat dengan aturan sekarang dan calonnya, berdampingan dalam rupiah. Tidak mengubah apa pun."""
    from rekon.domain.backtest import Comparison

    window = (_midnight(since), _midnight(until) + timedelta(days=1))
    found = Comparison(keep=limit)
    with house.opened(present) as place:
        sides = (_rules(place.store, present), _rules(place.store, candidate))
        for key, here, there in _purchases(place.store, window, sides):
            found.add(key, here, there)
    if as_json:
        output.write_json({"from": window[0], "to": window[1]} | _document(found))
    else:
        _print(found, window)


def _midnight(day: datetime) -> datetime:
    from zoneinfo import ZoneInfo

    return day.replace(tzinfo=ZoneInfo(output.WIB))


def _rules(store: "Store", config: Path) -> "tuple[Policy, Mapping[str, ProviderRules]]":
    """Read the numbers a configuration file gives the rules, with the holds measured so far."""
    from rekon import bootstrap
    from rekon.settings import load
    from rekon.store import flips

    definitions = bootstrap.load_provider_definitions(bootstrap.state_dir_of(config))
    rules = {name: definition.rules() for name, definition in definitions.items()}
    return bootstrap.policy_of(load(config)), store.read(flips.with_holds, rules)


def _purchases(
    store: "Store",
    window: tuple[datetime, datetime],
    sides: "Sequence[tuple[Policy, Mapping[str, ProviderRules]]]",
) -> "Iterator[tuple[str, Seen, Seen]]":
    """Decide every stored instant again for both sides, one purchase at a time."""
    from rekon.cli import replay
    from rekon.domain.backtest import furthest, look

    for key, instants in groupby(_instants(store, window), key=lambda row: row["transaction_key"]):
        said: tuple[list[Seen], list[Seen]] = ([], [])
        for row in instants:
            for looks, (policy, known) in zip(said, sides, strict=True):
                looks.append(look(replay.decide_again(row, policy=policy, known=known), policy))
        yield key, furthest(said[0]), furthest(said[1])


def _instants(store: "Store", window: tuple[datetime, datetime]) -> "Iterator[Mapping[Any, Any]]":
    """Read by keyset, each page in a short reading of its own; decisions of one instant share their inputs."""
    from rekon.store import decisions

    after, last = ("", 0), None
    while rows := store.read(decisions.page, since=window[0], until=window[1], after=after, limit=PAGE):
        for row in rows:
            if (row["transaction_key"], row["at"]) != last:
                yield row
            last = (row["transaction_key"], row["at"])
        after = (rows[-1]["transaction_key"], rows[-1]["id"])


def _document(found: "Comparison") -> dict[str, Any]:
    return {
        "purchases": found.purchases,
        "present": dict(found.present),
        "candidate": dict(found.candidate),
        "changed": found.changed,
        "differences": list(found.differences),
    }


def _print(found: "Comparison", window: tuple[datetime, datetime]) -> None:
    output.line(f"Uji ulang {output.at(window[0])} sampai {output.at(window[1])}")
    output.line(f"{found.purchases} transaksi diputuskan ulang; tidak ada yang diubah.")
    output.line()
    cells = []
    for fate, title in _FATES.items():
        here, there = ({str(k): v for k, v in side.items()}[fate] for side in (found.present, found.candidate))
        cells.append((title, here.count, output.money(here.amount), there.count, output.money(there.amount)))
    output.table(("", "SEKARANG", "RUPIAH", "CALON", "RUPIAH"), cells, empty="")
    output.line()
    rows = [
        (one.transaction_key, one.kind.value, output.money(one.amount), _FATES[one.present], _FATES[one.candidate])
        for one in found.differences
    ]
    output.table(("TRANSAKSI", "JENIS", "JUMLAH", "SEKARANG", "CALON"), rows, empty="Tidak ada yang berbeda.")
    if found.changed > len(rows):
        output.line(f"... dan {found.changed - len(rows)} lagi; `--limit` menampilkan lebih banyak.")
