import pytest
from sqlalchemy.exc import IntegrityError, NoResultFound

from rekon.domain import ledger
from rekon.store import book_wallet, journal, schema
from rekon.store.journal import Balance
from tests import builders
from tests.store import filling

T0 = builders.T0
LATER = builders.at(minutes=5)
KEY = "refund:toko:T1001:B01:1"


def _post(store, entry, *, now=T0):
    return store.write(journal.post, entry, now=now)


def _submitted(amount=50_600):
    return ledger.refund_submitted(KEY, provider="iak", amount=amount, at=T0)


def test_an_event_is_posted_once(store):
    assert _post(store, _submitted())
    assert not _post(store, _submitted(amount=1), now=LATER)
    entry = filling.one(store, schema.journal_entries)
    assert (entry["event"], entry["occurred_at"], entry["recorded_at"]) == (f"{KEY}:submitted", T0, T0)
    assert [(row["side"], row["amount"]) for row in filling.rows(store, schema.postings)] == [
        ("debit", 50_600),
        ("credit", 50_600),
    ]


def test_many_entries_are_posted_as_one_by_one(store):
    _post(store, _submitted())
    entries = [ledger.refund_submitted(f"k{number}", provider="", amount=number, at=T0) for number in (1, 2)]
    failed = ledger.refund_failed("k1", provider="", amount=1, at=LATER)
    store.write(journal.post_all, [_submitted(amount=1), *entries, failed], now=LATER)
    store.write(journal.post_all, entries, now=LATER)
    assert not any(_post(store, entry) for entry in (*entries, failed))
    stored = {row["event"]: row for row in filling.rows(store, schema.journal_entries)}
    assert len(stored) == 4
    assert (stored["k1:failed"]["reverses"], stored["k1:failed"]["occurred_at"]) == (
        stored["k1:submitted"]["entry_id"],
        LATER,
    )
    balances = {one.account: one.amount for one in store.read(journal.balances)}
    assert balances == {"recoverable:iak": 50_600, "refunds_in_transit": -50_602, "own_errors": 2}
    assert store.read(journal.unbalanced) == []


def test_accounts_are_the_sum_of_their_postings(store):
    _post(store, _submitted())
    assert store.read(journal.balances) == [Balance("recoverable:iak", 50_600), Balance("refunds_in_transit", -50_600)]
    _post(store, ledger.refund_settled(KEY, amount=50_600, at=LATER))
    transit = [one.amount for one in store.read(journal.balances) if one.account == "refunds_in_transit"]
    assert transit == [0]
    assert store.read(journal.unbalanced) == []


def test_a_correction_is_a_new_entry_that_names_the_old_one(store):
    _post(store, _submitted())
    _post(store, ledger.refund_failed(KEY, provider="iak", amount=50_600, at=LATER))
    first, second = sorted(filling.rows(store, schema.journal_entries), key=lambda row: row["occurred_at"])
    assert second["reverses"] == first["entry_id"]
    assert {one.amount for one in store.read(journal.balances)} == {0}


def test_the_debited_account_of_an_event_is_known(store):
    _post(store, _submitted())
    assert store.read(journal.debit_account, f"{KEY}:submitted") == "recoverable:iak"
    with pytest.raises(NoResultFound):
        store.read(journal.debit_account, "none")


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"amount": -1}, {"side": "left"}])
def test_the_database_refuses_a_posting_that_is_none(store, wrong):
    _post(store, _submitted())
    entry_id = filling.one(store, schema.journal_entries)["entry_id"]
    row = {"entry_id": entry_id, "account": "x", "side": "debit", "amount": 1} | wrong
    with pytest.raises(IntegrityError):
        store.write(lambda connection: connection.execute(schema.postings.insert().values(row)))


def _credit(store, *, key=KEY, amount=5_000):
    return store.write(
        book_wallet.credit, key=key, agent_id="A01", transaction_id="T1001", amount=amount, reason="B01", now=T0
    )


def test_rekons_own_wallet_credits_a_key_once(store):
    first = _credit(store)
    assert _credit(store, amount=9_000) == first
    assert store.read(book_wallet.find, KEY)["amount"] == 5_000
    assert store.read(book_wallet.find, "none") is None


def test_a_server_pulls_credits_behind_its_position(store):
    ids = [_credit(store, key=f"k{number}")["id"] for number in range(3)]
    assert [row["id"] for row in store.read(book_wallet.after, ids[0], limit=5)] == ids[1:]
    assert [row["id"] for row in store.read(book_wallet.after, 0, limit=2)] == ids[:2]
    assert [row["id"] for row in store.read(book_wallet.of_transactions, ["T1001"])["T1001"]] == ids
