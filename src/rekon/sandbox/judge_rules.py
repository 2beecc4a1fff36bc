"""Which breaks the written rules ask for, worked out from the facts of one order (rulebook 3.4, design 6).

Every rule answers MUST (a careful reconciler has to find it), MAY (it is defensible and not required) or None (finding
it is an invention). The instants of a story keep far from every threshold, so MAY is rare.

B01  every leg failed for good: NEVER_FORMED as only first reply, DEFINITE standing over 120 s, SOFT over 540 s,
     TIMEOUT_LIKE over 45 min with the charge returned; and the money was not given back by the server itself within
     60 s. Cash: the same without a wallet. Provider deposit: only while the provider kept the charge.
     MAY: TIMEOUT_LIKE without proof; a refusal that answered a second sending; a returned deposit charge.
B02  the provider had the order without a final word for over 5 min after the last sending, and the server called it
     pending so long. MAY: nothing readable was ever known of it (never arrived, or contradictory), or only a
     TIMEOUT_LIKE word, which nobody may take for a failure yet.
B03  the provider delivered with a serial number, rekon could know it, and 60 s later the server still had not closed
     the order by itself.
B04  a credit stood in the wallet when the provider delivered after all and charged for it.
B05  the provider took a success back.
B07  a success had no serial number for over 10 min. MAY: it came within that time.
B10  two debits or more for one order, and more taken than the price.
B11  the later of two orders of one agent for the same number and product (pulsa, data) within 120 s, without repeat
     counter, both delivered. MAY: one of them was not.
B14  more given back than taken.
B17  the server's log says not sent and the money was taken; or the outcome of sending is unknown, the provider has
     nothing and can be asked safely. MAY: the same at a provider where asking may buy.
B21  the provider's status and code contradict each other for over 20 min. MAY: one unsigned report did.
B22  no callback came for the first final word, which was neither the first reply nor spoken within 2 min of sending,
     and rekon's own question found it over 2 min after it was spoken.
B30  pending at the server and over 80 days old at Digiflazz when the story starts.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from rekon.sandbox.judge_facts import Books, OrderFacts
from rekon.sandbox.judge_failures import (
    DEFINITE,
    HOLDS,
    SUCCESS,
    TIMEOUT_LIKE,
    Failure,
    contradicts,
    failures,
    first_final,
    known_at,
    with_next,
)

MUST: Final = "must"
MAY: Final = "may"
_MINUTE: Final = timedelta(minutes=1)
_TO_REACT: Final = timedelta(minutes=20)
"""What ripens later than this before the end of the story is not asked for."""
_EDGE: Final = timedelta(seconds=30)
"""Around a threshold, either finding is defensible."""
_STUCK: Final = timedelta(minutes=5)
_RECORDED_LATE: Final = timedelta(seconds=60)
_SERIAL_WAIT: Final = timedelta(minutes=10)
_TWINS: Final = timedelta(seconds=120)
_CONTRADICTED: Final = timedelta(minutes=20)
_CALLBACK_LAG: Final = timedelta(minutes=2)
_AGE_MAX: Final = timedelta(days=80)


def breaks(books: Books) -> dict[str, dict[str, str]]:
    """Answer for every break kind which transactions must or may be found."""
    ends_at = books.last_instant
    found: dict[str, dict[str, str]] = {kind: {} for kind in (*RULES, "B11")}
    for order in books.orders.values():
        for kind, rule in RULES.items():
            verdict = rule(order, ends_at)
            if verdict is not None:
                found[kind][order.key] = verdict
    found["B11"] = _ordered_twice(books.orders.values())
    return found


def _failed_not_refunded(order: OrderFacts, ends_at: datetime) -> str | None:
    verdicts = {_failed_for_good(order, failure, ends_at) for failure in failures(order)}
    verdict = MUST if MUST in verdicts else MAY if MAY in verdicts else None
    if verdict is None or order.account == "cash":
        return verdict
    if order.account == "provider_deposit":
        charged = any(amount < 0 for _, amount in order.money)
        kept = sum(amount for _, amount in order.money) < 0
        return verdict if kept else MAY if charged else None
    failed_at = failures(order)[0].at
    quick = sum(line.amount for line in order.server_credits if line.at <= failed_at + _RECORDED_LATE)
    return None if quick >= order.price else verdict


def _failed_for_good(order: OrderFacts, failure: Failure, ends_at: datetime) -> str | None:
    lasted, kind = failure.lasted(ends_at), failure.failure_class
    if kind == TIMEOUT_LIKE:
        proved = failure.returned and order.states
        return MUST if proved and lasted >= HOLDS[kind] + 2 * _TO_REACT else MAY
    if lasted >= HOLDS[kind] + (timedelta(0) if failure.until else _TO_REACT) + _EDGE:
        return MUST
    return MAY if lasted >= HOLDS[DEFINITE] or failure.until is None else None


def _stuck_pending(order: OrderFacts, ends_at: datetime) -> str | None:
    due = order.sent_at + _STUCK
    if order.send_state == "not_sent" or _is_too_old(order, ends_at) or due + _MINUTE > ends_at:
        return None
    if any(f.failure_class == TIMEOUT_LIKE and f.lasted(ends_at) > _STUCK - _EDGE for f in failures(order)):
        return MAY
    closed, final = order.closed_at(), first_final(order)
    if closed is not None and closed <= due - _EDGE:
        return None
    if not order.states or any(contradicts(order.provider, s) for s in order.states):
        return MAY
    if final is not None and final.at <= due + _EDGE:
        return MAY if final.at > due - _EDGE else None
    return MUST


def _delivered_not_recorded(order: OrderFacts, ends_at: datetime) -> str | None:
    state = first_final(order)
    if state is None or state.state != "success" or not state.has_serial:
        return None
    known, closed = known_at(order, state), order.closed_at(by_rekon=False)
    if known is None:
        return None
    due = known + _RECORDED_LATE
    if due + _TO_REACT > ends_at:
        return MAY
    if closed is None or closed > due + _EDGE:
        return MUST
    return MAY if closed > due - _EDGE else None


def _late_success(order: OrderFacts, ends_at: datetime) -> str | None:
    failed_at = min((f.at for f in failures(order)), default=None)
    later = [s for s in order.states if s.state == "success" and failed_at is not None and s.at > failed_at]
    if not later or not any(line.at < later[0].at for line in order.credits):
        return None
    charged = any(amount < 0 and at >= later[0].at for at, amount in order.money)
    return MUST if charged and later[0].has_serial and later[0].at + _TO_REACT <= ends_at else MAY


def _taken_back(order: OrderFacts, ends_at: datetime) -> str | None:
    back = [s for s in order.states if s.state == "reversed"]
    if not back or not order.ever("success"):
        return None
    return MUST if back[0].at + _TO_REACT <= ends_at else MAY


def _serial_missing(order: OrderFacts, ends_at: datetime) -> str | None:
    blank = [
        s for s in order.states if s.state == "success" and not s.has_serial and not contradicts(order.provider, s)
    ]
    if not blank:
        return None
    came = min((s.at for s in order.states if s.has_serial and s.at > blank[0].at), default=ends_at)
    return MUST if came - blank[0].at >= _SERIAL_WAIT + _TO_REACT else MAY


def _debited_twice(order: OrderFacts, ends_at: datetime) -> str | None:
    del ends_at
    taken = -sum(line.amount for line in order.debits)
    return MUST if len(order.debits) > 1 and taken > order.price and order.account == "agent_wallet" else None


def _refunded_twice(order: OrderFacts, ends_at: datetime) -> str | None:
    del ends_at
    return MUST if sum(line.amount for line in (*order.debits, *order.credits)) > 0 and order.debits else None


def _not_at_provider(order: OrderFacts, ends_at: datetime) -> str | None:
    if order.states or not order.debits or _is_too_old(order, ends_at):
        return None
    if order.send_state == "not_sent":
        return MUST
    if order.refused is not None:
        return MAY if order.send_count > 1 else None
    askable = order.provider != "digiflazz" and order.sent_at + 2 * _TO_REACT <= ends_at
    return MUST if askable else MAY


def _contradiction(order: OrderFacts, ends_at: datetime) -> str | None:
    for state, later in with_next(order.states):
        if contradicts(order.provider, state):
            until = ends_at if later is None else later.at
            return MUST if until - state.at >= _CONTRADICTED else MAY
    odd = any(h.code == SUCCESS[order.provider] and _state_at(order, h.at) != "success" for h in order.callbacks)
    return MAY if odd else None


def _callback_lost(order: OrderFacts, ends_at: datetime) -> str | None:
    final = first_final(order)
    if final is None or (order.has_reply and final is order.states[0]) or final.code in order.sent_back:
        return None
    asked = min((h.at for h in order.inquiries if h.at >= final.at), default=ends_at)
    late = final.at - order.sent_at > _CALLBACK_LAG and asked - final.at > _CALLBACK_LAG
    return MUST if late and final.at + 2 * _TO_REACT <= ends_at else MAY


def _check_age_passed(order: OrderFacts, ends_at: datetime) -> str | None:
    return MUST if _is_too_old(order, ends_at) and not order.ever("success") else None


def _is_too_old(order: OrderFacts, ends_at: datetime) -> bool:
    return order.provider == "digiflazz" and ends_at - order.sent_at > _AGE_MAX


def _ordered_twice(orders: Iterable[OrderFacts]) -> dict[str, str]:
    groups: dict[tuple[str, ...], list[OrderFacts]] = {}
    for order in orders:
        if order.row["family"] in {"pulsa", "data"}:
            same = (order.source, *(str(order.row[name]) for name in ("agent_id", "destination", "product")))
            groups.setdefault(same, []).append(order)
    found = {}
    for group in groups.values():
        ordered = sorted(group, key=lambda order: order.ordered_at)
        for earlier, later in pairwise(ordered):
            if not later.row["repeat_counter"] and later.ordered_at - earlier.ordered_at <= _TWINS:
                both = earlier.ever("success") and later.ever("success")
                found[later.key] = MUST if both else MAY
    return found


def _state_at(order: OrderFacts, at: datetime) -> str:
    passed = [s.state for s in order.states if s.at <= at]
    return passed[-1] if passed else ""


Rule = Callable[[OrderFacts, datetime], str | None]
RULES: Final[Mapping[str, Rule]] = {
    "B01": _failed_not_refunded,
    "B02": _stuck_pending,
    "B03": _delivered_not_recorded,
    "B04": _late_success,
    "B05": _taken_back,
    "B07": _serial_missing,
    "B10": _debited_twice,
    "B14": _refunded_twice,
    "B17": _not_at_provider,
    "B21": _contradiction,
    "B22": _callback_lost,
    "B30": _check_age_passed,
}
