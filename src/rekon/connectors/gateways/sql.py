"""Paying back inside the server's own database: one short transaction whose first row makes the key unique.

Uniqueness row, balance and mutation live or die together, so a key that is found was paid and a key that is not found
was not, whatever happened to the connection. After every payment the key is read back; only that says SUCCEEDED.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from rekon.connectors.gateways import answers
from rekon.connectors.gateways.contract import (
    GatewayClass,
    OrderResult,
    PayAnswer,
    PayState,
    RefundOrder,
    ResultAnswer,
    ResultState,
    WalletRead,
    WalletUnreadableError,
)
from rekon.connectors.gateways.sql_plan import ORDER_BINDS, SqlPlan, Step, parse_plan
from rekon.connectors.sources.convert import exact
from rekon.connectors.sources.mapping import SqlMapping, parse_mapping
from rekon.connectors.sources.select_only import check_part, check_select
from rekon.connectors.sources.sql import rows_where
from rekon.connectors.sources.tables import as_table, refuse
from rekon.domain.intake import Book

T = TypeVar("T")

NOT_OFFERED = "server ini tidak menyediakan panggilan itu; minta petugas melakukannya"
NO_DATABASE = "basis data server tidak dapat dipakai ({kind}); cari dulu hasilnya"
NOT_CONFIRMED = "pembayaran tidak terbaca kembali di basis data server"
OTHER_COUNT = "perintah pembayaran mengenai jumlah baris yang tidak semestinya; semua dibatalkan"
ODD_ID = "nomor agen atau transaksi bukan bilangan seperti di basis data server"
NO_ORDER = "pesanan tidak ada di basis data server"
ODD_ORDER = "status pesanan di server tidak dikenal"
_INTEGER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_LIMITS: Mapping[str, tuple[str, ...]] = {
    "postgresql": ("SET LOCAL lock_timeout = '5s'", "SET LOCAL statement_timeout = '10s'"),
    "mysql": ("SET SESSION innodb_lock_wait_timeout = 5",),
    "mariadb": ("SET SESSION innodb_lock_wait_timeout = 5",),
    "mssql": ("SET LOCK_TIMEOUT 5000",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlPreset:
    """A server's database as a gateway needs it: how to pay, and how its wallet reads."""

    plan: SqlPlan
    mapping: SqlMapping


def parse_preset(
    document: Mapping[str, object],
    *,
    zone: str | None = None,
    words: Mapping[str, Mapping[str, str]] | None = None,
) -> SqlPreset:
    """Read a file of `config/sources` that has a `gateway` table; `zone` and `words` as in `mapping.parse_mapping`.

    Raises:
        MappingError: there is no such table, or something in the file is not allowed.
    """
    if "gateway" not in document:
        refuse("gateway", "this preset has no way to pay")
    plan = parse_plan(as_table(document["gateway"], where="gateway"))
    return SqlPreset(plan=plan, mapping=parse_mapping(document, zone=zone, words=words))


class Runner(Protocol):
    """Runs a blocking call: a thread in production, inline in simulation."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """Run `function` and give its result."""
        ...


class _UndoneError(Exception):
    """A step touched another number of rows than it must; the transaction is rolled back."""

    def __init__(self, step: Step) -> None:
        super().__init__("a payment step touched another number of rows")
        self.step = step


class SqlGateway:
    """A gateway on the server's own database. The clock gives aware UTC; the mapping gives the server's zone.

    Raises:
        StatementRefusedError: the plan's `wallet_where` is not a plain condition.
    """

    def __init__(
        self,
        engine: Engine,
        preset: SqlPreset,
        *,
        clock: Callable[[], datetime],
        name: str = "",
        run: Runner = asyncio.to_thread,
    ) -> None:
        self._engine = engine
        self._plan = preset.plan
        self._mapping = preset.mapping
        self._clock = clock
        self._name = name or preset.mapping.name
        self._run = run
        if self._reads_wallet():
            statement = self._mapping.books[Book.WALLET].selecting(self._plan.wallet_where)
            check_part(self._plan.wallet_where)
            check_select(statement, binds=ORDER_BINDS)

    @property
    def name(self) -> str:
        """Name of the gateway in the configuration."""
        return self._name

    @property
    def gateway_class(self) -> GatewayClass:
        """How safely it can be told twice."""
        return self._plan.gateway_class

    @property
    def window_seconds(self) -> int:
        """How long it remembers a key."""
        return self._plan.window_seconds

    async def pay(self, order: RefundOrder) -> PayAnswer:
        """Credit the agent once, however often the key is told. A broken connection is UNKNOWN, a look-up decides."""
        return await self._run(lambda: self._pay(order))

    async def find(self, order: RefundOrder) -> PayAnswer:
        """Look the order's key up."""
        return await self._run(lambda: self._find(order))

    async def report_result(self, result: OrderResult) -> ResultAnswer:
        """Close the order at the server if it is still open there."""
        if not self._plan.report:
            return ResultAnswer(state=ResultState.UNSUPPORTED, note=NOT_OFFERED)
        return await self._run(lambda: self._report(result))

    async def read_wallet(self, transaction_id: str) -> WalletRead:
        """Read the wallet lines of one transaction now.

        Raises:
            WalletUnreadableError: nothing can be relied on.
        """
        if not self._reads_wallet():
            raise WalletUnreadableError(NOT_OFFERED, is_unsupported=True)
        return await self._run(lambda: self._wallet(transaction_id))

    @property
    def setup(self) -> tuple[str, ...]:
        """The statements `set_up` runs, for a person to read first."""
        return tuple(self._plan.setup)

    def set_up(self) -> None:
        """Create what the plan needs in the server's database; for the operator's one-time command, never at start."""
        with self._engine.begin() as connection:
            for statement in self._plan.setup:
                connection.execute(text(statement))

    def _reads_wallet(self) -> bool:
        return bool(self._plan.wallet_where) and Book.WALLET in self._mapping.books

    def _pay(self, order: RefundOrder) -> PayAnswer:
        binds = self._binds(
            {
                "key": order.key,
                "refund_id": order.refund_id,
                "agent_id": order.agent_id,
                "transaction_id": order.transaction_id,
                "amount": int(order.amount),
                "reason": order.reason,
                "local_now": self._local_now(),
            }
        )
        if binds is None:
            return PayAnswer(state=PayState.FAILED, note=ODD_ID)
        try:
            with self._transaction() as connection:
                for step in self._plan.pay:
                    _take(connection, step, binds)
        except _UndoneError as undone:
            state = PayState.FAILED if undone.step.refused else PayState.UNKNOWN
            return PayAnswer(state=state, note=undone.step.refused or OTHER_COUNT)
        except IntegrityError:
            pass  # most likely our own key, paid before: the look-up below tells
        except SQLAlchemyError as error:
            return PayAnswer(state=PayState.UNKNOWN, note=NO_DATABASE.format(kind=type(error).__name__))
        found = self._find(order)
        return found if found.state is not PayState.NOT_FOUND else PayAnswer(state=PayState.UNKNOWN, note=NOT_CONFIRMED)

    def _find(self, order: RefundOrder) -> PayAnswer:
        try:
            with self._transaction() as connection:
                rows = connection.execute(text(self._plan.find), {"key": order.key}).mappings().fetchmany(2)
        except SQLAlchemyError as error:
            return PayAnswer(state=PayState.UNKNOWN, note=NO_DATABASE.format(kind=type(error).__name__))
        if not rows:
            return PayAnswer(state=PayState.NOT_FOUND)
        return _judge(rows[0], order) if len(rows) == 1 else PayAnswer(state=PayState.UNKNOWN, note=NOT_CONFIRMED)

    def _report(self, result: OrderResult) -> ResultAnswer:
        binds = self._binds(
            {
                "key": result.key,
                "transaction_id": result.transaction_id,
                "server_status": self._plan.report_words[result.status],
                "serial_number": result.serial_number,
                "reason": result.reason,
                "local_now": self._local_now(),
            }
        )
        if binds is None:
            return ResultAnswer(state=ResultState.UNKNOWN, note=ODD_ID)
        try:
            with self._transaction() as connection:
                _execute(connection, self._plan.report, binds)
                rows = connection.execute(text(self._plan.order_status), _used(self._plan.order_status, binds))
                words = [row[0] for row in rows.fetchmany(2)]
        except SQLAlchemyError as error:
            return ResultAnswer(state=ResultState.UNKNOWN, note=NO_DATABASE.format(kind=type(error).__name__))
        return self._standing(result, words)

    def _standing(self, result: OrderResult, words: list[Any]) -> ResultAnswer:
        """Read how the order stands after the attempt; the statement itself changes open orders only."""
        if len(words) != 1:
            return ResultAnswer(state=ResultState.UNKNOWN, note=NO_ORDER)
        status = self._plan.order_words.get(str(words[0]))
        if status is None or status == "pending":
            return ResultAnswer(state=ResultState.UNKNOWN, server_status=status or "", note=ODD_ORDER)
        state = ResultState.ACCEPTED if status == result.status else ResultState.CONFLICT
        return ResultAnswer(state=state, server_status=status)

    def _wallet(self, transaction_id: str) -> WalletRead:
        as_of = self._clock()
        binds = self._binds({"transaction_id": transaction_id})
        if binds is None:
            raise WalletUnreadableError(ODD_ID)
        try:
            rows = rows_where(self._engine, self._mapping, Book.WALLET, where=self._plan.wallet_where, binds=binds)
        except SQLAlchemyError as error:
            raise WalletUnreadableError(NO_DATABASE.format(kind=type(error).__name__)) from None
        return WalletRead(as_of=as_of, rows=rows)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            name = "mariadb" if getattr(self._engine.dialect, "is_mariadb", False) else self._engine.dialect.name
            for limit in _LIMITS.get(name, ()):
                connection.execute(text(limit))
            yield connection

    def _binds(self, values: Mapping[str, object]) -> dict[str, object] | None:
        """Turn ids into integers where the database keeps integers; None when one is not exactly an integer."""
        bound = dict(values)
        for name in self._plan.integer_ids & values.keys():
            if not _INTEGER.fullmatch(str(values[name])):
                return None
            bound[name] = int(str(values[name]))
        return bound

    def _local_now(self) -> object:
        """Give the moment as the server writes it: its own zone without an offset, as text where SQLite keeps text."""
        now = self._clock().astimezone(self._mapping.zone or UTC)
        if self._mapping.zone is not None:
            now = now.replace(tzinfo=None)
        return now.isoformat(sep=" ", timespec="seconds") if self._engine.dialect.name == "sqlite" else now


def _take(connection: Connection, step: Step, binds: Mapping[str, object]) -> None:
    touched = _execute(connection, step.sql, binds)
    if step.rows is not None and touched != step.rows:
        raise _UndoneError(step)


def _execute(connection: Connection, statement: str, binds: Mapping[str, object]) -> int:
    result = connection.execute(text(statement), _used(statement, binds), execution_options={"preserve_rowcount": True})
    return int(getattr(result, "rowcount", -1))


def _used(statement: str, binds: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in binds.items() if re.search(rf":{name}\b", statement)}


def _judge(row: Mapping[Any, Any], order: RefundOrder) -> PayAnswer:
    """Accept the stored row only when key, purchase, agent and amount are exactly ours: a database may fold case."""
    state = answers.FOUND_WORDS.get(str(row["status"]))
    amount = exact(row["amount"])
    same = row["idempotency_key"] == order.key and str(row["transaction_id"]) == order.transaction_id
    if state is None or not same or type(amount) is not int:
        return PayAnswer(state=PayState.UNKNOWN, note=answers.OTHER_REFUND if state else answers.ODD_STATUS)
    return answers.match(order, state=state, gateway_ref=order.key, agent_id=str(row["agent_id"]), amount=amount)
