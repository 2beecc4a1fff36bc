"""The numbers rules use. Defaults are the rulebook's (3.3); `config/` may change them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from rekon.domain.breaks import BreakKind, Mode
from rekon.domain.outcome import FailureClass


class CheckKind(StrEnum):
    """Whether asking a provider can buy."""

    READ_ONLY = "read_only"
    RESEND = "resend"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """A daily maintenance window in WIB, minutes after midnight; `end` below `start` passes midnight."""

    start_minute: int
    end_minute: int
    families: frozenset[str] = frozenset()
    """Empty means every family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRules:
    """What rules need to know of a provider, taken from its definition."""

    name: str
    check: CheckKind
    max_check_age: timedelta
    sends_callbacks: bool = True
    cut_offs: tuple[CutOff, ...] = ()
    soft_hold: timedelta | None = None
    """Measured hold for SOFT failures; None takes the policy's."""
    soft_holds: Mapping[str, timedelta] = field(default_factory=dict)
    """Measured holds of single raw codes; the longest that applies counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRule:
    """Readings and waiting time a failure class needs before an automatic refund (design 6)."""

    readings: int
    hold: timedelta
    money_proof: bool = False


HOLDS: dict[FailureClass, HoldRule] = {
    FailureClass.NEVER_FORMED: HoldRule(readings=1, hold=timedelta(0)),
    FailureClass.DEFINITE: HoldRule(readings=2, hold=timedelta(seconds=120)),
    FailureClass.SOFT: HoldRule(readings=2, hold=timedelta(seconds=540)),
    FailureClass.TIMEOUT_LIKE: HoldRule(readings=3, hold=timedelta(minutes=45), money_proof=True),
}
SOFT_HOLD_WITH_CREDIT = timedelta(seconds=120)
SOFT_HOLD_MAX = timedelta(hours=24)
"""A measured hold is never longer than this (design 6)."""
SOFT_HOLD_MIN = timedelta(minutes=9)


def measured_hold(late: timedelta) -> timedelta:
    """Keep a measured hold within its bounds, nine minutes and a day (design 6)."""
    return min(max(late, SOFT_HOLD_MIN), SOFT_HOLD_MAX)


_URGENT = {"pln_token": 15, "postpaid": 60}
_STAFF = {"pln_token": 60, "postpaid": 600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Thresholds and modes. Durations are wall-clock spans, amounts whole rupiah."""

    mode: Mode = Mode.OBSERVE
    modes: Mapping[BreakKind, Mode] = field(default_factory=dict)
    pending_notice: timedelta = timedelta(minutes=5)
    quiet_wallet: timedelta = timedelta(seconds=120)
    reading_gap: timedelta = timedelta(seconds=60)
    reading_age_max: timedelta = timedelta(minutes=5)
    server_refund_wait: timedelta = timedelta(minutes=3)
    server_refund_limit: timedelta = timedelta(minutes=10)
    unfelt_refund: timedelta = timedelta(seconds=60)
    recorded_late: timedelta = timedelta(seconds=60)
    callback_lag: timedelta = timedelta(minutes=2)
    serial_wait: timedelta = timedelta(minutes=10)
    serial_notice: timedelta = timedelta(minutes=15)
    not_found_wait: timedelta = timedelta(minutes=8)
    not_found_readings: int = 3
    not_found_staff: timedelta = timedelta(hours=24)
    duplicate_window: timedelta = timedelta(seconds=120)
    auto_max_own_books: int = 210_000
    auto_max_provider_proof: int = 105_000
    one_approver_max: int = 500_000
    told_within: timedelta = timedelta(hours=24)
    """Older troubles are listed for staff; agents are not woken up with them."""
    breaker_count: int = 30
    breaker_amount: int = 2_000_000
    agent_day_count: int = 5
    agent_day_amount: int = 1_050_000
    """Five of the largest automatic refunds."""
    agent_day_share_percent: int = 15
    voucher_month_budget: int = 500_000
    voucher_days: int = 30
    vouchers_per_agent_month: int = 2

    def mode_of(self, kind: BreakKind) -> Mode:
        """Say how far rekon may go for this kind."""
        return self.modes.get(kind, self.mode)

    def complain_after(self, family: str) -> timedelta:
        """Say how long a pending order waits before the provider hears a complaint."""
        return timedelta(minutes=_URGENT.get(family, 30))

    def staff_after(self, family: str) -> timedelta:
        """Say how long a pending order waits before staff gets a card."""
        return timedelta(minutes=_STAFF.get(family, 120))
