import pytest

from rekon.sandbox import faults
from rekon.sandbox.wire import Fault, Reply

KINDS = (
    "timeout", "reset", "drip", "html", "truncated", "huge", "empty", "error_500", "redirect", "wrong_type", "other_ref"
)  # fmt: skip


@pytest.mark.parametrize("kind", [*KINDS, "error_429", "error_404"])
def test_a_kind_of_the_wire_is_known(kind):
    assert faults.is_known(kind)


@pytest.mark.parametrize("kind", ["", "flood", "error_200", "error_5000"])
def test_a_kind_nobody_plays_is_unknown(kind):
    assert not faults.is_known(kind)


@pytest.mark.parametrize("kind", ["timeout", "reset", "drip", "flood"])
def test_what_is_no_reply_cannot_be_shown_as_one(kind):
    with pytest.raises(ValueError, match=kind):
        faults.spoiled(Fault(kind=kind, reply=Reply(body=b"isi")))


def test_a_reply_without_a_reference_names_another_number_instead():
    text = "#1 R# S5.081234567890 GAGAL Timeout. Saldo 1.000"

    reply = faults.spoiled(Fault(kind="other_ref", reply=Reply(body=text.encode())))

    assert reply.body.decode().startswith("#1 R# S5.081999000017 GAGAL")


def test_a_not_found_reply_names_another_number_instead():
    text = "TIDAK ADA transaksi Tujuan 081234567890 pada tgl 10/03/2026. Tidak ada data."

    reply = faults.spoiled(Fault(kind="other_ref", reply=Reply(body=text.encode())))

    assert b"Tujuan 081999000017 pada" in reply.body


def test_the_status_of_the_true_reply_is_not_in_an_error():
    reply = faults.spoiled(Fault(kind="error_503", reply=Reply(headers={"Date": "kapan"}, body=b"Sukses")))

    assert (reply.status, reply.headers["Date"], reply.body) == (503, "kapan", b"Error")


def test_numbers_and_words_change_their_types_both_ways():
    body = b'{"data": {"ref_id": "T1", "status": 1, "rc": "00", "tr_id": 3481, "balance": 975000, "sn": "0123"}}'

    reply = faults.spoiled(Fault(kind="wrong_type", reply=Reply(body=body)))

    assert reply.body == (
        b'{"data": {"ref_id": "T1", "status": "1 ", "rc": 0, "tr_id": "3481", "balance": "975.000", "sn": null}}'
    )
