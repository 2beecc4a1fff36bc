"""Every entry balances, every correction names what it takes back, every clearing account returns to zero."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekon.domain import ledger
from rekon.domain.ledger import Entry, Posting, Side, UnbalancedError
from tests.builders import T0

KEY = "refund:toko:T1001:B01:1"


def balances(*entries):
    """Sum the accounts; debit counts positive."""
    found: Counter[str] = Counter()
    for entry in entries:
        for posting in entry.postings:
            found[posting.account] += posting.amount if posting.side is Side.DEBIT else -posting.amount
    return {account: amount for account, amount in found.items() if amount}


def submitted(provider="iak", amount=50_600):
    return ledger.refund_submitted(KEY, provider=provider, amount=amount, at=T0)


def every_entry(amount=1_000):
    return [
        submitted(amount=amount),
        ledger.refund_settled(KEY, amount=amount, at=T0),
        ledger.refund_failed(KEY, provider="iak", amount=amount, at=T0),
        ledger.refund_returned(KEY, amount=amount, at=T0),
        ledger.voucher_issued("ABCD", amount=amount, at=T0),
        *ledger.voucher_redeemed("ABCD", amount=amount, at=T0),
        ledger.voucher_expired("ABCD", amount=amount, at=T0),
    ]


@settings(max_examples=50)
@given(amount=st.integers(1, 10**12))
def test_every_event_posts_a_balanced_entry_under_a_name_of_its_own(amount):
    entries = every_entry(amount)
    assert all(sum(balances(entry).values()) == 0 for entry in entries)
    assert all(balances(entry) for entry in entries)
    assert len({entry.event for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    "postings",
    [
        pytest.param((), id="nothing"),
        pytest.param((("a", Side.DEBIT, 5),), id="one side"),
        pytest.param((("a", Side.DEBIT, 5), ("b", Side.CREDIT, 4)), id="unequal"),
        pytest.param((("a", Side.DEBIT, 5), ("b", Side.DEBIT, 5)), id="same side"),
        pytest.param((("a", Side.DEBIT, 0), ("b", Side.CREDIT, 0)), id="zero"),
        pytest.param((("a", Side.DEBIT, -5), ("b", Side.CREDIT, -5)), id="negative"),
        pytest.param((("a", Side.DEBIT, 5.0), ("b", Side.CREDIT, 5.0)), id="a fraction type"),
        pytest.param((("a", Side.DEBIT, True), ("b", Side.CREDIT, True)), id="a truth value"),
    ],
)
def test_an_entry_that_does_not_balance_cannot_be_made(postings):
    rows = tuple(Posting(account=account, side=side, amount=amount) for account, side, amount in postings)
    with pytest.raises(UnbalancedError, match="E1"):
        Entry(event="E1", description="d", occurred_at=T0, postings=rows)


def test_an_entry_may_have_more_than_two_postings():
    rows = (("a", Side.DEBIT, 5), ("b", Side.CREDIT, 3), ("c", Side.CREDIT, 2))
    postings = tuple(Posting(account=account, side=side, amount=amount) for account, side, amount in rows)
    assert balances(Entry(event="E1", description="d", occurred_at=T0, postings=postings)) == {"a": 5, "b": -3, "c": -2}


@pytest.mark.parametrize(("provider", "account"), [("iak", "recoverable:iak"), ("", "own_errors")])
def test_a_settled_refund_leaves_what_the_provider_owes_or_our_own_error(provider, account):
    entries = [submitted(provider), ledger.refund_settled(KEY, amount=50_600, at=T0)]
    assert balances(*entries) == {account: 50_600, "customer_funds": -50_600}


@pytest.mark.parametrize("provider", ["iak", ""])
def test_a_failed_refund_leaves_nothing(provider):
    assert balances(submitted(provider), ledger.refund_failed(KEY, provider=provider, amount=50_600, at=T0)) == {}


def test_a_refund_that_came_back_is_in_transit_again_until_it_is_called_failed():
    entries = [
        submitted(),
        ledger.refund_settled(KEY, amount=50_600, at=T0),
        ledger.refund_returned(KEY, amount=50_600, at=T0),
    ]
    assert balances(*entries) == {"recoverable:iak": 50_600, "refunds_in_transit": -50_600}
    assert balances(*entries, ledger.refund_failed(KEY, provider="iak", amount=50_600, at=T0)) == {}


@pytest.mark.parametrize(
    ("entry", "reverses"),
    [
        (ledger.refund_failed(KEY, provider="iak", amount=1, at=T0), f"{KEY}:submitted"),
        (ledger.refund_returned(KEY, amount=1, at=T0), f"{KEY}:settled"),
        (ledger.refund_settled(KEY, amount=1, at=T0), None),
    ],
)
def test_a_correction_names_the_event_it_takes_back(entry, reverses):
    assert entry.reverses == reverses


def test_a_voucher_is_a_promise_until_it_is_used_and_then_a_cost():
    issued = ledger.voucher_issued("ABCD", amount=5_000, at=T0)
    assert balances(issued) == {"compensation_promised": 5_000, "voucher_liability": -5_000}
    used = ledger.voucher_redeemed("ABCD", amount=5_000, at=T0)
    assert balances(issued, *used) == {"compensation_cost": 5_000, "customer_funds": -5_000}


def test_a_voucher_nobody_used_leaves_nothing():
    issued = ledger.voucher_issued("ABCD", amount=5_000, at=T0)
    assert balances(issued, ledger.voucher_expired("ABCD", amount=5_000, at=T0)) == {}
