"""Vouchers: promised once a purchase, bound to the agent, used once, inside the month's budget (I4)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, update

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import RULE_VERSION
from rekon.domain.policy import Policy
from rekon.domain.transaction import Transaction
from rekon.store import leases, schema
from rekon.store.inserts import upsert, wait_turn

Row = Mapping[Any, Any]
_MONTH = timedelta(days=30)


def refusal(connection: Connection, *, agent_id: str, amount: int, policy: Policy, now: datetime) -> str:
    """Say why no voucher may be issued by rule alone, or an empty text (rulebook 3.6 caps).

    Units of work that ask follow each other until they end, so that two of them cannot spend the last of a budget.
    """
    wait_turn(connection, "vouchers")
    v = schema.vouchers.c
    since = now - _MONTH
    spent = connection.execute(select(func.coalesce(func.sum(v.amount), 0)).where(v.issued_at > since)).scalar_one()
    if int(spent) + amount > policy.voucher_month_budget:
        return "anggaran voucher bulan ini habis"
    mine = select(func.count()).select_from(schema.vouchers).where(v.agent_id == agent_id, v.issued_at > since)
    if connection.execute(mine).scalar_one() >= policy.vouchers_per_agent_month:
        return "agen sudah menerima voucher otomatis terbanyak dalam 30 hari"
    return ""


def issue(
    connection: Connection,
    transaction: Transaction,
    *,
    code: str,
    kind: BreakKind,
    amount: int,
    rule: str,
    policy: Policy,
    now: datetime,
) -> bool:
    """Issue the one voucher of a purchase. Returns whether it is new."""
    statement = upsert(connection, schema.vouchers).values(
        code=code,
        transaction_key=transaction.key,
        break_kind=kind,
        agent_id=transaction.agent_id,
        source=transaction.source,
        amount=amount,
        rule=rule,
        rule_version=RULE_VERSION,
        state="issued",
        issued_at=now,
        expires_at=now + timedelta(days=policy.voucher_days),
        gateway_ref="",
        attempts=0,
    )
    v = schema.vouchers.c
    created = statement.on_conflict_do_nothing().returning(v.code)
    return connection.execute(created).first() is not None


def find(connection: Connection, code: str) -> Row | None:
    """Find a voucher by its code."""
    query = select(schema.vouchers).where(schema.vouchers.c.code == code)
    return connection.execute(query).mappings().one_or_none()


def find_of(connection: Connection, transaction_key: str) -> Row | None:
    """Find the voucher of a purchase."""
    query = select(schema.vouchers).where(schema.vouchers.c.transaction_key == transaction_key)
    return connection.execute(query).mappings().one_or_none()


def redeem(connection: Connection, code: str, *, agent_id: str, now: datetime) -> bool:
    """Write the intent to pay a voucher out. Only the agent it was issued to, once, before it expires."""
    v = schema.vouchers.c
    change = (
        update(schema.vouchers)
        .where(v.code == code, v.agent_id == agent_id, v.state == "issued", v.expires_at > now)
        .values(state="redeeming", due_at=now)
    )
    return connection.execute(change.returning(v.code)).first() is not None


def claim_due(connection: Connection, *, now: datetime, limit: int, lease: str, lease_until: datetime) -> Sequence[Row]:
    """Claim vouchers whose payment is due."""
    v = schema.vouchers.c
    query = select(schema.vouchers).where(v.due_at <= now).order_by(v.due_at, v.code).limit(limit)
    found = connection.execute(query.with_for_update(skip_locked=True)).mappings().all()
    if found:
        codes = [row["code"] for row in found]
        connection.execute(update(schema.vouchers).where(v.code.in_(codes)).values(due_at=lease_until, lease=lease))
    return found


def record(connection: Connection, row: Row, *, lease: str, **values: object) -> bool:
    """Write what became of a payment, fenced by the lease."""
    v = schema.vouchers.c
    values = {"lease": None, **values}
    change = update(schema.vouchers).where(v.code == row["code"], v.lease == lease).values(**values)
    return connection.execute(change.returning(v.code)).first() is not None


def listed(connection: Connection, *, agent_id: str | None = None, limit: int = 200) -> Sequence[Row]:
    """List vouchers, newest first."""
    v = schema.vouchers.c
    query = select(schema.vouchers).order_by(v.issued_at.desc(), v.code).limit(limit)
    if agent_id:
        query = query.where(v.agent_id == agent_id)
    return connection.execute(query).mappings().all()


def mark_sent(connection: Connection, row: Row, *, lease: str, now: datetime) -> bool:
    """Commit that the payment is about to be told, before any byte leaves.

    Returns whether the lease still held; who lost it must not send (I16).
    """
    v = schema.vouchers.c
    change = update(schema.vouchers).where(v.code == row["code"], v.lease == lease).values(sent_at=now)
    return connection.execute(change.returning(v.code)).first() is not None


def give_back(connection: Connection, rows: Sequence[Row], *, lease: str, now: datetime) -> None:
    """Free what was claimed and not begun."""
    leases.give_back(connection, schema.vouchers, [row["code"] for row in rows], lease=lease, now=now)
