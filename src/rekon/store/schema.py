"""Every table of rekon. The same definitions serve SQLite and PostgreSQL; Alembic owns the changes.

Keys are business identity wherever there is one, so that a restored database names things the same way (I12).
Due times live in rows: `schedule` (one narrow row an open leg), `evaluations` (one a transaction to look at) and the
due columns of the tables that wait for an outside call.
"""

from rekon.store.tables_base import metadata
from rekon.store.tables_books import (
    agents,
    cursors,
    evaluations,
    inbox,
    legs,
    marks,
    observations,
    quarantine,
    relay_queue,
    relays,
    reports,
    schedule,
    statement_lines,
    transactions,
    wallet_lines,
)
from rekon.store.tables_cases import breaks, case_events, cases, configurations, decisions
from rekon.store.tables_effects import answers, complaints, messages, order_results, promises, refunds, vouchers
from rekon.store.tables_operation import (
    approvals,
    audit,
    book_lines,
    facts_of_life,
    flips,
    halts,
    intents,
    journal_entries,
    postings,
    provider_health,
    provider_words,
    soft_holds,
    staff,
)

__all__ = [
    "APPEND_ONLY",
    "agents",
    "answers",
    "approvals",
    "audit",
    "book_lines",
    "breaks",
    "case_events",
    "cases",
    "complaints",
    "configurations",
    "cursors",
    "decisions",
    "evaluations",
    "facts_of_life",
    "flips",
    "halts",
    "inbox",
    "intents",
    "journal_entries",
    "legs",
    "marks",
    "messages",
    "metadata",
    "observations",
    "order_results",
    "postings",
    "promises",
    "provider_health",
    "provider_words",
    "quarantine",
    "refunds",
    "relay_queue",
    "relays",
    "reports",
    "schedule",
    "soft_holds",
    "staff",
    "statement_lines",
    "transactions",
    "vouchers",
    "wallet_lines",
]

APPEND_ONLY = (
    observations,
    reports,
    case_events,
    decisions,
    configurations,
    approvals,
    journal_entries,
    postings,
    book_lines,
    audit,
    intents,
)
"""Tables in which nothing is ever changed or removed."""
