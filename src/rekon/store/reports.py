"""Append what providers said, and read it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, bindparam, select

from rekon.domain.decision import stable_id
from rekon.domain.outcome import Reading, ReportSource, StatusReport
from rekon.store import flips, rows, schema
from rekon.store.inserts import Upsert, upsert_in

_C = schema.reports.c
_OF_LEGS = (
    select(*(column for column in _C if column.name not in ("raw", "note", "contacts")))
    .where(_C.leg_key.in_(bindparam("keys", expanding=True)))
    .order_by(_C.received_at, _C.report_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReport:
    """A reading with the raw words it was made of."""

    leg_key: str
    source: ReportSource
    reading: Reading
    raw: bytes
    received_at: datetime
    body_signed: bool = False
    discriminator: str = ""
    """What tells two reports of one source apart: the callback's fingerprint, the number of the check."""


def append(connection: Connection, reports: Sequence[NewReport]) -> None:
    """Append reports; the same word written twice stays one row."""
    if reports:
        said = [_row(report) for report in reports]
        connection.execute(_appending(connection.dialect.name), said)
        flips.note(connection, said)


@cache
def _appending(dialect: str) -> Upsert:
    return upsert_in(dialect, schema.reports).on_conflict_do_nothing(index_elements=["report_id"])


def _row(report: NewReport) -> dict[str, object]:
    reading = report.reading
    return {
        "report_id": stable_id("rpt", report.leg_key, report.source, report.discriminator),
        "leg_key": report.leg_key,
        "source": report.source,
        "outcome": reading.outcome,
        "failure_class": reading.failure_class,
        "raw_code": reading.raw_code,
        "reason": reading.reason,
        "note": reading.note,
        "serial_number": reading.serial_number or None,
        "price": reading.price,
        "balance": reading.balance,
        "contacts": list(reading.contacts),
        "raw": report.raw,
        "received_at": report.received_at,
        "body_signed": report.body_signed,
        "contradiction": reading.contradiction,
        "about_this_leg": reading.about_this_leg,
    }


def of_legs(connection: Connection, leg_keys: Sequence[str]) -> dict[str, list[StatusReport]]:
    """Read the reports of these legs, oldest first."""
    found: dict[str, list[StatusReport]] = {key: [] for key in leg_keys}
    for row in connection.execute(_OF_LEGS, {"keys": leg_keys}).mappings() if leg_keys else ():
        found[row["leg_key"]].append(rows.report(row))
    return found


def contacts_of(connection: Connection, leg_key: str) -> tuple[str, ...]:
    """Read the newest complaint contacts a provider gave for this leg."""
    c = schema.reports.c
    query = select(c.contacts).where(c.leg_key == leg_key).order_by(c.received_at.desc())
    return next((tuple(found) for found in connection.execute(query).scalars() if found), ())
