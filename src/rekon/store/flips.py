"""How long after a failed word a provider still delivered, by its raw code, and the holds that follow (design 6)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, bindparam, func, literal, select, type_coerce, update

from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from rekon.domain.policy import SOFT_HOLD_MAX, ProviderRules, measured_hold
from rekon.store import schema
from rekon.store.inserts import upsert
from rekon.store.types import micros, span

WATCHED_MIN: Final = 1_000
"""Failures that have to be a whole day old before their late successes move a hold."""
_PER_MILLE: Final = 1_000
_SECOND: Final = span(timedelta(seconds=1))

Row = Mapping[str, Any]
_F = schema.flips.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is known of one raw code of one provider. `hold` is what it alone would ask for."""

    provider: str
    raw_code: str
    failure_class: str
    watched: int
    flipped: int
    late: timedelta | None
    """The 99.9th percentile of the time from the failed word to the delivery."""
    hold: timedelta | None
    """None while fewer than `WATCHED_MIN` failures were watched, and for every class but SOFT."""


def note(connection: Connection, rows: Iterable[Row]) -> None:
    """Keep the first failure of each leg, and how late a delivery came after it. Rows are those of `reports`."""
    said = [row for row in rows if _is_reading(row)]
    for row in said:
        if row["outcome"] == Outcome.FAILED and row["failure_class"] != FailureClass.CHECK_ERROR:
            _watch(connection, row)
    late = [
        {"leg": row["leg_key"], "at": micros(row["received_at"])}
        for row in said
        if row["outcome"] == Outcome.DELIVERED and row["source"] != ReportSource.FIRST_REPLY
    ]
    if late:
        connection.execute(_LATE, late)


def _is_reading(row: Row) -> bool:
    signed = row["source"] != ReportSource.CALLBACK or row["body_signed"]
    return bool(signed and row["about_this_leg"] and not row["contradiction"])


def _watch(connection: Connection, row: Row) -> None:
    columns = ("leg_key", "provider", "raw_code", "failure_class", "failed_at")
    known = select(
        schema.legs.c.key,
        schema.legs.c.provider,
        literal(row["raw_code"]),
        literal(row["failure_class"] or FailureClass.SOFT),
        literal(row["received_at"], schema.flips.c.failed_at.type),
    ).where(schema.legs.c.key == row["leg_key"])
    statement = upsert(connection, schema.flips).from_select(columns, known)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["leg_key"]))


_AT = bindparam("at", type_=BigInteger)
_FAILED_AT = type_coerce(_F.failed_at, BigInteger)
_LATE = (
    update(schema.flips)
    .where(_F.leg_key == bindparam("leg"), _F.late_seconds.is_(None), _FAILED_AT < _AT)
    .values(late_seconds=(_AT - _FAILED_AT) // _SECOND)
)


def measures(connection: Connection, *, now: datetime) -> Sequence[Measure]:
    """Measure every raw code on failures that are at least a day old. Reads all of them: never in a beat."""
    over = now - SOFT_HOLD_MAX
    query = (
        select(
            _F.provider,
            _F.raw_code,
            _F.failure_class,
            func.count().label("watched"),
            func.count(_F.late_seconds).label("flipped"),
        )
        .where(_F.failed_at <= over)
        .group_by(_F.provider, _F.raw_code, _F.failure_class)
        .order_by(_F.provider, _F.raw_code, _F.failure_class)
    )
    return [_measure(connection, row, over=over) for row in connection.execute(query).mappings()]


def _measure(connection: Connection, row: Mapping[Any, Any], *, over: datetime) -> Measure:
    # Nearest rank: as many late successes as this lie above the 99.9th percentile.
    above = row["flipped"] // _PER_MILLE
    query = (
        select(_F.late_seconds)
        .where(
            _F.provider == row["provider"],
            _F.raw_code == row["raw_code"],
            _F.failure_class == row["failure_class"],
            _F.failed_at <= over,
            _F.late_seconds.is_not(None),
        )
        .order_by(_F.late_seconds.desc())
        .offset(above)
        .limit(1)
    )
    seconds = connection.execute(query).scalar()
    late = None if seconds is None else timedelta(seconds=seconds)
    counts = row["failure_class"] == FailureClass.SOFT and row["watched"] >= WATCHED_MIN and late is not None
    return Measure(**row, late=late, hold=measured_hold(late) if counts and late is not None else None)


def raise_holds(connection: Connection, *, now: datetime) -> None:
    """Raise the hold of every raw code that was watched long enough; a lower measure changes nothing."""
    h = schema.soft_holds
    for one in measures(connection, now=now):
        if one.hold is not None:
            seconds = int(one.hold.total_seconds())
            statement = upsert(connection, h).values(
                provider=one.provider, raw_code=one.raw_code, hold_seconds=seconds, measured_at=now
            )
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["provider", "raw_code"],
                    set_={"hold_seconds": seconds, "measured_at": now},
                    where=h.c.hold_seconds < seconds,
                )
            )


def held(connection: Connection) -> dict[tuple[str, str], timedelta]:
    """Read the raised holds by provider and raw code."""
    rows = connection.execute(select(schema.soft_holds)).mappings()
    return {(row["provider"], row["raw_code"]): timedelta(seconds=row["hold_seconds"]) for row in rows}


def with_holds(connection: Connection, rules: Mapping[str, ProviderRules]) -> dict[str, ProviderRules]:
    """Give each provider's rules the holds measured for its raw codes."""
    found: dict[str, dict[str, timedelta]] = {}
    for (provider, raw_code), hold in sorted(held(connection).items()):
        found.setdefault(provider, {})[raw_code] = hold
    return {name: replace(one, soft_holds=found.get(name, {})) for name, one in rules.items()}
