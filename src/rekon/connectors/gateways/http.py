"""Paying back through the server's HTTP interface (design 5).

`POST /refunds` with `Idempotency-Key`, `GET /refunds/by-key/{key}`, `POST /orders/{transaction_id}/result` and
`GET /wallet-lines?transaction_id=`, all below one base address.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

import httpx

from rekon.connectors.gateways import answers
from rekon.connectors.gateways.contract import (
    GatewayClass,
    OrderResult,
    PayAnswer,
    RefundOrder,
    ResultAnswer,
    ResultState,
    WalletRead,
    WalletUnreadableError,
)
from rekon.connectors.gateways.exchange import Call, Reply, exchange

DEADLINE_SECONDS = 15.0
_DOTS = frozenset({".", ".."})
"""Ids that would climb out of their place in a path."""
NOT_OFFERED = "server ini tidak menyediakan panggilan itu; minta petugas melakukannya"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGatewaySettings:
    """Where an HTTP gateway is and what it promises. `token` is sent as a bearer and never shown.

    Raises:
        ValueError: for an address that is not plain http or https, or that carries a user, query or fragment.
    """

    name: str
    base_url: str
    gateway_class: GatewayClass
    window_seconds: int = 0
    deadline_seconds: float = DEADLINE_SECONDS
    token: str = field(default="", repr=False)
    takes_results: bool = True
    reads_wallet: bool = True

    def __post_init__(self) -> None:
        """Refuse an address that could carry a secret or lead elsewhere."""
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            text = f"gateway {self.name}: base_url must be an http or https address"
            raise ValueError(text)
        if parts.username is not None or parts.query or parts.fragment:
            text = f"gateway {self.name}: base_url may hold neither a user nor a query nor a fragment"
            raise ValueError(text)


class HttpGateway:
    """A gateway behind the HTTP contract. The client is injected; rekon makes one a gateway, once."""

    def __init__(self, client: httpx.AsyncClient, settings: HttpGatewaySettings) -> None:
        self._client = client
        self._settings = settings
        self._base = settings.base_url.rstrip("/")

    @property
    def name(self) -> str:
        """Name of the gateway in the configuration."""
        return self._settings.name

    @property
    def gateway_class(self) -> GatewayClass:
        """How safely it can be told twice."""
        return self._settings.gateway_class

    @property
    def window_seconds(self) -> int:
        """How long it remembers a key."""
        return self._settings.window_seconds

    async def pay(self, order: RefundOrder) -> PayAnswer:
        """Send the refund once. Every odd reply, timeout and broken line is UNKNOWN (G1, G3, G4, G6)."""
        body = {
            "refund_id": order.refund_id,
            "agent_id": order.agent_id,
            "transaction_id": order.transaction_id,
            "amount": order.amount,
            "currency": "IDR",
            "reason": order.reason,
        }
        return answers.read_pay(await self._post("/refunds", key=order.key, body=body), order)

    async def find(self, order: RefundOrder) -> PayAnswer:
        """Look the order's key up. NOT_FOUND is the server's word, not proof that nothing was paid."""
        return answers.read_found(await self._get(f"/refunds/by-key/{quote(order.key, safe='')}"), order)

    async def report_result(self, result: OrderResult) -> ResultAnswer:
        """Tell the server how an order ended."""
        if not self._settings.takes_results or result.transaction_id in _DOTS:
            return ResultAnswer(state=ResultState.UNSUPPORTED, note=NOT_OFFERED)
        body = {"status": result.status, "serial_number": result.serial_number, "reason": result.reason}
        path = f"/orders/{quote(result.transaction_id, safe='')}/result"
        return answers.read_result(await self._post(path, key=result.key, body=body), result)

    async def read_wallet(self, transaction_id: str) -> WalletRead:
        """Read the wallet lines of one transaction now.

        Raises:
            WalletUnreadableError: nothing can be relied on.
        """
        if not self._settings.reads_wallet:
            raise WalletUnreadableError(NOT_OFFERED, is_unsupported=True)
        query = urlencode({"transaction_id": transaction_id}, quote_via=quote)
        return answers.read_wallet_lines(await self._get(f"/wallet-lines?{query}"))

    async def _post(self, path: str, *, key: str, body: Mapping[str, object]) -> Reply:
        """Send a body whose bytes depend on its values alone, so that a repeat is identical (I11)."""
        content = json.dumps(body, separators=(",", ":")).encode()
        headers = {"content-type": "application/json", "idempotency-key": key, **self._authorization()}
        return await self._exchange(Call(method="POST", url=self._base + path, headers=headers, content=content))

    async def _get(self, path: str) -> Reply:
        return await self._exchange(Call(method="GET", url=self._base + path, headers=self._authorization()))

    async def _exchange(self, call: Call) -> Reply:
        return await exchange(self._client, call, deadline_seconds=self._settings.deadline_seconds)

    def _authorization(self) -> dict[str, str]:
        token = self._settings.token
        return {"authorization": f"Bearer {token}"} if token else {}
