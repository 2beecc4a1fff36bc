"""rekon's own double-entry journal: append-only, balanced, corrected only by reversing entries (I2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, insert, select

from rekon.domain.decision import stable_id
from rekon.domain.ledger import Entry, Posting, Side
from rekon.store import audit, schema
from rekon.store.inserts import insert_rows, upsert
from rekon.store.recording import existing
from rekon.store.types import micros

_ENTRY_COLUMNS = ("entry_id", "event", "description", "reverses", "occurred_at", "recorded_at")
_POSTING_COLUMNS = ("entry_id", "account", "side", "amount")


def post(connection: Connection, entry: Entry, *, now: datetime) -> bool:
    """Post an entry once an event, with its row in the audit. Returns whether it is new."""
    entry_id = stable_id("jen", entry.event)
    statement = upsert(connection, schema.journal_entries).values(
        entry_id=entry_id,
        event=entry.event,
        description=entry.description,
        reverses=stable_id("jen", entry.reverses) if entry.reverses else None,
        occurred_at=entry.occurred_at,
        recorded_at=now,
    )
    created = statement.on_conflict_do_nothing().returning(schema.journal_entries.c.entry_id)
    if connection.execute(created).first() is None:
        return False
    rows = [_row(entry_id, posting) for posting in entry.postings]
    connection.execute(insert(schema.postings), rows)
    _audit(connection, entry_id, entry, now=now)
    return True


def _audit(connection: Connection, entry_id: str, entry: Entry, *, now: datetime) -> None:
    postings = [[posting.account, posting.side, posting.amount] for posting in entry.postings]
    detail = {"entry_id": entry_id, "postings": postings}
    audit.record(connection, who="rekon", what="money.posted", about=entry.event, detail=detail, now=now)


def _row(entry_id: str, posting: Posting) -> dict[str, object]:
    return {"entry_id": entry_id, "account": posting.account, "side": posting.side, "amount": posting.amount}


def post_all(connection: Connection, entries: Sequence[Entry], *, now: datetime) -> None:
    """Post entries, each once an event and with its row in the audit.

    The caller holds the rows they are about: nobody else posts the same now.
    """
    named = {stable_id("jen", entry.event): entry for entry in entries}
    known = existing(connection, schema.journal_entries.c.entry_id, named)
    fresh = {entry_id: entry for entry_id, entry in named.items() if entry_id not in known}
    recorded_at = micros(now)
    rows = [_entry_row(entry_id, entry, recorded_at=recorded_at) for entry_id, entry in fresh.items()]
    insert_rows(connection, schema.journal_entries, _ENTRY_COLUMNS, rows)
    moved = [(key, p.account, p.side.value, p.amount) for key, entry in fresh.items() for p in entry.postings]
    insert_rows(connection, schema.postings, _POSTING_COLUMNS, moved)
    for entry_id, entry in fresh.items():
        _audit(connection, entry_id, entry, now=now)


def _entry_row(entry_id: str, entry: Entry, *, recorded_at: int) -> tuple[object, ...]:
    reverses = stable_id("jen", entry.reverses) if entry.reverses else None
    return (entry_id, entry.event, entry.description, reverses, micros(entry.occurred_at), recorded_at)


@dataclass(frozen=True, slots=True)
class Balance:
    """Sum of an account: debits minus credits, whole rupiah."""

    account: str
    amount: int


def balances(connection: Connection) -> Sequence[Balance]:
    """Add up every account from its postings."""
    p = schema.postings.c
    signed = case((p.side == Side.DEBIT, p.amount), else_=-p.amount)
    query = select(p.account, func.sum(signed)).group_by(p.account).order_by(p.account)
    return [Balance(account, int(amount)) for account, amount in connection.execute(query)]


def unbalanced(connection: Connection) -> list[str]:
    """Name entries whose debits and credits differ: there may be none."""
    p = schema.postings.c
    signed = case((p.side == Side.DEBIT, p.amount), else_=-p.amount)
    query = select(p.entry_id).group_by(p.entry_id).having(func.sum(signed) != 0)
    return list(connection.execute(query).scalars())


def debit_account(connection: Connection, event: str) -> str:
    """Return the account an event debited.

    Raises:
        sqlalchemy.exc.NoResultFound: if there is no such event.
    """
    p = schema.postings.c
    query = select(p.account).where(p.entry_id == stable_id("jen", event), p.side == Side.DEBIT)
    account: str = connection.execute(query).scalar_one()
    return account
