"""What a story must respect so that the written limits of automatic refunds do not stop it (rulebook G6 and 3.3).

A careful operator's breakers are right to open in a storm; this story is an ordinary day.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from rekon.sandbox.people import TOKO
from rekon.sandbox.plan import Step
from rekon.sandbox.story import Sale
from rekon.sandbox.traits import TIMED_OUT, UNFORMED

REFUNDS_AN_HOUR: Final = 27
"""The breaker opens above 30; refunds move by their holds, so some room is left."""
RUPIAH_AN_HOUR: Final = 1_700_000
PER_AGENT: Final = 4
FAILED_OF_FIRST: Final = (20, 5)
"""Of the first so many orders of a provider, at most so many failures."""
FAILED_OF_LAST: Final = (50, 12)
_HOUR: Final = timedelta(minutes=60)
_NEAR: Final = timedelta(minutes=5)
_LONG: Final = timedelta(minutes=45)
_STANDS: Final = 540


def objections(sales: Sequence[Sale]) -> list[str]:
    """Name every limit that the refunds of these sales would touch; empty when the day is an ordinary one."""
    near = [(at, sale) for sale in sales if (at := refund_near(sale)) is not None]
    counted = sorted((at, sale.product.price) for at, sale in near if not never_formed(sale))
    found = []
    if _most_in_an_hour((at, 1) for at, _ in counted) > REFUNDS_AN_HOUR:
        found.append("too many refunds in one hour")
    if _most_in_an_hour(counted) > RUPIAH_AN_HOUR:
        found.append("too much money in one hour")
    if max(Counter(sale.agent_id for _, sale in near).values(), default=0) > PER_AGENT:
        found.append("too many refunds for one agent")
    return found + [f"a storm of failures at {provider}" for provider in _storms(sales)]


def refund_near(sale: Sale) -> datetime | None:
    """Say roughly when this sale's money goes back by itself at the earliest, or None."""
    traits = sale.traits
    if traits.charged != "agent_wallet":
        return None
    if traits.debited_again_after is not None:
        return sale.ordered_at + _NEAR
    if sale.source != TOKO or traits.send in {"lost", "resent_lost"}:
        return None
    if traits.send == "not_sent":
        return sale.ordered_at + _NEAR
    end = _lasting_end(traits.steps)
    if end is None:
        return None
    return sale.ordered_at + timedelta(seconds=end.after) + (_LONG if end.code in TIMED_OUT else _NEAR)


def never_formed(sale: Sale) -> bool:
    """Say whether the provider refuses the purchase before anything exists."""
    first = sale.traits.steps[0]
    return first.state == "failed" and first.code in UNFORMED[sale.provider]


def _lasting_end(steps: Sequence[Step]) -> Step | None:
    """Find the failure with the charge returned that stands long enough to be believed."""
    for step, later in zip(steps, (*steps[1:], None), strict=True):
        stands = later is None or later.after - step.after >= _STANDS
        if step.state in {"failed", "reversed"} and step.returns_charge is not False and stands:
            return step
    return None


def _most_in_an_hour(moments: Iterable[tuple[datetime, int]]) -> int:
    recent: deque[tuple[datetime, int]] = deque()
    most = total = 0
    for at, weight in moments:
        recent.append((at, weight))
        total += weight
        while recent[0][0] <= at - _HOUR:
            total -= recent.popleft()[1]
        most = max(most, total)
    return most


def _storms(sales: Sequence[Sale]) -> list[str]:
    """Name the providers that look broken at some moment: too many failures among the last fifty orders."""
    failed: dict[str, list[bool]] = defaultdict(list)
    for sale in sorted(sales, key=lambda sale: sale.ordered_at):
        looks_failed = any(step.state == "failed" for step in sale.traits.steps) and not never_formed(sale)
        failed[sale.provider].append(looks_failed)
    return sorted(provider for provider, marks in failed.items() if _is_storm(marks))


def _is_storm(marks: Sequence[bool]) -> bool:
    first, most_of_first = FAILED_OF_FIRST
    last, most_of_last = FAILED_OF_LAST
    early = sum(marks[:first]) > most_of_first
    return early or any(sum(marks[i : i + last]) > most_of_last for i in range(max(1, len(marks) - last + 1)))
