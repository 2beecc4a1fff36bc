import dataclasses
import json
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekon.connectors.providers.inquiry import Unsafe, UnsafeInquiryError, build_inquiry
from rekon.connectors.providers.reading import proves_formed
from rekon.domain.outcome import Outcome
from rekon.domain.transaction import LegState, SendState
from tests.connectors.providers.builders import NOW, account, definition, formed_reply, leg, proof

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def build(*, known=None, purchase=None, name="digiflazz", now=NOW, payer=None, **facts):
    return build_inquiry(
        definition(name),
        account=payer or account(name),
        leg=purchase or leg(provider=name, **facts),
        now=now,
        proof=known if known is not None else proof(),
    )


def refused(**given):
    with pytest.raises(UnsafeInquiryError) as caught:
        build(**given)
    return caught.value.reason


def test_a_proved_purchase_may_be_asked_about():
    assert json.loads(build().body)["ref_id"] == "REF0001"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"first_reply": None}, Unsafe.NO_PROOF),
        ({"first_reply": formed_reply(raw_code="44", outcome=Outcome.FAILED)}, Unsafe.NOT_FORMED),
        ({"first_reply": formed_reply(raw_code="49", outcome=Outcome.UNKNOWN)}, Unsafe.NOT_FORMED),
        ({"first_reply": formed_reply(raw_code="50", outcome=Outcome.NOT_FOUND)}, Unsafe.NOT_FORMED),
        ({"first_reply": formed_reply(raw_code="00", outcome=Outcome.UNKNOWN)}, Unsafe.NOT_FORMED),
        ({"first_reply": formed_reply(raw_code="77", outcome=Outcome.FAILED)}, Unsafe.NOT_FORMED),
        ({"first_reply": formed_reply(raw_code="", outcome=Outcome.PENDING)}, Unsafe.NOT_FORMED),
        ({"first_reply": formed_reply(about_this_leg=False)}, Unsafe.NOT_FORMED),
        ({"first_reply": formed_reply(contradiction=True)}, Unsafe.NOT_FORMED),
        ({"account_matches": False}, Unsafe.WRONG_ACCOUNT),
        ({"generation_matches": False}, Unsafe.OTHER_CREDENTIALS),
        ({"testing_matches": False}, Unsafe.OTHER_MODE),
        ({"restored_epoch": True}, Unsafe.RESTORED_BOOKS),
        ({"skew_seconds": None}, Unsafe.CLOCK_UNKNOWN),
        ({"skew_read_at": None}, Unsafe.CLOCK_UNKNOWN),
        ({"skew_read_at": NOW - timedelta(minutes=10, seconds=1)}, Unsafe.CLOCK_UNKNOWN),
        ({"skew_read_at": NOW + timedelta(minutes=2)}, Unsafe.CLOCK_UNKNOWN),
        ({"high_water_mark": NOW + timedelta(hours=1)}, Unsafe.CLOCK_UNKNOWN),
        ({"skew_seconds": 60.5}, Unsafe.CLOCK_SKEW),
        ({"skew_seconds": -61.0}, Unsafe.CLOCK_SKEW),
        ({"skew_seconds": float("nan")}, Unsafe.CLOCK_SKEW),
        ({"skew_seconds": float("inf")}, Unsafe.CLOCK_SKEW),
        ({"high_water_mark": NOW + 81 * DAY}, Unsafe.TOO_OLD),
        ({"last_sent_at": NOW - 89 * SECOND}, Unsafe.TOO_SOON),
        ({"last_sent_at": NOW + DAY}, Unsafe.TOO_SOON),
        ({"last_checked_at": NOW - 59 * SECOND}, Unsafe.TOO_SOON),
        ({"last_checked_at": NOW + DAY}, Unsafe.TOO_SOON),
        *(
            ({"check_codes": ("03", code)}, Unsafe.CHECK_FORBIDDEN)
            for code in ("43", "44", "56", "61", "69", "80", "88")
        ),
    ],
)
def test_a_doubt_about_the_proof_refuses_the_re_send(facts, reason):
    assert refused(known=proof(**facts)) is reason


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"sent_at": NOW - 80 * DAY - SECOND}, Unsafe.TOO_OLD),
        ({"sent_at": NOW - 81 * DAY}, Unsafe.TOO_OLD),
        ({"sent_at": NOW - 90 * DAY}, Unsafe.TOO_OLD),
        ({"sent_at": NOW - 400 * DAY}, Unsafe.TOO_OLD),
        ({"sent_at": NOW + 2 * timedelta(minutes=1)}, Unsafe.AHEAD_OF_CLOCK),
        ({"send_state": SendState.NOT_SENT}, Unsafe.NEVER_SENT),
        ({"send_count": 0}, Unsafe.NEVER_SENT),
        ({"state": LegState.STOPPED}, Unsafe.STOPPED),
        ({"provider_account": "lain"}, Unsafe.WRONG_ACCOUNT),
    ],
)
def test_a_doubt_about_the_leg_refuses_the_re_send(facts, reason):
    assert refused(**facts) is reason


def test_a_resend_without_any_proof_is_refused():
    with pytest.raises(UnsafeInquiryError) as caught:
        build_inquiry(definition(), account=account(), leg=leg(), now=NOW, proof=None)
    assert caught.value.reason is Unsafe.NO_PROOF


@pytest.mark.parametrize("name", ["digiflazz", "iak", "otomax"])
def test_a_leg_of_another_provider_is_never_asked_about(name):
    assert refused(name=name, purchase=leg(provider="lain")) is Unsafe.WRONG_PROVIDER


def test_a_leg_of_another_account_is_not_asked_about_even_where_asking_only_reads():
    assert refused(name="iak", provider_account="lain") is Unsafe.WRONG_ACCOUNT


@pytest.mark.parametrize(
    "facts",
    [
        {"sent_at": NOW - 80 * DAY},
        {"sent_at": NOW + 30 * SECOND},
        {"send_state": SendState.UNKNOWN},
        {"state": LegState.FINAL},
    ],
)
def test_a_proved_leg_at_the_edge_may_still_be_asked_about(facts):
    assert build(**facts).body


@pytest.mark.parametrize(
    "facts",
    [
        {"last_sent_at": NOW - 90 * SECOND},
        {"last_checked_at": NOW - 60 * SECOND},
        {"skew_seconds": 60.0},
        {"skew_seconds": -60.0},
        {"skew_read_at": NOW - timedelta(minutes=10)},
        {"check_codes": ("03", "41", "45", "85", "99")},
        {"first_reply": None, "signed_callback": True},
        {"first_reply": formed_reply(raw_code="44", outcome=Outcome.FAILED), "signed_callback": True},
    ],
)
def test_a_proof_at_the_edge_is_enough(facts):
    assert build(known=proof(**facts)).body


@pytest.mark.parametrize("code", ["00", "01", "02", "03", "51", "70", "74", "84", "99"])
def test_every_formed_code_is_a_proof(code):
    row = definition().codes[code]
    assert proves_formed(definition(), formed_reply(raw_code=code, outcome=row.as_first_reply.outcome))


def test_a_clock_set_back_opens_no_age_guard():
    old = leg(sent_at=NOW - 85 * DAY)
    back = NOW - 30 * DAY
    known = proof(high_water_mark=NOW, skew_read_at=back, last_sent_at=back - DAY)
    assert refused(purchase=old, now=back, known=known) is Unsafe.TOO_OLD


@given(
    days=st.integers(min_value=81, max_value=20_000),
    back=st.integers(min_value=0, max_value=20_000),
)
def test_no_clock_makes_an_old_reference_askable(days, back):
    known = proof(skew_read_at=NOW - back * DAY, last_sent_at=NOW - 20_001 * DAY)
    assert refused(purchase=leg(sent_at=NOW - days * DAY), now=NOW - back * DAY, known=known) is Unsafe.TOO_OLD


@given(st.sampled_from(sorted(definition().codes)), st.sampled_from(list(Outcome)))
def test_a_code_without_a_formed_purchase_never_passes(code, outcome):
    row = definition().codes[code]
    reading = formed_reply(raw_code=code, outcome=outcome)
    assert not proves_formed(definition(), reading) or row.formed
    if not row.formed:
        assert refused(known=proof(first_reply=reading)) is Unsafe.NOT_FORMED


def test_the_refusal_names_a_word_and_no_number():
    with pytest.raises(UnsafeInquiryError, match=r"^status inquiry refused: no_proof$"):
        build(known=proof(first_reply=None))


def test_the_re_send_is_rebuilt_from_the_leg_and_nothing_else():
    request = build(
        provider_product="xld25",
        destination_sent="0877.1234.5678",
        testing=True,
        max_price=26000,
        allow_dot=True,
        cb_url="https://toko.example/cb",
    )
    assert list(json.loads(request.body).items()) == [
        ("username", "rekonuser"),
        ("buyer_sku_code", "xld25"),
        ("customer_no", "0877.1234.5678"),
        ("ref_id", "REF0001"),
        ("sign", "005457f805dc5231352c0f512e198cdf"),
        ("testing", True),
        ("max_price", 26000),
        ("cb_url", "https://toko.example/cb"),
        ("allow_dot", True),
    ]


@pytest.mark.parametrize("product", ["S5", "s5", "PLN.20"])
def test_an_otomax_question_always_says_check(product):
    request = build(name="otomax", provider_product=product, destination_sent="081234567890")
    assert parse_qs(request.query)["check"] == ["1"]


def test_a_question_that_only_reads_needs_no_proof():
    asked = build_inquiry(definition("iak"), account=account("iak"), leg=leg(provider="iak"), now=NOW, proof=None)
    assert asked.path == "/api/check-status"


def test_a_question_that_only_reads_also_has_an_age_limit():
    assert refused(name="otomax", sent_at=NOW - 31 * DAY) is Unsafe.TOO_OLD


def test_a_server_that_tried_to_sell_on_a_check_is_not_asked_again():
    assert refused(name="otomax", known=proof(check_codes=("SALDO TIDAK CUKUP",))) is Unsafe.CHECK_FORBIDDEN


@pytest.mark.parametrize("name", ["digiflazz", "iak", "otomax"])
def test_a_request_shows_neither_numbers_nor_secrets(name):
    shown = repr(build(name=name, destination_sent="081298765432")) + repr(account(name))
    for hidden in ("081298765432", "dev-key-123", "rahasia", "1234"):
        assert hidden not in shown


def test_a_form_dialect_sends_a_form():
    form = dataclasses.replace(definition("iak"), dialect="form")
    request = build_inquiry(form, account=account("iak"), leg=leg(provider="iak"), now=NOW, proof=None)
    assert request.headers == {"content-type": "application/x-www-form-urlencoded"}
    assert request.body == b"username=081234567890&ref_id=REF0001&sign=2256d04ea34911992557eb5c2d8d9ee6"


def test_no_reading_is_no_proof():
    assert not proves_formed(definition(), None)


@pytest.mark.parametrize("facts", [{"send_state": "not_sent"}, {"state": "stopped"}])
def test_a_plain_word_from_a_row_refuses_as_well(facts):
    assert refused(**facts) in {Unsafe.NEVER_SENT, Unsafe.STOPPED}
