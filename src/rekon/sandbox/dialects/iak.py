"""IAK prepaid: a repeated top-up becomes a status check, and a separate check never buys."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from rekon.sandbox.dialects import codes
from rekon.sandbox.dialects.bodies import json_object, json_reply, text_reply
from rekon.sandbox.dialects.core import PlannedCore
from rekon.sandbox.dialects.orders import Order, Refusal, Wanted
from rekon.sandbox.journal import Journal
from rekon.sandbox.wire import Fault, OutgoingCallback, Reply, Request

_STATUS = {"pending": 0, "success": 1}
_FAILED = 2
_FIRST_NUMBER = 3480


@dataclass(frozen=True, slots=True, kw_only=True)
class IakAccount:
    """Credentials of one account; the user name is a registered phone number."""

    username: str = field(default="081234567890", repr=False)
    api_key: str = field(default="dev-key-123", repr=False)

    def sign(self, last: str) -> str:
        """Sign a request or callback: md5 of username, key and `last` (the ref_id, or `bl`)."""
        return hashlib.md5(f"{self.username}{self.api_key}{last}".encode(), usedforsecurity=False).hexdigest()


class IakCore(PlannedCore):
    """Play `POST /api/top-up`, `/api/check-status` and `/api/check-balance`, and call back with strings."""

    provider = "iak"
    codes = codes.IAK
    remembered: ClassVar = (*PlannedCore.remembered, "_sent")

    def __init__(
        self, *, prices: Mapping[str, int], journal: Journal, opening_balance: int, account: IakAccount | None = None
    ) -> None:
        super().__init__(prices=prices, journal=journal, opening_balance=opening_balance)
        self.account = account or IakAccount()
        self._sent = 0

    def _respond(self, request: Request, now: datetime) -> Reply | Fault:
        calls = {
            "/api/top-up": self._top_up,
            "/api/check-status": self._check_status,
            "/api/check-balance": self._check_balance,
        }
        call = calls.get(request.path) if request.method == "POST" else None
        if call is None:
            return text_reply("Not Found", now, status=404)
        return call(json_object(request.body), request.via, now)

    def _check_balance(self, asked: Mapping[str, Any], via: str, now: datetime) -> Reply:
        del via
        code = self.refuse_with or self._account_error(asked, "bl")
        if code:
            return json_reply({"status": _FAILED, "message": self._text(code), "rc": code}, now)
        return json_reply({"balance": self.deposit.balance, "message": self._text("00"), "rc": "00"}, now)

    def _check_status(self, asked: Mapping[str, Any], via: str, now: datetime) -> Reply | Fault:
        ref_id = str(asked.get("ref_id", ""))
        code = self._request_error(asked, "ref_id")
        known = None if code else self.order(ref_id)
        if known is None:
            return self._not_told(ref_id, code or "06", via=via, now=now)
        return self._inquired(known, json_reply(self._document(known), now), via=via, now=now)

    def _top_up(self, asked: Mapping[str, Any], via: str, now: datetime) -> Reply | Fault:
        ref_id = str(asked.get("ref_id", ""))
        code = self._request_error(asked, "ref_id", "customer_id", "product_code")
        known = None if code else self.order(ref_id)
        if known is not None:
            return self._inquired(known, json_reply(self._document(known), now), via=via, now=now)
        wanted = Wanted(
            ref_id=ref_id, product=str(asked.get("product_code", "")), destination=str(asked.get("customer_id", ""))
        )
        refusal = self._refusal(code) if code else self._purchase_refusal(wanted)
        if refusal is not None:
            return self._refused(wanted, refusal, via=via, now=now)
        order = self._place(wanted, via=via, now=now)
        if via == "http":
            self._note_inquiry(ref_id, code=order.code, via=via, now=now, created=True)
        return json_reply(self._document(order) | self._first_words(), now)

    def _request_error(self, asked: Mapping[str, Any], *names: str) -> str:
        if self.refuse_with:
            return self.refuse_with
        if any(not isinstance(asked.get(name), str) or not asked[name] for name in names):
            return "107"
        return self._account_error(asked, asked["ref_id"])

    def _account_error(self, asked: Mapping[str, Any], last: str) -> str:
        signed = hmac.compare_digest(str(asked.get("sign")).encode(), self.account.sign(last).encode())
        return "" if signed and asked.get("username") == self.account.username else "204"

    def _purchase_refusal(self, wanted: Wanted) -> Refusal | None:
        if wanted.product not in self.prices:
            return self._refusal("20")
        planned = self._planned_refusal(wanted.ref_id)
        if planned is not None:
            return planned
        return self._refusal("17") if self._price(wanted) > self.deposit.balance else None

    def _not_told(self, ref_id: str, code: str, *, via: str, now: datetime) -> Reply:
        self._note_inquiry(ref_id, code=code, via=via, now=now)
        return json_reply({"ref_id": ref_id, "status": _FAILED, "message": self._text(code), "rc": code}, now)

    def _refused(self, wanted: Wanted, refusal: Refusal, *, via: str, now: datetime) -> Reply:
        self._note_refused(wanted.ref_id, code=refusal.code, via=via, now=now)
        data = {
            "ref_id": wanted.ref_id,
            "status": _FAILED,
            "product_code": wanted.product,
            "customer_id": wanted.destination,
            "price": 0,
            "message": refusal.text,
            "balance": self.deposit.balance,
            "tr_id": 0,
            "rc": refusal.code,
        }
        return json_reply(data, now)

    def _first_words(self) -> dict[str, Any]:
        return {"status": 0, "message": self._text("39"), "sn": "", "rc": "39"}

    def _document(self, order: Order) -> dict[str, Any]:
        data = {
            "ref_id": order.ref_id,
            "status": _STATUS.get(order.state, _FAILED),
            "product_code": order.product,
            "customer_id": order.destination,
            "price": order.price,
            "message": order.text,
            "balance": self.deposit.balance,
            "tr_id": _FIRST_NUMBER + order.number,
            "rc": order.code,
        }
        return data | {"sn": order.serial_number if order.state == "success" else ""}

    def _callback(self, order: Order, *, lie: bool, signed: bool) -> OutgoingCallback | None:
        if order.state == "pending":
            return None
        self._sent += 1
        data = {name: str(value) for name, value in (self._document(order) | self._lie(order, lie=lie)).items()}
        if self._sent % 2 == 0:
            data["code"], data["hp"] = data.pop("product_code"), data.pop("customer_id")
        if signed:
            data["sign"] = self.account.sign("salah" if lie else order.ref_id)
        body = json.dumps({"data": data}).encode()
        headers = {"Content-Type": "application/json"}
        at = order.changed_at or order.created_at
        return OutgoingCallback(at=at, provider=self.provider, method="POST", headers=headers, body=body)

    def _lie(self, order: Order, *, lie: bool) -> dict[str, Any]:
        if not lie:
            return {}
        if order.state == "success":
            return {"status": _FAILED, "rc": "07", "message": self._text("07"), "sn": ""}
        return {"status": 1, "rc": "00", "message": self._text("00"), "sn": "9999888877776666"}
