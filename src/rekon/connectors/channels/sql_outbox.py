"""Messages put into the server's own outbox table, from which the server sends them by its own means.

A row is inserted once: either the table has a column of ours with a unique key, or a small table of ours beside it
(`CREATE TABLE rekon_outbox_marker (message_id VARCHAR(100) PRIMARY KEY)`) gets its row in the same transaction.
So a lost answer to the commit may be retried.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa

from rekon.connectors.channels.contract import Delivery, OutgoingMessage, refused, retry, sent
from rekon.domain.message_format import to_local

Runner = Callable[[Callable[[], Delivery]], Awaitable[Delivery]]
"""Runs blocking work off the event loop; in simulation it runs it in place."""

MARKER_TABLE = "rekon_outbox_marker"
MARKER_COLUMN = "message_id"
_CONFIGURATION_WAIT_SECONDS = 3_600


class OutboxField(StrEnum):
    """What of a message goes into a column."""

    MESSAGE_ID = "message_id"
    AGENT_ID = "agent_id"
    ADDRESS = "address"
    TEXT = "text"
    TEXT_WITH_LINK = "text_with_link"
    SHORT_TEXT = "short_text"
    TEMPLATE = "template"
    CASE_ID = "case_id"
    ANSWER_URL = "answer_url"
    SENT_AT = "sent_at"
    """The wall clock of the server's zone, without an offset, as such tables keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxTable:
    """A server's outbox: its columns, and how a second insert of one message is kept out.

    `zone` is WIB, WITA, WIT or UTC. Exactly one of `unique_column` (holds the message id, has a unique key) and
    `marker_table` is set.
    """

    name: str
    columns: Mapping[str, OutboxField]
    literals: Mapping[str, str | int] = field(default_factory=dict)
    schema: str | None = None
    unique_column: str = ""
    marker_table: str = ""
    zone: str = "WIB"


def generic_outbox(name: str = "rekon_outbox", *, schema: str | None = None, zone: str = "UTC") -> OutboxTable:
    """Describe a table made for rekon: message_id (unique), agent_id, address, body, short_body, created_at."""
    return OutboxTable(
        name=name,
        schema=schema,
        zone=zone,
        unique_column="message_id",
        columns={
            "message_id": OutboxField.MESSAGE_ID,
            "agent_id": OutboxField.AGENT_ID,
            "address": OutboxField.ADDRESS,
            "body": OutboxField.TEXT_WITH_LINK,
            "short_body": OutboxField.SHORT_TEXT,
            "created_at": OutboxField.SENT_AT,
        },
    )


def otomax_outbox(*, recipient_type: str = "S", schema: str | None = None, zone: str = "WIB") -> OutboxTable:
    """Describe an OtomaX-like `outbox`: SMS gets the short text, other recipient types the whole; free of charge.

    The values of `status` and `tipe_penerima` differ between installations; compare with rows the server wrote.
    """
    text = OutboxField.SHORT_TEXT if recipient_type == "S" else OutboxField.TEXT
    return OutboxTable(
        name="outbox",
        schema=schema,
        zone=zone,
        marker_table=MARKER_TABLE,
        columns={
            "tgl_entri": OutboxField.SENT_AT,
            "penerima": OutboxField.ADDRESS,
            "pesan": text,
            "kode_reseller": OutboxField.AGENT_ID,
        },
        literals={"tipe_penerima": recipient_type, "status": 0, "bebas_biaya": 1, "is_perintah": 0, "prioritas": 0},
    )


class SqlOutboxChannel:
    """Inserts each message as one row. `engine` reaches the server's database, never rekon's store."""

    def __init__(
        self, engine: sa.Engine, table: OutboxTable, *, name: str = "sql_outbox", run: Runner | None = None
    ) -> None:
        if bool(table.unique_column) == bool(table.marker_table):
            text = "an outbox table needs either a unique column or a marker table"
            raise ValueError(text)
        self.name = name
        self._engine = engine
        self._table = table
        self._run: Runner = run or asyncio.to_thread

    async def send(self, message: OutgoingMessage, *, now: datetime) -> Delivery:
        """Insert the row unless it is there already."""
        return await self._run(lambda: self._insert_once(message, now=now))

    def _insert_once(self, message: OutgoingMessage, *, now: datetime) -> Delivery:
        try:
            self._insert(message, now=now)
        except sa.exc.IntegrityError:
            return self._after_conflict(message)
        except sa.exc.DataError:
            return refused("isi pesan tidak muat di tabel kotak keluar")
        except sa.exc.ProgrammingError:
            return retry("tabel kotak keluar tidak cocok", after_seconds=_CONFIGURATION_WAIT_SECONDS)
        except sa.exc.SQLAlchemyError as error:
            return retry(f"basis data server tidak dapat ditulis ({type(error).__name__})")
        return sent(message.message_id)

    def _insert(self, message: OutgoingMessage, *, now: datetime) -> None:
        with self._engine.begin() as connection:
            if self._is_there(connection, message):
                return
            if self._table.marker_table:
                marker = self._marker()
                connection.execute(marker.insert().values({MARKER_COLUMN: message.message_id}))
            connection.execute(self._outbox().insert().values(self._row(message, now=now)))

    def _after_conflict(self, message: OutgoingMessage) -> Delivery:
        """Tell a message another process inserted just now from a row the table will not have."""
        try:
            with self._engine.connect() as connection:
                if self._is_there(connection, message):
                    return sent(message.message_id)
        except sa.exc.SQLAlchemyError as error:
            return retry(f"basis data server tidak dapat dibaca ({type(error).__name__})")
        return refused("tabel kotak keluar menolak baris ini")

    def _is_there(self, connection: sa.Connection, message: OutgoingMessage) -> bool:
        if self._table.marker_table:
            table, column = self._marker(), MARKER_COLUMN
        else:
            table, column = self._outbox(), self._table.unique_column
        query = sa.select(sa.literal(1)).select_from(table).where(table.c[column] == message.message_id)
        return connection.execute(query).first() is not None

    def _row(self, message: OutgoingMessage, *, now: datetime) -> Mapping[str, object]:
        row: dict[str, object] = {
            column: self._value(part, message, now=now) for column, part in self._columns().items()
        }
        return row | dict(self._table.literals)

    def _columns(self) -> Mapping[str, OutboxField]:
        own = {self._table.unique_column: OutboxField.MESSAGE_ID} if self._table.unique_column else {}
        return {**self._table.columns, **own}

    def _value(self, part: OutboxField, message: OutgoingMessage, *, now: datetime) -> str | datetime:
        if part is OutboxField.SENT_AT:
            local = now.astimezone(UTC) if self._table.zone == "UTC" else to_local(now, self._table.zone)
            return local.replace(tzinfo=None)
        if part is OutboxField.TEXT_WITH_LINK:
            return message.text_with_link()
        return str(getattr(message, part.value))

    def _outbox(self) -> sa.TableClause:
        columns = [_column(name, part) for name, part in self._columns().items()]
        literals: list[sa.ColumnClause[object]] = [sa.column(name) for name in self._table.literals]
        return sa.table(self._table.name, *columns, *literals, schema=self._table.schema)

    def _marker(self) -> sa.TableClause:
        return sa.table(self._table.marker_table, sa.column(MARKER_COLUMN, sa.String()), schema=self._table.schema)


def _column(name: str, part: OutboxField) -> sa.ColumnClause[object]:
    return sa.column(name, sa.DateTime() if part is OutboxField.SENT_AT else sa.Unicode())
