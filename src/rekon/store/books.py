"""Write what came in: transactions, legs, wallet lines, statements, agents. Identity is (source, id); nothing enters twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from rekon.domain.books import Agent, StatementLine
from rekon.domain.transaction import Leg, SendState, Transaction, WalletLine, transaction_key
from rekon.store import evaluations, schema

SETTLED_AFTER = timedelta(days=7)
"""Orders that entered final and older than this are history: kept for reports, not worked on."""
_CHUNK = 500
_FIXED = ("agent_id", "product", "destination", "price", "charged_account")


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that contradicts what is stored under the same identity."""

    index: int
    field: str
    reason: str


@dataclass(slots=True)
class Recorded:
    """What a batch did."""

    accepted: int = 0
    unchanged: int = 0
    conflicts: list[Conflict] = field(default_factory=list)


def upsert(connection: Connection, table: Table) -> Any:
    """Return the dialect's INSERT that knows ON CONFLICT."""
    return postgresql_insert(table) if connection.dialect.name == "postgresql" else sqlite_insert(table)


def existing(connection: Connection, column: Any, keys: Sequence[str], *columns: Any) -> dict[str, Any]:
    """Fetch rows by key in chunks small enough for every driver."""
    found: dict[str, Any] = {}
    for start in range(0, len(keys), _CHUNK):
        query = select(column, *columns).where(column.in_(keys[start : start + _CHUNK]))
        for row in connection.execute(query).mappings():
            found[row[column.name]] = row
    return found


def record_orders(
    connection: Connection, rows: Sequence[tuple[int, Transaction, Leg]], *, now: datetime
) -> Recorded:
    """Store purchases with their legs. `rows` carry the index each came from, for conflicts."""
    done = Recorded()
    t = schema.transactions.c
    known = existing(
        connection, t.key, [r[1].key for r in rows], t.order_status, t.serial_number, *(t[name] for name in _FIXED)
    )
    legs = existing(connection, schema.legs.c.key, [r[2].key for r in rows], schema.legs.c.ref_id, schema.legs.c.first_reply, schema.legs.c.send_count, schema.legs.c.send_state)
    fresh: list[tuple[int, Transaction, Leg]] = []
    fresh_legs: dict[str, Leg] = {}
    seen: dict[str, Transaction] = {}
    touched: set[str] = set()
    for index, transaction, leg in rows:
        before = known.get(transaction.key)
        stored = _as_row(seen[transaction.key]) if transaction.key in seen else before
        conflict = _conflict(index, stored, transaction)
        if conflict:
            done.conflicts.append(conflict)
            continue
        changed = False
        if stored is None:
            fresh.append((index, transaction, leg))
            changed = True
        elif before is not None and _status_changed(before, transaction):
            _record_status(connection, transaction, now=now)
            changed = True
        seen[transaction.key] = transaction
        if leg.key not in legs and leg.key not in fresh_legs:
            fresh_legs[leg.key] = leg
            changed = True
        elif leg.key in legs and _leg_grew(connection, legs[leg.key], leg):
            changed = True
        done.accepted += changed
        done.unchanged += not changed
        if changed:
            touched.add(transaction.key)
    _insert_orders(connection, [r[1] for r in fresh], list(fresh_legs.values()), now=now)
    live = [k for k in touched if not is_history(seen[k], now)]
    evaluations.touch(connection, live, due_at=now)
    return done


def is_history(transaction: Transaction, now: datetime) -> bool:
    """Say whether an order entered closed and long ago."""
    return transaction.order_status.is_final and now - transaction.ordered_at > SETTLED_AFTER


def _as_row(transaction: Transaction) -> Mapping[str, Any]:
    return {name: getattr(transaction, name) for name in (*_FIXED, "order_status", "serial_number")}


def _conflict(index: int, stored: Mapping[str, Any] | None, transaction: Transaction) -> Conflict | None:
    if stored is None:
        return None
    for name in _FIXED:
        if stored[name] != getattr(transaction, name):
            reason = "berbeda dari yang sudah tercatat untuk transaksi ini; periksa sumbernya"
            return Conflict(index, name, reason)
    return None


def _status_changed(before: Mapping[str, Any], transaction: Transaction) -> bool:
    serial = transaction.serial_number or before["serial_number"]
    return bool(before["order_status"] != transaction.order_status or serial != before["serial_number"])


def _record_status(connection: Connection, transaction: Transaction, *, now: datetime) -> None:
    """Append what the server shows now, and keep the newest on the transaction."""
    row = {
        "transaction_key": transaction.key,
        "order_status": transaction.order_status,
        "serial_number": transaction.serial_number,
        "recorded_at": now,
    }
    connection.execute(insert(schema.observations).values(row))
    values: dict[str, Any] = {"order_status": transaction.order_status, "status_at": transaction.status_at}
    if transaction.serial_number:
        values["serial_number"] = transaction.serial_number
    connection.execute(
        update(schema.transactions).where(schema.transactions.c.key == transaction.key).values(values)
    )


def _leg_grew(connection: Connection, before: Mapping[str, Any], leg: Leg) -> bool:
    """Take what the server learned since: the first reply, another send. Identity never changes."""
    values: dict[str, Any] = {}
    if leg.first_reply and not before["first_reply"]:
        values["first_reply"] = leg.first_reply
    if leg.send_count > before["send_count"]:
        values["send_count"] = leg.send_count
    if before["send_state"] != SendState.SENT and leg.send_state is SendState.SENT:
        values["send_state"] = leg.send_state
    if not values:
        return False
    connection.execute(update(schema.legs).where(schema.legs.c.key == leg.key).values(values))
    if "first_reply" in values or "send_state" in values:
        _schedule(connection, [leg], now=leg.sent_at)
    return True


def _insert_orders(
    connection: Connection, transactions: Sequence[Transaction], legs: Sequence[Leg], *, now: datetime
) -> None:
    if transactions:
        rows = [_transaction_row(t, now=now) for t in transactions]
        connection.execute(insert(schema.transactions), rows)
        connection.execute(
            insert(schema.observations),
            [
                {"transaction_key": r["key"], "order_status": r["order_status"], "serial_number": r["serial_number"], "recorded_at": now}
                for r in rows
            ],
        )
    if legs:
        connection.execute(insert(schema.legs), [_leg_row(leg) for leg in legs])
        history = {t.key for t in transactions if is_history(t, now)}
        _schedule(connection, [leg for leg in legs if leg.transaction_key not in history], now=now)


def _schedule(connection: Connection, legs: Sequence[Leg], *, now: datetime) -> None:
    """Give each leg that was sent its one schedule row, due at once: the first reply is read first."""
    rows = [
        {"leg_key": leg.key, "provider": leg.provider, "due_at": now}
        for leg in legs
        if leg.send_state is not SendState.NOT_SENT
    ]
    if rows:
        statement = upsert(connection, schema.schedule)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["leg_key"], set_={"due_at": statement.excluded.due_at}), rows
        )


def _transaction_row(transaction: Transaction, *, now: datetime) -> dict[str, Any]:
    t = transaction
    return {
        "key": t.key,
        "source": t.source,
        "transaction_id": t.transaction_id,
        "agent_id": t.agent_id,
        "charged_account": t.charged_account,
        "ordered_at": t.ordered_at,
        "product": t.product,
        "family": t.family,
        "destination": t.destination,
        "price": t.price,
        "face_value": t.face_value,
        "order_status": t.order_status,
        "status_at": t.status_at,
        "serial_number": t.serial_number,
        "channel": t.channel,
        "raw_order": t.raw_order,
        "repeat_counter": t.repeat_counter,
        "recorded_at": now,
    }


def _leg_row(leg: Leg) -> dict[str, Any]:
    return {
        "key": leg.key,
        "transaction_key": leg.transaction_key,
        "leg_no": leg.leg_no,
        "provider": leg.provider,
        "provider_account": leg.provider_account,
        "ref_id": leg.ref_id,
        "provider_product": leg.provider_product,
        "destination_sent": leg.destination_sent,
        "testing": leg.testing,
        "max_price": leg.max_price,
        "allow_dot": leg.allow_dot,
        "cb_url": leg.cb_url,
        "sent_at": leg.sent_at,
        "send_state": leg.send_state,
        "send_count": leg.send_count,
        "first_reply": leg.first_reply,
        "state": leg.state,
        "checks_done": leg.checks_done,
        "version": leg.version,
    }


def record_wallet_lines(
    connection: Connection, rows: Sequence[tuple[int, WalletLine]], *, now: datetime
) -> Recorded:
    """Store wallet mutations. A line never changes; a different amount under one id is a conflict."""
    done = Recorded()
    w = schema.wallet_lines.c
    known = existing(connection, w.key, [line.key for _, line in rows], w.amount, w.transaction_key)
    fresh: dict[str, dict[str, Any]] = {}
    touched: set[str] = set()
    for index, line in rows:
        before = known.get(line.key) or fresh.get(line.key)
        if before is not None:
            if before["amount"] != line.amount:
                done.conflicts.append(Conflict(index, "amount", "jumlah berbeda dari baris yang sudah tercatat"))
            else:
                done.unchanged += 1
            continue
        row = _wallet_row(line, now=now)
        fresh[line.key] = row
        done.accepted += 1
        if row["transaction_key"]:
            touched.add(row["transaction_key"])
    if fresh:
        connection.execute(insert(schema.wallet_lines), list(fresh.values()))
        evaluations.touch_known(connection, sorted(touched), due_at=now)
    return done


def _wallet_row(line: WalletLine, *, now: datetime) -> dict[str, Any]:
    key = transaction_key(line.source, line.transaction_id) if line.transaction_id else None
    return {
        "key": line.key,
        "source": line.source,
        "agent_id": line.agent_id,
        "posted_at": line.posted_at,
        "amount": line.amount,
        "kind": line.kind,
        "transaction_key": key,
        "balance_after": line.balance_after,
        "reference": line.reference,
        "sequence": line.sequence,
        "recorded_at": now,
    }


def record_statement_lines(
    connection: Connection, rows: Sequence[tuple[int, StatementLine]], *, now: datetime
) -> Recorded:
    """Store lines of provider statements and look again at the purchases they speak of."""
    done = Recorded()
    s = schema.statement_lines.c
    keyed = [(index, f"{line.provider}:{line.account}:{line.line_id}", line) for index, line in rows]
    known = existing(connection, s.key, [key for _, key, _ in keyed], s.amount)
    fresh: dict[str, dict[str, Any]] = {}
    for index, key, line in keyed:
        before = known.get(key) or fresh.get(key)
        if before is None:
            fresh[key] = _statement_row(key, line, now=now)
            done.accepted += 1
        elif before["amount"] != line.amount:
            done.conflicts.append(Conflict(index, "amount", "jumlah berbeda dari baris yang sudah tercatat"))
        else:
            done.unchanged += 1
    if fresh:
        connection.execute(insert(schema.statement_lines), list(fresh.values()))
        evaluations.touch_refs(connection, [(r["provider"], r["ref_id"]) for r in fresh.values()], due_at=now)
    return done


def _statement_row(key: str, line: StatementLine, *, now: datetime) -> dict[str, Any]:
    names = ("provider", "account", "line_id", "posted_at", "ref_id", "amount", "kind", "balance_after")
    return {"key": key, "recorded_at": now} | {name: getattr(line, name) for name in names}


def record_agents(connection: Connection, agents: Sequence[Agent]) -> int:
    """Store or refresh agents; the newest row wins."""
    rows = [
        {
            "agent_id": a.agent_id,
            "name": a.name,
            "zone": a.zone,
            "channel": a.channel,
            "address": a.address,
            "registered_at": a.registered_at,
        }
        for a in agents
    ]
    if rows:
        statement = upsert(connection, schema.agents)
        fresh = {name: statement.excluded[name] for name in ("name", "zone", "channel", "address", "registered_at")}
        connection.execute(statement.on_conflict_do_update(index_elements=["agent_id"], set_=fresh), rows)
    return len(rows)


def advance_mark(connection: Connection, *, source: str, book: str, read_to: datetime, now: datetime) -> None:
    """Note that a book is complete up to `read_to`. A mark never goes back."""
    statement = upsert(connection, schema.marks).values(source=source, book=book, read_to=read_to, recorded_at=now)
    later = statement.excluded.read_to > schema.marks.c.read_to
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["source", "book"],
            set_={"read_to": statement.excluded.read_to, "recorded_at": statement.excluded.recorded_at},
            where=later,
        )
    )


def marks(connection: Connection) -> dict[tuple[str, str], datetime]:
    """Read how far each book of each source was read."""
    rows = connection.execute(select(schema.marks)).mappings()
    return {(row["source"], row["book"]): row["read_to"] for row in rows}


def count(connection: Connection, table: Table) -> int:
    """Count the rows of a table, for reports and tests only."""
    return connection.execute(select(func.count(literal(1))).select_from(table)).scalar_one()
