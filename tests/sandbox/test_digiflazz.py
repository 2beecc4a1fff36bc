import hashlib
import hmac
import json
import pickle
from datetime import timedelta

import pytest

from rekon.sandbox.dialects.digiflazz import DigiflazzAccount, hub_signature
from rekon.sandbox.journal import Journal
from rekon.sandbox.plan import Step
from rekon.sandbox.wire import Fault, Request
from tests.sandbox.provider_calls import (
    NOON,
    NUMBER,
    amounts,
    deposit_query,
    digiflazz,
    fate,
    honest,
    later,
    pending,
    said,
    transaction,
)

SECRET = DigiflazzAccount().webhook_secret


@pytest.fixture
def journal():
    return Journal(None)


@pytest.fixture
def core(journal):
    return digiflazz(journal)


def signed(callback):
    digest = hmac.new(SECRET.encode(), callback.body, hashlib.sha1).hexdigest()
    return callback.headers.get("X-Hub-Signature") == f"sha1={digest}"


def event(callback):
    return callback.headers["X-Digiflazz-Event"]


# Signing


@pytest.mark.parametrize(
    ("last", "sign"),
    [
        ("depo", "1894fee2193ca5365a1d6b2149e14574"),
        ("pricelist", "eafb5b67a9f5c83df53928a1eeb91743"),
        ("deposit", "2d80c06bc1db8c48b8b688c9126d9b57"),
        ("REF0001", "005457f805dc5231352c0f512e198cdf"),
        ("12345678901", "73b42611e0d5fd6dfcd1bca566b33531"),
    ],
)
def test_a_request_is_signed_as_published(last, sign):
    assert DigiflazzAccount().sign(last) == sign


def test_a_webhook_body_is_signed_as_published():
    body = b'{"data":{"ref_id":"REF0001","status":"Sukses","rc":"00"}}'

    assert hub_signature("rahasia", body) == "sha1=83ece9082a55e92cd3bc7f50081b2d9924804dbb"


def test_an_account_does_not_show_its_secrets():
    account = DigiflazzAccount()

    assert account.api_key not in repr(account)
    assert account.webhook_secret not in repr(account)


# Buying


def test_an_unknown_reference_is_a_new_order_that_succeeds_at_once_and_is_charged(core, journal):
    answer = core.answer(transaction("T1"), NOON)

    data = said(answer)
    assert (data["status"], data["rc"], data["message"]) == ("Sukses", "00", "Transaksi Sukses")
    assert (data["ref_id"], data["customer_no"], data["buyer_sku_code"]) == ("T1", NUMBER, "xld10")
    assert (data["price"], data["buyer_last_saldo"]) == (10_000, 990_000)
    assert len(data["sn"]) == 16
    assert data["sn"] == core.order("T1").serial_number
    assert {"tele", "wa"} <= data.keys()
    (row,) = journal.rows("order")
    assert {key: row[key] for key in ("provider", "ref_id", "product", "destination", "price", "via", "at")} == {
        "provider": "digiflazz",
        "ref_id": "T1",
        "product": "xld10",
        "destination": NUMBER,
        "price": 10_000,
        "via": "server",
        "at": NOON.isoformat(),
    }
    assert [row["amount"] for row in journal.rows("charge")] == [-10_000]
    assert journal.rows("inquiry") == []


def test_every_reply_carries_the_date_of_business_time(core):
    assert honest(core.answer(transaction("T1"), NOON)).headers["Date"] == "Tue, 10 Mar 2026 05:00:00 GMT"
    assert honest(core.answer(deposit_query(), later(61))).headers["Date"] == "Tue, 10 Mar 2026 05:01:01 GMT"


def test_two_orders_never_share_a_serial_number(core):
    first, second = (said(core.answer(transaction(ref), NOON))["sn"] for ref in ("T1", "T2"))

    assert first != second


def test_a_planned_order_goes_through_its_steps_in_time(core, journal):
    core.plan("T1", fate(pending("03"), Step(after=60, state="success", code="00", serial_number="0123")))

    first = said(core.answer(transaction("T1"), NOON))
    before = said(core.answer(transaction("T1"), later(59)))
    after = said(core.answer(transaction("T1"), later(60)))

    assert (first["status"], first["rc"], first["sn"]) == ("Pending", "03", "")
    assert (before["status"], after["status"], after["sn"]) == ("Pending", "Sukses", "0123")
    assert [(row["state"], row["code"], row["at"]) for row in journal.rows("state")] == [
        ("pending", "03", NOON.isoformat()),
        ("success", "00", later(60).isoformat()),
    ]
    assert [at for at, _, _ in core.order("T1").history] == [NOON, later(60)]


def test_ninety_nine_is_pending(core):
    core.plan("T1", fate(pending("99")))

    data = said(core.answer(transaction("T1"), NOON))

    assert (data["status"], data["rc"], data["message"]) == ("Pending", "99", "DF Router Issue")


def test_a_planned_success_without_a_serial_number_shows_none(core):
    core.plan("T1", fate(Step(after=0, state="success", code="00")))

    assert said(core.answer(transaction("T1"), NOON))["sn"] == ""


def test_the_step_may_word_its_own_message(core):
    core.plan("T1", fate(Step(after=0, state="failed", code="54", text="Nomor salah, cek lagi")))
    core.plan("T2", fate(Step(after=0, state="failed", code="68", text="Stok habis, coba besok")))

    assert said(core.answer(transaction("T1"), NOON))["message"] == "Nomor salah, cek lagi"
    assert said(core.answer(transaction("T2"), NOON))["message"] == "Stok habis, coba besok"


def test_a_code_of_no_table_is_formed_and_has_no_words(core):
    core.plan("T1", fate(Step(after=0, state="failed", code="93")))

    data = said(core.answer(transaction("T1"), NOON))

    assert (data["rc"], data["message"]) == ("93", "")
    assert core.order("T1").state == "failed"


def test_a_planned_price_is_what_is_charged(core):
    core.plan("T1", fate(Step(after=0, state="success", code="00"), price=10_250))

    assert said(core.answer(transaction("T1"), NOON))["price"] == 10_250
    assert amounts(core, "T1") == [-10_250]


def test_a_price_that_changed_after_the_list_was_read_is_what_is_charged(core):
    core.prices["xld10"] = 10_500

    assert said(core.answer(transaction("T1"), NOON))["price"] == 10_500


# Charging and giving back


def test_a_formed_failure_is_charged_and_given_back(core):
    core.plan("T1", fate(pending("03"), Step(after=60, state="failed", code="02")))

    core.answer(transaction("T1"), NOON)
    core.advance(later(60))

    assert amounts(core, "T1") == [-10_000, 10_000]
    assert [line.posted_at for line in core.deposit.lines] == [NOON, later(60)]
    assert core.deposit.balance == 1_000_000


def test_a_failure_may_keep_the_charge_and_return_it_later(core):
    core.plan(
        "T1",
        fate(
            pending("03"),
            Step(after=60, state="failed", code="02", returns_charge=False),
            Step(after=3600, state="failed", code="02", returns_charge=True),
        ),
    )

    core.answer(transaction("T1"), NOON)
    core.advance(later(3599))
    kept = amounts(core, "T1")
    core.advance(later(3600))

    assert kept == [-10_000]
    assert amounts(core, "T1") == [-10_000, 10_000]


def test_a_success_taken_back_reads_failed_seventy_four_and_credits_the_deposit(core):
    core.plan(
        "T1",
        fate(
            Step(after=0, state="success", code="00", serial_number="0123"), Step(after=60, state="reversed", code="74")
        ),
    )

    core.answer(transaction("T1"), NOON)
    data = said(core.answer(transaction("T1"), later(60)))

    assert (data["status"], data["rc"], data["message"]) == ("Gagal", "74", "Transaksi Refund")
    assert amounts(core, "T1") == [-10_000, 10_000]
    assert core.order("T1").state == core.order("T1").final_state == "reversed"


def test_a_late_success_is_charged_again(core):
    core.plan(
        "T1",
        fate(
            pending("03"),
            Step(after=60, state="failed", code="02"),
            Step(after=900, state="success", code="00", serial_number="0123"),
        ),
    )

    core.answer(transaction("T1"), NOON)
    core.advance(later(900))

    assert amounts(core, "T1") == [-10_000, 10_000, -10_000]


def test_a_success_whose_charge_is_returned_stays_a_success(core):
    core.plan("T1", fate(Step(after=0, state="success", code="00", returns_charge=True)))

    assert said(core.answer(transaction("T1"), NOON))["status"] == "Sukses"
    assert amounts(core, "T1") == [-10_000, 10_000]


def test_a_double_debit_takes_the_price_twice_for_one_reference(core):
    core.plan("T1", fate(Step(after=0, state="success", code="00"), charges=2))

    core.answer(transaction("T1"), NOON)

    assert amounts(core, "T1") == [-10_000, -10_000]
    assert len(core.orders()) == 1


def test_a_failure_returns_every_charge(core):
    core.plan("T1", fate(pending("03"), Step(after=60, state="failed", code="02"), charges=2))

    core.answer(transaction("T1"), NOON)
    core.advance(later(60))

    assert amounts(core, "T1") == [-10_000, -10_000, 10_000, 10_000]


# Asking


def test_a_repeated_request_tells_the_state_and_charges_nothing(core, journal):
    core.answer(transaction("T1"), NOON)

    told = said(core.answer(transaction("T1", via="http"), later(90)))

    assert told["status"] == "Sukses"
    assert amounts(core, "T1") == [-10_000]
    (row,) = journal.rows("inquiry")
    assert (row["ref_id"], row["via"], row["code"], row["created_order"]) == ("T1", "http", "00", False)


def test_a_question_about_an_unknown_reference_buys_and_the_journal_knows_who_did_it(core, journal):
    core.answer(transaction("T1", via="http"), NOON)

    assert [row["via"] for row in journal.rows("order")] == ["http"]
    assert [row["created_order"] for row in journal.rows("inquiry")] == [True]


@pytest.mark.parametrize("other", [{"sku": "s5"}, {"number": "081200000001"}])
def test_a_known_reference_with_other_data_is_not_unique(core, other):
    core.answer(transaction("T1"), NOON)

    data = said(core.answer(transaction("T1", **other), later(90)))

    assert (data["status"], data["rc"], data["message"]) == ("Gagal", "49", "Ref ID Tidak Unik")
    assert len(core.orders()) == 1


@pytest.mark.parametrize(("age", "orders"), [(timedelta(days=90), 1), (timedelta(days=90, seconds=1), 2)])
def test_a_reference_older_than_ninety_days_is_forgotten_and_buys_again(core, age, orders):
    core.answer(transaction("T1"), NOON)

    core.answer(transaction("T1", via="http"), NOON + age)

    assert len(core.orders()) == orders
    assert amounts(core, "T1") == [-10_000] * orders


def test_a_quick_repeat_buys_again_only_where_that_risk_is_turned_on(core):
    core.answer(transaction("T1"), NOON)
    core.answer(transaction("T1"), later(30))
    assert len(core.orders()) == 1

    core.second_purchase_seconds = 60
    core.answer(transaction("T1"), later(89))
    assert len(core.orders()) == 2

    core.answer(transaction("T1"), later(149))
    assert len(core.orders()) == 2


def test_the_faults_of_a_plan_strike_the_first_inquiries_in_order(core, journal):
    core.plan("T1", fate(Step(after=0, state="success", code="00"), faults=("timeout", "", "html")))
    core.answer(transaction("T1"), NOON)

    answers = [core.answer(transaction("T1", via="http"), later(90 * n)) for n in range(1, 5)]

    assert [answer.kind if isinstance(answer, Fault) else "" for answer in answers] == ["timeout", "", "html", ""]
    assert json.loads(answers[0].reply.body)["data"]["status"] == "Sukses"
    assert [row["fault"] for row in journal.rows("inquiry")] == ["timeout", "", "html", ""]


def test_the_servers_own_repeat_meets_no_fault(core):
    core.plan("T1", fate(Step(after=0, state="success", code="00"), faults=("timeout",)))
    core.answer(transaction("T1"), NOON)

    assert said(core.answer(transaction("T1", via="server"), later(90)))["status"] == "Sukses"
    assert isinstance(core.answer(transaction("T1", via="http"), later(180)), Fault)


# Refusing


@pytest.mark.parametrize("code", ["61", "62", "66", "67", "68", "80", "81", "82", "88"])
def test_a_first_answer_that_forms_nothing_stores_and_charges_nothing(core, journal, code):
    core.plan("T1", fate(Step(after=0, state="failed", code=code)))

    data = said(core.answer(transaction("T1"), NOON))

    assert (data["status"], data["rc"]) == ("Gagal", code)
    assert data["message"]
    assert core.order("T1") is None
    assert core.deposit.lines == ()
    assert [(row["ref_id"], row["code"]) for row in journal.rows("refused")] == [("T1", code)]


def test_asking_after_a_refused_purchase_buys(core):
    core.plan("T1", fate(Step(after=0, state="failed", code="68")))
    core.answer(transaction("T1"), NOON)

    assert said(core.answer(transaction("T1", via="http"), later(90)))["status"] == "Sukses"
    assert core.order("T1").via == "http"


def test_a_failure_of_a_formed_order_can_be_asked_for_again(core):
    core.plan("T1", fate(Step(after=0, state="failed", code="54")))
    core.answer(transaction("T1"), NOON)

    assert said(core.answer(transaction("T1", via="http"), later(90)))["rc"] == "54"
    assert len(core.orders()) == 1


@pytest.mark.parametrize(("limit", "rc"), [(9_999, "69"), (1, "69"), (10_000, "00"), (20_000, "00")])
def test_a_price_above_the_buyers_limit_forms_nothing(core, limit, rc):
    assert said(core.answer(transaction("T1", max_price=limit), NOON))["rc"] == rc
    assert len(core.orders()) == (rc == "00")


def test_a_limit_does_not_disturb_the_state_of_a_known_order(core):
    core.answer(transaction("T1"), NOON)

    assert said(core.answer(transaction("T1", max_price=1), later(90)))["rc"] == "00"


def test_a_deposit_too_small_forms_nothing():
    core = digiflazz(opening_balance=9_999)

    assert said(core.answer(transaction("T1"), NOON))["rc"] == "44"
    assert core.order("T1") is None


def test_an_unknown_product_forms_nothing(core):
    assert said(core.answer(transaction("T1", sku="nope"), NOON))["rc"] == "43"


def test_a_wrong_sign_tells_nothing_about_the_order(core):
    core.answer(transaction("T1"), NOON)

    data = said(core.answer(transaction("T1", via="http", sign="0" * 32), later(90)))

    assert (data["status"], data["rc"], data["sn"]) == ("Gagal", "41", "")
    assert len(core.orders()) == 1


def test_a_strange_user_is_refused(core):
    assert said(core.answer(transaction("T1", username="lain"), NOON))["rc"] == "42"


@pytest.mark.parametrize(
    "fields", [{"sign": ""}, {"customer_no": 81234567890}, {"buyer_sku_code": None}, {"max_price": "murah"}]
)
def test_a_payload_that_is_not_well_formed_is_refused(core, fields):
    assert said(core.answer(transaction("T1", **fields), NOON))["rc"] == "40"
    assert core.orders() == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(core, body):
    answer = core.answer(Request(method="POST", path="/v1/transaction", body=body), NOON)

    assert said(answer)["rc"] == "40"


@pytest.mark.parametrize("code", ["41", "44", "45"])
def test_trouble_of_our_own_answers_every_call_while_it_lasts(core, code):
    core.answer(transaction("T1"), NOON)
    core.refuse_with = code

    assert said(core.answer(transaction("T1", via="http"), later(90)))["rc"] == code
    assert said(core.answer(transaction("T2"), later(90)))["rc"] == code
    assert said(core.answer(deposit_query(), later(90)))["rc"] == code

    core.refuse_with = ""
    assert said(core.answer(transaction("T1", via="http"), later(180)))["rc"] == "00"
    assert len(core.orders()) == 1


def test_the_limiter_refuses_a_question_and_forms_a_failed_purchase(core):
    core.answer(transaction("T1"), NOON)
    core.calls_per_minute = 1

    asked = said(core.answer(transaction("T1", via="http"), later(10)))
    bought = said(core.answer(transaction("T2"), later(20)))

    assert (asked["rc"], bought["rc"]) == ("85", "85")
    assert core.order("T1").state == "success"
    assert core.order("T2").state == "failed"
    assert amounts(core, "T2") == [-10_000, 10_000]
    assert said(core.answer(transaction("T1", via="http"), later(90)))["rc"] == "00"


def test_another_path_is_not_found(core):
    assert honest(core.answer(Request(method="POST", path="/v1/price-list"), NOON)).status == 404
    assert honest(core.answer(Request(method="GET", path="/v1/transaction"), NOON)).status == 404


# Balance


def test_the_balance_is_told_to_who_signs(core):
    core.answer(transaction("T1"), NOON)

    assert said(core.answer(deposit_query(), NOON)) == {"deposit": 990_000}
    assert said(core.answer(deposit_query(sign="0" * 32), NOON))["rc"] == "41"


# Webhooks


def test_each_change_is_called_back_with_a_signed_body(core):
    core.plan("T1", fate(pending("03"), Step(after=60, state="success", code="00", serial_number="0123")))
    core.answer(transaction("T1"), NOON)

    (created,) = core.advance(NOON)
    (updated,) = core.advance(later(60))

    assert (event(created), event(updated)) == ("create", "update")
    assert [json.loads(callback.body)["data"]["status"] for callback in (created, updated)] == ["Pending", "Sukses"]
    assert json.loads(updated.body)["data"]["sn"] == "0123"
    assert signed(created)
    assert signed(updated)
    assert (updated.provider, updated.method, updated.at) == ("digiflazz", "POST", later(60))
    assert updated.headers["User-Agent"] == "Digiflazz-Hookshot"
    assert created.headers["X-Digiflazz-Delivery"] != updated.headers["X-Digiflazz-Delivery"]


def test_a_callback_is_handed_out_once(core):
    core.answer(transaction("T1"), NOON)

    assert len(core.advance(NOON)) == 1
    assert core.advance(later(60)) == []


def test_a_lost_callback_never_comes(core, journal):
    core.plan("T1", fate(Step(after=0, state="success", code="00", callback="lost")))
    core.answer(transaction("T1"), NOON)

    assert core.advance(later(10**6)) == []
    assert journal.rows("callback") == []


def test_a_late_callback_tells_the_state_of_its_own_time(core):
    core.plan(
        "T1", fate(pending("03", callback="late:300"), Step(after=60, state="success", code="00", serial_number="0123"))
    )
    core.answer(transaction("T1"), NOON)

    (updated,) = core.advance(later(299))
    (created,) = core.advance(later(300))

    assert (event(updated), event(created)) == ("update", "create")
    assert json.loads(created.body)["data"]["status"] == "Pending"


@pytest.mark.parametrize(("words", "count"), [("twice", 2), ("times:100", 100), ("late:60,twice", 2)])
def test_a_repeated_callback_is_the_same_delivery(core, words, count):
    core.plan("T1", fate(Step(after=0, state="success", code="00", callback=words)))
    core.answer(transaction("T1"), NOON)

    callbacks = core.advance(later(1000))

    assert len(callbacks) == count
    assert len({(callback.body, callback.headers["X-Digiflazz-Delivery"]) for callback in callbacks}) == 1


@pytest.mark.parametrize(("state", "code", "claim"), [("success", "00", "Gagal"), ("failed", "02", "Sukses")])
def test_a_forged_callback_claims_the_opposite_under_a_bad_signature(core, journal, state, code, claim):
    core.plan("T1", fate(Step(after=0, state=state, code=code, callback="forged")))
    core.answer(transaction("T1"), NOON)

    true, forged = core.advance(NOON)

    assert signed(true)
    assert not signed(forged)
    assert forged.headers["X-Hub-Signature"].startswith("sha1=")
    assert json.loads(forged.body)["data"]["status"] == claim
    assert [row["genuine"] for row in journal.rows("callback")] == [True, False]


def test_an_unsigned_callback_lacks_the_header(core):
    core.plan("T1", fate(Step(after=0, state="success", code="00", callback="lost,unsigned")))
    core.answer(transaction("T1"), NOON)

    (callback,) = core.advance(NOON)

    assert "X-Hub-Signature" not in callback.headers
    assert json.loads(callback.body)["data"]["status"] == "Sukses"


def test_a_ping_is_signed_and_no_transaction(core):
    ping = core.ping(NOON)

    assert signed(ping)
    assert set(json.loads(ping.body)) == {"sed", "hook_id", "hook"}


# Time


def test_the_next_event_is_the_earliest_change_or_callback(core):
    assert core.next_event_at() is None
    core.plan("T1", fate(pending("03", callback="late:20"), Step(after=60, state="success", code="00")))
    core.answer(transaction("T1"), NOON)

    assert core.next_event_at() == later(20)
    core.advance(later(20))
    assert core.next_event_at() == later(60)
    core.advance(later(60))
    assert core.next_event_at() is None


def test_changes_of_several_orders_are_played_in_the_order_of_their_time(core, journal):
    core.plan("T1", fate(pending("03"), Step(after=90, state="success", code="00")))
    core.plan("T2", fate(pending("03"), Step(after=30, state="failed", code="02")))
    core.answer(transaction("T1"), NOON)
    core.answer(transaction("T2"), later(10))

    core.advance(later(500))

    played = [(row["ref_id"], row["at"]) for row in journal.rows("state")]
    assert played[2:] == [("T2", later(40).isoformat()), ("T1", later(90).isoformat())]


def test_more_steps_can_be_added_to_an_order(core):
    core.plan("T1", fate(Step(after=0, state="failed", code="02", returns_charge=False)))
    core.answer(transaction("T1"), NOON)

    core.extend("T1", Step(after=600, state="failed", code="02", returns_charge=True))
    core.advance(later(600))

    assert amounts(core, "T1") == [-10_000, 10_000]


def test_no_step_can_be_added_before_one_already_planned(core):
    core.plan("T1", fate(pending("03"), Step(after=60, state="success", code="00")))
    core.answer(transaction("T1"), NOON)

    with pytest.raises(ValueError, match="go forward"):
        core.extend("T1", Step(after=30, state="failed", code="02"))

    core.advance(later(60))
    assert core.order("T1").state == "success"


@pytest.mark.parametrize(
    "plan",
    [
        fate(),
        fate(Step(after=5, state="pending", code="03")),
        fate(pending("03"), Step(after=60, state="failed", code="02"), Step(after=30, state="success", code="00")),
        fate(Step(after=0, state="maybe", code="00")),
        fate(Step(after=0, state="success", code="00", callback="somewhen")),
        fate(Step(after=0, state="success", code="00", callback="late:soon")),
        fate(Step(after=0, state="success", code="00"), faults=("flood",)),
        fate(Step(after=0, state="success", code="00"), charges=-1),
    ],
)
def test_a_plan_that_cannot_be_played_is_refused(core, plan):
    with pytest.raises(ValueError, match=r"plan|callback|convert"):
        core.plan("T1", plan)


def test_a_snapshot_brings_back_orders_plans_deposit_and_callbacks(core):
    core.plan("T1", fate(pending("03"), Step(after=60, state="success", code="00", serial_number="0123")))
    core.plan("T2", fate(Step(after=0, state="failed", code="54")))
    core.answer(transaction("T1"), NOON)
    kept = pickle.loads(pickle.dumps(core.snapshot()))  # noqa: S301 - the test's own bytes

    core.answer(transaction("T2"), later(30))
    core.advance(later(60))
    other = digiflazz()
    other.restore(kept)

    assert other.deposit.balance == 990_000
    assert other.order("T2") is None
    assert [event(callback) for callback in other.advance(later(60))] == ["create", "update"]
    assert other.order("T1").serial_number == "0123"
    assert said(other.answer(transaction("T2"), later(61)))["rc"] == "54"
    assert said(other.answer(transaction("T3"), later(62)))["buyer_last_saldo"] == 980_000
