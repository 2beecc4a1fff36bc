import hashlib
import hmac
import json
from urllib.parse import urlencode

import pytest

from rekon.connectors.providers.callbacks import CallbackSecretError, ProviderDoor, read_callback
from rekon.domain.callback import CallbackDoor, Verdict
from rekon.domain.outcome import Outcome
from tests.connectors.providers.builders import SECRET, account, definition, definitions, leg

DATA = {
    "trx_id": "a1",
    "ref_id": "REF0001",
    "customer_no": "087800001230",
    "buyer_sku_code": "xld10",
    "message": "Transaksi Sukses",
    "status": "Sukses",
    "rc": "00",
    "sn": "123",
    "buyer_last_saldo": 990000,
    "price": 10000,
}
BODY = json.dumps({"data": DATA}).encode()
PING = json.dumps(
    {"sed": "x", "hook_id": "h1", "hook": {"url": "https://x.example", "type": "all", "status": 1}}
).encode()
IAK = {
    "ref_id": "REF0001",
    "status": "1",
    "product_code": "xld10",
    "customer_id": "087800001230",
    "price": "10000",
    "message": "SUCCESS",
    "sn": "123",
    "balance": "990000",
    "tr_id": "1",
    "rc": "00",
    "sign": "2256d04ea34911992557eb5c2d8d9ee6",
}
OTOMAX = urlencode(
    {"t": "1", "refid": "REF0001", "status": "20", "price": "0", "message": "XLD10.087800001230 SUKSES. SN/Ref: 9"}
).encode()


def signature(body, secret=SECRET):
    return "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


def door(*accounts) -> CallbackDoor:
    return ProviderDoor(definitions(), accounts or (account("digiflazz"), account("iak"), account("otomax")))


def iak(**changes):
    return json.dumps({"data": {**IAK, **changes}}).encode()


def test_a_signed_body_is_signed():
    assert door().verify("digiflazz", {"x-hub-signature": signature(BODY)}, BODY) is Verdict.SIGNED


def test_a_body_without_its_signature_is_refused():
    assert door().verify("digiflazz", {}, BODY) is Verdict.REFUSED


@pytest.mark.parametrize("secret", ["rahasia-lain-callback-0123456789", SECRET[:-1], SECRET.upper(), ""])
def test_a_forged_callback_is_refused(secret):
    assert door().verify("digiflazz", {"x-hub-signature": signature(BODY, secret)}, BODY) is Verdict.REFUSED


def test_a_body_changed_by_one_byte_is_refused():
    headers = {"x-hub-signature": signature(BODY)}
    for position in range(len(BODY)):
        changed = BODY[:position] + bytes([BODY[position] ^ 1]) + BODY[position + 1 :]
        assert door().verify("digiflazz", headers, changed) is Verdict.REFUSED


def test_both_secrets_open_the_door_while_one_replaces_the_other():
    newer = "rahasia-baru-callback-0123456789"
    both = door(account(callback_secrets=(newer, SECRET)))
    for secret in (SECRET, newer):
        assert both.verify("digiflazz", {"x-hub-signature": signature(BODY, secret)}, BODY) is Verdict.SIGNED


def test_what_is_signed_is_not_parsed_at_the_door():
    assert door().verify("digiflazz", {"x-hub-signature": signature(b"{{{")}, b"{{{") is Verdict.SIGNED


def test_a_signed_ping_is_a_ping():
    assert door().verify("digiflazz", {"x-hub-signature": signature(PING)}, PING) is Verdict.PING


def test_an_unsigned_ping_is_refused_while_a_secret_is_set():
    assert door().verify("digiflazz", {}, PING) is Verdict.REFUSED


@pytest.mark.parametrize("secrets", [(), ("pendek",), (SECRET, "pendek"), (SECRET, SECRET + "2", SECRET + "3")])
def test_a_door_without_proper_secrets_is_not_built(secrets):
    with pytest.raises(CallbackSecretError, match="'utama' of 'digiflazz'") as caught:
        door(account(callback_secrets=secrets))
    assert SECRET not in str(caught.value)
    assert "pendek" not in str(caught.value)


def test_an_account_that_takes_no_callbacks_needs_no_secret_and_refuses_all():
    closed = door(account(callback_secrets=(), accepts_callbacks=False))
    assert closed.verify("digiflazz", {"x-hub-signature": signature(BODY)}, BODY) is Verdict.REFUSED


def test_an_iak_callback_with_its_signature_is_a_hint():
    assert door().verify("iak", {}, iak()) is Verdict.HINT


@pytest.mark.parametrize(
    "raw",
    [
        iak(sign="0" * 32),
        iak(sign=""),
        iak(sign=None),
        iak(sign=7),
        iak(ref_id="REF0002"),
        iak(ref_id=""),
        iak(ref_id="", sign="8cd3300e403c01d0816978d7cf622784"),
        b"{}",
        b"<mp></mp>",
        b'{"data":[]}',
        b"",
    ],
)
def test_an_iak_callback_without_its_signature_is_refused(raw):
    assert door().verify("iak", {}, raw) is Verdict.REFUSED


def test_an_iak_signature_does_not_cover_the_status():
    assert door().verify("iak", {}, iak(status="2", rc="07")) is Verdict.HINT


def test_an_otomax_callback_is_never_more_than_a_hint():
    assert door().verify("otomax", {}, OTOMAX) is Verdict.HINT


@pytest.mark.parametrize("raw", [b"", b"x=1", b"refid=&message=", b"refid=1&refid=2", b"%ff", b"\xff", b"&" * 100])
def test_a_query_that_names_nothing_is_refused(raw):
    assert door().verify("otomax", {}, raw) is Verdict.REFUSED


def test_an_unknown_provider_or_a_huge_body_is_refused():
    huge = BODY + b" " * 65536
    assert door().verify("lain", {"x-hub-signature": signature(BODY)}, BODY) is Verdict.REFUSED
    assert door().verify("digiflazz", {"x-hub-signature": signature(huge)}, huge) is Verdict.REFUSED


def test_a_provider_without_an_account_is_refused():
    assert door(account("iak")).verify("digiflazz", {"x-hub-signature": signature(BODY)}, BODY) is Verdict.REFUSED


@pytest.mark.parametrize(("name", "raw"), [("digiflazz", BODY), ("iak", iak()), ("otomax", OTOMAX)])
def test_a_callback_is_read_once_it_is_tied_to_its_leg(name, raw):
    product = "XLD10" if name == "otomax" else "xld10"
    loose = read_callback(definition(name), raw)
    tied = read_callback(definition(name), raw, leg=leg(provider=name, provider_product=product))
    assert (loose.ref_id, loose.destination) == (tied.ref_id, tied.destination) == ("REF0001", "087800001230")
    assert (loose.reading.outcome, loose.reading.about_this_leg) == (Outcome.UNKNOWN, False)
    assert tied.reading.outcome is Outcome.DELIVERED


@pytest.mark.parametrize(("name", "raw"), [("digiflazz", BODY), ("iak", iak()), ("otomax", OTOMAX)])
def test_a_callback_tied_to_the_wrong_leg_says_nothing(name, raw):
    word = read_callback(definition(name), raw, leg=leg(provider=name, ref_id="REF0002"))
    assert (word.reading.outcome, word.reading.about_this_leg) == (Outcome.UNKNOWN, False)


def test_a_callback_with_an_unknown_code_still_names_its_purchase():
    raw = json.dumps({"data": {**DATA, "rc": "777"}}).encode()
    word = read_callback(definition(), raw, content_type="application/json", leg=leg())
    assert (word.ref_id, word.reading.outcome) == ("REF0001", Outcome.UNKNOWN)


@pytest.mark.parametrize("raw", [PING, b"", b"{", b"\xff\xfe", b"refid=1&refid=1"])
@pytest.mark.parametrize("name", ["digiflazz", "iak", "otomax"])
def test_a_callback_that_names_nothing_has_empty_names(name, raw):
    word = read_callback(definition(name), raw)
    assert (word.ref_id, word.destination) == ("", "")


def test_a_reference_that_cannot_be_stored_is_no_reference():
    for ref_id in ("A\x00B", "A" * 300):
        raw = json.dumps({"data": {**DATA, "ref_id": ref_id}}).encode()
        assert read_callback(definition(), raw).ref_id == ""


def test_a_never_formed_code_in_a_callback_is_no_failure():
    raw = json.dumps({"data": {**DATA, "rc": "44", "status": "Gagal", "message": "Saldo tidak cukup"}}).encode()
    assert read_callback(definition(), raw, leg=leg()).reading.outcome is Outcome.UNKNOWN
