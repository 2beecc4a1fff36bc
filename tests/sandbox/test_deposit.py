import pytest

from rekon.sandbox.deposit import Deposit
from rekon.sandbox.journal import Journal
from tests.sandbox.provider_calls import NOON, later


def test_each_movement_is_a_statement_line_with_the_balance_after_it():
    deposit = Deposit(provider="iak", journal=Journal(None), opening=50_000)

    deposit.debit(10_000, at=NOON, ref_id="T1")
    deposit.credit(10_000, at=later(60), ref_id="T1")
    deposit.credit(500_000, at=later(90), ref_id="", kind="deposit")

    assert [(line.line_id, line.amount, line.kind, line.balance_after) for line in deposit.lines] == [
        ("iak-0000001", -10_000, "charge", 40_000),
        ("iak-0000002", 10_000, "reversal", 50_000),
        ("iak-0000003", 500_000, "deposit", 550_000),
    ]
    assert deposit.balance == deposit.opening + sum(line.amount for line in deposit.lines)
    assert [line.posted_at for line in deposit.lines_of("T1")] == [NOON, later(60)]


def test_each_movement_is_journalled():
    journal = Journal(None)
    deposit = Deposit(provider="iak", journal=journal, opening=50_000)

    line = deposit.debit(10_000, at=NOON, ref_id="T1")

    (row,) = journal.rows("charge")
    assert (row["provider"], row["line_id"], row["ref_id"]) == ("iak", line.line_id, "T1")
    assert (row["amount"], row["line_kind"], row["balance_after"]) == (-10_000, "charge", 40_000)


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_that_is_not_positive_is_refused(amount):
    deposit = Deposit(provider="iak", journal=Journal(None), opening=50_000)

    with pytest.raises(ValueError, match="positive"):
        deposit.debit(amount, at=NOON, ref_id="T1")

    assert deposit.lines == ()
