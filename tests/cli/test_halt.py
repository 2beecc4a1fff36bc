from datetime import timedelta

from rekon.store import limits, schema
from tests.store import filling


def standing(rekon):
    return rekon.store.read(limits.halted, limits.GLOBAL)


def test_anybody_at_the_console_can_stop_the_money(rekon):
    said = rekon.json("halt", "penyedia bicara aneh")
    assert said == {"halted": True, "scope": "all", "reason": "penyedia bicara aneh"}
    assert standing(rekon) == "penyedia bicara aneh"


def test_the_first_reason_stays(rekon):
    rekon.json("halt", "pertama")
    assert rekon.json("halt", "kedua")["reason"] == "pertama"


def test_a_halt_says_who_opened_it_where_a_token_was_given(rekon):
    rekon.json("halt", "salah bayar", token=rekon.hire("Tono", "teknis"))
    (row,) = filling.rows(rekon.store, schema.halts)
    assert row["opened_by"] == "Tono"


def test_two_different_supervisors_resume(rekon):
    rekon.json("halt", "salah bayar")
    ratna, dewi = rekon.hire("Ratna", "penyelia"), rekon.hire("Dewi", "penyelia")
    first = rekon.json("resume", token=ratna)
    assert (first["lifted"], first["missing"]) == (False, "seorang penyelia lain")
    assert standing(rekon)
    assert rekon.refused("resume", token=ratna) == "already_decided"
    assert rekon.json("resume", token=dewi)["lifted"] is True
    assert not standing(rekon)


def test_a_word_from_yesterday_does_not_resume(rekon):
    rekon.json("halt", "salah bayar")
    rekon.json("resume", token=rekon.hire("Ratna", "penyelia"))
    rekon.clock.now += timedelta(hours=24)
    assert rekon.json("resume", token=rekon.hire("Dewi", "penyelia"))["lifted"] is False


def test_billing_staff_does_not_resume(rekon):
    rekon.json("halt", "salah bayar")
    assert rekon.refused("resume", token=rekon.hire("Sari")) == "role"


def test_there_is_nothing_to_resume_without_a_halt(rekon):
    assert rekon.refused("resume", token=rekon.hire("Ratna", "penyelia")) == "not_halted"


def test_a_halt_needs_a_reason(rekon):
    assert rekon.refused("halt", " ", code=2) == "usage"


def test_one_provider_is_halted_and_resumed_by_itself(rekon):
    said = rekon.json("halt", "kode baru", "--provider", "iak")
    assert (said["scope"], standing(rekon)) == ("provider:iak", "")
    found = [one["text"] for one in rekon.json("doctor")["items"] if one["name"] == "henti"]
    assert len(found) == 1
    assert "provider:iak" in found[0]
    ratna, dewi = rekon.hire("Ratna", "penyelia"), rekon.hire("Dewi", "penyelia")
    assert rekon.refused("resume", token=ratna) == "not_halted"
    assert rekon.json("resume", "--provider", "iak", token=ratna)["lifted"] is False
    assert rekon.json("resume", "--provider", "iak", token=dewi)["lifted"] is True


def test_a_provider_nobody_knows_cannot_be_halted(rekon):
    assert rekon.refused("halt", "kode baru", "--provider", "tidakada", code=2) == "usage"
