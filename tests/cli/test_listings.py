import json
from datetime import timedelta

import pytest

from rekon import resources
from rekon.domain.breaks import BreakKind
from rekon.domain.policy import Policy
from rekon.store import complaints, evaluations, messages, schema, vouchers
from tests import builders
from tests.cli.installation import NOW
from tests.store import filling


def test_transactions_are_listed_newest_first_with_the_number_hidden(rekon):
    filling.order(rekon.store, number="T1")
    filling.order(rekon.store, number="T2", ordered_at=builders.at(minutes=1))
    items = rekon.json("transactions", "list")["items"]
    assert [item["key"] for item in items] == ["toko:T2", "toko:T1"]
    assert {item["destination"] for item in items} == {"0812****7890"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--status", "failed"], ["toko:T1"]),
        (["--source", "lain"], ["lain:T2"]),
        (["--agent", "A02"], ["lain:T2"]),
        (["--limit", "1"], ["lain:T2"]),
        (["--status", "pending"], []),
    ],
)
def test_transactions_are_picked_by_status_source_and_agent(rekon, words, expected):
    filling.order(rekon.store, number="T1")
    filling.order(
        rekon.store,
        number="T2",
        source="lain",
        agent_id="A02",
        order_status=builders.OrderStatus.SUCCESS,
        ordered_at=builders.at(minutes=1),
    )
    assert [item["key"] for item in rekon.json("transactions", "list", *words)["items"]] == expected


def test_one_transaction_is_shown_in_every_book_with_the_money_still_taken(rekon):
    transaction = filling.order(rekon.store)
    filling.wallet(rekon.store, builders.build_wallet_line(), builders.build_wallet_line(amount=20_000))
    filling.case(rekon.store, transaction)
    said = rekon.json("transactions", "show", "T1001")
    assert said["net"] == builders.PRICE - 20_000
    assert [line["amount"] for line in said["wallet_lines"]] == [-builders.PRICE, 20_000]
    assert [one["kind"] for one in said["breaks"]] == ["B02"]
    assert said["order"]["destination"] == "0812****7890"


def test_the_words_an_agent_typed_are_never_shown(rekon):
    filling.order(rekon.store, raw_order="S50.081234567890.1234")
    shown = (
        rekon.run("transactions", "show", "T1001").output + rekon.run("transactions", "show", "T1001", "--json").output
    )
    assert "1234567890" not in shown
    assert ".1234" not in shown


def opened(rekon, kind=BreakKind.STUCK_PENDING, *, number="T1001", **more):
    transaction = filling.order(rekon.store, number=number)
    filling.case(rekon.store, transaction, kind=kind, **more)
    return filling.one(rekon.store, schema.breaks, transaction_key=transaction.key)["break_id"]


def test_open_breaks_are_listed_oldest_first(rekon):
    first = opened(rekon)
    second = opened(rekon, BreakKind.NOT_AT_PROVIDER, number="T2", now=builders.at(minutes=5))
    assert [one["break_id"] for one in rekon.json("breaks", "list")["items"]] == [first, second]
    assert [one["break_id"] for one in rekon.json("breaks", "list", "--kind", "B17")["items"]] == [second]


@pytest.mark.parametrize("words", [["--kind", "B99"], ["--state", "frob"]])
def test_a_break_kind_or_state_that_does_not_exist_is_refused(rekon, words):
    assert rekon.refused("breaks", "list", *words, code=2) == "usage"


@pytest.mark.parametrize(
    ("verb", "role", "state"),
    [
        ("resolve", "staf_billing", "resolved"),
        ("resolve", "penyelia", "resolved"),
        ("write-off", "penyelia", "written_off"),
    ],
)
def test_a_break_is_closed_by_hand_with_reason_audit_and_chronology(rekon, verb, role, state):
    break_id, token = opened(rekon), rekon.hire("Sari", role)
    said = rekon.json("breaks", verb, break_id, "--reason", "sudah dicek manual", token=token)
    assert said == {"break_id": break_id, "state": state}
    shown = rekon.json("breaks", "show", break_id)
    assert shown["state"] == state
    assert "sudah dicek manual" in shown["chronology"][-1]["text"]
    assert [row["what"] for row in filling.rows(rekon.store, schema.audit)][-1] == f"break.{state}"
    assert filling.one(rekon.store, schema.cases)["state"] == "resolved"


@pytest.mark.parametrize(
    ("verb", "role", "reason"),
    [("write-off", "staf_billing", "role"), ("resolve", "teknis", "role"), ("resolve", "auditor", "role")],
)
def test_a_break_is_not_closed_by_somebody_without_a_say(rekon, verb, role, reason):
    break_id, token = opened(rekon), rekon.hire("Sari", role)
    assert rekon.refused("breaks", verb, break_id, "--reason", "x", token=token) == reason
    assert rekon.json("breaks", "show", break_id)["state"] == "open"


def test_a_closed_break_is_not_closed_again(rekon):
    break_id, token = opened(rekon), rekon.hire("Ratna", "penyelia")
    rekon.json("breaks", "resolve", break_id, "--reason", "beres", token=token)
    assert rekon.refused("breaks", "write-off", break_id, "--reason", "x", token=token) == "not_open"
    assert [row["what"] for row in filling.rows(rekon.store, schema.audit)].count("break.written_off") == 0


def test_a_break_is_not_closed_without_a_reason_or_where_there_is_none(rekon):
    break_id, token = opened(rekon), rekon.hire("Sari")
    assert rekon.refused("breaks", "resolve", break_id, "--reason", " ", token=token) == "no_reason"
    assert rekon.refused("breaks", "resolve", "brk_tidakada", "--reason", "x", token=token, code=2) == "not_found"
    assert rekon.refused("breaks", "show", "brk_tidakada", code=2) == "not_found"


def test_a_case_is_shown_with_its_chronology_and_its_messages(rekon):
    opened(rekon)
    case = filling.one(rekon.store, schema.cases)
    rekon.store.write(messages.add, filling.new_message(case_id=case["case_id"]), now=NOW)
    (item,) = rekon.json("cases", "list", "--state", "open")["items"]
    assert item["number"] == case["number"]
    said = rekon.json("cases", "show", case["number"])
    assert [event["kind"] for event in said["chronology"]] == ["break.opened"]
    assert [one["template"] for one in said["messages"]] == ["M02"]
    assert case["number"] in rekon.run("cases", "show", case["number"]).stdout


def test_a_case_number_nobody_knows_is_told(rekon):
    assert rekon.refused("cases", "show", "K00000000", code=2) == "not_found"


def complained(rekon):
    transaction = filling.order(rekon.store)
    filling.case(rekon.store, transaction)
    made = rekon.store.write(
        complaints.open_complaint,
        builders.build_leg(),
        kind=BreakKind.STUCK_PENDING,
        text=f"Mohon dicek tujuan {builders.NUMBER}.",
        links=["https://wa.me/62812"],
        now=builders.T0,
    )
    assert made is not None
    rekon.store.write(evaluations.settle, {transaction.key: None})
    return made


def test_complaints_are_listed_without_their_text_and_with_the_end_of_the_window(rekon):
    complaint_id = complained(rekon)
    (item,) = rekon.json("complaints", "list")["items"]
    assert (item["complaint_id"], item["state"]) == (complaint_id, "draft")
    assert item["window_ends_at"] == (builders.T0 + timedelta(hours=72)).isoformat()
    assert builders.NUMBER not in json.dumps(item)


def test_a_complaint_is_shown_ready_to_be_sent(rekon):
    shown = rekon.run("complaints", "show", complained(rekon)).stdout
    assert builders.NUMBER in shown
    assert "https://wa.me/62812" in shown


def test_a_complaint_goes_from_draft_to_sent_to_answered_and_the_purchase_is_looked_at_again(rekon):
    complaint_id = complained(rekon)
    assert rekon.refused("complaints", "answer", complaint_id, "gagal") == "not_waiting"
    assert rekon.json("complaints", "sent", complaint_id, token=rekon.hire("Sari"))["state"] == "sent"
    assert filling.one(rekon.store, schema.complaints)["sent_by"] == "Sari"
    assert [row["due_at"] for row in filling.rows(rekon.store, schema.evaluations)] == [NOW]
    assert rekon.refused("complaints", "sent", complaint_id) == "not_waiting"
    assert rekon.json("complaints", "answer", complaint_id, "akan direfund")["state"] == "answered"
    assert rekon.json("complaints", "show", complaint_id)["answer"] == "akan direfund"


@pytest.mark.parametrize("words", [["show"], ["sent"]])
def test_a_complaint_that_is_not_there_is_named(rekon, words):
    assert rekon.refused("complaints", *words, "cmp_tidakada", code=2) == "not_found"


def test_a_voucher_is_listed_without_the_code_that_spends_it(rekon):
    rekon.store.write(
        vouchers.issue,
        filling.order(rekon.store),
        code="7KQ2-M4XT-9WPA-1234",
        kind=BreakKind.DEBITED_TWICE,
        amount=5_000,
        rule="comp.1",
        policy=Policy(),
        now=NOW,
    )
    (item,) = rekon.json("vouchers", "list", "--agent", "A01")["items"]
    assert (item["code"], item["amount"]) == ("****-1234", 5_000)
    assert "7KQ2" not in rekon.run("vouchers", "list").output
    assert rekon.json("vouchers", "list", "--agent", "A02")["items"] == []


def test_messages_are_listed_without_address_and_text(rekon):
    filling.order(rekon.store)
    rekon.store.write(messages.add, filling.new_message(address="0812999988887"), now=NOW)
    (item,) = rekon.json("messages", "list", "--state", "waiting")["items"]
    assert item["template"] == "M02"
    assert not {"address", "text", "answer_url"} & set(item)
    assert rekon.json("messages", "list", "--state", "sent")["items"] == []


def test_an_agent_hears_again_what_he_was_told(rekon):
    filling.order(rekon.store)
    rekon.store.write(messages.add, filling.new_message(), now=NOW)
    assert [one["text"] for one in rekon.json("alerts", "--agent", "A01")["items"]] == [
        "Transaksi Anda sedang kami periksa."
    ]
    assert rekon.json("alerts", "--agent", "A02")["items"] == []
    assert "sedang kami periksa" in rekon.run("alerts", "--agent", "A01").stdout


def test_providers_are_listed_with_whether_asking_can_buy(rekon):
    rekon.configure('[providers.iak]\naccount = "utama"')
    items = {one["name"]: one for one in rekon.json("providers", "list")["items"]}
    assert items["digiflazz"]["check"] == "resend"
    assert items["otomax"]["check"] == "read_only"
    assert (items["iak"]["accounts"], items["digiflazz"]["accounts"]) == (["utama"], [])


def test_the_samples_of_every_provider_read_as_their_authors_expect(rekon):
    said = rekon.json("providers", "test")
    assert {one["provider"] for one in said["items"]} >= {"digiflazz", "iak", "otomax"}
    assert all(one["samples"] >= 12 and one["differences"] == [] for one in said["items"])


def test_a_provider_of_ones_own_is_tested_and_its_wrong_expectation_found(rekon):
    own = rekon.folder / "providers" / "otomax"
    (own / "samples").mkdir(parents=True)
    packaged = resources.data_path("providers", "otomax")
    (own / "provider.toml").write_text((packaged / "provider.toml").read_text())
    replies = (packaged / "samples" / "replies.toml").read_text()
    (own / "samples" / "replies.toml").write_text(replies.replace('outcome = "pending"', 'outcome = "failed"', 1))
    said = rekon.json("providers", "test", "otomax", code=1)
    assert said["wrong"] == 1
    assert rekon.refused("providers", "test", "entah", code=2) == "not_found"


def test_what_the_outside_wrote_cannot_move_the_cursor(rekon):
    opened(rekon, note="merah \x1b[31m dan\r\nbaris")
    shown = rekon.run("breaks", "list").stdout
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert shown.count("\n") == 2


def leaking(rekon):
    """Put ninety days of history in: two orders that failed for good, one of them charged by its provider."""
    for number, days in (("T1", 60), ("T2", 1)):
        ordered_at = builders.at(days=-days)
        filling.order(rekon.store, number=number, ordered_at=ordered_at, leg={"ref_id": f"R{number}"})
        line = builders.build_wallet_line(line_id=f"W{number}", transaction_id=number, posted_at=ordered_at)
        filling.wallet(rekon.store, line)


def test_the_leak_report_adds_up_what_never_came_back(rekon):
    leaking(rekon)
    said = rekon.json("report", "leaks", "--days", "90")
    assert said["leaks"]["failed_not_returned"]["count"] == 2
    assert said["leaks"]["failed_not_returned"]["amount"] == 2 * builders.PRICE
    assert [one["transaction_key"] for one in said["leaks"]["failed_not_returned"]["items"]] == ["toko:T1", "toko:T2"]
    assert said["coverage"] == {"orders": 2, "without_wallet_lines": 0, "cash": 0}


def test_the_leak_report_says_what_can_still_be_claimed_and_until_when(rekon):
    leaking(rekon)
    claim = rekon.json("report", "leaks")["claims"]["iak"]
    until = builders.at(days=-1) + timedelta(hours=claim["window_hours"])
    assert (claim["count"], claim["amount"], claim["too_late_count"]) == (1, builders.PRICE, 1)
    assert claim["first_deadline"] == claim["items"][0]["until"] == until.isoformat()
    assert claim["proved_count"] == 0


def test_the_leak_report_looks_only_as_far_as_asked_and_lists_only_as_much(rekon):
    leaking(rekon)
    near = rekon.json("report", "leaks", "--days", "30", "--limit", "0")["leaks"]["failed_not_returned"]
    assert (near["count"], near["items"]) == (1, [])
    assert rekon.json("report", "leaks", "--source", "lain")["coverage"]["orders"] == 0


def test_people_read_the_leak_report_in_indonesian(rekon):
    leaking(rekon)
    shown = rekon.run("report", "leaks").stdout
    assert "Gagal, saldo agen belum kembali: 2 order, Rp 101.200" in shown
    assert "Masih dapat ditagih ke iak" in shown
    assert builders.NUMBER not in shown
