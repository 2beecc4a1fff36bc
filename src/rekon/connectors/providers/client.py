"""Ask one provider about a leg or about the balance. Whatever happens on the way, the answer is a reading."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import httpx

from rekon.connectors.providers.account import ProviderAccount, check_account
from rekon.connectors.providers.balance import read_balance
from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.dialects.said import unknown
from rekon.connectors.providers.exchange import Answer, Line
from rekon.connectors.providers.http_client import DEADLINE_SECONDS, keep_addresses_out_of_logs, make_http_client
from rekon.connectors.providers.inquiry import CheckProof, build_balance, build_inquiry
from rekon.connectors.providers.pace import Pace, Pause
from rekon.connectors.providers.reading import read_reply
from rekon.domain.outcome import Reading, ReportSource
from rekon.domain.policy import CheckKind
from rekon.domain.transaction import Leg

__all__ = ["BalanceResult", "InquiryResult", "ProviderClient", "make_http_client"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InquiryResult:
    """The answer to one status question. `raw` is the body as received, at most 256 KiB."""

    reading: Reading
    raw: bytes
    http_status: int
    """0 when the provider gave no status line."""
    server_date: datetime | None
    """The provider's clock, aware UTC."""
    elapsed_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceResult:
    """The answer to one balance question. `amount` is None when it could not be read; `note` then says why."""

    amount: Decimal | None
    note: str
    raw: bytes
    http_status: int
    server_date: datetime | None
    elapsed_seconds: float
    retry_after_seconds: int | None


class ProviderClient:
    """Asks one provider with one account. Build it once; `http` comes from `make_http_client` or from a test."""

    def __init__(
        self,
        definition: Definition,
        account: ProviderAccount,
        http: httpx.AsyncClient,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        pause: Pause = asyncio.sleep,
    ) -> None:
        check_account(definition, account)
        keep_addresses_out_of_logs()
        self._definition = definition
        self._account = account
        self._pace = Pace(definition.limits, pause=pause)
        self._line = Line(http=http, url=account.url(definition), deadline_seconds=deadline_seconds, pause=pause)

    async def inquire(self, leg: Leg, *, now: datetime, proof: CheckProof | None) -> InquiryResult:
        """Ask what became of a leg. A question that could buy is sent once and never repeated.

        Raises:
            UnsafeInquiryError: before any byte leaves, when the question could buy or is already on its way (I5).
        """
        request = build_inquiry(self._definition, account=self._account, leg=leg, now=now, proof=proof)
        only_reads = self._definition.inquiry.kind is CheckKind.READ_ONLY
        with self._pace.alone(leg.key):
            async with self._pace.turn():
                started = _loop_time()
                ask = self._line.ask if only_reads else self._line.ask_once
                answer = await ask(request)
        return InquiryResult(
            reading=self._read(answer, leg),
            raw=answer.raw,
            http_status=answer.http_status,
            server_date=answer.server_date,
            elapsed_seconds=_loop_time() - started,
        )

    async def balance(self) -> BalanceResult:
        """Ask for the deposit balance; also the way to read the provider's clock without touching a purchase."""
        request = build_balance(self._definition, account=self._account)
        async with self._pace.turn():
            started = _loop_time()
            answer = await self._line.ask(request)
        amount, note = read_balance(self._definition, answer)
        return BalanceResult(
            amount=amount,
            note=note,
            raw=answer.raw,
            http_status=answer.http_status,
            server_date=answer.server_date,
            elapsed_seconds=_loop_time() - started,
            retry_after_seconds=answer.retry_after_seconds,
        )

    def _read(self, answer: Answer, leg: Leg) -> Reading:
        if answer.fault:
            reading = unknown(answer.fault)
        else:
            reading = read_reply(
                self._definition,
                leg=leg,
                source=ReportSource.INQUIRY,
                raw=answer.raw,
                http_status=answer.http_status,
                content_type=answer.content_type,
            )
        if answer.retry_after_seconds is None:
            return reading
        return replace(reading, retry_after_seconds=answer.retry_after_seconds)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
