"""An OtomaX centre: plain text over GET, where only `check=1` keeps a question from buying."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from rekon.sandbox.dialects import codes
from rekon.sandbox.dialects.bodies import text_reply
from rekon.sandbox.dialects.core import PlannedCore
from rekon.sandbox.dialects.orders import Order, Refusal, Wanted
from rekon.sandbox.dialects.otomax_texts import WIB, OtomaxTexts, trx_id
from rekon.sandbox.journal import Journal
from rekon.sandbox.wire import Fault, OutgoingCallback, Reply, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class OtomaxAccount:
    """Credentials of one member."""

    member_id: str = "RK0001"
    pin: str = field(default="1234", repr=False)
    password: str = field(default="rahasia", repr=False)

    def sign(self, *, product: str, destination: str, ref_id: str) -> str:
        """Sign a purchase or a check; member and product are hashed in upper case."""
        member = self.member_id.upper()
        return _signature(member, product.upper(), destination, ref_id, self.pin, self.password)

    def balance_signs(self) -> tuple[str, str]:
        """Sign a balance request in both variants found in the wild."""
        member = self.member_id.upper()
        return (
            _signature("CheckBalance", member, self.pin, self.password),
            _signature(member, "", "", "", self.pin, self.password),
        )


def _signature(*parts: str) -> str:
    digest = hashlib.sha1("|".join(("OtomaX", *parts)).encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class OtomaxCore(PlannedCore):
    """Play `GET /trx` (with `check=1`: asks, without: buys) and `GET /balance`, and report by GET.

    A purchase of the same product and number on the same day in WIB, under whatever reference, is told as `sdh pernah`
    and not bought; `counter` other than 1 marks a wanted repeat. `check=1` finds today's orders, and those of
    `look_back_days` before, by reference, product and number together. Every third report carries price 0.
    """

    provider = "otomax"
    codes = codes.OTOMAX
    success_code = "20"

    def __init__(
        self, *, prices: Mapping[str, int], journal: Journal, opening_balance: int, account: OtomaxAccount | None = None
    ) -> None:
        super().__init__(prices=prices, journal=journal, opening_balance=opening_balance)
        self.account = account or OtomaxAccount()
        self.look_back_days = 0
        self.texts = OtomaxTexts()

    def _respond(self, request: Request, now: datetime) -> Reply | Fault:
        asked = {name.lower(): value for name, value in request.query.items()}
        if request.method == "GET" and request.path == "/balance":
            return self._balance(asked, now)
        if request.method != "GET" or request.path != "/trx":
            return text_reply("Not Found", now, status=404)
        wanted = _wanted(asked)
        rejection = self._rejection(asked, self.account.sign(**_named(wanted)))
        if rejection:
            return self._rejected(wanted, rejection, via=request.via, now=now)
        if asked.get("check") == "1":
            return self._check(wanted, request.via, now)
        return self._buy(wanted, request.via, now)

    def _rejection(self, asked: Mapping[str, str], *signs: str) -> str:
        if self.refuse_with:
            return self._text(self.refuse_with) or self.refuse_with
        if asked.get("memberid", "").upper() != self.account.member_id.upper():
            return "Member tidak terdaftar."
        if "sign" in asked:
            sign = asked["sign"].encode()
            return "" if any(hmac.compare_digest(sign, right.encode()) for right in signs) else "Sign salah."
        known = (asked.get("pin"), asked.get("password")) == (self.account.pin, self.account.password)
        return "" if known else "PIN salah."

    def _rejected(self, wanted: Wanted, reason: str, *, via: str, now: datetime) -> Reply:
        self._note_refused(wanted.ref_id, code=reason, via=via, now=now)
        return text_reply(self.texts.rejected(reason, now), now)

    def _balance(self, asked: Mapping[str, str], now: datetime) -> Reply:
        rejection = self._rejection(asked, *self.account.balance_signs())
        if rejection:
            return text_reply(self.texts.rejected(rejection, now), now)
        return text_reply(self.texts.balance_sheet(self.account.member_id, self.deposit.balance), now)

    def _check(self, wanted: Wanted, via: str, now: datetime) -> Reply | Fault:
        order = self._found(wanted, now)
        if order is None:
            self._note_inquiry(wanted.ref_id, code="", via=via, now=now)
            return text_reply(self.texts.not_found(wanted.destination, now), now)
        reply = text_reply(self.texts.told(order, self.deposit.balance, now), now)
        return self._inquired(order, reply, via=via, now=now)

    def _found(self, wanted: Wanted, now: datetime) -> Order | None:
        oldest = (now.astimezone(WIB) - timedelta(days=self.look_back_days)).date()
        for order in reversed(self._by_ref.get(wanted.ref_id, [])):
            same = (order.product, order.destination) == (wanted.product, wanted.destination)
            if same and order.created_at.astimezone(WIB).date() >= oldest:
                return order
        return None

    def _buy(self, wanted: Wanted, via: str, now: datetime) -> Reply | Fault:
        earlier = self._bought_today(wanted, now)
        if earlier is not None:
            reply = text_reply(self.texts.repeated(earlier, wanted, self.deposit.balance), now)
            return self._inquired(earlier, reply, via=via, now=now, ref_id=wanted.ref_id)
        refusal = self._purchase_refusal(wanted)
        if refusal is not None:
            return self._refused(wanted, refusal, via=via, now=now)
        order = self._place(wanted, via=via, now=now)
        if via == "http":
            self._note_inquiry(order.ref_id, code=order.code, via=via, now=now, created=True)
        word = self.texts.accepted if order.state == "pending" else self.texts.done
        return text_reply(word(order, self.deposit.balance, now), now)

    def _bought_today(self, wanted: Wanted, now: datetime) -> Order | None:
        today = now.astimezone(WIB).date()
        for order in reversed(self._by_destination.get(wanted.destination, [])):
            if order.created_at.astimezone(WIB).date() != today:
                return None
            if (order.product, order.wanted.counter) == (wanted.product, wanted.counter):
                return order
        return None

    def _purchase_refusal(self, wanted: Wanted) -> Refusal | None:
        if not wanted.ref_id or not wanted.destination:
            return self._refusal("42")
        if wanted.product not in self.prices:
            return self._refusal("44")
        planned = self._planned_refusal(wanted.ref_id)
        if planned is not None:
            return planned
        return self._refusal("43") if self._price(wanted) > self.deposit.balance else None

    def _refused(self, wanted: Wanted, refusal: Refusal, *, via: str, now: datetime) -> Reply:
        self._note_refused(wanted.ref_id, code=refusal.code, via=via, now=now)
        price = self._price(wanted) if wanted.product in self.prices else 0
        text = self.texts.refused(wanted, refusal, price=price, balance=self.deposit.balance, now=now)
        return text_reply(text, now)

    def _callback(self, order: Order, *, lie: bool, signed: bool) -> OutgoingCallback | None:
        del signed  # nothing is ever signed here
        if order.state == "pending":
            return None
        at = order.changed_at or order.created_at
        good = (order.state == "success") is not lie
        message = self.texts.reported(order, self.deposit.balance, at)
        if lie:
            message = self.texts.refuted(order, self.deposit.balance, at)
        fields = {
            "t": str(trx_id(order)),
            "refid": order.ref_id,
            "status": "20" if good else "40",
            "price": "0" if order.number % 3 == 0 else str(order.price),
            "message": message,
        }
        return OutgoingCallback(at=at, provider=self.provider, method="GET", query=urlencode(fields))


def _wanted(asked: Mapping[str, str]) -> Wanted:
    """Read a request; product codes are told in upper case, whatever case they came in."""
    counter = asked.get("counter", "")
    return Wanted(
        ref_id=asked.get("refid", ""),
        product=asked.get("product", "").upper(),
        destination=asked.get("dest", ""),
        counter="" if counter == "1" else counter,
    )


def _named(wanted: Wanted) -> Mapping[str, str]:
    return {"product": wanted.product, "destination": wanted.destination, "ref_id": wanted.ref_id}
