"""Reading what a gateway said, exactly. Only the listed form of a word counts; everything else is UNKNOWN.

Notes are Indonesian, for staff, and hold nothing of the reply's text.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NoReturn

from rekon.connectors.gateways.contract import (
    OrderResult,
    PayAnswer,
    PayState,
    RefundOrder,
    ResultAnswer,
    ResultState,
    WalletRead,
    WalletUnreadableError,
)
from rekon.connectors.gateways.exchange import Reply
from rekon.domain.intake_json import NotJsonError, read_object
from rekon.domain.money import Money

OK = frozenset({200, 201, 202})
OK_FOUND = 200
NOT_FOUND = 404
CONFLICT = 409
_NOT_A_VERDICT = frozenset({401, 407, 408, 409, 425, 429})
"""Refusals that speak of the call (who we are, too fast, already known), not of the refund."""
_NO_SUCH_CALL = frozenset({405, 501})
_REFUSED_FROM = 400
_REFUSED_TO = 499

PAY_WORDS = {"succeeded": PayState.SUCCEEDED, "pending": PayState.PENDING, "failed": PayState.FAILED}
FOUND_WORDS = {**PAY_WORDS, "returned": PayState.RETURNED}
_AS_TOLD = {"failed": "failed", "success": "success"}
_ORDER_WORDS = frozenset({"pending", "success", "failed", "refunded"})
_REF_MAX = 256
_YEAR_MIN = 2000
_YEAR_MAX = 9998

NOT_JSON = "jawaban server bukan JSON yang sah"
ODD_STATUS = "kata status dari server tidak dikenal"
ODD_HTTP = "server menjawab dengan kode HTTP {status}"
OTHER_REFUND = "jawaban server menyebut agen, jumlah atau transaksi lain dari yang diminta"
CONTRADICTION = "isi jawaban server saling bertentangan"
KEY_KNOWN = "server sudah mengenal kunci ini; cari dulu hasilnya"
NO_REFERENCE = "server menyebut berhasil tanpa nomor rujukan"


def read_pay(reply: Reply, order: RefundOrder) -> PayAnswer:
    """Read the answer to a payment. `failed` counts in a 2xx or a plain 4xx, and only as exact JSON."""
    if reply.fault:
        return _unknown(reply.fault, reply)
    if reply.status in OK:
        return _paid(reply, order, PAY_WORDS)
    if reply.status == CONFLICT:
        return _unknown(KEY_KNOWN, reply)
    if _REFUSED_FROM <= reply.status <= _REFUSED_TO and reply.status not in _NOT_A_VERDICT:
        return _refused(reply, order)
    return _unknown(ODD_HTTP.format(status=reply.status), reply)


def read_found(reply: Reply, order: RefundOrder) -> PayAnswer:
    """Read the answer to a look-up. A 404 page in HTML comes from something else than the look-up."""
    if reply.fault:
        return _unknown(reply.fault, reply)
    if reply.status == OK_FOUND:
        return _paid(reply, order, FOUND_WORDS)
    if reply.status == NOT_FOUND and "html" not in reply.content_type and not reply.body.lstrip().startswith(b"<"):
        return PayAnswer(state=PayState.NOT_FOUND)
    return _unknown(ODD_HTTP.format(status=reply.status), reply)


def read_result(reply: Reply, result: OrderResult) -> ResultAnswer:
    """Read the answer to telling a server how an order ended. Only its own word for exactly that is acceptance."""
    if reply.fault:
        return ResultAnswer(state=ResultState.UNKNOWN, note=reply.fault)
    if reply.status in _NO_SUCH_CALL:
        return ResultAnswer(state=ResultState.UNSUPPORTED, note=ODD_HTTP.format(status=reply.status))
    if reply.status not in {OK_FOUND, CONFLICT}:
        return _unknown_result(ODD_HTTP.format(status=reply.status), reply)
    status = _order_word(reply)
    if status is None:
        return _unknown_result(ODD_STATUS, reply)
    if reply.status == CONFLICT:
        return ResultAnswer(state=ResultState.CONFLICT, server_status=status)
    if status == _AS_TOLD[result.status]:
        return ResultAnswer(state=ResultState.ACCEPTED, server_status=status)
    if status == "pending":
        return ResultAnswer(state=ResultState.UNKNOWN, server_status=status, note=ODD_STATUS)
    return ResultAnswer(state=ResultState.CONFLICT, server_status=status)


def read_wallet_lines(reply: Reply) -> WalletRead:
    """Read a live view of the wallet.

    Raises:
        WalletUnreadableError: for anything but exactly `{"as_of", "items": [objects]}`.
    """
    if reply.fault:
        _unreadable(reply.fault, reply)
    if reply.status in _NO_SUCH_CALL:
        raise WalletUnreadableError(ODD_HTTP.format(status=reply.status), is_unsupported=True)
    if reply.status != OK_FOUND:
        _unreadable(ODD_HTTP.format(status=reply.status), reply)
    body = _json(reply)
    as_of = _instant(body.get("as_of")) if body is not None else None
    items = body.get("items") if body is not None else None
    if as_of is None or not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        _unreadable(NOT_JSON, reply)
    return WalletRead(as_of=as_of, rows=items)


def match(order: RefundOrder, *, state: PayState, gateway_ref: str, agent_id: str, amount: int) -> PayAnswer:
    """Accept a state only when agent and amount are exactly the ones asked for (G4); anything else is UNKNOWN."""
    is_same = agent_id == order.agent_id and amount == order.amount
    note = "" if is_same else OTHER_REFUND
    if is_same and state is PayState.SUCCEEDED and not gateway_ref:
        note = NO_REFERENCE
    return PayAnswer(
        state=PayState.UNKNOWN if note else state,
        gateway_ref=gateway_ref,
        agent_id=agent_id,
        amount=Money(amount),
        note=note,
    )


def _paid(reply: Reply, order: RefundOrder, words: Mapping[str, PayState]) -> PayAnswer:
    body = _json(reply)
    if body is None:
        return _unknown(NOT_JSON, reply)
    if _is_contradictory(body):
        return _unknown(CONTRADICTION, reply)
    state = _state(body, words)
    if state is None:
        return _unknown(ODD_STATUS, reply)
    agent_id, amount, gateway_ref = body.get("agent_id"), body.get("amount"), body.get("gateway_ref", "")
    if not isinstance(agent_id, str) or type(amount) is not int or _speaks_of_another(body, order):
        return _unknown(OTHER_REFUND, reply)
    if not isinstance(gateway_ref, str) or len(gateway_ref) > _REF_MAX or not gateway_ref.isprintable():
        return _unknown(NOT_JSON, reply)
    return match(order, state=state, gateway_ref=gateway_ref.strip(), agent_id=agent_id, amount=amount)


def _refused(reply: Reply, order: RefundOrder) -> PayAnswer:
    """Read a 4xx: FAILED only when its JSON says so and names nothing but what was asked."""
    body = _json(reply)
    if body is None or body.get("status") != "failed":
        return _unknown(ODD_HTTP.format(status=reply.status), reply)
    asked: dict[str, object] = {"agent_id": order.agent_id, "amount": order.amount}
    named = {name: body[name] for name in asked if name in body}
    if _speaks_of_another(body, order) or any(not _is_exactly(value, asked[name]) for name, value in named.items()):
        return _unknown(OTHER_REFUND, reply)
    return PayAnswer(state=PayState.FAILED, note=ODD_HTTP.format(status=reply.status))


def _json(reply: Reply) -> dict[str, object] | None:
    if reply.content_type != "application/json":
        return None
    try:
        return read_object(reply.body)
    except NotJsonError:
        return None


def _state(body: Mapping[str, object], words: Mapping[str, PayState]) -> PayState | None:
    status = body.get("status")
    return words.get(status) if isinstance(status, str) else None


def _is_contradictory(body: Mapping[str, object]) -> bool:
    """Tell whether flags beside the status deny it: `ok: false`, an error text, another currency."""
    denied = any(name in body and body[name] is not True for name in ("ok", "success"))
    return denied or bool(body.get("error")) or body.get("currency", "IDR") != "IDR"


def _speaks_of_another(body: Mapping[str, object], order: RefundOrder) -> bool:
    asked = {"refund_id": order.refund_id, "transaction_id": order.transaction_id, "idempotency_key": order.key}
    return any(name in body and body[name] != value for name, value in asked.items())


def _is_exactly(value: object, asked: object) -> bool:
    return type(value) is not bool and value == asked and isinstance(value, str | int)


def _order_word(reply: Reply) -> str | None:
    body = _json(reply)
    status = body.get("status") if body is not None else None
    if isinstance(status, str) and status in _ORDER_WORDS:
        return status
    return None


def _instant(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if found is None or found.tzinfo is None or not _YEAR_MIN <= found.year <= _YEAR_MAX:
        return None
    return found.astimezone(UTC)


def _unknown(note: str, reply: Reply) -> PayAnswer:
    return PayAnswer(state=PayState.UNKNOWN, note=note, retry_after_seconds=reply.retry_after_seconds)


def _unknown_result(note: str, reply: Reply) -> ResultAnswer:
    return ResultAnswer(state=ResultState.UNKNOWN, note=note, retry_after_seconds=reply.retry_after_seconds)


def _unreadable(note: str, reply: Reply) -> NoReturn:
    raise WalletUnreadableError(note, retry_after_seconds=reply.retry_after_seconds)
