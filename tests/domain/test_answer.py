"""Reading an agent's yes or no, and the links that carry it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekon.domain.answer import Answer, parse_answer, sign_answer_token, verify_answer_token

SECRET = b"0123456789abcdef0123456789abcdef"
OTHER_SECRET = b"fedcba9876543210fedcba9876543210"


@pytest.mark.parametrize(
    "text",
    [
        "YA",
        "ya",
        " Ya. ",
        "iya",
        "Y",
        "y!",
        "Sudah",
        "sudah, terima kasih",
        "iya kak sudah masuk",
        "sdh masuk kak",
        "udah",
        "oke",
        "Betul",
        "bersedia",
        "Saya bersedia",
        "Ya, saldo dan voucher sudah kami terima dengan baik, terima kasih banyak",
    ],
)
def test_these_words_mean_yes(text):
    assert parse_answer(text) is Answer.YES


@pytest.mark.parametrize(
    "text",
    [
        "TIDAK",
        "tdk",
        "T",
        "belum",
        "Belum masuk",
        "blm kak",
        "bukan",
        "gak",
        "nggak mau",
        "Tidak bersedia",
        "saya tidak setuju",
        "belum benar",
        "saldo saya tidak kembali sejak kemarin siang dan pelanggan marah",
        "jangan dipotong",
    ],
)
def test_these_words_mean_no(text):
    assert parse_answer(text) is Answer.NO


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "halo",
        "ya tidak",
        "sudah belum",
        "ya, tapi belum semua",
        "sudah?",
        "ya?",
        "tidak apa-apa",
        "gak masalah",
        "tidak tahu",
        "sudah dua jam hilang",
        "sudah saya tunggu dari tadi pagi di toko",
        "saldo hilang ya",
        "mohon dibantu cek saldonya ya kak terima kasih",
        "yakin",
        "tidaknya",
        "CEK.0812",
        "kode T1001",
        "komplain t",
        "\u4f60\u597d",
    ],
)
def test_what_is_unclear_is_read_by_a_person(text):
    assert parse_answer(text) is None


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading(text):
    assert parse_answer(text) in {Answer.YES, Answer.NO, None}


@pytest.mark.parametrize(
    "message_id", ["msg_0192f3a4b5c67890", "a", "pesan:T1001:M01", "kasus/7 \u00e9", "-", "~x", "a.b"]
)
def test_a_token_names_its_message(message_id):
    token = sign_answer_token(message_id, SECRET)
    assert verify_answer_token(token, SECRET) == message_id
    assert token == sign_answer_token(message_id, SECRET)
    assert all(c.isascii() and (c.isalnum() or c in "-_.~") for c in token)


@given(st.text(min_size=1, max_size=80).filter(lambda text: text.isprintable()))
def test_any_id_survives_the_way_there_and_back(message_id):
    assert verify_answer_token(sign_answer_token(message_id, SECRET), SECRET) == message_id


def test_a_token_holds_at_least_128_bits_of_proof():
    mac = sign_answer_token("msg_1", SECRET).rpartition(".")[2]
    assert len(mac) * 6 >= 128


def test_a_token_fits_the_button_of_a_chat():
    assert len(sign_answer_token("msg_" + "0" * 32, SECRET)) <= 60


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: "msg_2" + token.removeprefix("msg_1"),
        lambda token: token + "=",
        lambda token: token + "A",
        lambda token: token.partition(".")[0],
        lambda token: token.partition(".")[0] + ".",
        lambda token: "~" + token,
        lambda _: "",
        lambda _: ".",
        lambda _: "~!!.x",
        lambda _: "\u00e9.\u00e9",
        lambda _: "~/w.x",
    ],
)
def test_a_forged_token_is_refused(forge):
    token = sign_answer_token("msg_1", SECRET)
    assert verify_answer_token(forge(token), SECRET) is None


def test_a_token_of_another_secret_is_refused():
    assert verify_answer_token(sign_answer_token("msg_1", OTHER_SECRET), SECRET) is None


@given(st.text(max_size=120))
def test_no_text_is_a_token_by_chance(text):
    assert verify_answer_token(text, SECRET) is None


def test_a_weak_secret_or_an_empty_id_is_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        sign_answer_token("msg_1", b"short")
    with pytest.raises(ValueError, match="16 bytes"):
        verify_answer_token("msg_1.x", b"")
    with pytest.raises(ValueError, match="message id"):
        sign_answer_token("", SECRET)
