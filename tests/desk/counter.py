"""The desk as a program outside sees it, and the store behind it as the test sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import Table

from rekon.connectors.channels.telegram_updates import acknowledgement, read_update
from rekon.connectors.providers.callbacks import ProviderDoor
from rekon.desk.app import Desk, make_app
from rekon.sandbox.dialects.digiflazz import hub_signature
from rekon.store.engine import Store
from tests import builders
from tests.stages import bench
from tests.stages.switchboard import Switchboard
from tests.store import filling

KEY = "test-api-key-0123456789abcdef0123456789"
TOKEN = "test-callback-token-0123456789abcdef"
TELEGRAM = "test-telegram-token-0123456789abcdef"
ANSWERS = b"test-answer-secret-0123456789abcdef"
NOW = builders.at(minutes=30)


@dataclass(kw_only=True)
class Counter:
    """What a test does at the desk."""

    store: Store
    client: httpx.Client
    app: FastAPI
    now: datetime = NOW
    is_alive: bool = True
    last_words: list[str] = field(default_factory=list)

    def push(self, book: str, *items: Mapping[str, Any], source: str = "toko", **more: Any) -> dict[str, Any]:
        """Push rows and read the answer to a batch that was taken."""
        answer = self.post(f"/api/v1/{book}", {"source": source, "items": list(items), **more})
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def post(self, path: str, document: Any, key: str = KEY) -> httpx.Response:
        return self.client.post(path, json=document, headers={"authorization": f"Bearer {key}"})

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path, headers={"authorization": f"Bearer {KEY}"})

    def call_back(self, body: bytes, *, provider: str = "digiflazz", token: str = TOKEN, **headers: str) -> int:
        """Post a callback, signed unless the test brings another signature."""
        signature = {"x-hub-signature": hub_signature(bench.CALLBACK_SECRET, body), "content-type": "application/json"}
        sent = signature | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/callbacks/{provider}/{token}", content=body, headers=sent).status_code

    def rows(self, table: Table, **equal: Any) -> list[dict[str, Any]]:
        return filling.rows(self.store, table, **equal)

    def one(self, table: Table, **equal: Any) -> dict[str, Any]:
        return filling.one(self.store, table, **equal)


def open_counter(store: Store, board: Switchboard, client: httpx.Client, **changes: Any) -> Counter:
    """Connect a desk over this store to the switchboard."""
    found: list[Counter] = []

    async def write(function: Any, *args: Any, **kwargs: Any) -> Any:
        return store.write(function, *args, **kwargs)

    async def read(function: Any, *args: Any, **kwargs: Any) -> Any:
        return store.read(function, *args, **kwargs)

    values: dict[str, Any] = {
        "context_write": write,
        "context_read": read,
        "clock": lambda: found[0].now,
        "door": ProviderDoor(bench.definitions(), list(bench.accounts(board.url).values())),
        "secret": ANSWERS,
        "api_keys": frozenset({KEY, "another-key-0123456789abcdef"}),
        "callback_token": TOKEN,
        "telegram_token": TELEGRAM,
        "read_telegram": read_update,
        "acknowledge_telegram": acknowledgement,
        "zones": {"toko": "Asia/Jakarta"},
        "is_alive": lambda: found[0].is_alive,
    }
    app = make_app(Desk(**(values | changes)))
    found.append(Counter(store=store, client=client, app=app))
    board.app = app
    return found[0]


def order(number: int = 1001, **changes: Any) -> dict[str, Any]:
    """Word one order the way a server pushes it."""
    return {
        "transaction_id": f"T{number}",
        "agent_id": "A01",
        "charged_account": "agent_wallet",
        "ordered_at": builders.T0.isoformat(),
        "product": "Telkomsel 50.000",
        "family": "pulsa",
        "destination": builders.NUMBER,
        "price": builders.PRICE,
        "face_value": 50_000,
        "order_status": "pending",
        "provider": "digiflazz",
        "provider_account": "utama",
        "ref_id": f"T{number}",
        "provider_product": "s50",
    } | changes


def line(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Word one mutation of a wallet."""
    return {
        "line_id": f"L{number}",
        "agent_id": "A01",
        "posted_at": builders.T0.isoformat(),
        "amount": -builders.PRICE,
        "kind": "debit",
        "transaction_id": "T1001",
    } | changes


def numbers(items: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [item["index"] for item in items]
