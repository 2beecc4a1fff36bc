import json

import pytest

from rekon.sandbox.dialects.iak import IakAccount
from rekon.sandbox.journal import Journal
from rekon.sandbox.plan import Step
from rekon.sandbox.wire import Fault, Request
from tests.sandbox.provider_calls import (
    NOON,
    NUMBER,
    amounts,
    check_balance,
    check_status,
    fate,
    honest,
    iak,
    later,
    pending,
    said,
    top_up,
)


@pytest.fixture
def journal():
    return Journal(None)


@pytest.fixture
def core(journal):
    return iak(journal)


def told(callback):
    return json.loads(callback.body)["data"]


@pytest.mark.parametrize(
    ("last", "sign"),
    [
        ("bl", "b2df5e236d2d12da8e643b7a59f85ee2"),
        ("pl", "c6eaf30f2340619d26fe52057f5b82d9"),
        ("cs", "f0ad7827f60a29c2b49301db4de07f31"),
        ("REF0001", "2256d04ea34911992557eb5c2d8d9ee6"),
    ],
)
def test_a_request_is_signed_as_published(last, sign):
    assert IakAccount().sign(last) == sign


def test_the_first_answer_is_always_processing(core):
    data = said(core.answer(top_up("T1"), NOON))

    assert data == {
        "ref_id": "T1",
        "status": 0,
        "product_code": "xld25000",
        "customer_id": NUMBER,
        "price": 25_000,
        "message": "PROCESS",
        "balance": 975_000,
        "tr_id": 3481,
        "rc": "39",
        "sn": "",
    }


def test_an_order_nobody_planned_has_succeeded_when_it_is_asked_for(core, journal):
    core.answer(top_up("T1"), NOON)

    data = said(core.answer(check_status("T1"), later(1)))

    assert (data["status"], data["rc"], data["message"]) == (1, "00", "SUCCESS")
    assert data["sn"] == core.order("T1").serial_number != ""
    assert [row["via"] for row in journal.rows("order")] == ["server"]
    assert [row["created_order"] for row in journal.rows("inquiry")] == [False]


def test_even_a_failure_that_formed_an_order_is_processing_first(core):
    core.plan("T1", fate(Step(after=0, state="failed", code="14")))

    first = said(core.answer(top_up("T1"), NOON))
    then = said(core.answer(check_status("T1"), later(1)))

    assert (first["status"], first["rc"]) == (0, "39")
    assert (then["status"], then["rc"], then["sn"]) == (2, "14", "")
    assert amounts(core, "T1") == [-25_000, 25_000]


@pytest.mark.parametrize("code", ["106", "110", "202", "207"])
def test_a_first_answer_that_forms_nothing_is_told_at_once_and_stores_nothing(core, journal, code):
    core.plan("T1", fate(Step(after=0, state="failed", code=code)))

    data = said(core.answer(top_up("T1"), NOON))

    assert (data["status"], data["rc"]) == (2, code)
    assert core.order("T1") is None
    assert core.deposit.lines == ()
    assert [row["code"] for row in journal.rows("refused")] == [code]
    assert said(core.answer(check_status("T1"), later(1)))["rc"] == "06"


def test_a_repeated_top_up_becomes_a_status_check_whatever_else_it_says(core):
    core.plan("T1", fate(pending("39"), Step(after=20, state="success", code="00", serial_number="0123")))
    core.answer(top_up("T1"), NOON)

    data = said(core.answer(top_up("T1", customer_id="081200000001"), later(20)))

    assert (data["status"], data["sn"], data["customer_id"]) == (1, "0123", NUMBER)
    assert amounts(core, "T1") == [-25_000]


def test_a_check_about_an_unknown_reference_finds_nothing_and_never_buys(core, journal):
    data = said(core.answer(check_status("T1"), NOON))

    assert (data["ref_id"], data["rc"], data["message"]) == ("T1", "06", "TRANSACTION NOT FOUND")
    assert core.orders() == ()
    assert [(row["code"], row["created_order"]) for row in journal.rows("inquiry")] == [("06", False)]


def test_a_top_up_over_the_socket_is_a_purchase_of_the_caller(core, journal):
    core.answer(top_up("T1", via="http"), NOON)

    assert [row["via"] for row in journal.rows("order")] == ["http"]
    assert [row["created_order"] for row in journal.rows("inquiry")] == [True]


def test_a_reversal_gives_the_charge_back(core):
    core.plan("T1", fate(Step(after=0, state="success", code="00"), Step(after=60, state="reversed", code="07")))
    core.answer(top_up("T1"), NOON)

    assert said(core.answer(check_status("T1"), later(60)))["status"] == 2
    assert amounts(core, "T1") == [-25_000, 25_000]


@pytest.mark.parametrize("make", [top_up, check_status])
def test_a_wrong_sign_tells_nothing(core, make):
    core.answer(top_up("T1"), NOON)

    data = said(core.answer(make("T1", sign="0" * 32), NOON))

    assert (data["status"], data["rc"]) == (2, "204")


def test_an_unknown_product_and_a_small_deposit_form_nothing():
    core = iak(opening_balance=24_999)

    assert said(core.answer(top_up("T1", product="nope"), NOON))["rc"] == "20"
    assert said(core.answer(top_up("T1"), NOON))["rc"] == "17"
    assert core.orders() == ()


@pytest.mark.parametrize("body", [b"", b"null", b'{"ref_id": 7}'])
@pytest.mark.parametrize("path", ["/api/top-up", "/api/check-status"])
def test_a_body_that_is_not_well_formed_is_a_format_error(core, path, body):
    assert said(core.answer(Request(method="POST", path=path, body=body), NOON))["rc"] == "107"


def test_trouble_of_our_own_answers_every_call_while_it_lasts(core):
    core.answer(top_up("T1"), NOON)
    core.refuse_with = "102"

    answers = [core.answer(asked, NOON) for asked in (top_up("T1"), top_up("T2"), check_status("T1"), check_balance())]

    assert {said(answer)["rc"] for answer in answers} == {"102"}
    assert len(core.orders()) == 1


def test_the_balance_is_told_to_who_signs(core):
    core.answer(top_up("T1"), NOON)

    assert said(core.answer(check_balance(), NOON)) == {"balance": 975_000, "message": "SUCCESS", "rc": "00"}
    assert said(core.answer(check_balance(sign="0" * 32), NOON))["rc"] == "204"


def test_the_faults_of_a_plan_strike_checks(core):
    core.plan("T1", fate(Step(after=0, state="success", code="00"), faults=("error_500",)))
    core.answer(top_up("T1"), NOON)

    first = core.answer(check_status("T1"), later(1))

    assert isinstance(first, Fault)
    assert first.kind == "error_500"
    assert said(core.answer(check_status("T1"), later(60)))["status"] == 1


def test_another_path_is_not_found(core):
    assert honest(core.answer(Request(method="POST", path="/api/pricelist"), NOON)).status == 404
    assert honest(core.answer(Request(method="GET", path="/api/check-status"), NOON)).status == 404


def test_every_reply_carries_the_date_of_business_time(core):
    assert honest(core.answer(check_status("T1"), NOON)).headers["Date"] == "Tue, 10 Mar 2026 05:00:00 GMT"


def test_only_an_end_is_called_back_and_every_value_is_a_string(core):
    core.plan("T1", fate(pending("39"), Step(after=20, state="success", code="00", serial_number="0123")))
    core.answer(top_up("T1"), NOON)

    assert core.advance(later(19)) == []
    (callback,) = core.advance(later(20))

    assert (callback.method, callback.provider, callback.at) == ("POST", "iak", later(20))
    assert told(callback) == {
        "ref_id": "T1",
        "status": "1",
        "product_code": "xld25000",
        "customer_id": NUMBER,
        "price": "25000",
        "message": "SUCCESS",
        "balance": "975000",
        "tr_id": "3481",
        "rc": "00",
        "sn": "0123",
        "sign": IakAccount().sign("T1"),
    }


def test_callbacks_alternate_between_the_old_and_the_new_names(core):
    for ref_id in ("T1", "T2", "T3"):
        core.answer(top_up(ref_id), NOON)

    first, second, third = (told(callback) for callback in core.advance(NOON))

    assert {"product_code", "customer_id"} <= first.keys()
    assert (second["code"], second["hp"]) == ("xld25000", NUMBER)
    assert not {"product_code", "customer_id"} & second.keys()
    assert third.keys() == first.keys()


@pytest.mark.parametrize(("state", "code", "claim"), [("success", "00", "2"), ("failed", "14", "1")])
def test_a_forged_callback_claims_the_opposite_under_a_bad_sign(core, state, code, claim):
    core.plan("T1", fate(Step(after=0, state=state, code=code, callback="forged")))
    core.answer(top_up("T1"), NOON)

    true, forged = (told(callback) for callback in core.advance(NOON))

    assert true["sign"] == IakAccount().sign("T1") != forged["sign"]
    assert (forged["ref_id"], forged["status"]) == ("T1", claim)


def test_an_unsigned_callback_lacks_the_sign(core):
    core.plan("T1", fate(Step(after=0, state="success", code="00", callback="lost,unsigned")))
    core.answer(top_up("T1"), NOON)

    (callback,) = core.advance(NOON)

    assert "sign" not in told(callback)


def test_an_account_does_not_show_its_secrets():
    account = IakAccount()

    assert account.api_key not in repr(account)
    assert account.username not in repr(account)
