"""What rekon found and did, for the demo's judge and its live view."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from rekon.domain.refund import RefundState
from rekon.store import schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts a person looks at. Amounts are whole rupiah."""

    transactions: int
    breaks: dict[str, int]
    open: dict[str, int]
    refunds_settled: int
    refunds_amount: int
    refunds_waiting: int
    vouchers: int
    complaints: int
    messages: int


def export(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """List every break, refund, voucher, complaint and message by the purchase it is about."""
    b, r, v, c, m = (t.c for t in (schema.breaks, schema.refunds, schema.vouchers, schema.complaints, schema.messages))
    queries = {
        "breaks": select(b.transaction_key.label("transaction"), b.kind, b.state),
        "refunds": select(r.transaction_key.label("transaction"), r.break_kind.label("kind"), r.amount, r.state),
        "vouchers": select(v.transaction_key.label("transaction"), v.amount, v.state),
        "complaints": select(c.transaction_key.label("transaction"), c.break_kind.label("kind"), c.state),
        "messages": select(m.transaction_key.label("transaction"), m.template, m.state, m.audience),
    }
    return {name: sorted(_plain(connection, query), key=str) for name, query in queries.items()}


def _plain(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def summarise(connection: Connection) -> Summary:
    """Count what the live view shows."""
    b, r = schema.breaks.c, schema.refunds.c
    settled = select(func.count(), func.coalesce(func.sum(r.amount), 0)).where(r.state == RefundState.SETTLED)
    count, amount = connection.execute(settled).one()
    waiting = select(func.count()).select_from(schema.refunds).where(r.state == RefundState.AWAITING_APPROVAL)
    return Summary(
        transactions=_count(connection, schema.transactions),
        breaks=dict(connection.execute(select(b.kind, func.count()).group_by(b.kind)).all()),
        open=dict(
            connection.execute(select(b.kind, func.count()).where(b.resolved_at.is_(None)).group_by(b.kind)).all()
        ),
        refunds_settled=count,
        refunds_amount=int(amount),
        refunds_waiting=connection.execute(waiting).scalar_one(),
        vouchers=_count(connection, schema.vouchers),
        complaints=_count(connection, schema.complaints),
        messages=_count(connection, schema.messages),
    )


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
