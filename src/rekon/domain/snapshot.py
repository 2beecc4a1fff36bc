"""Write what a decision was made of as plain JSON, and read it back to decide again (I21)."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias

from rekon.domain import books, breaks, facts, outcome, policy, refund, transaction

Value: TypeAlias = Any
"""A word of the domain, or the JSON that stands for it; which one is known only when it is read."""

_CLASSES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        transaction.Transaction,
        transaction.Leg,
        transaction.WalletLine,
        outcome.StatusReport,
        books.StatementLine,
        refund.Refund,
        facts.History,
        facts.BreakFact,
        facts.Twin,
        policy.Policy,
        policy.ProviderRules,
        policy.CutOff,
    )
}
_ENUMS: dict[str, type[Enum]] = {
    cls.__name__: cls
    for cls in (
        transaction.ChargedAccount,
        transaction.OrderStatus,
        transaction.SendState,
        transaction.LegState,
        transaction.RefundOwner,
        transaction.WalletLineKind,
        outcome.Outcome,
        outcome.FailureClass,
        outcome.ReportSource,
        refund.RefundState,
        breaks.BreakKind,
        breaks.BreakState,
        breaks.Mode,
        policy.CheckKind,
    )
}


def freeze(value: Value) -> Value:
    """Turn the domain's words into JSON values, losing nothing."""
    if value is None or isinstance(value, bool | int) or type(value) is str:
        return value
    if isinstance(value, Enum):
        return {"$e": type(value).__name__, "v": value.value}
    if is_dataclass(value):
        body = {f.name: freeze(getattr(value, f.name)) for f in fields(value)}
        return {"$c": type(value).__name__, "v": body}
    return _freeze_plain(value)


def _freeze_plain(value: Value) -> Value:
    if isinstance(value, datetime):
        return {"$t": value.isoformat()}
    if isinstance(value, timedelta):
        return {"$d": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, Decimal):
        return {"$n": str(value)}
    if isinstance(value, frozenset):
        return {"$f": sorted((freeze(item) for item in value), key=str)}
    if isinstance(value, Mapping):
        return {"$m": [[freeze(key), freeze(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [freeze(item) for item in value]
    text = f"cannot write a {type(value).__name__} into a snapshot"
    raise TypeError(text)


def thaw(value: Value) -> Value:
    """Turn JSON values written by `freeze` back into the domain's words."""
    if isinstance(value, list):
        return tuple(thaw(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "$c" in value:
        return _CLASSES[value["$c"]](**{name: thaw(item) for name, item in value["v"].items()})
    if "$e" in value:
        return _ENUMS[value["$e"]](value["v"])
    return _thaw_plain(value)


def _thaw_plain(value: dict[str, Value]) -> Value:
    if "$t" in value:
        return datetime.fromisoformat(value["$t"])
    if "$d" in value:
        days, seconds, microseconds = value["$d"]
        return timedelta(days=days, seconds=seconds, microseconds=microseconds)
    if "$n" in value:
        return Decimal(value["$n"])
    if "$f" in value:
        return frozenset(thaw(item) for item in value["$f"])
    return {thaw(key): thaw(item) for key, item in value["$m"]}
