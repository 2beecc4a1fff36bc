"""What a felt wrong is worth (COMP-1, COMP-2)."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekon.domain import compensation


@pytest.mark.parametrize(
    ("nominal", "amount"),
    [
        (50_000, 5_000),
        (0, 1_000),
        (1_000, 1_000),
        (10_000, 1_000),
        (12_499, 1_000),
        (12_500, 1_500),
        (17_499, 1_500),
        (17_500, 2_000),
        (20_000, 2_000),
        (47_499, 4_500),
        (47_500, 5_000),
        (100_000, 5_000),
        (1_000_000, 5_000),
    ],
)
def test_a_double_charge_is_worth_a_tenth_in_steps_between_one_and_five_thousand(nominal, amount):
    assert compensation.for_double_charge(nominal) == amount


@settings(max_examples=100)
@given(nominal=st.integers(0, 2_000_000), more=st.integers(0, 50_000))
def test_a_larger_double_charge_is_never_worth_less(nominal, more):
    amount = compensation.for_double_charge(nominal)
    assert 1_000 <= amount <= compensation.for_double_charge(nominal + more) <= 5_000
    assert amount % 500 == 0


@pytest.mark.parametrize(
    ("waited", "amount", "token"),
    [
        (timedelta(hours=1), 0, 0),
        (timedelta(hours=1, seconds=1), 1_000, 2_000),
        (timedelta(hours=6), 1_000, 2_000),
        (timedelta(hours=6, seconds=1), 2_500, 5_000),
        (timedelta(hours=24), 2_500, 5_000),
        (timedelta(hours=24, seconds=1), 5_000, 5_000),
        (timedelta(days=30), 5_000, 5_000),
        (timedelta(seconds=-5), 0, 0),
    ],
)
def test_waiting_is_worth_more_the_longer_and_double_for_a_token(waited, amount, token):
    assert compensation.for_waiting(waited, family="pulsa") == amount
    assert compensation.for_waiting(waited, family="pln_token") == token
