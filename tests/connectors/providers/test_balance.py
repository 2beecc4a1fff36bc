import pytest

from rekon.connectors.providers.balance import read_balance
from rekon.connectors.providers.exchange import Answer
from tests.connectors.providers.builders import definition


@pytest.mark.parametrize(
    "raw",
    [b"", b"OK", b"Saldo : banyak", b"Saldo : 1.2.3", b"<b>Saldo : 1.000</b>", b"\xff", b"x" * 5000],
)
def test_a_text_without_a_balance_has_none_and_never_zero(raw):
    amount, note = read_balance(definition("otomax"), Answer(raw=raw, http_status=200))
    assert amount is None
    assert note


def test_a_fault_of_our_own_is_no_balance():
    amount, note = read_balance(definition("otomax"), Answer(raw=None, http_status=200))
    assert amount is None
    assert note
