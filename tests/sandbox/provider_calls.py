"""Requests to the played providers, worded as a server would word them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rekon.sandbox.dialects.core import PlannedCore
from rekon.sandbox.dialects.digiflazz import DigiflazzAccount, DigiflazzCore
from rekon.sandbox.dialects.iak import IakAccount, IakCore
from rekon.sandbox.dialects.otomax import OtomaxAccount, OtomaxCore
from rekon.sandbox.journal import Journal
from rekon.sandbox.plan import Plan, Step
from rekon.sandbox.wire import Fault, Reply, Request

NOON = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)
NUMBER = "081234567890"


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def digiflazz(journal: Journal | None = None, *, opening_balance: int = 1_000_000) -> DigiflazzCore:
    prices = {"xld10": 10_000, "s5": 5_400}
    return DigiflazzCore(prices=prices, journal=journal or Journal(None), opening_balance=opening_balance)


def iak(journal: Journal | None = None, *, opening_balance: int = 1_000_000) -> IakCore:
    return IakCore(prices={"xld25000": 25_000}, journal=journal or Journal(None), opening_balance=opening_balance)


def otomax(journal: Journal | None = None, *, opening_balance: int = 1_000_000) -> OtomaxCore:
    prices = {"S5": 5_750, "S10": 10_775}
    return OtomaxCore(prices=prices, journal=journal or Journal(None), opening_balance=opening_balance)


def transaction(
    ref_id: str, *, sku: str = "xld10", number: str = NUMBER, via: str = "server", **fields: object
) -> Request:
    account = DigiflazzAccount()
    asked = {
        "username": account.username,
        "buyer_sku_code": sku,
        "customer_no": number,
        "ref_id": ref_id,
        "sign": account.sign(ref_id),
    }
    return _post("/v1/transaction", asked | fields, via)


def deposit_query(**fields: object) -> Request:
    account = DigiflazzAccount()
    asked = {"cmd": "deposit", "username": account.username, "sign": account.sign("depo")}
    return _post("/v1/cek-saldo", asked | fields, "http")


def top_up(ref_id: str, *, product: str = "xld25000", via: str = "server", **fields: object) -> Request:
    asked = _iak_fields(ref_id) | {"ref_id": ref_id, "customer_id": NUMBER, "product_code": product}
    return _post("/api/top-up", asked | fields, via)


def check_status(ref_id: str, **fields: object) -> Request:
    return _post("/api/check-status", _iak_fields(ref_id) | {"ref_id": ref_id} | fields, "http")


def check_balance(**fields: object) -> Request:
    return _post("/api/check-balance", _iak_fields("bl") | fields, "http")


def trx(ref_id: str, *, product: str = "S5", number: str = NUMBER, via: str = "server", **fields: str) -> Request:
    account = OtomaxAccount()
    asked = {
        "product": product,
        "qty": "1",
        "dest": number,
        "refID": ref_id,
        "memberID": account.member_id,
        "sign": account.sign(product=product, destination=number, ref_id=ref_id),
    }
    return Request(method="GET", path="/trx", query=asked | fields, via=via)


def check(ref_id: str, **fields: str) -> Request:
    return trx(ref_id, via="http", check="1", **fields)


def said(answer: Reply | Fault) -> Mapping[str, Any]:
    """Read the data of a JSON reply."""
    return json.loads(honest(answer).body)["data"]


def text(answer: Reply | Fault) -> str:
    """Read a text reply."""
    return honest(answer).body.decode()


def honest(answer: Reply | Fault) -> Reply:
    assert isinstance(answer, Reply)
    return answer


def fate(*steps: Step, **fields: Any) -> Plan:
    return Plan(steps=steps, **fields)


def pending(code: str, **fields: Any) -> Step:
    return Step(after=0, state="pending", code=code, **fields)


def amounts(core: PlannedCore, ref_id: str) -> list[int]:
    """List what the deposit was charged and given back for one reference."""
    return [line.amount for line in core.deposit.lines_of(ref_id)]


def _iak_fields(last: str) -> dict[str, object]:
    account = IakAccount()
    return {"username": account.username, "sign": account.sign(last)}


def _post(path: str, asked: Mapping[str, object], via: str) -> Request:
    headers = {"content-type": "application/json"}
    return Request(method="POST", path=path, headers=headers, body=json.dumps(asked).encode(), via=via)
