"""Amounts as Indonesian gateways print them: `Rp.12.345`, `71,900`, `1.234.531.425,773`, `90.909,00`, `12345`."""

import re
from decimal import Decimal

_PLAIN = re.compile(r"\d{1,13}", re.ASCII)
_GROUPED = re.compile(
    r"(?P<whole>\d{1,3}(?P<mark>[.,])\d{3}(?:(?P=mark)\d{3}){0,3})(?:(?!(?P=mark))[.,](?P<part>\d{1,4}))?", re.ASCII
)
_FRACTION = re.compile(r"(?P<whole>\d{1,13})[.,](?P<part>\d{1,2})", re.ASCII)


def read_amount(text: str) -> Decimal | None:
    """Read one amount, None when it is not one. A single mark before three digits separates thousands.

    Two different marks: the second one begins the fraction, which may have three digits.
    """
    kept = text.strip().strip(".,")
    if _PLAIN.fullmatch(kept):
        return Decimal(kept)
    found = _GROUPED.fullmatch(kept) or _FRACTION.fullmatch(kept)
    if found is None:
        return None
    whole = re.sub(r"[.,]", "", found["whole"])
    return Decimal(f"{whole}.{found['part']}") if found["part"] else Decimal(whole)
