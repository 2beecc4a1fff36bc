"""How the played server buys: the true wire request of each provider, and the row it shows rekon."""

import json
from datetime import timedelta
from typing import Any, Final

from rekon.sandbox.dialects.digiflazz import DigiflazzAccount
from rekon.sandbox.dialects.iak import IakAccount
from rekon.sandbox.dialects.otomax import OtomaxAccount
from rekon.sandbox.story import Sale
from rekon.sandbox.wire import Request

PROVIDER_ACCOUNT: Final = "utama"
"""Name of the operator's one account at each provider."""
RESEND_SECONDS: Final = 70
_MARGIN_FOR_MAX: Final = 500
_CHANNELS: Final = ("sms", "whatsapp", "aplikasi", "telegram")


def purchase_request(sale: Sale) -> Request:
    """Word the purchase as the provider's own documentation asks."""
    return {"digiflazz": _digiflazz, "iak": _iak, "otomax": _otomax}[sale.provider](sale)


def order_row(sale: Sale) -> dict[str, Any]:
    """Word the sale as rekon's transactions book wants it, before anything was sent."""
    product, ordered_at = sale.product, sale.ordered_at.isoformat()
    return {
        "transaction_id": sale.transaction_id,
        "agent_id": sale.agent_id,
        "charged_account": sale.traits.charged,
        "ordered_at": ordered_at,
        "product": product.code,
        "family": product.family,
        "destination": sale.destination,
        "price": product.price,
        "face_value": product.face_value,
        "order_status": "pending",
        "status_at": ordered_at,
        "serial_number": None,
        "channel": _CHANNELS[int(sale.transaction_id[1:]) % len(_CHANNELS)],
        "raw_order": ".".join(part for part in (product.code, sale.repeat_counter, sale.destination) if part),
        "leg_no": 1,
        "provider": sale.provider,
        "provider_account": PROVIDER_ACCOUNT,
        "ref_id": sale.ref_id,
        "provider_product": product.sku(sale.provider),
        "destination_sent": sale.destination,
        "testing": False,
        "max_price": _max_price(sale),
        "allow_dot": False,
        "cb_url": "",
        "repeat_counter": sale.repeat_counter,
    }


def sending_columns(sale: Sale, reply: str | None) -> dict[str, Any]:
    """Word what the server's log knows after sending; `reply` is the provider's raw answer, if one came."""
    traits = sale.traits
    if traits.send == "not_sent":
        return {"send_state": "not_sent", "send_count": 0, "sent_at": None, "first_reply": None}
    state = "sent" if reply is not None else "unknown"
    return {"send_state": state, "send_count": 1, "sent_at": sale.ordered_at.isoformat(), "first_reply": reply}


def resending_columns(sale: Sale, reply: str) -> dict[str, Any]:
    """Word what the log knows after the second sending of the same reference; `sent_at` is the last one."""
    sent_at = sale.ordered_at + timedelta(seconds=RESEND_SECONDS)
    return {"send_state": "sent", "send_count": 2, "sent_at": sent_at.isoformat(), "first_reply": reply}


def old_reply(sale: Sale) -> str:
    """Word what Digiflazz answered to a purchase of long ago."""
    said = {
        "ref_id": sale.ref_id,
        "customer_no": sale.destination,
        "buyer_sku_code": sale.product.sku(sale.provider),
        "message": "Transaksi Pending",
        "status": "Pending",
        "rc": "03",
        "sn": "",
        "buyer_last_saldo": 12_345_678,
        "price": sale.product.cost,
        "tele": "@penjualdemo",
        "wa": "081200000000",
    }
    return json.dumps({"data": said})


def _max_price(sale: Sale) -> int | None:
    wants_one = sale.provider == "digiflazz" and int(sale.transaction_id[1:]) % 2 == 0
    return sale.product.cost + _MARGIN_FOR_MAX if wants_one else None


def _digiflazz(sale: Sale) -> Request:
    account = DigiflazzAccount()
    body: dict[str, Any] = {
        "username": account.username,
        "buyer_sku_code": sale.product.sku(sale.provider),
        "customer_no": sale.destination,
        "ref_id": sale.ref_id,
        "sign": account.sign(sale.ref_id),
    }
    limit = _max_price(sale)
    return _posted("/v1/transaction", body | ({} if limit is None else {"max_price": limit}))


def _iak(sale: Sale) -> Request:
    account = IakAccount()
    body = {
        "username": account.username,
        "ref_id": sale.ref_id,
        "customer_id": sale.destination,
        "product_code": sale.product.sku(sale.provider),
        "sign": account.sign(sale.ref_id),
    }
    return _posted("/api/top-up", body)


def _otomax(sale: Sale) -> Request:
    account, product = OtomaxAccount(), sale.product.sku(sale.provider)
    query = {
        "product": product,
        "qty": "1",
        "dest": sale.destination,
        "refID": sale.ref_id,
        "memberID": account.member_id,
        "sign": account.sign(product=product, destination=sale.destination, ref_id=sale.ref_id),
    }
    counter = {"counter": sale.repeat_counter} if sale.repeat_counter else {}
    return Request(method="GET", path="/trx", query=query | counter, via="server")


def _posted(path: str, body: dict[str, Any]) -> Request:
    headers = {"content-type": "application/json"}
    return Request(method="POST", path=path, headers=headers, body=json.dumps(body).encode(), via="server")
