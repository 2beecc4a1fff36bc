"""Rows that enter rekon, checked field by field (design 7).

One parser a book, used alike for the HTTP API, files and the server's database. A row is taken whole or refused whole:
`RowError` names the field and says in Indonesian what is allowed, and the row goes to quarantine. Fields that are not
listed here are ignored. A new status under a known id is an observation; judging that is the store's business.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, NoReturn

from rekon.domain import intake_fields as read
from rekon.domain.books import Agent, StatementLine
from rekon.domain.intake_fields import REQUIRED, Row, RowError
from rekon.domain.money import Money
from rekon.domain.transaction import (
    ChargedAccount,
    Leg,
    OrderStatus,
    SendState,
    Transaction,
    WalletLine,
    WalletLineKind,
    leg_key,
    transaction_key,
)

__all__ = [
    "FIELDS",
    "REQUIRED_FIELDS",
    "Book",
    "ParsedLeg",
    "RowError",
    "parse_agent",
    "parse_statement_line",
    "parse_transaction",
    "parse_wallet_line",
]

FUTURE_TOLERANCE = timedelta(hours=24)


class Book(StrEnum):
    """A book that rows belong to."""

    TRANSACTIONS = "transactions"
    """Orders, one row a leg."""
    WALLET = "wallet"
    """Mutations of agents' balances."""
    AGENTS = "agents"
    """Who the agents are and how they are reached."""
    STATEMENT = "statement"
    """A provider's account of our deposit."""


class Family(StrEnum):
    """What kind of thing was bought."""

    PULSA = "pulsa"
    DATA = "data"
    PLN_TOKEN = "pln_token"  # noqa: S105 - an electricity token, not a secret
    EWALLET = "ewallet"
    GAME = "game"
    VOUCHER = "voucher"
    POSTPAID = "postpaid"
    OTHER = "other"


class StatementKind(StrEnum):
    """What a line of a provider's statement is."""

    CHARGE = "charge"
    REVERSAL = "reversal"
    DEPOSIT = "deposit"
    OTHER = "other"
    OPENING = "opening"
    """The balance before the first line; it moves nothing."""
    CLOSING = "closing"
    """The balance after the last line; it moves nothing."""


class Zone(StrEnum):
    """Indonesian clocks, by their IANA names."""

    WIB = "Asia/Jakarta"
    WIB_PONTIANAK = "Asia/Pontianak"
    WITA = "Asia/Makassar"
    WIT = "Asia/Jayapura"


class ParsedLeg(NamedTuple):
    """One row of the transactions book: the purchase, and the one attempt the row tells about."""

    transaction: Transaction
    leg: Leg


REQUIRED_FIELDS: Mapping[Book, tuple[str, ...]] = MappingProxyType(
    {
        Book.TRANSACTIONS: (
            "transaction_id",
            "agent_id",
            "charged_account",
            "ordered_at",
            "product",
            "family",
            "destination",
            "price",
            "face_value",
            "order_status",
            "provider",
            "ref_id",
        ),
        Book.WALLET: ("line_id", "agent_id", "posted_at", "amount", "kind"),
        Book.AGENTS: ("agent_id",),
        Book.STATEMENT: ("line_id", "posted_at", "amount", "kind"),
    }
)
"""Columns a book cannot do without. `face_value` must be there but may be empty: a data package has none."""

FIELDS: Mapping[Book, tuple[str, ...]] = MappingProxyType(
    {
        Book.TRANSACTIONS: (
            *REQUIRED_FIELDS[Book.TRANSACTIONS],
            "status_at",
            "serial_number",
            "channel",
            "raw_order",
            "leg_no",
            "provider_account",
            "provider_product",
            "destination_sent",
            "testing",
            "max_price",
            "allow_dot",
            "cb_url",
            "sent_at",
            "send_state",
            "send_count",
            "first_reply",
            "repeat_counter",
        ),
        Book.WALLET: (*REQUIRED_FIELDS[Book.WALLET], "transaction_id", "balance_after", "reference", "sequence"),
        Book.AGENTS: (*REQUIRED_FIELDS[Book.AGENTS], "name", "zone", "channel", "address", "registered_at"),
        Book.STATEMENT: (*REQUIRED_FIELDS[Book.STATEMENT], "ref_id", "balance_after"),
    }
)
"""Every column a book knows; others are ignored."""

_ACCOUNTS = {member.value: member for member in ChargedAccount}
_STATUSES = {member.value: member for member in OrderStatus}
_SEND_STATES = {member.value: member for member in SendState}
_WALLET_KINDS = {member.value: member for member in WalletLineKind}
_FAMILIES = {member.value: member for member in Family}
_STATEMENT_KINDS = {member.value: member for member in StatementKind}
_ZONES = {"WIB": Zone.WIB, "WITA": Zone.WITA, "WIT": Zone.WIT} | {member.value: member for member in Zone}

_WALLET_SIGNS = {WalletLineKind.DEBIT: -1, WalletLineKind.REFUND: 1}
_STATEMENT_SIGNS = {StatementKind.CHARGE: -1, StatementKind.REVERSAL: 1, StatementKind.DEPOSIT: 1}
"""Which sign a kind must have; the others may have either. One table a book: equal words mean different things."""

_BALANCES = frozenset({StatementKind.OPENING, StatementKind.CLOSING})

_PROVIDER_MAX = 64
_SHORT_MAX = 32
_COUNTER_MAX = 16
_NAME_MAX = 128
_REFERENCE_MAX = 256
_SERIAL_MAX = 512
_URL_MAX = 512
_ORDER_MAX = 4_000
_REPLY_MAX = 65_536
_LEGS_MAX = 99
_SENDS_MAX = 9_999


def parse_transaction(row: Row, *, source: str, zone: tzinfo | None, now: datetime) -> ParsedLeg:
    """Read one row of the transactions book.

    `zone` is the source's own, for instants without an offset. `now` is aware; instants over 24 h later are refused.
    `status_at` is when the server says the order last changed, else `now`, the moment rekon saw it.

    Raises:
        RowError: naming the first field that is not allowed.
    """
    _refuse_other_shapes(row)
    latest = now + FUTURE_TOLERANCE
    ordered_at = read.instant(row, "ordered_at", zone=zone, latest=latest)
    transaction_id = read.identity(row, "transaction_id")
    transaction = Transaction(
        key=transaction_key(source, transaction_id),
        source=source,
        transaction_id=transaction_id,
        agent_id=read.identity(row, "agent_id"),
        charged_account=read.word(row, "charged_account", _ACCOUNTS),
        ordered_at=ordered_at,
        product=read.identity(row, "product"),
        family=read.word(row, "family", _FAMILIES).value,
        destination=read.destination(row, "destination"),
        price=_price(row),
        order_status=read.word(row, "order_status", _STATUSES),
        status_at=read.instant_or(row, "status_at", now, zone=zone, latest=latest) or now,
        face_value=_face_value(row),
        serial_number=read.free_text(row, "serial_number", length_max=_SERIAL_MAX),
        channel=read.line(row, "channel", length_max=_SHORT_MAX),
        raw_order=read.free_text(row, "raw_order", length_max=_ORDER_MAX) or "",
        repeat_counter=read.line(row, "repeat_counter", length_max=_COUNTER_MAX),
    )
    if row.get("sent_at") == row["ordered_at"]:
        return ParsedLeg(transaction, _leg(row, transaction, ordered_at))
    sent_at = read.instant_or(row, "sent_at", None, zone=zone, latest=latest)
    return ParsedLeg(transaction, _leg(row, transaction, sent_at))


def parse_wallet_line(row: Row, *, source: str, zone: tzinfo | None, now: datetime) -> WalletLine:
    """Read one mutation of an agent's balance; a debit is negative and a refund positive, always.

    Raises:
        RowError: naming the first field that is not allowed.
    """
    _refuse_other_shapes(row)
    kind = read.word(row, "kind", _WALLET_KINDS)
    return WalletLine(
        key=f"{source}:{read.identity(row, 'line_id')}",
        source=source,
        agent_id=read.identity(row, "agent_id"),
        posted_at=read.instant(row, "posted_at", zone=zone, latest=now + FUTURE_TOLERANCE),
        amount=_signed_amount(row, kind, sign=_WALLET_SIGNS.get(kind, 0)),
        kind=kind,
        transaction_id=read.identity_or(row, "transaction_id", "") or None,
        balance_after=_optional_money(read.signed(row, "balance_after")),
        reference=read.line(row, "reference", length_max=_REFERENCE_MAX),
        sequence=read.whole(row, "sequence"),
    )


def parse_agent(row: Row, *, zone: tzinfo | None, now: datetime) -> Agent:
    """Read one agent. His `zone` is WIB, WITA, WIT or their IANA name; without one it is WIB.

    Raises:
        RowError: naming the first field that is not allowed.
    """
    _refuse_other_shapes(row)
    zone_name = row.get("zone")
    clock = Zone.WIB if zone_name is None or zone_name == "" else read.word(row, "zone", _ZONES)
    return Agent(
        agent_id=read.identity(row, "agent_id"),
        name=read.line(row, "name", length_max=_NAME_MAX),
        zone=clock.value,
        channel=read.identity_or(row, "channel", "", length_max=_SHORT_MAX),
        address=read.line(row, "address", length_max=_REFERENCE_MAX),
        registered_at=read.instant_or(row, "registered_at", None, zone=zone, latest=now + FUTURE_TOLERANCE),
    )


def parse_statement_line(row: Row, *, provider: str, account: str, zone: tzinfo | None, now: datetime) -> StatementLine:
    """Read one line of a provider's statement; a charge is negative, a reversal or deposit positive, always.

    Raises:
        RowError: naming the first field that is not allowed.
    """
    _refuse_other_shapes(row)
    kind = read.word(row, "kind", _STATEMENT_KINDS)
    if kind in _BALANCES:
        return _balance_line(row, kind, provider=provider, account=account, zone=zone, now=now)
    return StatementLine(
        provider=provider,
        account=account,
        line_id=read.identity(row, "line_id"),
        posted_at=read.instant(row, "posted_at", zone=zone, latest=now + FUTURE_TOLERANCE),
        ref_id=read.identity_or(row, "ref_id", ""),
        amount=_signed_amount(row, kind, sign=_STATEMENT_SIGNS.get(kind, 0)),
        kind=kind.value,
        balance_after=_optional_money(read.signed(row, "balance_after")),
    )


def _balance_line(
    row: Row, kind: StatementKind, *, provider: str, account: str, zone: tzinfo | None, now: datetime
) -> StatementLine:
    """Read an opening or closing balance. Statements of every day call theirs alike, so its instant is its identity."""
    posted_at = read.instant(row, "posted_at", zone=zone, latest=now + FUTURE_TOLERANCE)
    balance = read.signed(row, "balance_after")
    if balance is None:
        _refuse("balance_after", REQUIRED)
    if read.signed(row, "amount"):
        _refuse("amount", f"harus 0 untuk {kind.value}: saldo tidak memindahkan uang")
    return StatementLine(
        provider=provider,
        account=account,
        line_id=f"{kind.value}@{posted_at.isoformat()}",
        posted_at=posted_at,
        ref_id="",
        amount=Money(0),
        kind=kind.value,
        balance_after=Money(balance),
    )


def _leg(row: Row, transaction: Transaction, sent_at: datetime | None) -> Leg:
    """Read the attempt. The provider's product is never taken from ours: a re-sent check must match the first byte."""
    leg_no = read.count(row, "leg_no", default=1, low=1, high=_LEGS_MAX)
    first_reply = read.free_text(row, "first_reply", length_max=_REPLY_MAX)
    return Leg(
        key=leg_key(transaction.key, leg_no),
        transaction_key=transaction.key,
        leg_no=leg_no,
        provider=read.identity(row, "provider", length_max=_PROVIDER_MAX),
        provider_account=read.identity_or(row, "provider_account", "", length_max=_PROVIDER_MAX),
        ref_id=read.identity(row, "ref_id"),
        provider_product=read.identity_or(row, "provider_product", ""),
        destination_sent=read.destination_or(row, "destination_sent", transaction.destination),
        sent_at=sent_at or transaction.ordered_at,
        send_state=_send_state(row, is_sent=sent_at is not None or first_reply is not None, reply=first_reply),
        send_count=read.count(row, "send_count", default=1, low=0, high=_SENDS_MAX),
        testing=read.flag(row, "testing"),
        max_price=_optional_money(read.whole(row, "max_price")),
        allow_dot=read.flag(row, "allow_dot"),
        cb_url=read.line(row, "cb_url", length_max=_URL_MAX),
        first_reply=first_reply,
    )


def _send_state(row: Row, *, is_sent: bool, reply: str | None) -> SendState:
    """Read whether it was sent. `not_sent` lets money move without asking anybody, so it may not contradict a reply."""
    value = row.get("send_state")
    if value is None or value == "":
        return SendState.SENT if is_sent else SendState.UNKNOWN
    state = read.word(row, "send_state", _SEND_STATES)
    if state is SendState.NOT_SENT and reply is not None:
        _refuse("send_state", "not_sent tidak boleh bersama first_reply: penyedia sudah menjawab")
    return state


def _price(row: Row) -> Money:
    price = read.whole(row, "price")
    if price is None:
        _refuse("price", REQUIRED)
    if price == 0:
        _refuse("price", "harus lebih dari 0; pesanan tanpa harga tidak perlu dikirim")
    return Money(price)


def _face_value(row: Row) -> Money | None:
    """Read the nominal. Absent as a column is an error; empty or 0 means that the product has none."""
    if "face_value" not in row:
        _refuse("face_value", "wajib ada; kosongkan bila produk tidak punya nominal")
    return _optional_money(read.whole(row, "face_value") or None)


def _signed_amount(row: Row, kind: StrEnum, *, sign: int) -> Money:
    """Read an amount whose sign must fit its kind, so that a book exported without signs is seen at once."""
    amount = read.signed(row, "amount")
    if amount is None:
        _refuse("amount", REQUIRED)
    if sign and amount * sign <= 0:
        _refuse("amount", f"harus {'positif' if sign > 0 else 'negatif'} untuk {kind}")
    return Money(amount)


def _optional_money(value: int | None) -> Money | None:
    return None if value is None else Money(value)


def _refuse(field: str, reason: str) -> NoReturn:
    raise RowError(field, reason)


def _refuse_other_shapes(row: object) -> None:
    if type(row) is not dict and not isinstance(row, Mapping):
        _refuse("", "baris harus berupa objek dengan nama kolom")
