import json

import pytest

from rekon.sandbox.dialects.digiflazz import DigiflazzCore, hub_signature
from rekon.sandbox.dialects.iak import IakAccount
from rekon.sandbox.journal import Journal
from rekon.store import schema
from tests import builders
from tests.desk.counter import NOW, TOKEN

BODY = json.dumps({"data": {"ref_id": "T1001", "rc": "00", "status": "Sukses", "sn": "123"}}).encode()
SAID = "t=1&refid=T1001&status=20&price=0&message=S50.081234567890 SUKSES. SN: 12345."


def inbox(desk):
    return desk.rows(schema.inbox)


def test_a_signed_callback_is_stored_raw_before_it_is_answered(desk):
    assert desk.call_back(BODY) == 200
    row = desk.one(schema.inbox)
    assert (row["provider"], row["body"], row["verdict"]) == ("digiflazz", BODY, "signed")
    assert (row["state"], row["received_at"]) == ("new", NOW)


@pytest.mark.parametrize(
    "signature", ["", "sha1=", "sha1=" + "0" * 40, hub_signature("x" * 32, BODY), hub_signature("", BODY), "md5=abc"]
)
def test_a_forged_callback_is_refused_and_nothing_is_stored(desk, log, signature):
    assert desk.call_back(BODY, x_hub_signature=signature) == 401
    assert inbox(desk) == []
    assert [line["event"] for line in log] == ["callback.refused"]


def test_one_changed_byte_breaks_the_signature(desk):
    signature = hub_signature("rahasia-demo-callback-0123456789", BODY)
    assert desk.call_back(BODY.replace(b"00", b"01"), x_hub_signature=signature) == 401
    assert inbox(desk) == []


@pytest.mark.parametrize("token", [TOKEN[:-1], "x", TOKEN + "x", "é"])
def test_the_address_must_be_exactly_the_configured_one(desk, token):
    assert desk.call_back(BODY, token=token) == 401
    assert inbox(desk) == []


def test_a_repeated_callback_is_counted_and_not_stored_again(desk):
    for _ in range(100):
        assert desk.call_back(BODY) == 200
    row = desk.one(schema.inbox)
    assert row["copies"] == 100


@pytest.mark.parametrize(("size", "status"), [(64 * 1024, 200), (64 * 1024 + 1, 413)])
def test_a_callback_has_a_largest_size(desk, size, status):
    body = BODY[:-1] + b" " * (size - len(BODY)) + b"}"
    assert desk.call_back(body) == status
    assert len(inbox(desk)) == (status == 200)


def test_a_large_callback_without_an_announced_length_is_refused_too(desk):
    chunks = (b" " * 16_384 for _ in range(5))
    answer = desk.client.post(f"/callbacks/digiflazz/{TOKEN}", content=chunks)
    assert answer.status_code == 413
    assert inbox(desk) == []


@pytest.mark.parametrize("provider", ["pulsaku", "digiflazz2", "DIGIFLAZZ", "%2e%2e"])
def test_a_provider_that_is_not_configured_is_refused(desk, provider):
    assert desk.call_back(BODY, provider=provider) in (401, 404)
    assert inbox(desk) == []


def test_a_get_callback_keeps_the_raw_query(desk):
    answer = desk.client.get(f"/callbacks/otomax/{TOKEN}?{SAID}")
    assert answer.status_code == 200
    row = desk.one(schema.inbox)
    assert row["verdict"] == "hint"
    assert b"refid=T1001" in row["body"]


def test_a_get_callback_that_names_nothing_is_refused(desk):
    assert desk.client.get(f"/callbacks/otomax/{TOKEN}").status_code == 401
    assert inbox(desk) == []


def test_a_callback_signed_only_in_its_body_is_a_hint(desk):
    data = {"ref_id": "T1001", "status": "1", "rc": "00", "sign": IakAccount().sign("T1001")}
    body = json.dumps({"data": data}).encode()
    assert desk.call_back(body, provider="iak", x_hub_signature="") == 200
    assert desk.one(schema.inbox)["verdict"] == "hint"


def test_a_ping_is_answered_and_not_stored(desk):
    core = DigiflazzCore(prices={}, journal=Journal(None), opening_balance=0)
    ping = core.ping(builders.T0)
    assert desk.call_back(ping.body) == 200
    assert inbox(desk) == []


def test_a_forged_ping_is_refused(desk):
    assert desk.call_back(b'{"hook":{},"hook_id":"x"}', x_hub_signature="sha1=0") == 401


def test_no_number_and_no_token_reaches_the_log(desk, log):
    desk.client.get(f"/callbacks/otomax/falsch?{SAID}")
    desk.call_back(BODY, x_hub_signature="sha1=0")
    text = json.dumps(log, default=str)
    assert len(log) == 2
    assert builders.NUMBER not in text
    assert TOKEN not in text


def test_a_refusal_says_nothing_about_its_reason(desk):
    answers = [
        desk.client.post(f"/callbacks/digiflazz/{token}", content=BODY, headers={"x-hub-signature": signature})
        for token, signature in ((TOKEN, "sha1=0"), ("falsch", hub_signature("rahasia-demo-callback-0123456789", BODY)))
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, b"")}
