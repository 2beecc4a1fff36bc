"""Masking of customer numbers. The clear number stays in the columns that need it (G10, I22)."""

_SHOWN_HEAD = 4
_SHOWN_TAIL = 4
_LOCAL_PREFIX = "0"
_COUNTRY_CODE = "62"
_BARE_MIN, _BARE_MAX = 9, 12
"""Digits of a mobile number written without its leading 0."""


def mask(number: str) -> str:
    """Hide the middle of a number: `0812****7890`. Short numbers are hidden whole."""
    digits = number.strip()
    if len(digits) < _SHOWN_HEAD + _SHOWN_TAIL + 1:
        return "****"
    return f"{digits[:_SHOWN_HEAD]}****{digits[-_SHOWN_TAIL:]}"


def same_number(left: str, right: str) -> bool:
    """Compare two spellings of one destination: separators, `+62`, `62` and `0` are the same."""
    return normal(left) == normal(right)


def normal(number: str) -> str:
    """Bring a destination to one spelling: ASCII digits with a leading 0 where it is a mobile number."""
    kept = "".join(c for c in number if c.isascii() and c.isalnum())
    if kept.startswith(_COUNTRY_CODE + "8"):
        return _LOCAL_PREFIX + kept[len(_COUNTRY_CODE) :]
    if kept.startswith("8") and kept.isdigit() and _BARE_MIN <= len(kept) <= _BARE_MAX:
        return _LOCAL_PREFIX + kept
    return kept
