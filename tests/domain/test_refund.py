"""The life of a refund: only listed moves, and keys that a restored database mints again."""

from itertools import product

import pytest

from rekon.domain.breaks import BREAK_TITLES, NEXT_BREAK_STATES, BreakKind, BreakState
from rekon.domain.decision import stable_id
from rekon.domain.refund import (
    COUNTS_AS_CREDIT,
    NEXT_REFUND_STATES,
    VOUCHER_PREFIX,
    IllegalMoveError,
    RefundState,
    check_refund_move,
    refund_key,
    result_key,
    voucher_key,
)

ALLOWED = {
    ("requested", "awaiting_approval"),
    ("requested", "approved"),
    ("requested", "submitted"),
    ("requested", "rejected"),
    ("awaiting_approval", "approved"),
    ("awaiting_approval", "rejected"),
    ("approved", "submitted"),
    ("approved", "awaiting_approval"),
    ("approved", "rejected"),
    ("submitted", "settled"),
    ("submitted", "failed"),
    ("submitted", "unknown"),
    ("unknown", "settled"),
    ("unknown", "failed"),
    ("settled", "failed"),
}


@pytest.mark.parametrize(("before", "after"), list(product(RefundState, RefundState)))
def test_a_refund_makes_only_the_listed_moves(before, after):
    if (before.value, after.value) in ALLOWED:
        check_refund_move(before, after)
        return
    with pytest.raises(IllegalMoveError, match=f"{before} to {after}"):
        check_refund_move(before, after)


def test_money_is_never_told_to_move_before_the_intent_and_never_after_a_refusal():
    assert {before for before, after in NEXT_REFUND_STATES.items() if RefundState.SUBMITTED in after} == {
        RefundState.REQUESTED,
        RefundState.APPROVED,
    }
    assert NEXT_REFUND_STATES[RefundState.REJECTED] == NEXT_REFUND_STATES[RefundState.FAILED] == frozenset()


def test_only_a_refund_that_certainly_paid_nothing_is_no_credit():
    assert set(RefundState) - COUNTS_AS_CREDIT == {RefundState.REJECTED, RefundState.FAILED}


def test_keys_are_pure_functions_of_business_identity():
    assert refund_key("toko:T1001", BreakKind.FAILED_NOT_REFUNDED, 1) == "refund:toko:T1001:B01:1"
    assert voucher_key("ABCD") == "voucher:ABCD"
    assert voucher_key("ABCD").startswith(VOUCHER_PREFIX)
    assert result_key("toko:T1001", "failed") == "result:toko:T1001:failed"


def test_ids_repeat_for_the_same_identity_and_differ_for_another():
    assert stable_id("ref", "a", 1) == stable_id("ref", "a", 1)
    assert stable_id("ref", "a", 1).startswith("ref_")
    assert len({stable_id("ref", "a", "b"), stable_id("ref", "ab"), stable_id("ref", "b", "a")}) == 3


def test_a_written_off_break_is_the_end_and_a_resolved_one_may_open_again():
    assert NEXT_BREAK_STATES[BreakState.WRITTEN_OFF] == frozenset()
    assert NEXT_BREAK_STATES[BreakState.RESOLVED] == frozenset({BreakState.OPEN})


def test_every_break_has_a_title():
    assert set(BREAK_TITLES) == set(BreakKind)
