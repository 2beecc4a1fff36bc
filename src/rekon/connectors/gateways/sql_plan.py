"""How one server's database is paid through: statements as data, checked when they are loaded (design 5)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from rekon.connectors.gateways.contract import GatewayClass
from rekon.connectors.sources.tables import as_count, as_list, as_table, as_text, as_texts, only_known, refuse

PAY_BINDS = frozenset({"key", "refund_id", "agent_id", "transaction_id", "amount", "reason", "local_now"})
FIND_BINDS = frozenset({"key"})
REPORT_BINDS = frozenset({"key", "transaction_id", "server_status", "serial_number", "reason", "local_now"})
ORDER_BINDS = frozenset({"transaction_id"})
ORDER_WORDS = frozenset({"pending", "success", "failed", "refunded"})
INTEGER_IDS = frozenset({"agent_id", "transaction_id"})

_KEYS = frozenset(
    {
        "class",
        "window_seconds",
        "integer_ids",
        "setup",
        "pay",
        "find",
        "report",
        "order_status",
        "order_words",
        "wallet_where",
    }
)
_BIND = re.compile(r"(?<![:\w]):(\w+)")
_FORBIDDEN = re.compile(r";|--|/\*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement of a payment. `rows` is how many rows it must touch, None for a procedure that cannot tell."""

    sql: str
    rows: int | None = None
    refused: str = ""
    """Indonesian, for staff: why nothing was paid when the count differs. Empty leaves the payment unclear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlPlan:
    """Everything a `sql` gateway says to one server's database."""

    gateway_class: GatewayClass
    window_seconds: int
    pay: tuple[Step, ...]
    find: str
    integer_ids: frozenset[str] = frozenset()
    """Ids the database keeps as integers; they are bound as such, never compared as text."""
    setup: tuple[str, ...] = ()
    report: str = ""
    report_words: Mapping[Literal["failed", "success"], str]
    order_status: str = ""
    order_words: Mapping[str, str]
    wallet_where: str = ""


def parse_plan(table: Mapping[str, object]) -> SqlPlan:
    """Read the `gateway` table of a mapping.

    Raises:
        MappingError: for unknown or missing keys, a second statement in a text, a comment or an unknown parameter.
    """
    only_known(table, _KEYS, where="gateway")
    report = as_table(table.get("report", {}), where="gateway.report")
    only_known(report, frozenset({"sql", "words"}), where="gateway.report")
    order_words = as_texts(table.get("order_words", {}), where="gateway.order_words")
    if not set(order_words.values()) <= ORDER_WORDS:
        refuse("gateway.order_words", f"allowed: {', '.join(sorted(ORDER_WORDS))}")
    plan = SqlPlan(
        gateway_class=_gateway_class(table.get("class")),
        window_seconds=as_count(table.get("window_seconds", 0), where="gateway.window_seconds"),
        pay=_steps(table.get("pay")),
        find=_statement(table.get("find"), FIND_BINDS, where="gateway.find"),
        integer_ids=_integer_ids(table.get("integer_ids", [])),
        setup=_texts_in(table.get("setup", []), where="gateway.setup"),
        report=_optional(report.get("sql"), REPORT_BINDS, where="gateway.report.sql"),
        report_words=_report_words(report.get("words", {})),
        order_status=_optional(table.get("order_status"), ORDER_BINDS, where="gateway.order_status"),
        order_words=order_words,
        wallet_where=_optional(table.get("wallet_where"), ORDER_BINDS, where="gateway.wallet_where"),
    )
    if plan.report and not (plan.order_status and set(plan.report_words) == {"failed", "success"}):
        refuse("gateway.report", "needs words for failed and success, and gateway.order_status")
    return plan


def _steps(value: object) -> tuple[Step, ...]:
    steps = as_list(value, where="gateway.pay")
    if not steps:
        refuse("gateway.pay", "needs at least one statement")
    return tuple(_step(as_table(item, where="gateway.pay"), number) for number, item in enumerate(steps, start=1))


def _step(table: Mapping[str, object], number: int) -> Step:
    where = f"gateway.pay {number}"
    only_known(table, frozenset({"sql", "rows", "refused"}), where=where)
    rows = None if "rows" not in table else as_count(table["rows"], where=f"{where}.rows")
    refused = as_text(table.get("refused", ""), where=f"{where}.refused", may_be_empty=True)
    return Step(sql=_statement(table.get("sql"), PAY_BINDS, where=f"{where}.sql"), rows=rows, refused=refused)


def _statement(value: object, binds: frozenset[str], *, where: str) -> str:
    statement = as_text(value, where=where)
    if _FORBIDDEN.search(statement):
        refuse(where, "one statement without comments")
    unknown = sorted(set(_BIND.findall(statement)) - binds)
    if unknown:
        refuse(where, f"unknown parameter :{unknown[0]}; known: {', '.join(sorted(binds))}")
    return statement


def _optional(value: object, binds: frozenset[str], *, where: str) -> str:
    return "" if value is None else _statement(value, binds, where=where)


def _gateway_class(value: object) -> GatewayClass:
    if not isinstance(value, str) or value not in set(GatewayClass):
        refuse("gateway.class", f"allowed: {', '.join(GatewayClass)}")
    return GatewayClass(value)


def _integer_ids(value: object) -> frozenset[str]:
    found = frozenset(_texts_in(value, where="gateway.integer_ids"))
    if not found <= INTEGER_IDS:
        refuse("gateway.integer_ids", f"allowed: {', '.join(sorted(INTEGER_IDS))}")
    return found


def _report_words(value: object) -> Mapping[Literal["failed", "success"], str]:
    words = as_texts(value, where="gateway.report.words")
    only_known(words, frozenset({"failed", "success"}), where="gateway.report.words")
    return cast("Mapping[Literal['failed', 'success'], str]", words)


def _texts_in(value: object, *, where: str) -> tuple[str, ...]:
    return tuple(as_text(item, where=where) for item in as_list(value, where=where))
