"""How a provider's callback travels to rekon's door."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from rekon.sandbox.feed import CallParcel
from rekon.sandbox.parcels import TOKEN, Call
from rekon.sandbox.story import Sale
from rekon.sandbox.wire import OutgoingCallback

_FIRST_NUMBER: Final = 17_990_000


def carry(callback: OutgoingCallback) -> CallParcel:
    """Address a callback to rekon; callbacks of one provider arrive in their order."""
    return CallParcel(
        at=callback.at,
        lane=f"callback:{callback.provider}",
        call=Call(
            method=callback.method,
            path=f"/callbacks/{callback.provider}/{TOKEN}",
            query=callback.query,
            headers=callback.headers,
            content=callback.body,
        ),
        kind="called_back",
        facts={"provider": callback.provider, **_said(callback)},
    )


def odd_report(sale: Sale, at: datetime) -> OutgoingCallback:
    """Word an OtomaX report whose status number says success while its words say failure."""
    what = f"{sale.product.sku(sale.provider)}.{sale.destination}"
    fields = {
        "t": str(_FIRST_NUMBER + int(sale.transaction_id[1:])),
        "refid": sale.ref_id,
        "status": "20",
        "price": "0",
        "message": f"{what} GAGAL. Transaction Failed. Saldo 1.244.692. @{at:%H.%M.%S}",
    }
    return OutgoingCallback(at=at, provider=sale.provider, method="GET", query=urlencode(fields))


def _said(callback: OutgoingCallback) -> Mapping[str, Any]:
    """Note which order a callback names and its code, for the journal."""
    if callback.query:
        fields = dict(parse_qsl(callback.query))
        return {"ref_id": fields.get("refid", ""), "code": fields.get("status", "")}
    document = json.loads(callback.body).get("data", {})
    return {"ref_id": document.get("ref_id", ""), "code": document.get("rc", "")}
