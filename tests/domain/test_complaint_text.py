"""What is written to a provider's seller, and the links to send it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from rekon.domain.complaint_text import (
    ComplaintFacts,
    ComplaintKind,
    ComplaintTextError,
    LinkKind,
    compose,
    compose_batch,
    contact_links,
)
from rekon.domain.money import Money

NOW = datetime(2026, 11, 22, 7, 35, tzinfo=UTC)
FACTS = ComplaintFacts(
    ref_id="T1001-1",
    sent_at=NOW - timedelta(minutes=30),
    provider_reference="987654",
    product="S50",
    family="pulsa",
    destination="081234567890",
)


def test_a_pending_complaint_asks_for_the_final_state():
    assert compose(ComplaintKind.PENDING, FACTS, now=NOW) == (
        "Selamat siang. Mohon bantuan pengecekan. ID transaksi kami T1001-1, ID Anda 987654, produk S50, "
        "tujuan 081234567890, waktu 22 November 2026 pukul 14.05 WIB. Status di kami: masih diproses sejak 30 menit. "
        "Mohon status akhir dan nomor seri, atau pengembalian deposit bila gagal. Terima kasih."
    )


def test_a_complaint_leaves_out_what_is_not_known():
    text = compose(ComplaintKind.PENDING, replace(FACTS, provider_reference="", product=""), now=NOW)
    assert "ID transaksi kami T1001-1, tujuan" in text
    assert "ID Anda" not in text


def test_a_delivery_that_did_not_arrive_names_serial_and_time_of_the_check():
    facts = replace(FACTS, serial_number="0041002624901195", checked_at=NOW - timedelta(minutes=5))
    text = compose(ComplaintKind.NOT_RECEIVED, facts, now=NOW)
    assert "Status: sukses, nomor seri 0041002624901195." in text
    assert "memeriksa pada 22 November 2026 pukul 14.30 WIB" in text
    assert "tangkapan layar terlampir" in text


@pytest.mark.parametrize("serial", ["12345678901234561234", "1234-5678-9012-3456-1234/BUDI SANTOSO/R1/1300VA/32.1"])
def test_a_pln_token_is_never_sent_to_a_provider(serial):
    facts = replace(FACTS, family="pln_token", serial_number=serial, checked_at=NOW)
    text = compose(ComplaintKind.NOT_RECEIVED, facts, now=NOW)
    assert "nomor seri ****-****-****-****-1234." in text
    assert "5678" not in text.replace(FACTS.destination, "")
    assert "BUDI" not in text


def test_a_double_charge_shows_the_sum_and_what_to_return():
    facts = replace(FACTS, charges=(Money(50_600), Money(50_600)), price=Money(50_600))
    text = compose(ComplaintKind.CHARGED_TWICE, facts, now=NOW)
    assert "ID T1001-1 terpotong 2 kali pada 22 November 2026 pukul 14.05 WIB, total Rp 101.200." in text
    assert "Seharusnya Rp 50.600." in text
    assert "Mohon pengembalian Rp 50.600." in text


def test_a_chase_names_the_earlier_complaint():
    facts = replace(FACTS, complaint_number="P-17", complained_at=NOW - timedelta(hours=2))
    text = compose(ComplaintKind.CHASE, facts, now=NOW)
    assert "Menindaklanjuti laporan P-17 tanggal 22 November 2026 pukul 12.35 WIB untuk ID T1001-1." in text
    unnumbered = compose(ComplaintKind.CHASE, replace(facts, complaint_number=""), now=NOW)
    assert "Menindaklanjuti laporan tanggal" in unnumbered


@pytest.mark.parametrize(
    ("kind", "facts", "complaint"),
    [
        (ComplaintKind.NOT_RECEIVED, FACTS, "checked_at"),
        (ComplaintKind.CHARGED_TWICE, FACTS, "price"),
        (ComplaintKind.CHARGED_TWICE, replace(FACTS, charges=(Money(5),), price=Money(5)), "do not exceed"),
        (ComplaintKind.CHASE, FACTS, "complained_at"),
    ],
)
def test_a_complaint_without_its_facts_is_refused(kind, facts, complaint):
    with pytest.raises(ComplaintTextError, match=complaint):
        compose(kind, facts, now=NOW)


@pytest.mark.parametrize(
    ("hour_utc", "greeting"), [(0, "pagi"), (3, "pagi"), (4, "siang"), (8, "sore"), (11, "malam"), (16, "malam")]
)
def test_the_greeting_fits_the_hour_in_indonesia(hour_utc, greeting):
    text = compose(ComplaintKind.PENDING, FACTS, now=NOW.replace(hour=hour_utc, minute=0))
    assert text.startswith(f"Selamat {greeting}.")


def test_one_text_covers_many_legs_of_a_seller():
    batch = [replace(FACTS, ref_id=f"T{n}-1") for n in range(1001, 1021)]
    text = compose_batch(ComplaintKind.PENDING, batch, now=NOW)
    assert text.startswith("Selamat siang. Mohon bantuan untuk 20 transaksi berikut.\n1. Mohon")
    assert all(facts.ref_id in text for facts in batch)
    assert text.endswith("\nTerima kasih.")


def test_a_batch_of_one_is_an_ordinary_complaint():
    one = compose_batch(ComplaintKind.PENDING, [FACTS], now=NOW)
    assert one == compose(ComplaintKind.PENDING, FACTS, now=NOW)


@pytest.mark.parametrize("count", [0, 21])
def test_a_batch_has_bounds(count):
    with pytest.raises(ComplaintTextError, match="1 to 20"):
        compose_batch(ComplaintKind.PENDING, [FACTS] * count, now=NOW)


def test_a_whatsapp_contact_becomes_one_tap_with_the_text_in_it():
    text = "Selamat siang. ID T1001 & produk S50? 100% ya\nTerima kasih."
    (link,) = contact_links(["wa:081234512345"], text)
    parts = urlsplit(link.url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "wa.me", "/6281234512345")
    assert parse_qs(parts.query) == {"text": [text]}
    assert (link.kind, link.prefilled, link.text_to_copy) == (LinkKind.WHATSAPP, True, text)


def test_a_telegram_contact_opens_the_chat_and_offers_the_text_to_copy():
    (link,) = contact_links(["tele:@penjual_satu"], "teks")
    assert (link.url, link.label) == ("https://t.me/penjual_satu", "Telegram @penjual_satu")
    assert (link.kind, link.prefilled, link.text_to_copy) == (LinkKind.TELEGRAM, False, "teks")


@pytest.mark.parametrize(
    ("contacts", "labels"),
    [
        (["wa:+62 812-3451-2345"], ["WhatsApp 081234512345"]),
        (["wa:0812 3451 2345"], ["WhatsApp 081234512345"]),
        (["wa:081234512345, 081234512346"], ["WhatsApp 081234512345", "WhatsApp 081234512346"]),
        (["wa:081234512345 081234512346"], ["WhatsApp 081234512345", "WhatsApp 081234512346"]),
        (["wa:https://wa.me/6281234512345"], ["WhatsApp 081234512345"]),
        (["Wa:081234512345", "Tele:@satu_dua", "wa:6281234512345"], ["WhatsApp 081234512345", "Telegram @satu_dua"]),
        (["tele:https://t.me/satu_dua"], ["Telegram @satu_dua"]),
        (["tele:satu_dua / @tiga_empat"], ["Telegram @satu_dua", "Telegram @tiga_empat"]),
    ],
)
def test_sellers_write_their_contacts_in_many_ways(contacts, labels):
    assert [link.label for link in contact_links(contacts, "teks")] == labels


@pytest.mark.parametrize(
    "contact",
    [
        "wa:",
        "wa:12345",
        "wa:02112345678",
        "wa:javascript:alert(1)",
        "tele:@a",
        "tele:@satu?start=x",
        "tele:@<script>",
        "tele:evil.example",
        "mail:cs@example.com",
        "081234512345",
    ],
)
def test_a_contact_that_is_none_makes_no_link(contact):
    assert contact_links([contact], "teks") == ()


def test_a_text_too_long_for_a_link_is_offered_to_copy():
    text = compose_batch(ComplaintKind.PENDING, [FACTS] * 20, now=NOW)
    (link,) = contact_links(["wa:081234512345"], text)
    assert link.url == "https://wa.me/6281234512345"
    assert not link.prefilled
    assert link.text_to_copy == text


def test_the_repr_of_facts_and_links_shows_no_number():
    (link,) = contact_links(["wa:081234512345"], compose(ComplaintKind.PENDING, FACTS, now=NOW))
    assert FACTS.destination not in repr(FACTS)
    assert FACTS.destination not in repr(link)
