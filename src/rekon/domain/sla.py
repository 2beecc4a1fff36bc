"""Clocks people feel: how long an order waited, when a maintenance window ends. Inputs and outputs are aware UTC."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

from rekon.domain.policy import CutOff, ProviderRules

WIB = timezone(timedelta(hours=7), "WIB")
_DAY = timedelta(days=1)
_SCAN_LIMIT = timedelta(days=4)
AFTERCARE_FROM_MINUTE = 8 * 60
AFTERCARE_TO_MINUTE = 20 * 60 + 30


def _windows(cut_off: CutOff, day: datetime) -> tuple[datetime, datetime]:
    start = day + timedelta(minutes=cut_off.start_minute)
    end = day + timedelta(minutes=cut_off.end_minute)
    return start, end if end >= start else end + _DAY


def _midnight_wib(instant: datetime) -> datetime:
    local = instant.astimezone(WIB)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def window_end(now: datetime, *, rules: ProviderRules, family: str) -> datetime | None:
    """Return when the maintenance window that `now` lies in ends, or None outside every window (G11)."""
    for cut_off in rules.cut_offs:
        if cut_off.families and family not in cut_off.families:
            continue
        for day in (_midnight_wib(now) - _DAY, _midnight_wib(now)):
            start, end = _windows(cut_off, day)
            if start <= now < end:
                return end.astimezone(UTC)
    return None


def waited(since: datetime, now: datetime, *, rules: ProviderRules, family: str) -> timedelta:
    """Return the waiting time with maintenance windows left out. Beyond four days windows no longer matter."""
    total = max(now - since, timedelta(0))
    cut_offs = [c for c in rules.cut_offs if not c.families or family in c.families]
    if not cut_offs or total > _SCAN_LIMIT:
        return total
    paused, counted_to = timedelta(0), since
    for start, end in sorted(w for c in cut_offs for w in _windows_between(c, since, now)):
        # Windows may overlap; an instant is paused once.
        begin = max(start, counted_to)
        paused += max(min(end, now) - begin, timedelta(0))
        counted_to = max(counted_to, end)
    return total - paused


def _windows_between(cut_off: CutOff, since: datetime, now: datetime) -> list[tuple[datetime, datetime]]:
    first = _midnight_wib(since) - _DAY
    days = (now - first) // _DAY + 1
    return [_windows(cut_off, first + n * _DAY) for n in range(days)]


def aftercare_at(resolved_at: datetime, *, family: str, zone: tzinfo = WIB) -> datetime:
    """Return when to ask whether all is well: 30 min after a token, 2 h else, between 08:00 and 20:30 local (R041)."""
    due = resolved_at + (timedelta(minutes=30) if family == "pln_token" else timedelta(hours=2))
    midnight = due.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    opens = midnight + timedelta(minutes=AFTERCARE_FROM_MINUTE)
    if due < opens:
        return opens.astimezone(UTC)
    return due if due <= midnight + timedelta(minutes=AFTERCARE_TO_MINUTE) else (opens + _DAY).astimezone(UTC)
