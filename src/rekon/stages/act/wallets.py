"""Read the wallet lines of purchases live, where their server shows them (I25)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rekon.connectors.gateways.contract import Gateway, ManyAtOnce, WalletRead, WalletUnreadableError
from rekon.domain.intake import RowError, parse_wallet_line
from rekon.domain.sla import WIB
from rekon.domain.transaction import WalletLine
from rekon.stages.context import log
from rekon.store import refunds

Row = refunds.Row


@dataclass(frozen=True, slots=True)
class Wallet:
    """The lines of one purchase as they stood just now, still to be stored."""

    lines: tuple[WalletLine, ...] = ()
    is_shown: bool = True
    """Whether the server shows them at all; one that never does leaves what it pushes."""


async def read_wallets(gateway: Gateway, rows: Sequence[Row], *, now: datetime) -> list[Wallet | None]:
    """Read each refund's purchase. None says that the server should have shown its lines and did not."""
    ids = [transaction_id_of(row) for row in rows]
    if isinstance(gateway, ManyAtOnce):
        found = await gateway.read_wallets(ids)
        return [_parsed(found.get(one), row, now=now) for one, row in zip(ids, rows, strict=True)]
    return [await _read_one(gateway, one, row, now=now) for one, row in zip(ids, rows, strict=True)]


def transaction_id_of(row: Row) -> str:
    """Name the purchase as its server does."""
    return str(row["transaction_key"]).partition(":")[2]


async def _read_one(gateway: Gateway, transaction_id: str, row: Row, *, now: datetime) -> Wallet | None:
    try:
        found = await gateway.read_wallet(transaction_id)
    except WalletUnreadableError as error:
        if error.is_unsupported:
            return Wallet(is_shown=False)
        log.warning("wallet.unreadable", source=row["source"])
        return None
    return _parsed(found, row, now=now)


def _parsed(found: WalletRead | None, row: Row, *, now: datetime) -> Wallet | None:
    if found is None:
        return None
    try:
        return Wallet(tuple(_line(raw, source=row["source"], now=now) for raw in found.rows))
    except RowError:
        log.warning("wallet.row_refused", source=row["source"])
        return None


def _line(raw: Mapping[str, object], *, source: str, now: datetime) -> WalletLine:
    return parse_wallet_line(raw, source=source, zone=WIB, now=now)


def lines_of(wallets: Sequence[Wallet | None]) -> list[tuple[int, WalletLine]]:
    """Number the lines of many wallets, as the store takes them."""
    return list(enumerate(line for wallet in wallets if wallet for line in wallet.lines))
