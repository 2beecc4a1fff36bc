"""Digiflazz prepaid: one path both buys and tells, so a question about an unknown reference is a purchase."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from rekon.sandbox.dialects import codes
from rekon.sandbox.dialects.bodies import json_object, json_reply, text_reply
from rekon.sandbox.dialects.core import PlannedCore
from rekon.sandbox.dialects.orders import Order, Refusal, Wanted
from rekon.sandbox.journal import Journal
from rekon.sandbox.plan import Plan, Step
from rekon.sandbox.wire import Fault, OutgoingCallback, Reply, Request

FORGOTTEN_AFTER: Final = timedelta(days=90)
_DELIVERIES: Final = uuid.UUID("5d0c7c8e-3a43-5c5e-9a2a-6b5a0f6f1c11")
_REQUIRED: Final = ("username", "buyer_sku_code", "customer_no", "ref_id", "sign")


@dataclass(frozen=True, slots=True, kw_only=True)
class DigiflazzAccount:
    """Credentials of one buyer and the seller's contacts shown in every reply."""

    username: str = "rekonuser"
    api_key: str = field(default="dev-key-123", repr=False)
    webhook_secret: str = field(default="rahasia-demo-callback-0123456789", repr=False)
    tele: str = "@penjualdemo"
    wa: str = "081200000000"

    def sign(self, last: str) -> str:
        """Sign a request: lower-case hex md5 of username, key and `last` (the ref_id, or `depo`)."""
        return hashlib.md5(f"{self.username}{self.api_key}{last}".encode(), usedforsecurity=False).hexdigest()


def hub_signature(secret: str, body: bytes) -> str:
    """Compute `sha1=<hex hmac>` of a raw body."""
    return "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


class DigiflazzCore(PlannedCore):
    """Play `POST /v1/transaction` (buys and tells) and `POST /v1/cek-saldo`, and send signed webhooks.

    `second_purchase_seconds` > 0 turns on the duplicate risk of quick repeats: an identical request about a known
    reference within so many seconds of the last one buys again. `calls_per_minute` > 0 turns on rc 85, which forms a
    failed order where the reference was unknown, whatever was planned for it.
    """

    provider = "digiflazz"
    codes = codes.DIGIFLAZZ
    remembered: ClassVar = (*PlannedCore.remembered, "_sent", "_calls")

    def __init__(
        self,
        *,
        prices: Mapping[str, int],
        journal: Journal,
        opening_balance: int,
        account: DigiflazzAccount | None = None,
    ) -> None:
        super().__init__(prices=prices, journal=journal, opening_balance=opening_balance)
        self.account = account or DigiflazzAccount()
        self.second_purchase_seconds = 0.0
        self.calls_per_minute = 0
        self._sent = 0
        self._calls: list[datetime] = []

    def ping(self, now: datetime) -> OutgoingCallback:
        """Word the webhook's ping, which is no transaction."""
        hook = {"url": "", "secret": "", "type": "json", "status": 1}
        return self._webhook({"sed": "ping", "hook_id": "hook-1", "hook": hook}, event="ping", at=now)

    def _respond(self, request: Request, now: datetime) -> Reply | Fault:
        if request.method != "POST" or request.path not in {"/v1/transaction", "/v1/cek-saldo"}:
            return text_reply("Not Found", now, status=404)
        asked = json_object(request.body)
        if request.path == "/v1/cek-saldo":
            return self._balance(asked, now)
        return self._transaction(asked, request.via, now)

    def _balance(self, asked: Mapping[str, Any], now: datetime) -> Reply:
        code = self.refuse_with or self._account_error(asked, "depo")
        if code:
            return json_reply({"rc": code, "status": "Gagal", "message": self._text(code)}, now)
        return json_reply({"deposit": self.deposit.balance}, now)

    def _account_error(self, asked: Mapping[str, Any], last: str) -> str:
        if asked.get("username") != self.account.username:
            return "42"
        return "" if hmac.compare_digest(str(asked.get("sign")).encode(), self.account.sign(last).encode()) else "41"

    def _transaction(self, asked: Mapping[str, Any], via: str, now: datetime) -> Reply | Fault:
        ref_id = str(asked.get("ref_id", ""))
        if not _well_formed(asked):
            return self._refused(asked, self._refusal("40"), via=via, now=now)
        code = self.refuse_with or self._account_error(asked, ref_id)
        if code:
            return self._refused(asked, self._refusal(code), via=via, now=now)
        wanted = Wanted(ref_id=ref_id, product=asked["buyer_sku_code"], destination=asked["customer_no"])
        limited = self._over_limit(now)
        known = self._known(ref_id, now)
        if known is None:
            if limited and wanted.product in self.prices:
                self._plans[ref_id] = Plan(steps=(Step(after=0, state="failed", code="85"),))
            return self._purchase(wanted, asked, via=via, now=now)
        if known.wanted != wanted or limited:
            return self._refused(asked, self._refusal("85" if limited else "49"), via=via, now=now)
        if self._buys_again(known, now):
            return self._purchase(wanted, asked, via=via, now=now)
        return self._inquired(known, self._told(known, now), via=via, now=now)

    def _known(self, ref_id: str, now: datetime) -> Order | None:
        order = self.order(ref_id)
        return order if order is not None and now - order.created_at <= FORGOTTEN_AFTER else None

    def _over_limit(self, now: datetime) -> bool:
        self._calls = [call for call in self._calls if now - call < timedelta(minutes=1)]
        self._calls.append(now)
        return 0 < self.calls_per_minute < len(self._calls)

    def _buys_again(self, order: Order, now: datetime) -> bool:
        quick = timedelta(seconds=self.second_purchase_seconds)
        return order.asked_at is not None and now - order.asked_at < quick

    def _purchase(self, wanted: Wanted, asked: Mapping[str, Any], *, via: str, now: datetime) -> Reply:
        refusal = self._purchase_refusal(wanted, asked)
        if refusal is not None:
            return self._refused(asked, refusal, via=via, now=now)
        order = self._place(wanted, via=via, now=now)
        if via == "http":
            self._note_inquiry(order.ref_id, code=order.code, via=via, now=now, created=True)
        return self._told(order, now)

    def _purchase_refusal(self, wanted: Wanted, asked: Mapping[str, Any]) -> Refusal | None:
        if wanted.product not in self.prices:
            return self._refusal("43")
        planned = self._planned_refusal(wanted.ref_id)
        if planned is not None:
            return planned
        price = self._price(wanted)
        if price > asked.get("max_price", price):
            return self._refusal("69")
        return self._refusal("44") if price > self.deposit.balance else None

    def _refused(self, asked: Mapping[str, Any], refusal: Refusal, *, via: str, now: datetime) -> Reply:
        """Answer with a code and store nothing; the words of the request come back as they were."""
        self._note_refused(str(asked.get("ref_id", "")), code=refusal.code, via=via, now=now)
        named = {name: str(asked.get(name, "")) for name in ("ref_id", "customer_no", "buyer_sku_code")}
        verdict = self._verdict(code=refusal.code, status="Gagal", price=0, text=refusal.text)
        return json_reply(named | verdict, now)

    def _told(self, order: Order, now: datetime) -> Reply:
        return json_reply(self._document(order), now)

    def _document(self, order: Order, *, lie: bool = False) -> dict[str, Any]:
        status = {"pending": "Pending", "success": "Sukses"}.get(order.state, "Gagal")
        sn = order.serial_number if order.state == "success" else ""
        verdict = self._verdict(code=order.code, status=status, price=order.price, text=order.text, sn=sn)
        if lie and order.state == "success":
            verdict = self._verdict(code="02", status="Gagal", price=order.price)
        elif lie:
            verdict = self._verdict(code="00", status="Sukses", price=order.price, sn="9999888877776666")
        named = {"ref_id": order.ref_id, "customer_no": order.destination, "buyer_sku_code": order.product}
        return named | verdict

    def _verdict(self, *, code: str, status: str, price: int, text: str = "", sn: str = "") -> dict[str, Any]:
        return {
            "message": text or self._text(code),
            "status": status,
            "rc": code,
            "sn": sn,
            "buyer_last_saldo": self.deposit.balance,
            "price": price,
            "tele": self.account.tele,
            "wa": self.account.wa,
        }

    def _callback(self, order: Order, *, lie: bool, signed: bool) -> OutgoingCallback:
        event = "create" if order.steps_played == 1 else "update"
        document = {"data": self._document(order, lie=lie)}
        at = order.changed_at or order.created_at
        return self._webhook(document, event=event, at=at, secret="salah" if lie else None, signed=signed)

    def _webhook(
        self, document: Mapping[str, Any], *, event: str, at: datetime, secret: str | None = None, signed: bool = True
    ) -> OutgoingCallback:
        self._sent += 1
        body = json.dumps(document, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Digiflazz-Hookshot",
            "X-Digiflazz-Event": event,
            "X-Digiflazz-Delivery": str(uuid.uuid5(_DELIVERIES, str(self._sent))),
        }
        if signed:
            headers["X-Hub-Signature"] = hub_signature(secret or self.account.webhook_secret, body)
        return OutgoingCallback(at=at, provider=self.provider, method="POST", headers=headers, body=body)


def _well_formed(asked: Mapping[str, Any]) -> bool:
    words = all(isinstance(asked.get(name), str) and asked[name] for name in _REQUIRED)
    return words and isinstance(asked.get("max_price", 0), int)
