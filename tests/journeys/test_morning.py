"""What a morning with rekon looks like to agents, servers, providers and staff, told by the outside's own journals."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from rekon.store import schema
from tests.journeys import inside
from tests.journeys.inside import at, seconds_after
from tests.journeys.morning import FAILED_AFTER, LATE_AFTER, MINUTES, Morning

REKON_OWNED = ("unformed", "definite", "definite_signed", "soft", "soft_kept", "timed_out", "unheard", "never_sent")


@pytest.fixture(scope="module")
def day(new_folder):
    morning = Morning()
    story = morning.play.story(minutes=MINUTES)
    with inside.played(new_folder(), story, answers=morning.answers(), set_up=morning.set_up) as played:
        yield SimpleNamespace(played=played, office=morning.office, **morning.sales)


def refund_of(day, name):
    """Find the one credit of our own refund, a gift not counted."""
    (credit,) = [line for line in day.played.credits(getattr(day, name)) if line["reference"].startswith("refund:")]
    return credit


def messages_of(day, sale):
    return day.played.rows(schema.messages, sale)


# The case of the source documents: a top-up of Rp 50.000 debited twice.


@pytest.mark.parametrize("name", ["twice", "twice_at_mandiri"])
def test_an_agent_debited_twice_is_told_within_three_minutes(day, name):
    sale = getattr(day, name)
    second = day.played.debits(sale)[1]
    (apology,) = [m for m in messages_of(day, sale) if m["template"] == "M06"]
    assert apology["sent_at"] - at(second) < timedelta(minutes=3)


@pytest.mark.parametrize("name", ["twice", "twice_denied", "twice_at_mandiri"])
def test_an_agent_debited_twice_has_the_excess_back_within_ten_minutes(day, name):
    sale, credit = getattr(day, name), refund_of(day, name)
    assert at(credit) - at(day.played.debits(sale)[1]) < timedelta(minutes=10)
    assert credit["amount"] == sale.product.price
    assert credit["reference"] == f"refund:{inside.key_of(sale)}:B10:1"


@pytest.mark.parametrize("name", ["twice", "twice_at_mandiri"])
def test_a_yes_through_the_link_redeems_one_voucher_of_five_thousand(day, name):
    sale = getattr(day, name)
    (voucher,) = day.played.rows(schema.vouchers, sale)
    gifts = [line for line in day.played.credits(sale) if line["reference"].startswith("voucher:")]
    assert [(line["reference"], line["amount"]) for line in gifts] == [(f"voucher:{voucher['code']}", 5_000)]
    assert voucher["state"] == "redeemed"


@pytest.mark.parametrize("name", ["twice", "twice_at_mandiri"])
def test_an_agent_debited_twice_hears_one_apology_and_one_aftercare_and_nothing_else(day, name):
    sale = getattr(day, name)
    assert day.played.outside.mailbox.told_to(sale.agent_id) == ["M06", "M22"]
    assert day.played.breaks(sale) == {"B10": "resolved"}
    assert len(day.played.credits(sale)) == 2


def test_a_double_debit_needs_no_question_to_a_provider_that_could_buy(day):
    assert day.played.asked(day.twice) == []


def test_a_no_puts_the_case_before_a_person_again(day):
    (case,) = day.played.rows(schema.cases, day.twice_denied)
    assert (case["state"], day.played.breaks(day.twice_denied)) == ("open", {"B10": "in_review"})
    assert day.played.outside.mailbox.told_to(day.twice_denied.agent_id) == ["M06"]
    (voucher,) = day.played.rows(schema.vouchers, day.twice_denied)
    assert voucher["state"] == "issued"


# A shop without a server: nobody's wallet, so nobody is refunded.


def test_a_deposit_that_the_provider_kept_is_claimed_and_the_operator_told(day):
    told = {(m["template"], m["audience"], m["address"]) for m in messages_of(day, day.direct_kept)}
    assert told == {("M01", "operator", "operator"), ("PC1", "provider", "iak")}
    (complaint,) = day.played.rows(schema.complaints, day.direct_kept)
    assert (complaint["state"], complaint["provider"]) == ("sent", "iak")


def test_a_deposit_credited_later_closes_the_claim(day):
    assert day.played.breaks(day.direct_kept) == {"B01": "resolved"}


def test_a_deposit_that_came_back_by_itself_is_no_trouble(day):
    assert day.played.breaks(day.direct) == {}
    assert messages_of(day, day.direct) == []


def test_a_customer_who_paid_cash_gets_a_card_for_staff_and_a_text_to_forward(day):
    assert day.played.breaks(day.cash) == {"B01": "in_review"}
    (text,) = messages_of(day, day.cash)
    assert (text["template"], text["variant"], text["audience"]) == ("M01", "customer", "operator")


@pytest.mark.parametrize("name", ["direct_kept", "direct", "cash"])
def test_a_sale_without_a_wallet_moves_no_money_of_rekon(day, name):
    sale = getattr(day, name)
    assert day.played.rows(schema.refunds, sale) == []
    assert day.played.credits(sale) == []


# A server that refunds by itself is never paid beside.


def test_a_server_that_refunds_at_once_leaves_rekon_nothing_to_do_or_say(day):
    sale = day.self_refunded
    assert [line["reference"] for line in day.played.credits(sale)] == [f"G{sale.transaction_id}"]
    assert day.played.breaks(sale) == {}
    assert messages_of(day, sale) == []


def test_a_server_that_stays_silent_is_told_of_the_failure_after_three_minutes(day):
    sale = day.silent_server
    (told,) = day.played.outside.rows("server-mandiri", "result_request", transaction_id=sale.transaction_id)
    assert (told["wanted"], told["status"]) == ("failed", 200)
    assert 180 <= seconds_after(told, sale) - FAILED_AFTER < 220


def test_the_server_then_pays_alone_and_the_agent_hears_it_once(day):
    sale = day.silent_server
    (credit,) = day.played.credits(sale)
    assert (credit["reference"], credit["amount"]) == (f"G{sale.transaction_id}", sale.product.price)
    assert day.played.rows(schema.refunds, sale) == []
    assert day.played.outside.mailbox.told_to(sale.agent_id)[0] == "M01"
    assert day.played.templates(sale).count("M01") == 1


# Failures whose money rekon gives back, by class.


@pytest.mark.parametrize("name", REKON_OWNED)
def test_a_proved_failure_is_refunded_once_and_told_once(day, name):
    sale, credit = getattr(day, name), refund_of(day, name)
    assert credit["amount"] == sale.product.price
    assert [row["state"] for row in day.played.rows(schema.refunds, sale)] == ["settled"]
    assert day.played.templates(sale).count("M01") == 1
    assert len(day.played.credits(sale)) == 1


@pytest.mark.parametrize(
    ("name", "failed_after", "low", "high"),
    [
        ("unformed", 0, 0, 60),
        ("definite", FAILED_AFTER, 120, 125),
        ("definite_signed", FAILED_AFTER, 120, 125),
        ("unheard", FAILED_AFTER, 120, 125),
        ("soft", FAILED_AFTER, 120, 300),
        ("soft_kept", FAILED_AFTER, 540, 545),
        ("timed_out", 0, 2700, 2705),
        ("never_sent", 0, 120, 140),
    ],
)
def test_a_refund_comes_at_the_instant_its_class_allows(day, name, failed_after, low, high):
    waited = seconds_after(refund_of(day, name), getattr(day, name)) - failed_after
    assert low <= waited < high


def test_a_soft_failure_is_refunded_as_soon_as_the_providers_credit_is_read(day):
    credit = refund_of(day, "soft")
    stated = [row for row in day.played.outside.rows("deliveries", "stated") if day.soft.ref_id in row["returned"]]
    assert at(credit) == at(stated[0])


def test_a_time_out_without_the_providers_credit_goes_to_a_person(day):
    assert day.played.breaks(day.timed_out_kept)["B01"] == "in_review"
    assert day.played.rows(schema.refunds, day.timed_out_kept) == []


@pytest.mark.parametrize("name", ["unheard", "never_sent"])
def test_an_open_order_is_closed_at_the_server_before_its_money_moves(day, name):
    sale, credit = getattr(day, name), refund_of(day, name)
    (closed,) = day.played.outside.rows("server-toko", "result_request", transaction_id=sale.transaction_id)
    assert (closed["wanted"], closed["status"]) == ("failed", 200)
    assert closed["seq"] < credit["seq"]


def test_what_never_left_the_server_is_never_asked_about(day):
    assert day.played.asked(day.never_sent) == []


# Second thoughts of a provider.


@pytest.mark.parametrize("name", ["late", "late_signed"])
def test_a_success_after_the_refund_becomes_one_card_and_one_message_and_no_debit(day, name):
    sale = getattr(day, name)
    assert day.played.breaks(sale) == {"B01": "resolved", "B04": "in_review"}
    assert day.played.templates(sale) == ["M01", "M15"]
    assert len(day.played.debits(sale)) == 1
    assert seconds_after(refund_of(day, name), sale) < LATE_AFTER


# Waiting.


def test_an_ordinary_success_leaves_no_trace_but_its_books(day):
    assert day.played.breaks(day.plain) == {}
    assert messages_of(day, day.plain) == []


def test_a_callback_that_came_before_its_order_is_used_once_the_order_is_known(day):
    (came,) = day.played.outside.rows("deliveries", "called_back", ref_id=day.early.ref_id)
    (leg,) = day.played.rows(schema.legs, day.early)
    (transaction,) = day.played.rows_of(schema.transactions, key=inside.key_of(day.early))
    assert at(came) < transaction["recorded_at"]
    assert leg["state"] == "final"
    assert day.played.asked(day.early) == []


def test_an_order_that_never_ends_is_told_complained_about_and_never_refunded(day):
    assert day.played.templates(day.endless)[:3] == ["M02", "PC1", "M03"]
    assert day.played.breaks(day.endless) == {"B02": "in_review"}
    assert day.played.credits(day.endless) == []


# Money that needs people.


@pytest.mark.parametrize("name", ["dear", "very_dear"])
def test_a_large_refund_waits_for_people_and_the_agent_is_told_so(day, name):
    sale, credit = getattr(day, name), refund_of(day, name)
    assert day.played.templates(sale)[:2] == ["M16", "M01"]
    approved = [row for row in day.played.rows_of(schema.audit) if row["what"] == "refund.approve"]
    refund_ids = {row["refund_id"] for row in day.played.rows(schema.refunds, sale)}
    assert max(row["at"] for row in approved if row["about"] in refund_ids) <= at(credit)


def test_one_person_is_enough_up_to_half_a_million(day):
    assert (day.office.said["dear"]["state"], day.office.said["dear"]["missing"]) == ("approved", "")


def test_above_half_a_million_two_different_people_have_to_agree(day):
    said = day.office.said
    assert (said["very_dear"]["state"], said["very_dear"]["missing"]) == ("awaiting_approval", "seorang penyelia")
    assert said["again"] == "already_decided"
    assert said["second"]["state"] == "approved"
    assert refund_of(day, "very_dear")["amount"] == day.very_dear.product.price


# The whole morning.


def test_rekon_caused_no_purchase(day):
    for provider in ("digiflazz", "iak", "otomax"):
        assert [row for row in day.played.outside.rows(provider, "order") if row["via"] != "server"] == []
        assert [row for row in day.played.outside.rows(provider, "inquiry") if row["created_order"]] == []


def test_no_key_was_paid_twice(day):
    for source in ("toko", "mandiri"):
        lines = day.played.outside.rows(f"server-{source}", "wallet")
        keys = [line["reference"] for line in lines if line["reference"].startswith(("refund:", "voucher:"))]
        assert len(keys) == len(set(keys))


def test_the_books_balance_at_the_end_of_the_morning(day):
    assert day.played.problems() == []
