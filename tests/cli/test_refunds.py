import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from rekon.domain import ledger
from rekon.domain.refund import RefundState
from rekon.store import health, journal, refunds, schema
from tests import builders
from tests.cli.installation import NOW, program
from tests.store import filling

LARGE = 750_000


def waiting(rekon, *, amount=builders.PRICE):
    transaction = filling.order(rekon.store)
    filling.case(rekon.store, transaction, kind=filling.wish().break_kind, amount=amount)
    row = filling.refund(rekon.store, transaction, amount=amount, needs_approval=True, approval_reason="mode saran")
    return row["refund_id"]


def state_of(rekon, refund_id):
    return filling.one(rekon.store, schema.refunds, refund_id=refund_id)["state"]


def test_a_personal_token_approves_and_the_refund_is_due(rekon):
    refund_id, token = waiting(rekon), rekon.hire("Sari")
    said = rekon.json("refunds", "approve", refund_id, "--reason", "bukti lengkap", token=token)
    assert (said["state"], said["missing"]) == ("approved", "")
    assert filling.one(rekon.store, schema.refunds, refund_id=refund_id)["due_at"] == NOW


def test_every_decision_is_written_down_with_its_person(rekon):
    refund_id = waiting(rekon)
    rekon.json("refunds", "approve", refund_id, token=rekon.hire("Sari"))
    row = next(row for row in filling.rows(rekon.store, schema.audit) if row["what"] == "refund.approve")
    assert (row["who"], row["about"], row["at"]) == ("Sari", refund_id, NOW)


def test_a_large_refund_needs_a_second_person_who_is_a_supervisor(rekon):
    refund_id = waiting(rekon, amount=LARGE)
    first = rekon.json("refunds", "approve", refund_id, token=rekon.hire("Sari"))
    assert (first["state"], first["missing"]) == ("awaiting_approval", "seorang penyelia")
    second = rekon.json("refunds", "approve", refund_id, token=rekon.hire("Ratna", "penyelia"))
    assert second["state"] == "approved"


def test_the_limit_for_one_person_is_the_configured_one(rekon):
    text = rekon.config.read_text().replace("# one_approver_max = 500000", "one_approver_max = 10000")
    rekon.config.write_text(text)
    refund_id = waiting(rekon)
    assert rekon.json("refunds", "approve", refund_id, token=rekon.hire("Sari"))["missing"] == "seorang penyelia"


@pytest.mark.parametrize("role", ["teknis", "auditor"])
def test_who_has_no_say_about_money_is_refused_for_safety(rekon, role):
    refund_id = waiting(rekon)
    assert rekon.refused("refunds", "approve", refund_id, token=rekon.hire("Tono", role)) == "role"
    assert state_of(rekon, refund_id) == "awaiting_approval"


def test_an_unknown_token_is_refused_and_never_shown(rekon):
    refund_id = waiting(rekon)
    result = rekon.run("refunds", "approve", refund_id, token="bukan-token-siapa-pun")
    assert result.exit_code == 3
    assert "bukan-token" not in result.output


def test_a_disabled_person_is_refused_for_safety(rekon):
    refund_id, token = waiting(rekon), rekon.hire("Sari")
    rekon.json("users", "disable", "Sari")
    assert rekon.refused("refunds", "approve", refund_id, token=token) == "disabled"


def test_the_same_person_cannot_approve_twice(rekon):
    refund_id, token = waiting(rekon, amount=LARGE), rekon.hire("Sari")
    rekon.json("refunds", "approve", refund_id, token=token)
    assert rekon.refused("refunds", "approve", refund_id, token=token) == "already_decided"


def test_a_word_about_other_evidence_than_shown_is_refused(rekon):
    refund_id, token = waiting(rekon), rekon.hire("Sari")
    digest = rekon.json("refunds", "show", refund_id)["refund"]["digest"]
    rekon.store.write(_change_evidence, refund_id)
    assert rekon.refused("refunds", "approve", refund_id, "--digest", digest[:12], token=token) == "changed"
    assert state_of(rekon, refund_id) == "awaiting_approval"


def _change_evidence(connection, refund_id):
    row = refunds.get(connection, refund_id)
    refunds.move(connection, row, to=RefundState.AWAITING_APPROVAL, digest="e2" * 32)


def test_the_digest_that_was_shown_is_taken(rekon):
    refund_id, token = waiting(rekon), rekon.hire("Sari")
    digest = rekon.json("refunds", "show", refund_id)["refund"]["digest"]
    assert rekon.json("refunds", "approve", refund_id, "--digest", digest[:12], token=token)["state"] == "approved"


def test_a_rejection_needs_a_reason(rekon):
    refund_id, token = waiting(rekon), rekon.hire("Sari")
    assert rekon.refused("refunds", "reject", refund_id, token=token, code=2) == "usage"
    assert rekon.refused("refunds", "reject", refund_id, "--reason", " ", token=token) == "no_reason"
    said = rekon.json("refunds", "reject", refund_id, "--reason", "sudah diterima pelanggan", token=token)
    assert said["state"] == "rejected"


def test_the_token_may_come_from_a_file_or_from_a_hidden_question(rekon):
    refund_id, token = waiting(rekon, amount=LARGE), rekon.hire("Sari")
    file = rekon.folder / "token"
    file.write_text(token + "\n")
    assert rekon.json("refunds", "approve", refund_id, "--token-file", str(file))["missing"]
    asked = rekon.run("refunds", "approve", refund_id, given=f"{rekon.hire('Ratna', 'penyelia')}\n")
    assert asked.exit_code == 0
    assert state_of(rekon, refund_id) == "approved"


def test_a_token_file_that_is_not_there_is_named(rekon):
    reason = rekon.refused("refunds", "approve", waiting(rekon), "--token-file", "tidak-ada", code=2)
    assert reason == "file"


def test_no_answer_to_the_hidden_question_changes_nothing(rekon):
    refund_id = waiting(rekon)
    result = rekon.run("refunds", "approve", refund_id, given="")
    assert result.exit_code == 2
    assert state_of(rekon, refund_id) == "awaiting_approval"


def test_a_refund_that_is_not_there_is_named(rekon):
    assert rekon.refused("refunds", "show", "ref_tidakada", code=2) == "not_found"
    token = rekon.hire("Sari")
    assert rekon.refused("refunds", "approve", "ref_tidakada", token=token, code=2) == "not_found"


def test_a_refund_that_no_longer_waits_is_left_alone(rekon):
    refund_id, token = waiting(rekon), rekon.hire("Sari")
    rekon.json("refunds", "approve", refund_id, token=token)
    later = rekon.hire("Budi")
    assert rekon.refused("refunds", "reject", refund_id, "--reason", "x", token=later) == "not_waiting"


def test_nobody_decides_about_money_while_the_clock_is_behind_the_books(rekon):
    refund_id, token = waiting(rekon), rekon.hire("Sari")
    rekon.store.write(health.set_fact, "high_water", builders.at(hours=5).isoformat())
    assert rekon.refused("refunds", "approve", refund_id, token=token) == "clock"
    assert state_of(rekon, refund_id) == "awaiting_approval"


def unknown(rekon, *, amount=builders.PRICE):
    refund_id = waiting(rekon, amount=amount)
    rekon.store.write(_lose, refund_id)
    return refund_id


def _lose(connection, refund_id):
    for to in (RefundState.APPROVED, RefundState.SUBMITTED):
        row = refunds.get(connection, refund_id)
        refunds.move(connection, row, to=to, due_at=None)
    entry = ledger.refund_submitted(row["key"], provider="iak", amount=row["amount"], at=NOW)
    journal.post(connection, entry, now=NOW)
    refunds.move(connection, refunds.get(connection, refund_id), to=RefundState.UNKNOWN)


@pytest.mark.parametrize("outcome", ["settled", "failed"])
def test_a_supervisor_says_what_became_of_an_unknown_refund(rekon, outcome):
    refund_id, token = unknown(rekon), rekon.hire("Ratna", "penyelia")
    said = rekon.json("refunds", "settle", refund_id, "--as", outcome, "--reason", "dicek di server", token=token)
    assert said["state"] == outcome
    assert {one.account: one.amount for one in rekon.store.read(journal.balances)}["refunds_in_transit"] == 0


def test_the_unknown_is_not_settled_by_billing_staff_or_in_other_words(rekon):
    refund_id, token = unknown(rekon), rekon.hire("Sari")
    words = ("refunds", "settle", refund_id, "--reason", "x", "--as")
    assert rekon.refused(*words, "settled", token=token) == "role"
    assert rekon.refused(*words, "mungkin", token=token, code=2) == "usage"


def test_a_large_unknown_refund_needs_two_supervisors(rekon):
    refund_id = unknown(rekon, amount=LARGE)
    words = ("refunds", "settle", refund_id, "--as", "settled", "--reason", "dicek di server")
    assert rekon.json(*words, token=rekon.hire("Ratna", "penyelia"))["state"] == "unknown"
    assert rekon.json(*words, token=rekon.hire("Dewi", "penyelia"))["state"] == "settled"


def test_the_list_shows_what_waits(rekon):
    refund_id = waiting(rekon)
    (item,) = rekon.json("refunds", "list", "--state", "awaiting_approval")["items"]
    assert (item["refund_id"], item["amount"], item["hold_reason"]) == (refund_id, builders.PRICE, "mode saran")
    assert rekon.json("refunds", "list", "--state", "settled")["items"] == []
    assert rekon.refused("refunds", "list", "--state", "frob", code=2) == "usage"


def test_the_card_shows_order_wallet_and_provider_with_the_number_hidden(rekon):
    refund_id = waiting(rekon)
    filling.wallet(rekon.store, builders.build_wallet_line())
    card = rekon.json("refunds", "show", refund_id)
    assert card["order"]["destination"] == "0812****7890"
    assert [line["amount"] for line in card["wallet_lines"]] == [-builders.PRICE]
    assert [leg["provider"] for leg in card["legs"]] == ["iak"]
    assert card["missing"] == "satu petugas (staf_billing atau penyelia)"


def test_people_read_the_card_and_the_list_without_json(rekon):
    refund_id = waiting(rekon)
    shown = rekon.run("refunds", "show", refund_id).stdout
    listed = rekon.run("refunds", "list").stdout
    assert "Rp 50.600" in shown
    assert "Rp 50.600" in listed
    assert builders.NUMBER not in shown + listed


def test_two_programs_at_once_approve_once(rekon):
    refund_id, token = waiting(rekon), rekon.hire("Sari")
    rekon.store.close()
    environment = {"REKON_CONFIG": str(rekon.config), "REKON_STAFF_TOKEN": token}
    with ThreadPoolExecutor(2) as pool:
        words = ("refunds", "approve", refund_id, "--json")
        done = list(pool.map(lambda _: program(*words, **environment), range(2)))
    assert sorted(one.returncode for one in done) == [0, 3]
    refused = next(one for one in done if one.returncode == 3)
    assert json.loads(refused.stdout)["reason"] == "not_waiting"
