"""Questions asked every beat go through an index, however long the history is (performance 3)."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import JSON, Boolean, LargeBinary, String, column, event, insert, text

from rekon.domain.callback import Verdict
from rekon.domain.transaction import RefundOwner
from rekon.store import (
    cases,
    complaints,
    dossier,
    due,
    evaluations,
    inbox,
    legs,
    limits,
    messages,
    quarantine,
    refunds,
    results,
    schedule,
    schema,
    vouchers,
)
from rekon.store.engine import Store
from tests import builders
from tests.store import databases

ROWS = 50_000
FEWER = 10_000
_HISTORY = (
    "WITH RECURSIVE n(i) AS (SELECT CAST(0 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT {} FROM n"
)
CLAIMED = ("transactions", "legs", "schedule", "evaluations", "refunds", "messages")
"""Tables of the claims that matter most; the others show the same with fewer rows."""
OPEN = "i % 1000 = 0"
NOW = builders.T0
UNTIL = builders.at(seconds=60)
_KEY, _LEG, _CASE = "'toko:T' || i", "'toko:T' || i || '#1'", "'case_' || i"
_DUE = f"CASE WHEN {OPEN} THEN i ELSE NULL END"

TABLES = {
    "transactions": {
        "key": _KEY,
        "source": "'toko'",
        "transaction_id": "'T' || i",
        "agent_id": "'A' || (i % 10)",
        "ordered_at": "i * 1000000",
        "charged_account": "'agent_wallet'",
        "order_status": "'success'",
    },
    "legs": {
        "key": _LEG,
        "transaction_key": _KEY,
        "provider": "'iak'",
        "ref_id": "'T' || i",
        "send_state": "'sent'",
        "state": "'final'",
    },
    "schedule": {"leg_key": _LEG, "provider": "'iak'", "due_at": "i"},
    "evaluations": {"transaction_key": _KEY, "due_at": "i"},
    "reports": {"report_id": "'rpt_' || i", "leg_key": _LEG, "source": "'inquiry'", "outcome": "'delivered'"},
    "wallet_lines": {
        "key": "'toko:L' || i",
        "transaction_key": _KEY,
        "agent_id": "'A' || (i % 10)",
        "kind": "'debit'",
        "reference": f"CASE WHEN {OPEN} THEN 'refund:' || i ELSE 'r' || i END",
    },
    "statement_lines": {"key": "'iak:utama:' || i", "provider": "'iak'", "ref_id": "'T' || i", "amount": "1"},
    "cases": {
        "case_id": _CASE,
        "number": "'K' || i",
        "transaction_key": _KEY,
        "agent_id": "'A' || (i % 10)",
        "state": f"CASE WHEN {OPEN} THEN 'resolved' ELSE 'closed' END",
        "felt": "true",
        "resolved_at": "i",
        "aftercare_due_at": "CASE WHEN i % 2000 = 0 THEN NULL ELSE i END",
    },
    "breaks": {
        "break_id": "'brk_' || i",
        "transaction_key": _KEY,
        "case_id": _CASE,
        "kind": "'B02'",
        "state": "'resolved'",
        "resolved_at": "i",
    },
    "refunds": {
        "refund_id": "'ref_' || i",
        "key": "'refund:' || i",
        "transaction_key": _KEY,
        "break_kind": "'B01'",
        "agent_id": "'A' || (i % 10)",
        "amount": "1",
        "state": f"CASE WHEN {OPEN} THEN 'unknown' ELSE 'settled' END",
        "automatic": "true",
        "requested_at": "i * 1000000",
        "submitted_at": "i * 1000000",
        "due_at": _DUE,
    },
    "order_results": {"key": "'result:' || i", "transaction_key": _KEY, "due_at": _DUE},
    "vouchers": {
        "code": "'C' || i",
        "transaction_key": _KEY,
        "break_kind": "'B10'",
        "agent_id": "'A' || (i % 10)",
        "amount": "1",
        "issued_at": "i * 1000000",
        "due_at": _DUE,
    },
    "complaints": {
        "complaint_id": "'cmp_' || i",
        "transaction_key": _KEY,
        "leg_key": _LEG,
        "chase_due_at": _DUE,
    },
    "messages": {
        "message_id": "'msg_' || i",
        "event": "'e' || i",
        "transaction_key": _KEY,
        "agent_id": "'A' || (i % 10)",
        "audience": "'agent'",
        "address": "'chat-' || (i % 10000)",
        "state": "'sent'",
        "created_at": "i * 1000000",
        "sent_at": "i * 1000000",
        "due_at": _DUE,
    },
    "answers": {"message_id": "'msg_' || i", "state": f"CASE WHEN {OPEN} THEN 'new' ELSE 'done' END", "at": "i"},
    "promises": {
        "promise_id": "'prm_' || i",
        "case_id": _CASE,
        "message_id": "'msg_' || i",
        "due_at": "i",
        "state": f"CASE WHEN {OPEN} THEN 'open' ELSE 'kept' END",
    },
    "inbox": {
        "id": "i + 1",
        "provider": "'iak'",
        "fingerprint": "'f' || i",
        "state": f"CASE WHEN {OPEN} THEN 'new' WHEN i % 1000 = 1 THEN 'early' ELSE 'read' END",
        "verdict": f"'{Verdict.HINT.value}'",
        "ref_id": "'T' || i",
    },
    "quarantine": {
        "id": "i + 1",
        "fingerprint": "'f' || i",
        "state": f"CASE WHEN {OPEN} THEN 'waiting' ELSE 'taken' END",
    },
}

_CLAIM = {"now": NOW, "limit": 100, "lease": "mine", "lease_until": UNTIL}
_SOURCES = {"toko": dossier.SourceRules(refund_owner=RefundOwner.REKON, lag=timedelta(0))}

CLAIMS = {
    "ix_schedule_due": (schedule.claim, _CLAIM),
    "ix_evaluations_due": (evaluations.claim, {"now": NOW, "limit": 100}),
    "ix_refunds_due": (refunds.claim_due, _CLAIM),
    "ix_order_results_due": (results.claim_due, _CLAIM),
    "ix_vouchers_due": (vouchers.claim_due, _CLAIM),
    "ix_messages_due": (messages.claim_due, _CLAIM),
    "ix_inbox_new": (inbox.unread, {"limit": 100}),
    "ix_answers_new": (messages.new_answers, {"limit": 100}),
    "ix_promises_due": (messages.due_promises, {"now": NOW, "limit": 100}),
    "ix_cases_aftercare": (cases.due_aftercare, {"now": NOW, "limit": 100}),
    "ix_cases_unplanned": (cases.felt_without_aftercare, {"limit": 100}),
    "ix_complaints_chase": (complaints.due_chases, {"now": NOW, "limit": 100}),
    "ix_refunds_waiting": (refunds.waiting, {}),
    "ix_quarantine_waiting": (quarantine.waiting, {}),
}


def _ask_limits(connection):
    room = limits.Room(connection, ["A1", "A2"], policy=builders.build_policy(), now=NOW)
    room.refusal(agent_id="A1", amount=1, never_formed=False)


OTHERS = {
    "all due times": (due.times, (), {}),
    "a dossier": (
        dossier.load,
        (["toko:T1", "toko:T2000"],),
        {"sources": _SOURCES, "twin_window": timedelta(seconds=120)},
    ),
    "an agent's balance": (dossier.agent_balance, ("A1",), {"not_before": NOW}),
    "the limits": (
        _ask_limits,
        (),
        {},
    ),
    "a voucher's budget": (
        vouchers.refusal,
        (),
        {"agent_id": "A1", "amount": 1, "policy": builders.build_policy(), "now": NOW},
    ),
    "a leg's reference": (legs.of_ref, (), {"provider": "iak", "ref_id": "T9"}),
    "credits of legs": (legs.credited_back, ([builders.build_leg()],), {}),
    "orders of references": (evaluations.touch_refs, ([("iak", "T1"), ("iak", "T2")],), {"due_at": NOW}),
    "legs of credited references": (schedule.wake_refs, ([("iak", "T1"), ("iak", "T2")],), {"now": NOW}),
    "callbacks before their orders": (inbox.wake, ([("iak", "T1"), ("iak", "T2")],), {}),
    "a chat's question": (messages.asked_in_chat, ("chat-1", ""), {}),
    "open breaks of a case": (cases.open_kinds, ("case_1",), {}),
    "an aftercare of today": (cases.recent_aftercare, ("A1",), {"since": NOW}),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Give a store with a long history, of which one row in a thousand waits for something."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        with databases.opened(databases.copy_file(template, tmp_path_factory.mktemp("full"))) as store:
            store.write(_fill)
            yield store
        return
    template, server = request.getfixturevalue("pg_template"), request.getfixturevalue("pg_dsn")
    with databases.copied_database(template, server) as url, databases.opened(url) as store:
        store.write(_fill)
        yield store


def _fill(connection):
    for name, values in TABLES.items():
        table, rows = schema.metadata.tables[name], ROWS if name in CLAIMED else FEWER
        columns = {
            c.name: values.get(c.name) or _nothing(c) for c in table.columns if c.name in values or not c.nullable
        }
        history = text(_HISTORY.format(rows - 1, ", ".join(columns.values())))
        connection.execute(insert(table).from_select(list(columns), history.columns(*(column(c) for c in columns))))
    connection.execute(text("ANALYZE"))


def _nothing(wanted):
    if isinstance(wanted.type, Boolean):
        return "false"
    if isinstance(wanted.type, JSON):
        return "'{}'"
    if isinstance(wanted.type, LargeBinary):
        return "''"
    return "''" if isinstance(wanted.type, String) or hasattr(wanted.type, "length") else "0"


class _UndoneError(Exception):
    pass


def _plans(store, function, args, kwargs):
    """Run a function, undo it, and let the database explain every question it asked."""
    asked = []

    def remember(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    explain = "EXPLAIN QUERY PLAN " if store.is_sqlite else "EXPLAIN "
    with suppress(_UndoneError), store.unit_of_work() as connection:
        event.listen(connection, "before_cursor_execute", remember)
        function(connection, *args, **kwargs)
        event.remove(connection, "before_cursor_execute", remember)
        questions = [(what, given) for what, given in asked if "pg_advisory" not in what]
        found = [connection.exec_driver_sql(explain + what, given).all() for what, given in questions]
        raise _UndoneError
    return ["\n".join(str(row[-1]) for row in rows) for rows in found]


def _full_scans(plans):
    """Name the steps that read a whole table of history. Agents, marks and halts are short by nature."""
    steps = [line.strip() for plan in plans for line in plan.splitlines()]
    scans = [step for step in steps if step.startswith("SCAN ") and "INDEX" not in step]
    scans += [step for step in steps if "Seq Scan on " in step]
    return [step for step in scans if any(f" {name}" in step for name in TABLES)]


@pytest.mark.parametrize("index", CLAIMS)
def test_what_waits_is_claimed_by_its_own_index_in_order(full, index):
    function, arguments = CLAIMS[index]
    plans = _plans(full, function, (), arguments)
    assert index in plans[0]
    assert _full_scans(plans) == []
    assert "TEMP B-TREE FOR ORDER BY" not in plans[0]


@pytest.mark.parametrize("name", OTHERS)
def test_no_question_reads_a_whole_table(full, name):
    function, args, kwargs = OTHERS[name]
    plans = _plans(full, function, args, kwargs)
    assert plans
    assert _full_scans(plans) == []
