"""Integer rupiah. No amount of rekon's own is ever a float (I3)."""

from typing import NewType

Money = NewType("Money", int)
"""Whole rupiah. Signed only where a name says so (a wallet line); otherwise positive."""


class NotRupiahError(ValueError):
    """An amount is not a whole number of rupiah. The row it came from belongs in quarantine."""


def rupiah(value: object) -> Money:
    """Accept a whole number of rupiah and nothing else.

    Raises:
        NotRupiahError: for floats, booleans, strings and anything else that is not an `int`.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        text = f"{value!r} is not a whole number of rupiah"
        raise NotRupiahError(text)
    return Money(value)


def format_rupiah(amount: int) -> str:
    """Write an amount the way messages do: `Rp 50.000`."""
    sign = "-" if amount < 0 else ""
    return f"{sign}Rp {abs(amount):,}".replace(",", ".")
