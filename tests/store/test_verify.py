import contextlib
import sqlite3

import pytest
from sqlalchemy import text

from rekon.domain import ledger
from rekon.domain.approval import Role, Word
from rekon.domain.breaks import BreakKind
from rekon.domain.refund import RefundState
from rekon.store import approvals, book_wallet, journal, messages, refunds, schema, staff, verify, vouchers
from rekon.store.approvals import Ballot
from tests import builders
from tests.store import databases, filling

T0 = builders.T0
KEY = "refund:toko:T1001:B01:1"


def _found(store):
    return [(finding.rule, finding.subject) for finding in verify.findings(store)]


def _run(store, statement):
    store.write(lambda connection: connection.execute(text(statement)))


def _submit(store, row):
    def submit(connection):
        entry = ledger.refund_submitted(row["key"], provider="iak", amount=row["amount"], at=T0)
        journal.post(connection, entry, now=T0)
        return refunds.move(connection, row, to=RefundState.SUBMITTED, submitted_at=T0, due_at=None)

    assert store.write(submit)
    return filling.one(store, schema.refunds, key=row["key"])


def _settle(store, row):
    def settle(connection):
        journal.post(connection, ledger.refund_settled(row["key"], amount=row["amount"], at=T0), now=T0)
        return refunds.move(connection, row, to=RefundState.SETTLED, settled_at=T0)

    assert store.write(settle)


@pytest.fixture
def transaction(store):
    transaction = filling.order(store)
    filling.wallet(store, builders.build_wallet_line())
    return transaction


@pytest.fixture
def submitted(store, transaction):
    return _submit(store, filling.refund(store, transaction))


def test_an_empty_store_agrees(store):
    assert verify.findings(store) == []


def test_a_whole_life_agrees(store, transaction, submitted):
    filling.wallet(store, builders.build_wallet_line(amount=builders.PRICE, reference=KEY))
    _settle(store, submitted)
    case_id = filling.case(store, transaction)
    store.write(messages.add, filling.new_message(case_id=case_id, promise_at=T0), now=T0)
    issued = {"code": "C1", "kind": BreakKind.STUCK_PENDING, "amount": 1_000, "rule": "comp.2"}
    store.write(vouchers.issue, transaction, **issued, policy=builders.build_policy(), now=T0)
    assert verify.findings(store) == []


def test_refunds_beyond_the_debit_are_found_with_their_sums(store, transaction, submitted):
    _submit(store, filling.refund(store, transaction, kind=BreakKind.DEBITED_TWICE, amount=1))
    (finding,) = verify.findings(store)
    assert (finding.rule, finding.subject) == ("refunds.within_debits", transaction.key)
    assert finding.text == "dikembalikan Rp 50.601, padahal hanya terpotong Rp 50.600"
    assert str(finding) == f"refunds.within_debits toko:T1001: {finding.text}"


def test_a_rejected_refund_gives_nothing_back(store, transaction, submitted):
    row = filling.refund(store, transaction, kind=BreakKind.DEBITED_TWICE, amount=1)
    store.write(refunds.move, row, to=RefundState.REJECTED)
    assert verify.findings(store) == []


def test_a_refund_without_any_debit_is_found(store):
    _submit(store, filling.refund(store, filling.order(store)))
    assert _found(store) == [("refunds.within_debits", "toko:T1001")]


def test_a_settled_refund_whose_credit_nobody_saw_is_found(store, submitted):
    _settle(store, submitted)
    assert _found(store) == [("refunds.seen", KEY)]


def test_a_credit_of_another_amount_does_not_settle_a_refund(store, submitted):
    filling.wallet(store, builders.build_wallet_line(amount=1, reference=KEY))
    _settle(store, submitted)
    assert _found(store) == [("refunds.seen", KEY)]


def test_a_refund_in_rekons_own_wallet_is_seen_there(store, submitted):
    credit = {"key": KEY, "agent_id": "A01", "transaction_id": "T1001", "amount": builders.PRICE, "reason": "B01"}
    store.write(book_wallet.credit, **credit, now=T0)
    _settle(store, submitted)
    assert verify.findings(store) == []


def test_a_refund_missing_in_the_journal_is_found(store, transaction):
    row = filling.refund(store, transaction)
    store.write(refunds.move, row, to=RefundState.SUBMITTED, submitted_at=T0)
    assert _found(store) == [("refunds.posted", KEY)]


def test_a_settled_refund_missing_in_the_journal_is_found(store, submitted):
    filling.wallet(store, builders.build_wallet_line(amount=builders.PRICE, reference=KEY))
    store.write(refunds.move, submitted, to=RefundState.SETTLED, settled_at=T0)
    assert _found(store) == [("refunds.posted", KEY)]


@pytest.mark.parametrize(
    ("postings", "rules"),
    [
        ([("debit", 2), ("credit", 1)], ["ledger.entries", "ledger.trial_balance"]),
        ([], ["ledger.entries"]),
    ],
)
def test_an_entry_that_does_not_balance_is_found(store, postings, rules):
    def post(connection):
        entry = {"entry_id": "jen_1", "event": "e1", "description": "", "occurred_at": T0, "recorded_at": T0}
        connection.execute(schema.journal_entries.insert().values(entry))
        for side, amount in postings:
            row = {"entry_id": "jen_1", "account": "x", "side": side, "amount": amount}
            connection.execute(schema.postings.insert().values(row))

    store.write(post)
    assert [finding.rule for finding in verify.findings(store)] == rules


def test_two_wrong_entries_that_cancel_out_are_both_found(store):
    def post(connection):
        for number, side in enumerate(("debit", "credit")):
            identity = f"jen_{number}"
            entry = {"entry_id": identity, "event": identity, "description": "", "occurred_at": T0, "recorded_at": T0}
            connection.execute(schema.journal_entries.insert().values(entry))
            for _ in range(2):
                row = {"entry_id": identity, "account": "x", "side": side, "amount": 5}
                connection.execute(schema.postings.insert().values(row))

    store.write(post)
    assert _found(store) == [("ledger.entries", "jen_0"), ("ledger.entries", "jen_1")]


def test_an_open_leg_nobody_will_ask_about_is_found(store, transaction):
    _run(store, "DELETE FROM schedule")
    assert _found(store) == [("legs.scheduled", builders.LEG)]


def test_a_stopped_leg_that_is_still_asked_about_is_found(store, transaction):
    _run(store, "UPDATE legs SET state = 'stopped'")
    assert _found(store) == [("legs.scheduled", builders.LEG)]


@pytest.mark.parametrize("kept", [True, False])
def test_a_final_leg_may_be_watched_or_not(store, transaction, kept):
    _run(store, "UPDATE legs SET state = 'final'")
    if not kept:
        _run(store, "DELETE FROM schedule")
    assert verify.findings(store) == []


def test_half_a_rupiah_in_a_file_is_found(sqlite_store):
    filling.order(sqlite_store)
    _run(sqlite_store, "UPDATE transactions SET price = 50600.5")
    assert _found(sqlite_store) == [("amounts.whole", "transactions.price")]


def test_a_column_that_could_hold_half_a_rupiah_is_found(pg_store_url):
    with databases.opened(pg_store_url) as store:
        _run(store, "ALTER TABLE refunds ALTER COLUMN amount TYPE double precision")
        assert _found(store) == [("amounts.whole", "refunds.amount")]


def test_a_word_written_by_hand_is_found(store, transaction):
    _run(store, "UPDATE transactions SET order_status = 'sukses'")
    assert _found(store) == [("rows.words", transaction.key)]


def test_a_voucher_or_message_that_exists_twice_is_found(own_store):
    transaction = filling.order(own_store)
    _without_unique(own_store, "vouchers", "uq_vouchers_transaction_key")
    _without_unique(own_store, "messages", "uq_messages_event")
    for number in range(2):
        _run(own_store, _VOUCHER.format(number))
        _run(own_store, _MESSAGE.format(number))
    assert _found(own_store) == [("vouchers.once", transaction.key), ("messages.once", "e")]


_VOUCHER = (
    "INSERT INTO vouchers (code, transaction_key, break_kind, agent_id, source, amount, rule, rule_version, state,"
    " issued_at, expires_at, gateway_ref, attempts)"
    " VALUES ('C{}', 'toko:T1001', 'B10', 'A01', 'toko', 1, 'r', '1', 'issued', 0, 0, '', 0)"
)
_MESSAGE = (
    "INSERT INTO messages (message_id, event, break_kind, agent_id, audience, channel, address, template, variant,"
    " text, short_text, variables, answer_url, state, note, reference, created_at, attempts)"
    " VALUES ('M{}', 'e', '', 'A01', 'agent', 'file', '', 'M01', '', '', '', '[]', '', 'sent', '', '', 0, 0)"
)


def _without_unique(store, table, name):
    """Take a constraint away, as a database restored from a damaged dump might lack it."""
    if not store.is_sqlite:
        _run(store, f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        return
    with store.changing_schema() as connection:
        made = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table}
        ).scalar_one()
        lines = [line for line in made.splitlines() if name not in line]
        connection.execute(text(f"DROP TABLE {table}"))
        connection.exec_driver_sql("\n".join(lines).rstrip().removesuffix(")").rstrip().removesuffix(",") + ")")


def test_a_row_that_points_at_nothing_is_found_in_a_file(sqlite_store, sqlite_url):
    filling.order(sqlite_store)
    with contextlib.closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as other:
        other.execute("DELETE FROM transactions")
        other.commit()
    assert ("rows.references", "legs") in _found(sqlite_store)


def test_a_missing_guard_is_found_by_name_and_by_trying(own_store):
    names = ["guard_audit_update"] if own_store.is_sqlite else ["guard_audit"]
    _run(own_store, f"DROP TRIGGER {names[0]}" + ("" if own_store.is_sqlite else " ON audit"))
    tried = ["audit"] if own_store.is_sqlite else ["audit", "audit"]
    assert _found(own_store) == [("guards.present", name) for name in names] + [("guards.refuse", t) for t in tried]


def test_a_hundred_findings_are_enough(store):
    for number in range(verify.LISTED_MAX + 5):
        filling.order(store, number=f"T{number}")
    _run(store, "DELETE FROM schedule")
    assert len(verify.findings(store)) == verify.LISTED_MAX


def test_verifying_changes_nothing(store, transaction, submitted):
    before = {name: filling.rows(store, table) for name, table in schema.metadata.tables.items()}
    verify.findings(store)
    assert {name: filling.rows(store, table) for name, table in schema.metadata.tables.items()} == before


def test_a_refund_that_supervisors_settled_needs_no_credit_line(store, submitted):
    store.write(staff.add, name="Ratna", role=Role.SUPERVISOR, token="token-Ratna", now=T0)
    ratna = store.read(approvals.find_person, "token-Ratna")
    row = filling.one(store, schema.refunds)
    store.write(refunds.move, row, to=RefundState.UNKNOWN, due_at=None)
    ballot = Ballot(refund_id=row["refund_id"], person=ratna, word=Word.SETTLED, reason="kredit terlihat di server")
    store.write(approvals.take, ballot, policy=builders.build_policy(), now=T0)
    assert filling.one(store, schema.refunds)["state"] == "settled"
    assert verify.findings(store) == []
