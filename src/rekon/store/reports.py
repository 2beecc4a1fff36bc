"""Append what providers said, and read it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from rekon.domain.decision import stable_id
from rekon.domain.outcome import Reading, ReportSource, StatusReport
from rekon.store import rows, schema
from rekon.store.inserts import upsert


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
        statement = upsert(connection, schema.reports).on_conflict_do_nothing(index_elements=["report_id"])
        connection.execute(statement, [_row(report) for report in reports])


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
    c = schema.reports.c
    wanted = [column for column in c if column.name not in ("raw", "note", "contacts")]
    found: dict[str, list[StatusReport]] = {key: [] for key in leg_keys}
    query = select(*wanted).where(c.leg_key.in_(leg_keys)).order_by(c.received_at, c.report_id)
    for row in connection.execute(query).mappings():
        found[row["leg_key"]].append(rows.report(row))
    return found


def contacts_of(connection: Connection, leg_key: str) -> tuple[str, ...]:
    """Read the newest complaint contacts a provider gave for this leg."""
    c = schema.reports.c
    query = select(c.contacts).where(c.leg_key == leg_key).order_by(c.received_at.desc())
    return next((tuple(found) for found in connection.execute(query).scalars() if found), ())
