"""The lint itself: every rule of the house style can be broken, and is seen."""

import pytest

from rekon.domain import message_lint
from rekon.domain.message_lint import lint

GOOD = (
    "Halo, Andi Cell. Kami mohon maaf, pengisian Telkomsel 50.000 ke nomor 0812****7890 tidak berhasil. "
    "Saldo sudah kami kembalikan. Apakah saldo tersebut sudah terlihat?"
)


def test_a_good_text_passes():
    assert lint(GOOD, template="M01") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD.replace("Halo", "Hai"), "greeting"),
        (GOOD.replace("Kami mohon maaf, pengisian", "Pengisian"), "apology"),
        (GOOD.replace("Apakah saldo tersebut sudah terlihat?", "Terima kasih."), "closed_question"),
        (GOOD.replace("Apakah saldo", "Kapan saldo"), "closed_question"),
        (GOOD + "\U0001f64f", "emoji"),
        (GOOD.replace("kembalikan.", "kembalikan!!"), "exclamation"),
        (GOOD.replace("kembalikan.", "kembalikan! !"), "exclamation"),
        (GOOD.replace("Saldo", "Saldo " * 120), "too_long"),
        (GOOD.replace("Saldo", "Timeout, saldo"), "forbidden_word:timeout"),
        (GOOD.replace("Saldo", "API kami, saldo"), "forbidden_word:api"),
        (GOOD.replace("Saldo", "Kak, saldo"), "forbidden_word:kak"),
        (GOOD.replace("Saldo", "Di server kami, saldo"), "forbidden_word:server"),
        (GOOD.replace("Saldo", "RC 70, saldo"), "forbidden_word:rc"),
        (GOOD.replace("Saldo", "Bukan urusan kami, saldo"), "forbidden_word:bukan urusan"),
        (GOOD.replace("Saldo", "Itu salah Anda, saldo"), "forbidden_word:salah anda"),
        (GOOD.replace("Saldo", "Itu kesalahan provider, saldo"), "forbidden_word:itu kesalahan provider"),
        (GOOD.replace("Saldo", "Please, saldo"), "english_word:please"),
        (GOOD.replace("nomor", "no. tujuan"), "forbidden_word:no."),
    ],
)
def test_a_broken_rule_is_named(text, problem):
    assert problem in lint(text, template="M01")


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("Saldo", "Koneksi ke server sedang sibuk. Saldo".replace("K", "k", 1)),
        GOOD.replace("Saldo", "Kesalahan Anda tidak ada, rekapitulasi kami benar. Saldo"),
        GOOD.replace("Apakah saldo tersebut sudah terlihat?", "Bila perlu, bolehkah kami menghubungi Anda?"),
        GOOD.replace("sudah kami kembalikan", "sudah kami kembalikan pukul 14.05 WIB!"),
    ],
)
def test_a_text_that_only_looks_like_a_broken_rule_passes(text):
    assert lint(text, template="M01") == []


def test_words_that_came_from_data_are_not_held_against_the_text():
    text = GOOD.replace("Andi Cell", "Juragan HP Bos")
    assert "forbidden_word:hp" in lint(text, template="M01")
    variables = {"nama_agen": "Juragan HP Bos", "produk": "Telkomsel 50.000", "tujuan": "0812****7890"}
    assert lint(text, template="M01", variables=variables) == []


def test_the_apology_may_not_come_late():
    late = "Halo, Andi. Pengisian gagal. Mohon maaf. Apakah saldo sudah terlihat?"
    assert lint(late, template="M01") == ["apology"]


def test_aftercare_needs_no_apology():
    text = GOOD.replace("Kami mohon maaf, pengisian", "Pengisian")
    assert lint(text, template="M22") == []


def test_too_few_personal_variables_are_seen():
    two = {"nama_agen": "Andi Cell", "tujuan": "0812****7890"}
    assert lint(GOOD, template="M01", variables=two) == ["too_few_variables"]
    assert lint(GOOD, template="M23", variables=two) == []
    assert lint(GOOD, template="M24", variables={}) == []


def test_a_value_that_is_not_shown_does_not_count():
    hidden = {"nama_agen": "Andi Cell", "produk": "Telkomsel 50.000", "saldo": "Rp 9.999.999"}
    assert lint(GOOD, template="M01", variables=hidden) == ["too_few_variables"]


def test_an_empty_text_breaks_the_rules_without_breaking_the_lint():
    assert {"greeting", "apology", "closed_question"} <= set(lint("", template="M01"))


def test_a_title_does_not_end_a_sentence():
    text = "Halo, PT. Maju H. Andi B. Cell. Kami mohon maaf. Apakah benar?"
    assert message_lint.split_sentences(text) == [
        "Halo, PT. Maju H. Andi B. Cell.",
        "Kami mohon maaf.",
        "Apakah benar?",
    ]
    assert lint(text, template="M01") == []
