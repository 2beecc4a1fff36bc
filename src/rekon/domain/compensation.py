"""What a felt wrong is worth (rulebook 3.6). Amounts in whole rupiah."""

from datetime import timedelta

from rekon.domain.money import Money

_STEP = 500
_LEAST = 1_000
_MOST = 5_000
_BY_HOURS = ((24, 5_000), (6, 2_500), (1, 1_000))


def for_double_charge(nominal: int) -> Money:
    """COMP-1: ten per cent of the nominal, rounded to Rp 500, between Rp 1.000 and Rp 5.000 (R052)."""
    in_tenths = _STEP * 10
    rounded = (nominal + in_tenths // 2) // in_tenths * _STEP
    return Money(min(max(rounded, _LEAST), _MOST))


def for_waiting(handled_in: timedelta, *, family: str) -> Money:
    """COMP-2: by total handling time; a PLN token counts double; 0 when within one hour (R042)."""
    for hours, amount in _BY_HOURS:
        if handled_in > timedelta(hours=hours):
            doubled = amount * 2 if family == "pln_token" else amount
            return Money(min(doubled, _MOST))
    return Money(0)
