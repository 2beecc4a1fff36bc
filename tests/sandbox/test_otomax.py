import re
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from rekon.sandbox.dialects.otomax import OtomaxAccount
from rekon.sandbox.dialects.otomax_texts import OtomaxTexts
from rekon.sandbox.journal import Journal
from rekon.sandbox.plan import Step
from rekon.sandbox.wire import Fault, Request
from tests.sandbox.provider_calls import (
    NOON,
    NUMBER,
    amounts,
    check,
    fate,
    honest,
    later,
    otomax,
    pending,
    text,
    trx,
)

WHAT = f"S5.{NUMBER}"


@pytest.fixture
def journal():
    return Journal(None)


@pytest.fixture
def core(journal):
    return otomax(journal)


def balance(**fields):
    account = OtomaxAccount()
    asked = {"memberID": account.member_id, "sign": account.balance_signs()[0]}
    return Request(method="GET", path="/balance", query=asked | fields)


def failed(code, **fields):
    return Step(after=0, state="failed", code=code, **fields)


def success(after=0, **fields):
    return Step(after=after, state="success", code="20", **{"serial_number": "0123"} | fields)


def report(callback):
    return {name: value for name, (value,) in parse_qs(callback.query, keep_blank_values=True).items()}


# Signing


def test_a_request_is_signed_as_published():
    account = OtomaxAccount(member_id="YUSUF", pin="1144", password="abcd")

    assert account.sign(product="X10", destination="08123456789", ref_id="2140669") == "Cp9NLVuKWBt5Sey_uMlYsvnKvJI"


def test_the_demo_account_signs_as_computed_and_in_upper_case():
    account = OtomaxAccount(member_id="rk0001")

    assert account.sign(product="s5", destination=NUMBER, ref_id="REF0001") == "O3ZnOjszaixhQYkeLHrJgBG8h3g"


def test_a_balance_request_is_signed_in_both_known_ways():
    account = OtomaxAccount(member_id="YUSUF", pin="1144", password="abcd")

    assert account.balance_signs() == ("YFuaekLx4HR_wei0nLRzxjqll0Q", "0TSEdki80ZbI0JPR5Kxd8S1hlRw")


def test_an_account_does_not_show_its_secrets():
    account = OtomaxAccount(pin="8642")

    assert "8642" not in repr(account)
    assert account.password not in repr(account)


# Buying


def test_a_purchase_nobody_planned_succeeds_at_once(core):
    answer = text(core.answer(trx("T1"), NOON))

    sn = core.order("T1").serial_number
    assert answer == (
        f"#17126001 R#T1 {WHAT} SUKSES. SN : {sn}. Saldo Rp.1.000.000 - 5.750 = Rp.994.250 ."
        " @10/03 12.00.00 Transaction Success."
    )


def test_a_purchase_on_its_way_is_accepted(core):
    core.plan("T1", fate(pending("1")))

    answer = text(core.answer(trx("T1"), NOON))

    assert answer == f"#17126001 R#T1 {WHAT} akan diproses @12.00. Saldo 1.000.000 - 5.750 = 994.250"


def test_a_failure_is_told_with_the_money_given_back(core):
    core.plan("T1", fate(failed("40")))

    answer = text(core.answer(trx("T1"), NOON))

    assert answer == (
        f"#17126001 R#T1 {WHAT} GAGAL. Transaction Failed. Saldo Rp. 994.250 + 5.750 = Rp. 1.000.000 @12.00"
    )
    assert amounts(core, "T1") == [-5_750, 5_750]


def test_a_failure_that_keeps_the_money_shows_one_balance(core):
    core.plan("T1", fate(failed("40", returns_charge=False)))

    assert text(core.answer(trx("T1"), NOON)).endswith("GAGAL. Transaction Failed. Saldo 994.250 @12.00")


def test_a_time_out_names_no_reference(core):
    core.plan("T1", fate(failed("55")))

    answer = text(core.answer(trx("T1"), NOON))

    assert answer == f"#17126001 R# {WHAT} GAGAL Timeout. Saldo 1.000.000 @12.00"
    assert text(core.answer(check("T1"), later(60))) == answer.replace("12.00", "12.01")


def test_a_late_success_after_a_time_out_is_charged_again(core):
    core.plan("T1", fate(failed("55"), success(after=600)))
    core.answer(trx("T1"), NOON)

    assert "status Sukses. SN/Ref: 0123." in text(core.answer(check("T1"), later(600)))
    assert amounts(core, "T1") == [-5_750, 5_750, -5_750]


def test_empty_stock_is_told_without_any_number_of_the_order(core, journal):
    core.plan("T1", fate(failed("45")))

    answer = text(core.answer(trx("T1"), NOON))

    assert answer == f"{WHAT} GAGAL. Stok sedang kosong/ditutup. Saldo 1.000.000 @12.00"
    assert core.order("T1") is None
    assert [row["code"] for row in journal.rows("refused")] == ["45"]


@pytest.mark.parametrize(("code", "reason"), [("47", "Produk sedang gangguan."), ("49", "PIN salah.")])
def test_a_purchase_that_forms_nothing_has_no_number_of_the_centre(core, code, reason):
    core.plan("T1", fate(failed(code)))

    assert text(core.answer(trx("T1"), NOON)) == f"R#T1 {WHAT} GAGAL. {reason} Saldo 1.000.000 @12.00"
    assert core.deposit.lines == ()


def test_a_deposit_too_small_is_told_with_price_and_balance():
    core = otomax(opening_balance=1_793)

    answer = text(core.answer(trx("T1"), NOON))

    assert answer == (f"R#T1 {WHAT} GAGAL. Saldo tidak cukup. Hrg 5.750, Saldo 1.793 Limit 0, proses 0. @12.00")
    assert core.order("T1") is None


def test_an_unknown_product_forms_nothing(core):
    assert text(core.answer(trx("T1", product="NOPE"), NOON)).startswith(f"R#T1 NOPE.{NUMBER} GAGAL. Produk salah.")
    assert core.orders() == ()


def test_a_product_code_may_come_in_either_case(core):
    core.answer(trx("T1", product="s5"), NOON)

    assert core.order("T1").product == "S5"


# Repeating


def test_the_same_reference_again_is_not_bought(core):
    core.plan("T1", fate(success()))
    core.answer(trx("T1"), NOON)

    answer = text(core.answer(trx("T1"), later(60)))

    assert answer == f"#17126001 R#T1 {WHAT} sdh pernah jam 12.00, status Sukses. SN/Ref: 0123. Saldo 994.250"
    assert amounts(core, "T1") == [-5_750]


def test_the_same_product_and_number_under_another_reference_is_not_bought_the_same_day(core, journal):
    core.plan("T1", fate(pending("1")))
    core.answer(trx("T1"), NOON)

    answer = text(core.answer(trx("T2"), later(60)))

    assert answer == (
        f"#17126001 R#T2 {WHAT} sdh pernah jam 12.00, status Menunggu Jawaban. SN/Ref: ."
        f" Trx ke-2/hr: S5.2.{NUMBER}.pin. Saldo 994.250"
    )
    assert len(core.orders()) == 1
    assert [row["ref_id"] for row in journal.rows("inquiry")] == ["T2"]


def test_a_failed_order_of_the_day_is_told_as_failed(core):
    core.plan("T1", fate(failed("52")))
    core.answer(trx("T1"), NOON)

    assert "sdh pernah jam 12.00, status Gagal. Nomor tujuan salah." in text(core.answer(trx("T1"), later(60)))


@pytest.mark.parametrize("other", [{"product": "S10"}, {"number": "081200000001"}, {"counter": "2"}])
def test_another_product_number_or_counter_is_a_new_purchase(core, other):
    core.answer(trx("T1"), NOON)

    core.answer(trx("T2", **other), later(60))

    assert len(core.orders()) == 2


def test_the_next_day_in_wib_is_a_new_purchase(core):
    evening = NOON.replace(hour=16, minute=59)
    core.answer(trx("T1"), evening)

    core.answer(trx("T1"), evening + timedelta(seconds=30))
    assert len(core.orders()) == 1

    core.answer(trx("T1"), evening + timedelta(minutes=1))
    assert len(core.orders()) == 2


def test_a_purchase_over_the_socket_is_one_of_the_caller(core, journal):
    core.answer(trx("T1", via="http"), NOON)

    assert [row["via"] for row in journal.rows("order")] == ["http"]
    assert [row["created_order"] for row in journal.rows("inquiry")] == [True]


# Asking


def test_a_check_tells_the_order_with_its_price_and_buys_nothing(core, journal):
    core.plan("T1", fate(success()))
    core.answer(trx("T1"), NOON)

    answer = text(core.answer(check("T1"), later(60)))

    assert answer == (
        f"#17126001 R#T1 {WHAT} sdh pernah jam 12.00, status Sukses. SN/Ref: 0123. Hrg 5.750. Saldo 994.250"
    )
    assert [(row["via"], row["created_order"]) for row in journal.rows("inquiry")] == [("http", False)]


def test_a_check_about_a_waiting_order_says_so(core):
    core.plan("T1", fate(pending("2")))
    core.answer(trx("T1"), NOON)

    assert "status Menunggu Jawaban. SN/Ref: . Saldo" in text(core.answer(check("T1"), later(60)))


def test_a_check_about_a_failed_order_gives_the_reason(core):
    core.plan("T1", fate(failed("52")))
    core.answer(trx("T1"), NOON)

    answer = text(core.answer(check("T1"), later(60)))

    assert answer.endswith("sdh pernah jam 12.00, status Gagal. Nomor tujuan salah. Saldo 1.000.000")


def test_the_words_of_a_step_end_as_a_sentence(core):
    core.plan("T1", fate(failed("40", text="Nomor hangus")))

    assert "GAGAL. Nomor hangus. Saldo" in text(core.answer(trx("T1"), NOON))


def test_a_purchase_without_reference_or_number_is_a_format_error(core):
    assert "GAGAL. Format salah." in text(core.answer(trx(""), NOON))
    assert "GAGAL. Format salah." in text(core.answer(trx("T1", number=""), NOON))
    assert core.orders() == ()


def test_a_success_taken_back_is_told_as_failed_and_returned(core):
    core.plan("T1", fate(success(), Step(after=60, state="reversed", code="40")))
    core.answer(trx("T1"), NOON)

    assert "status Gagal" in text(core.answer(check("T1"), later(60)))
    assert amounts(core, "T1") == [-5_750, 5_750]


def test_a_check_about_nothing_names_number_and_day_and_never_buys(core, journal):
    answer = text(core.answer(check("T1"), NOON.replace(hour=17)))

    assert answer == f"TIDAK ADA transaksi Tujuan {NUMBER} pada tgl 11/03/2026. Tidak ada data."
    assert core.orders() == ()
    assert [row["created_order"] for row in journal.rows("inquiry")] == [False]


def test_a_check_about_an_order_of_yesterday_finds_nothing_unless_told_to_look_back(core):
    core.answer(trx("T1"), NOON)
    tomorrow = NOON + timedelta(days=1)

    assert text(core.answer(check("T1"), tomorrow)).startswith("TIDAK ADA transaksi")

    core.look_back_days = 1
    assert "status Sukses" in text(core.answer(check("T1"), tomorrow))


@pytest.mark.parametrize("other", [{"product": "S10"}, {"number": "081200000001"}])
def test_a_check_needs_reference_product_and_number_together(core, other):
    core.answer(trx("T1"), NOON)

    assert text(core.answer(check("T1", **other), later(60))).startswith("TIDAK ADA transaksi")


def test_the_faults_of_a_plan_strike_checks(core):
    core.plan("T1", fate(success(), faults=("reset",)))
    core.answer(trx("T1"), NOON)

    first = core.answer(check("T1"), later(60))

    assert isinstance(first, Fault)
    assert first.kind == "reset"
    assert "status Sukses" in text(core.answer(check("T1"), later(120)))


# At the door


def test_pin_and_password_open_the_door_too(core):
    asked = dict(trx("T1").query)
    del asked["sign"]

    assert "SUKSES" in text(
        core.answer(Request(method="GET", path="/trx", query=asked | {"pin": "1234", "password": "rahasia"}), NOON)
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"sign": "salah"}, "Sign salah."), ({"memberID": "XX0001"}, "Member tidak terdaftar.")],
)
def test_a_stranger_is_turned_away_and_nothing_is_bought(core, journal, fields, reason):
    assert text(core.answer(trx("T1", **fields), NOON)) == f"{reason} Akses ditolak @12.00"
    assert core.orders() == ()
    assert [row["code"] for row in journal.rows("refused")] == [reason]


def test_a_wrong_pin_is_turned_away(core):
    asked = dict(trx("T1").query) | {"pin": "9999", "password": "rahasia"}
    del asked["sign"]

    assert text(core.answer(Request(method="GET", path="/trx", query=asked), NOON)).startswith("PIN salah.")


def test_a_sign_for_one_number_does_not_serve_another(core):
    asked = dict(trx("T1").query) | {"dest": "081200000001"}

    assert text(core.answer(Request(method="GET", path="/trx", query=asked), NOON)).startswith("Sign salah.")


def test_trouble_of_our_own_answers_every_call_while_it_lasts(core):
    core.answer(trx("T1"), NOON)
    core.refuse_with = "49"

    answers = {text(core.answer(asked, NOON)) for asked in (check("T1"), trx("T2", product="S10"), balance())}

    assert answers == {"PIN salah. Akses ditolak @12.00"}
    assert len(core.orders()) == 1


@pytest.mark.parametrize("sign", OtomaxAccount().balance_signs())
def test_the_balance_is_told_under_either_sign(core, sign):
    answer = text(core.answer(balance(sign=sign), NOON))

    assert "ID Agen : RK0001\nSaldo : 1.000.000\n" in answer


def test_the_balance_is_not_told_to_a_stranger(core):
    assert text(core.answer(balance(sign="salah"), NOON)) == "Sign salah. Akses ditolak @12.00"


def test_another_path_is_not_found(core):
    assert honest(core.answer(Request(method="GET", path="/ticket"), NOON)).status == 404
    assert honest(core.answer(Request(method="POST", path="/trx"), NOON)).status == 404


def test_every_reply_is_plain_text_with_the_date_of_business_time(core):
    reply = honest(core.answer(check("T1"), NOON))

    assert reply.headers["Date"] == "Tue, 10 Mar 2026 05:00:00 GMT"
    assert reply.headers["Content-Type"].startswith("text/plain")


def test_a_centre_may_write_commas_and_fractions(core):
    core.texts = OtomaxTexts(separator=",", fraction=".25")

    assert "Saldo Rp.1,000,000.25 - 5,750 = Rp.994,250.25" in text(core.answer(trx("T1"), NOON))


# Reports


def test_an_end_is_reported_by_get(core):
    core.plan("T1", fate(pending("1"), success(after=30)))
    core.answer(trx("T1"), NOON)

    assert core.advance(later(29)) == []
    (callback,) = core.advance(later(30))

    assert (callback.method, callback.body, callback.at) == ("GET", b"", later(30))
    assert report(callback) == {
        "t": "17126001",
        "refid": "T1",
        "status": "20",
        "price": "5750",
        "message": f"{WHAT} SUKSES. SN/Ref: 0123. Saldo 1.000.000 - 5.750 = 994.250",
    }


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("40", f"{WHAT} GAGAL. Transaction Failed. Saldo 1.000.000. @12.00.00"),
        ("55", f"#17126001 R# {WHAT} GAGAL Timeout. Saldo 1.000.000 @12.00"),
    ],
)
def test_a_failure_is_reported_as_forty(core, code, message):
    core.plan("T1", fate(failed(code)))
    core.answer(trx("T1"), NOON)

    (callback,) = core.advance(NOON)

    assert (report(callback)["status"], report(callback)["message"]) == ("40", message)


def test_the_price_of_a_report_is_sometimes_zero(core):
    for number in range(3):
        core.answer(trx(f"T{number}", number=f"08120000000{number}"), NOON)

    assert [report(callback)["price"] for callback in core.advance(NOON)] == ["5750", "5750", "0"]


@pytest.mark.parametrize(("step", "status"), [(success(), "40"), (failed("40"), "20")])
def test_a_forged_report_claims_the_opposite(core, step, status):
    core.plan("T1", fate(Step(after=0, state=step.state, code=step.code, callback="lost,forged")))
    core.answer(trx("T1"), NOON)

    (forged,) = core.advance(NOON)

    assert report(forged)["status"] == status
    assert re.search("GAGAL" if status == "40" else "SUKSES", report(forged)["message"])
