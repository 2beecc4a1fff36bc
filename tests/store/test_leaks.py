from datetime import timedelta

import pytest

from rekon.domain.transaction import ChargedAccount, OrderStatus, SendState
from rekon.store import books, leaks, refunds, schema
from rekon.store.leaks import Claim, LeakKind, Window
from tests import builders
from tests.store import filling

NOW = builders.at(days=2)
WINDOW = Window(since=NOW - timedelta(days=90), until=NOW)


def sold(store, number="T1", *, status=OrderStatus.FAILED, ordered_at=builders.T0, leg=None, **more):
    return filling.order(store, number=number, order_status=status, ordered_at=ordered_at, leg=leg, **more)


def moved(store, transaction, *amounts, reference=""):
    lines = [
        builders.build_wallet_line(
            amount=amount,
            line_id=f"{transaction.transaction_id}-{n}{reference}",
            transaction_id=transaction.transaction_id,
            source=transaction.source,
            posted_at=transaction.ordered_at,
            reference=reference,
        )
        for n, amount in enumerate(amounts)
    ]
    filling.wallet(store, *lines)


def found(store, window=WINDOW):
    return [(leak.kind, leak.transaction_key, leak.amount) for leak in store.read(leaks.find_leaks, window)]


PRICE = builders.PRICE


@pytest.mark.parametrize(
    ("status", "amounts", "expected"),
    [
        (OrderStatus.FAILED, [-PRICE], (LeakKind.FAILED_NOT_RETURNED, PRICE)),
        (OrderStatus.FAILED, [-PRICE, 20_000], (LeakKind.FAILED_NOT_RETURNED, PRICE - 20_000)),
        (OrderStatus.REFUNDED, [-PRICE], (LeakKind.FAILED_NOT_RETURNED, PRICE)),
        (OrderStatus.FAILED, [-PRICE, -PRICE, PRICE], (LeakKind.FAILED_NOT_RETURNED, PRICE)),
        (OrderStatus.SUCCESS, [-PRICE, -PRICE], (LeakKind.DEBITED_TWICE, PRICE)),
        (OrderStatus.FAILED, [-PRICE, PRICE, PRICE], (LeakKind.CREDITS_EXCEED_DEBITS, PRICE)),
        (OrderStatus.SUCCESS, [PRICE], (LeakKind.CREDITS_EXCEED_DEBITS, PRICE)),
        (OrderStatus.PENDING, [-PRICE], (LeakKind.PENDING_LONG, PRICE)),
        (OrderStatus.PENDING, [-PRICE, -PRICE], (LeakKind.DEBITED_TWICE, PRICE)),
        (OrderStatus.FAILED, [-PRICE, PRICE], None),
        (OrderStatus.SUCCESS, [-PRICE], None),
        (OrderStatus.SUCCESS, [-PRICE, -PRICE, PRICE], None),
        (OrderStatus.SUCCESS, [-PRICE - 1], None),
        (OrderStatus.FAILED, [], None),
    ],
)
def test_a_purchase_is_judged_by_its_own_lines(store, status, amounts, expected):
    moved(store, sold(store, status=status), *amounts)
    assert found(store) == ([] if expected is None else [(expected[0], "toko:T1", expected[1])])


def test_a_gift_is_not_a_refund(store):
    transaction = sold(store)
    moved(store, transaction, -PRICE)
    moved(store, transaction, PRICE, reference="voucher:ABCD")
    assert found(store) == [(LeakKind.FAILED_NOT_RETURNED, "toko:T1", PRICE)]


def test_a_refund_of_ours_on_its_way_is_no_leak(store):
    transaction = sold(store)
    moved(store, transaction, -PRICE)
    row = filling.refund(store, transaction)
    assert found(store) == []
    store.write(refunds.move, row, to=refunds.RefundState.REJECTED)
    assert found(store) == [(LeakKind.FAILED_NOT_RETURNED, "toko:T1", PRICE)]


def test_a_refund_of_ours_that_arrived_is_counted_once(store):
    transaction = sold(store)
    row = filling.refund(store, transaction)
    moved(store, transaction, -PRICE)
    moved(store, transaction, PRICE, reference=row["key"])
    assert found(store) == []


def test_a_refund_of_ours_that_arrived_does_not_hide_a_second_debit(store):
    transaction = sold(store)
    row = filling.refund(store, transaction)
    moved(store, transaction, -PRICE, -PRICE)
    moved(store, transaction, PRICE, reference=row["key"])
    assert found(store) == [(LeakKind.FAILED_NOT_RETURNED, "toko:T1", PRICE)]


@pytest.mark.parametrize(("age", "leaks_money"), [(timedelta(minutes=14), False), (timedelta(minutes=15), True)])
def test_an_order_that_is_still_being_dealt_with_is_no_leak(store, age, leaks_money):
    moved(store, sold(store, ordered_at=NOW - age), -PRICE)
    assert bool(found(store)) is leaks_money


@pytest.mark.parametrize(("age", "is_long"), [(timedelta(hours=23, minutes=59), False), (timedelta(hours=24), True)])
def test_pending_is_long_after_a_day(store, age, is_long):
    moved(store, sold(store, status=OrderStatus.PENDING, ordered_at=NOW - age), -PRICE)
    assert bool(found(store)) is is_long


def test_only_the_window_and_the_source_asked_for_are_looked_at(store):
    moved(store, sold(store, "T1"), -PRICE)
    moved(store, sold(store, "T2", ordered_at=NOW - timedelta(days=91)), -PRICE)
    moved(store, sold(store, "T3", source="lain", leg={"ref_id": "X3"}), -PRICE)
    assert {key for _, key, _ in found(store)} == {"toko:T1", "lain:T3"}
    only = Window(since=WINDOW.since, until=NOW, source="lain")
    assert {key for _, key, _ in found(store, only)} == {"lain:T3"}


def test_the_largest_loss_comes_first(store):
    moved(store, sold(store, "T1", price=10_000), -10_000)
    moved(store, sold(store, "T2"), -PRICE)
    assert [key for _, key, _ in found(store)] == ["toko:T2", "toko:T1"]


def test_what_no_book_speaks_of_is_counted_and_never_taken_for_zero(store):
    sold(store, "T1")
    moved(store, sold(store, "T2", status=OrderStatus.SUCCESS), -PRICE)
    sold(store, "T3", charged_account=ChargedAccount.CASH)
    seen = store.read(leaks.coverage, WINDOW)
    assert (seen.orders, seen.without_wallet_lines, seen.cash) == (3, 1, 1)


def claims(store):
    found_leaks = store.read(leaks.find_leaks, WINDOW)
    return store.read(leaks.find_claims, WINDOW, found_leaks)


def charged(store, *amounts, ref_id="T1"):
    lines = [
        builders.build_statement_line(amount=a, ref_id=ref_id, line_id=f"{ref_id}{n}") for n, a in enumerate(amounts)
    ]
    store.write(books.record_statement_lines, list(enumerate(lines)), now=NOW)


def test_a_charge_the_provider_never_took_back_is_a_proved_claim(store):
    sold(store)
    charged(store, -50_150)
    expected = Claim(
        provider="iak",
        transaction_key="toko:T1",
        ref_id="T1",
        sent_at=builders.T0,
        amount=50_150,
        proved=True,
    )
    assert claims(store) == [expected]


def test_a_charge_that_was_taken_back_is_no_claim_even_if_the_agent_waits(store):
    moved(store, sold(store), -PRICE)
    charged(store, -50_150, 50_150)
    assert claims(store) == []


def test_a_delivered_order_is_no_claim(store):
    moved(store, sold(store, status=OrderStatus.SUCCESS), -PRICE)
    charged(store, -50_150)
    assert claims(store) == []


def test_a_leak_no_statement_speaks_of_is_an_unproved_claim(store):
    moved(store, sold(store), -PRICE)
    assert [(one.ref_id, one.amount, one.proved) for one in claims(store)] == [("T1", PRICE, False)]


def test_an_order_that_was_never_sent_is_no_claim_on_anybody(store):
    moved(store, sold(store, leg={"send_state": SendState.NOT_SENT}), -PRICE)
    assert claims(store) == []


def test_a_provider_owes_nothing_for_what_we_paid_twice(store):
    moved(store, sold(store), -PRICE, PRICE, PRICE)
    assert claims(store) == []


def test_looking_changes_nothing(store):
    moved(store, sold(store), -PRICE)
    before = _contents(store)
    claims(store)
    store.read(leaks.coverage, WINDOW)
    assert _contents(store) == before


def _contents(store):
    return {table.name: filling.rows(store, table) for table in schema.metadata.sorted_tables}
