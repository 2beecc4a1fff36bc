"""Reading what the listings show. Every query has an order and a limit; nothing here writes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from rekon.cli import failures
from rekon.store import schema

Row = Mapping[Any, Any]

_SUGGESTED = 5


def find_transaction(connection: Connection, ref: str) -> str:
    """Find the one purchase somebody means: by key, server's id, provider's reference, case number or refund id.

    Raises:
        CommandError: when there is none, or more than one.
    """
    found = find_transactions(connection, ref)
    if not found:
        text = f"{ref} tidak dikenal. Yang dicari: nomor transaksi, ref_id penyedia, nomor kasus, atau id pengembalian."
        failures.wrong_use(text, reason="not_found")
    if len(found) > 1:
        named = ", ".join(found[:_SUGGESTED])
        failures.wrong_use(f"{ref} dipakai beberapa transaksi. Sebutkan salah satu: {named}.", reason="ambiguous")
    return found[0]


def find_transactions(connection: Connection, ref: str) -> list[str]:
    """List the keys of the purchases a reference may mean; the first kind of reference that matches decides."""
    t, legs, c, r = (table.c for table in (schema.transactions, schema.legs, schema.cases, schema.refunds))
    for query in (
        select(t.key).where(t.key == ref),
        select(c.transaction_key).where(c.number == ref.upper()),
        select(r.transaction_key).where(r.refund_id == ref),
        select(t.key).where(t.transaction_id == ref).order_by(t.key),
        select(legs.transaction_key).where(legs.ref_id == ref).distinct().order_by(legs.transaction_key),
    ):
        found = list(connection.execute(query).scalars())
        if found:
            return found
    return []


def get(connection: Connection, query: Select[Any], *, what: str, advice: str) -> Row:
    """Read the one row a person asked for.

    Raises:
        CommandError: when there is none.
    """
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        failures.wrong_use(f"{what} tidak ada. {advice}", reason="not_found")
    return row


def transactions(
    connection: Connection, *, status: str | None, source: str | None, agent: str | None, limit: int
) -> Sequence[Row]:
    """List purchases, newest first."""
    t = schema.transactions.c
    query = select(schema.transactions).order_by(t.ordered_at.desc(), t.key).limit(limit)
    for column, wanted in ((t.order_status, status), (t.source, source), (t.agent_id, agent)):
        query = query if wanted is None else query.where(column == wanted)
    return connection.execute(query).mappings().all()


def breaks(connection: Connection, *, kind: str | None, state: str | None, limit: int) -> Sequence[Row]:
    """List breaks, oldest first: the oldest has waited longest. Without a state the open ones."""
    b = schema.breaks.c
    query = select(schema.breaks).order_by(b.opened_at, b.break_id).limit(limit)
    query = query.where(b.resolved_at.is_(None)) if state is None else query.where(b.state == state)
    query = query if kind is None else query.where(b.kind == kind)
    return connection.execute(query).mappings().all()


def breaks_of(connection: Connection, case_id: str) -> Sequence[Row]:
    """List the breaks of a case."""
    b = schema.breaks.c
    query = select(schema.breaks).where(b.case_id == case_id).order_by(b.opened_at, b.kind)
    return connection.execute(query).mappings().all()


def cases(connection: Connection, *, state: str | None, agent: str | None, limit: int) -> Sequence[Row]:
    """List cases, newest first."""
    c = schema.cases.c
    query = select(schema.cases).order_by(c.opened_at.desc(), c.case_id).limit(limit)
    for column, wanted in ((c.state, state), (c.agent_id, agent)):
        query = query if wanted is None else query.where(column == wanted)
    return connection.execute(query).mappings().all()


def case_by_number(connection: Connection, number: str) -> Row:
    """Read a case by the number agents quote, or by its id."""
    c = schema.cases.c
    query = select(schema.cases).where((c.number == number.upper()) | (c.case_id == number))
    return get(connection, query, what=f"Kasus {number}", advice="Lihat `rekon cases list`.")


def case_of(connection: Connection, transaction_key: str) -> Row | None:
    """Find the case of a purchase."""
    query = select(schema.cases).where(schema.cases.c.transaction_key == transaction_key)
    return connection.execute(query).mappings().one_or_none()


def chronology(connection: Connection, case_id: str) -> Sequence[Row]:
    """Read a case's chronology, oldest first."""
    e = schema.case_events.c
    query = select(e.at, e.kind, e.text).where(e.case_id == case_id).order_by(e.at, e.id)
    return connection.execute(query).mappings().all()


def messages(connection: Connection, *, state: str | None, agent: str | None, limit: int) -> Sequence[Row]:
    """List messages, newest first."""
    m = schema.messages.c
    query = select(schema.messages).order_by(m.created_at.desc(), m.message_id).limit(limit)
    for column, wanted in ((m.state, state), (m.agent_id, agent)):
        query = query if wanted is None else query.where(column == wanted)
    return connection.execute(query).mappings().all()


def legs_of(connection: Connection, transaction_key: str) -> Sequence[Row]:
    """Read the legs of a purchase with their schedule rows, in leg order."""
    leg, s = schema.legs, schema.schedule
    query = (
        select(leg, s.c.due_at, s.c.asked_at, s.c.lease)
        .join(s, s.c.leg_key == leg.c.key, isouter=True)
        .where(leg.c.transaction_key == transaction_key)
        .order_by(leg.c.leg_no)
    )
    return connection.execute(query).mappings().all()


def reports_of(connection: Connection, leg_key: str) -> Sequence[Row]:
    """Read what a provider said about a leg, oldest first; its raw words stay in the database."""
    r = schema.reports.c
    names = ("report_id", "source", "outcome", "failure_class", "raw_code", "note", "serial_number", "received_at")
    columns = [r[name] for name in names]
    query = select(*columns).where(r.leg_key == leg_key).order_by(r.received_at, r.report_id)
    return connection.execute(query).mappings().all()


def refunds_of(connection: Connection, transaction_key: str) -> Sequence[Row]:
    """Read the refunds of a purchase."""
    r = schema.refunds.c
    query = select(schema.refunds).where(r.transaction_key == transaction_key).order_by(r.requested_at, r.refund_id)
    return connection.execute(query).mappings().all()


def sent_at_of(connection: Connection, leg_keys: Sequence[str]) -> dict[str, datetime]:
    """Read when these legs were sent: a provider's complaint window counts from there."""
    leg = schema.legs.c
    query = select(leg.key, leg.sent_at).where(leg.key.in_(leg_keys))
    return {row.key: row.sent_at for row in connection.execute(query)}
