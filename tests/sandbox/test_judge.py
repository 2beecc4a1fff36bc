"""The judge on one whole day and on tiny journals written by hand. Every fault planted here has to be seen."""

import asyncio
import copy
import csv
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from rekon.sandbox import judge, judge_books, judge_facts, judge_money, judge_rules
from rekon.sandbox.judge_facts import State
from rekon.sandbox.judge_failures import contradicts
from tests.sandbox.played import Door, Scripted, play_out, question, sale_of, small_story, told, world_of
from tests.sandbox.provider_calls import NOON, later

# A whole day, played by somebody who makes no mistake.


@pytest.fixture(scope="module")
def day():
    return asyncio.run(played(1))


async def played(seed):
    world, clock = world_of(told(seed), Door())
    script = Scripted(world, clock)
    await play_out(world, clock, script.agenda.next_at, script.agenda.play)
    return {name: journal.rows() for name, journal in world.journals.items()}, script.findings()


def verdict_on(journals, findings):
    return judge.verdict(judge_facts.gather(journals), findings)


@pytest.fixture
def copied(day):
    journals, findings = day
    return {name: [dict(row) for row in rows] for name, rows in journals.items()}, copy.deepcopy(findings)


def is_refund(row, kind):
    return row["kind"] == "wallet" and row["amount"] > 0 and f":{kind}:" in row["reference"]


def test_a_faultless_day_is_found_faultless(day):
    verdict = verdict_on(*day)
    assert verdict["reasons"] == []
    assert verdict["ok"]
    assert verdict["purchases_caused"] == verdict["bridge_residual"] == 0
    assert {name: verdict["refunds"][name] for name in ("wrong", "double", "missed")} == dict.fromkeys(
        ("wrong", "double", "missed"), 0
    )


def test_every_kind_is_caused_three_times_and_sixty_refunds_are_due(day):
    verdict = verdict_on(*day)
    assert set(verdict["breaks"]) == set(judge.KINDS)
    assert min(counts["expected"] for counts in verdict["breaks"].values()) >= 3
    assert all(counts["found"] == counts["expected"] for counts in verdict["breaks"].values())
    assert verdict["refunds"]["settled"] >= 60


def test_seconds_to_refund_count_from_the_permitted_instant(day):
    seconds = verdict_on(*day)["seconds_to_refund"]
    assert 0 <= seconds["p50"] <= 60
    assert seconds["p50"] <= seconds["p99"] < 700


def test_another_seed_is_judged_alike():
    verdict = verdict_on(*asyncio.run(played(20_261_116)))
    assert verdict["reasons"] == []


def test_journals_name_neither_breaks_nor_fates(day):
    journals, _ = day
    rows = [row for name, rows in journals.items() for row in rows if row["kind"] not in {"refund_request", "wallet"}]
    text = " ".join(map(str, (row for row in rows if row["kind"] != "message")))
    assert re.findall(r"\bB(?:01|02|03|04|05|07|10|11|14|17|21|22|30)\b", text) == []
    assert [name for name in ("never_formed", "unheard", "taken_back", "equal_both") if name in text] == []


def test_a_refund_that_never_came_is_missed(copied):
    journals, findings = copied
    rows = journals["server-toko"]
    lost = next(row for row in rows if is_refund(row, "B01"))
    rows.remove(lost)

    verdict = verdict_on(journals, findings)

    assert verdict["refunds"]["missed"] == 1
    assert not verdict["ok"]
    assert verdict["bridge_residual"] == lost["amount"]
    assert any("never credited" in reason for reason in verdict["reasons"])


def test_a_refund_that_was_not_owed_is_wrong(copied):
    journals, findings = copied
    rows = journals["server-toko"]
    stray = next(row for row in rows if row["kind"] == "wallet" and row["amount"] < 0)
    key = f"refund:toko:{stray['transaction_id']}:B01:1"
    rows.append(stray | {"amount": -stray["amount"], "line_kind": "refund", "reference": key})

    verdict = verdict_on(journals, findings)

    assert verdict["refunds"]["wrong"] == 1
    assert any(reason.startswith("wrong refund") and "not owed" in reason for reason in verdict["reasons"])


def test_a_refund_of_another_amount_is_wrong(copied):
    journals, findings = copied
    row = next(row for row in journals["server-toko"] if is_refund(row, "B10"))
    row["amount"] -= 1
    assert verdict_on(journals, findings)["refunds"]["wrong"] == 1


@pytest.mark.parametrize("kind", ["B01", "B10", "B17"])
def test_a_refund_before_its_permitted_instant_is_wrong(copied, kind):
    journals, findings = copied
    rows = journals["server-toko"]
    row = next(row for row in rows if is_refund(row, kind))
    debit = next(r for r in rows if r["kind"] == "wallet" and r["transaction_id"] == row["transaction_id"])
    row["at"] = debit["at"]

    verdict = verdict_on(journals, findings)

    assert verdict["refunds"]["wrong"] == 1
    assert any("too early" in reason for reason in verdict["reasons"])


def test_a_second_refund_is_double(copied):
    journals, findings = copied
    rows = journals["server-toko"]
    paid = next(row for row in rows if is_refund(row, "B01"))
    rows.append(paid | {"reference": paid["reference"].removesuffix("1") + "2"})

    verdict = verdict_on(journals, findings)

    assert verdict["refunds"]["double"] == 1
    assert verdict["breaks"]["B14"]["found"] < verdict["breaks"]["B14"]["expected"]


def test_a_break_that_was_not_found_is_named(copied):
    journals, findings = copied
    gone = findings["breaks"].pop()
    verdict = verdict_on(journals, findings)
    assert verdict["reasons"] == [f"missed break: {gone['transaction']} {gone['kind']}"]


@pytest.mark.parametrize("kind", ["B01", "B02", "B14", "B12"])
def test_an_invented_break_is_named(copied, kind):
    journals, findings = copied
    plain = f"toko:{sale_of('plain').transaction_id}"
    findings["breaks"].append({"transaction": plain, "kind": kind})

    verdict = verdict_on(journals, findings)

    assert verdict["breaks"][kind]["invented"] == 1
    assert verdict["reasons"] == [f"invented break: {plain} {kind}"]


def test_a_failure_the_server_refunded_at_once_needs_no_break(copied):
    journals, findings = copied
    key = f"mandiri:{sale_of('refused_later', 'mandiri').transaction_id}"
    findings["breaks"].append({"transaction": key, "kind": "B01"})
    assert verdict_on(journals, findings)["breaks"]["B01"]["invented"] == 1


def test_a_wanted_repeat_is_no_break(copied):
    journals, findings = copied
    repeats = [s for s in told(1).sales if s.fate == "wanted_repeat" and s.repeat_counter]
    findings["breaks"] += [{"transaction": f"{s.source}:{s.transaction_id}", "kind": "B11"} for s in repeats]
    assert verdict_on(journals, findings)["breaks"]["B11"]["invented"] == len(repeats)


def test_a_refund_called_settled_that_is_in_no_wallet_is_named(copied):
    journals, findings = copied
    findings["refunds"].append({"transaction": "toko:T1", "kind": "B01", "amount": 5, "state": "settled"})
    assert verdict_on(journals, findings)["reasons"] == ["refund called settled, never credited: toko:T1 B01"]


def test_a_quarantined_push_is_named(copied):
    journals, findings = copied
    push = next(row for row in journals["deliveries"] if row["kind"] == "pushed")
    push["quarantined"] = [{"index": 0, "field": "price", "reason": "x"}]
    assert len(verdict_on(journals, findings)["reasons"]) == 1


def test_a_voucher_missing_after_a_double_debit_is_named(copied):
    journals, findings = copied
    gone = findings["vouchers"].pop()
    (reason,) = verdict_on(journals, findings)["reasons"]
    assert reason == f"{gone['transaction']}: no voucher of Rp {gone['amount']}"


def credited_for(voucher, rows, times=1):
    """Add the credit lines of a voucher to a server's journal."""
    _, _, number = voucher["transaction"].partition(":")
    line = next(row for row in rows if row["kind"] == "wallet" and row["transaction_id"] == number)
    gift = line | {"amount": voucher["amount"], "reference": "voucher:GEHEIM", "line_kind": "refund"}
    rows.extend([gift] * times)


def test_a_voucher_credited_twice_is_named(copied):
    journals, findings = copied
    voucher = next(v for v in findings["vouchers"] if v["transaction"].startswith("toko"))
    credited_for(voucher, journals["server-toko"], times=2)

    reasons = verdict_on(journals, findings)["reasons"]

    assert "a voucher was credited 2 times" in reasons
    assert not any("GEHEIM" in reason for reason in reasons)


def test_a_voucher_nobody_issued_is_named(copied):
    journals, findings = copied
    plain = f"toko:{sale_of('plain').transaction_id}"
    credited_for({"transaction": plain, "amount": 1_000}, journals["server-toko"])
    assert f"{plain}: Rp 1000 credited for a voucher never issued" in verdict_on(journals, findings)["reasons"]


def test_a_redeemed_voucher_without_a_credit_is_named(copied):
    journals, findings = copied
    findings["vouchers"][0]["state"] = "redeemed"
    (reason,) = verdict_on(journals, findings)["reasons"]
    assert reason.endswith("called redeemed, never credited")


def test_two_complaints_or_a_baseless_one_are_named(copied):
    journals, findings = copied
    stuck = next(b["transaction"] for b in findings["breaks"] if b["kind"] == "B02")
    plain = f"toko:{sale_of('plain').transaction_id}"
    findings["complaints"] = [{"transaction": key, "state": "sent"} for key in (stuck, stuck, plain)]

    assert verdict_on(journals, findings)["reasons"] == [
        f"{stuck}: 2 complaints",
        f"{plain}: complaint without a break",
    ]


def test_an_agent_who_was_never_told_is_named(copied):
    journals, findings = copied
    agent = next(row for row in journals["server-toko"] if is_refund(row, "B01"))["agent_id"]
    journals["inbox"] = [row for row in journals["inbox"] if row["agent_id"] != agent]
    assert all("never told" in reason for reason in verdict_on(journals, findings)["reasons"])
    assert verdict_on(journals, findings)["reasons"]


def test_messages_that_are_not_where_they_should_be_are_named(copied):
    journals, findings = copied
    ids = [row["message_id"] for row in journals["inbox"]]
    findings["messages"] = [{"message_id": i, "state": "sent"} for i in [*ids[1:], "m_lost"]]
    assert verdict_on(journals, findings)["reasons"] == [
        "message m_lost: called sent, never arrived",
        f"message {ids[0]}: arrived, unknown to its sender",
    ]


def test_a_day_that_was_not_finished_is_not_ok(copied):
    journals, findings = copied
    for source in judge_facts.SOURCES:
        journals[f"server-{source}"] = [r for r in journals[f"server-{source}"] if r["kind"] != "closing"]
    verdict = verdict_on(journals, findings)
    assert "the story was not played to its end" in verdict["reasons"]


def test_a_statement_that_lost_a_line_leaves_exactly_its_amount(day, tmp_path):
    journals, findings = day
    write_statements(tmp_path, journals)
    books = judge_facts.gather(journals)
    assert judge.verdict(books, findings, folder=tmp_path)["bridge_residual"] == 0

    path = tmp_path / "statement-iak.csv"
    lines = path.read_text().splitlines()
    gone = lines.pop(10)
    path.write_text("\n".join(lines))

    verdict = judge.verdict(books, findings, folder=tmp_path)
    assert verdict["bridge_residual"] == abs(int(gone.split(",")[1]))
    assert not verdict["ok"]


def write_statements(folder, journals):
    for provider in judge_facts.PROVIDERS:
        charges = [row for row in journals[provider] if row["kind"] == "charge"]
        opening = charges[0]["balance_after"] - charges[0]["amount"]
        with (folder / f"statement-{provider}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["kind", "amount", "balance_after"])
            writer.writerow(["opening", 0, opening])
            writer.writerows([row["line_kind"], row["amount"], row["balance_after"]] for row in charges)
            writer.writerow(["closing", 0, charges[-1]["balance_after"]])


# A question that buys.


@pytest.mark.parametrize(
    "fate", ["never_formed", "sent_not_there_unasked", "pending_since_81_days", "pending_since_400_days"]
)
async def test_a_question_that_buys_is_named(fate):
    people = told(1)
    sale = next(s for s in (*people.sales, *people.imported) if s.fate == fate and s.source == "toko")
    sale = replace(sale, provider="digiflazz")
    is_old = sale in people.imported
    story = small_story(sales=[] if is_old else [sale], imported=[sale] if is_old else [], hours=4.25)
    world, clock = world_of(story, Door())
    world.advance(story.orders_end_at)
    world.cores["digiflazz"].answer(question(sale), story.orders_end_at)

    books = judge_facts.gather({name: journal.rows() for name, journal in world.journals.items()})

    assert len(judge_books.purchases(books)) == 1
    assert judge.verdict(books, {})["purchases_caused"] == 1
    assert clock.now == story.starts_at


async def test_asking_about_an_order_that_exists_buys_nothing():
    sale = sale_of("refused_at_once")
    world, _ = world_of(small_story(sales=[sale], hours=4.25), Door())
    world.advance(sale.ordered_at + timedelta(minutes=3))
    world.cores["digiflazz"].answer(question(sale), sale.ordered_at + timedelta(minutes=3))
    assert judge_books.purchases(judge_facts.gather({n: j.rows() for n, j in world.journals.items()})) == []


# Tiny journals, written by hand.


class Tiny:
    """One order at `toko` and `digiflazz`, and an hour in which nothing else happens."""

    def __init__(self, **columns):
        row = {"transaction_id": "T1", "agent_id": "T001", "charged_account": "agent_wallet", "family": "pulsa"}
        row |= {"provider": "digiflazz", "ref_id": "R1", "price": 10_600, "face_value": 10_000, "product": "S10"}
        row |= {"ordered_at": NOON.isoformat(), "destination": "0812", "repeat_counter": ""}
        self.journals = {f"server-{source}": [] for source in judge_facts.SOURCES}
        self.journals |= {name: [] for name in (*judge_facts.PROVIDERS, "inbox", "deliveries")}
        self.server("order", 0, **(row | columns))
        self.ref = (row | columns)["ref_id"]
        self.sending()
        self.line(-(row | columns)["price"], 0)
        self.pushes()

    def server(self, kind, seconds, **fields):
        self.journals["server-toko"].append({"kind": kind, "at": later(seconds).isoformat(), **fields})

    def sending(self, **changes):
        columns = {"send_state": "sent", "send_count": 1, "sent_at": NOON.isoformat(), "first_reply": "{}"}
        self.server("change", 0, transaction_id="T1", cause="sending", **(columns | changes))

    def status(self, status, seconds, cause="provider"):
        self.server("change", seconds, transaction_id="T1", cause=cause, order_status=status)

    def line(self, amount, seconds, reference="", transaction_id="T1", kind=None):
        kind = kind or ("debit" if amount < 0 else "refund")
        fields = {"transaction_id": transaction_id, "agent_id": "T001", "amount": amount, "balance_after": 0}
        self.server("wallet", seconds, line_kind=kind, reference=reference, **fields)

    def provider(self, kind, seconds, **fields):
        at = later(seconds).isoformat()
        self.journals["digiflazz"].append({"kind": kind, "at": at, "ref_id": self.ref, **fields})

    def state(self, state, code, seconds, serial="0041", *, called=True):
        self.provider("state", seconds, state=state, code=code, serial_number=serial)
        if called:
            self.provider("callback", seconds, code=code, genuine=True)
            self.delivered("called_back", seconds, provider="digiflazz", ref_id=self.ref, code=code, status=200)

    def asked(self, code, seconds, fault=""):
        self.provider("inquiry", seconds, code=code, via="http", fault=fault, created_order=False)

    def charge(self, amount, seconds):
        self.provider("charge", seconds, amount=amount, balance_after=0, line_kind="charge")

    def delivered(self, kind, seconds, **fields):
        self.journals["deliveries"].append({"kind": kind, "at": later(seconds).isoformat(), **fields})

    def pushes(self):
        for seconds in range(0, 7200, 10):
            as_of = later(seconds - 3).isoformat()
            fields = {"source": "toko", "book": "transactions", "as_of": as_of, "status": 200, "quarantined": []}
            self.delivered("pushed", seconds, **fields)

    def books(self, ends=7200):
        self.server("closing", ends, balances={})
        self.journals["digiflazz"].append({"kind": "closing", "at": later(ends).isoformat(), "balance": 0})
        return judge_facts.gather(self.journals)

    def kinds(self, ends=7200):
        found = judge_rules.breaks(self.books(ends))
        return {kind: verdicts["toko:T1"] for kind, verdicts in found.items() if "toko:T1" in verdicts}

    def settled(self):
        books = self.books()
        return judge_money.settle(books, judge_rules.breaks(books))


def refused(code="52", at=30):
    tiny = Tiny()
    tiny.state("pending", "03", 0, called=False)
    tiny.state("failed", code, at)
    tiny.status("failed", at + 2)
    return tiny


def test_a_plain_success_is_no_break():
    tiny = Tiny()
    tiny.state("pending", "03", 0, called=False)
    tiny.state("success", "00", 20)
    tiny.status("success", 22)
    assert tiny.kinds() == {}


def test_a_definite_failure_is_b01():
    assert refused().kinds() == {"B01": "must"}


@pytest.mark.parametrize(
    ("code", "second", "paid", "wrong"),
    [
        ("52", 150, 149, 1),  # a second before the hold of 120 s ends
        ("52", 150, 151, 0),
        ("52", None, 300, 1),  # only one reading
        ("02", 570, 569, 1),  # SOFT holds 540 s
        ("02", 570, 571, 0),
    ],
)
def test_a_hold_and_its_readings_are_watched(code, second, paid, wrong):
    tiny = refused(code)
    if second is not None:
        tiny.asked(code, min(second, paid) - 2)
    tiny.line(10_600, paid - 1, reference="refund:toko:T1:B01:1")
    assert len(tiny.settled().wrong) == wrong


def test_a_soft_failure_with_its_charge_seen_back_may_be_paid_after_two_minutes():
    tiny = refused("02")
    tiny.delivered("stated", 160, provider="digiflazz", status=200, quarantined=[], returned=["R1"])
    tiny.line(10_600, 162, reference="refund:toko:T1:B01:1")
    settlement = tiny.settled()
    assert settlement.wrong == ()
    assert settlement.seconds == (2.0,)


def test_a_refusal_in_the_only_first_reply_may_be_paid_at_once():
    tiny = Tiny()
    tiny.provider("refused", 0, code="68", via="server")
    tiny.status("failed", 0)
    tiny.line(10_600, 12, reference="refund:toko:T1:B01:1")
    settlement = tiny.settled()
    assert (settlement.wrong, settlement.missed, settlement.seconds) == ((), (), (2.0,))


def test_a_refusal_of_a_second_sending_proves_nothing():
    tiny = Tiny()
    tiny.sending(send_count=2)
    tiny.provider("refused", 70, code="44", via="server")
    tiny.status("failed", 70)
    tiny.line(10_600, 90, reference="refund:toko:T1:B01:1")
    assert len(tiny.settled().wrong) == 1


def test_money_paid_on_stale_books_is_wrong():
    tiny = Tiny()
    tiny.provider("refused", 0, code="68", via="server")
    tiny.line(10_600, 5, reference="refund:toko:T1:B01:1")
    assert "too early" in tiny.settled().wrong[0]


def test_books_are_fresh_once_they_reach_two_seconds_past_the_word():
    tiny = Tiny()
    tiny.provider("refused", 6, code="68", via="server")
    tiny.sending(sent_at=later(6).isoformat())
    (due,) = tiny.settled().due
    assert due.earliest == later(20)  # the push of 12:00:10 reached only to 12:00:07


def test_money_paid_after_a_late_delivery_is_wrong():
    tiny = refused("02")
    tiny.asked("02", 600)
    tiny.state("success", "00", 2400)
    tiny.line(10_600, 2500, reference="refund:toko:T1:B01:1")
    assert "had delivered" in tiny.settled().wrong[0]


def test_a_time_out_is_paid_only_with_proof_and_three_readings():
    tiny = refused("70")
    tiny.charge(-10_400, 0)
    tiny.charge(10_400, 30)
    tiny.asked("70", 930)
    tiny.asked("70", 2731)
    tiny.delivered("stated", 660, provider="digiflazz", status=200, quarantined=[], returned=["R1"])
    tiny.line(10_600, 2735, reference="refund:toko:T1:B01:1")
    settlement = tiny.settled()
    assert [due.kind for due in settlement.due] == ["B01"]
    assert settlement.wrong == ()


def test_a_time_out_whose_charge_stays_is_nobodys_automatic_refund():
    tiny = refused("70")
    tiny.charge(-10_400, 0)
    assert tiny.kinds() == {"B01": "may", "B02": "may"}
    tiny.line(10_600, 5000, reference="refund:toko:T1:B01:1")
    settlement = tiny.settled()
    assert settlement.due == ()
    assert len(settlement.wrong) == 1


def test_a_dear_refund_is_left_to_a_person():
    tiny = Tiny(price=148_300)
    tiny.state("failed", "52", 0)
    assert tiny.settled().missed == ()
    assert not tiny.settled().due[0].automatic


@pytest.mark.parametrize(
    ("final", "found"), [(200, {}), (520, {"B02": "must"}), (None, {"B02": "must"}), (310, {"B02": "may"})]
)
def test_waiting_longer_than_five_minutes_is_b02(final, found):
    tiny = Tiny()
    tiny.state("pending", "03", 0, called=False)
    if final is not None:
        tiny.state("success", "00", final)
        tiny.status("success", final + 2)
    assert tiny.kinds() == found


def test_a_delivery_the_server_never_hears_of_is_b03_even_after_rekon_told_it():
    tiny = Tiny()
    tiny.state("pending", "03", 0, called=False)
    tiny.state("success", "00", 20)
    tiny.status("success", 90, cause="rekon")
    assert tiny.kinds() == {"B03": "must"}


@pytest.mark.parametrize(("heard", "found"), [(22, {}), (600, {"B03": "must"}), (90, {"B03": "may"})])
def test_a_server_that_hears_late_by_itself_is_b03_too(heard, found):
    tiny = Tiny()
    tiny.state("pending", "03", 0, called=False)
    tiny.state("success", "00", 20)
    tiny.status("success", heard)
    assert tiny.kinds() == found


def test_a_delivery_after_the_money_came_back_is_b04():
    tiny = refused("02")
    tiny.line(10_600, 600, reference="refund:toko:T1:B01:1")
    tiny.charge(-10_400, 2400)
    tiny.state("success", "00", 2400)
    assert tiny.kinds() == {"B01": "must", "B04": "must"}


def test_a_success_taken_back_is_b05_and_a_person_decides_about_the_money():
    tiny = Tiny()
    tiny.state("success", "00", 0)
    tiny.status("success", 0)
    tiny.state("reversed", "74", 1800)
    tiny.delivered("stated", 2400, provider="digiflazz", status=200, quarantined=[], returned=["R1"])
    assert tiny.kinds() == {"B05": "must"}
    assert tiny.settled().due == ()


@pytest.mark.parametrize(("came", "found"), [(None, "must"), (120, "may"), (2400, "must")])
def test_a_success_without_a_serial_number_is_b07(came, found):
    tiny = Tiny()
    tiny.state("success", "00", 0, serial="-")
    tiny.status("success", 0)
    if came is not None:
        tiny.state("success", "00", came, serial="0041")
    assert tiny.kinds() == {"B07": found}


def test_two_debits_for_one_order_are_b10_and_the_excess_is_owed():
    tiny = Tiny()
    tiny.state("success", "00", 0)
    tiny.status("success", 0)
    tiny.line(-10_600, 8)
    assert tiny.kinds() == {"B10": "must"}
    (due,) = tiny.settled().due
    assert (due.kind, due.amount, due.earliest) == ("B10", 10_600, later(128))


@pytest.mark.parametrize(
    ("gap", "changes", "found"),
    [
        (60, {}, "must"),
        (130, {}, None),
        (60, {"repeat_counter": "2"}, None),
        (60, {"family": "game"}, None),
        (60, {"agent_id": "T002"}, None),
    ],
)
def test_two_equal_orders_are_b11_on_the_later_one(gap, changes, found):
    tiny = Tiny()
    tiny.state("success", "00", 0)
    tiny.status("success", 0)
    second = dict(tiny.journals["server-toko"][0]) | {
        "transaction_id": "T2",
        "ref_id": "R2",
        "at": later(gap).isoformat(),
    }
    tiny.journals["server-toko"].append(second | {"ordered_at": later(gap).isoformat()} | changes)
    tiny.server("change", gap, transaction_id="T2", cause="provider", order_status="success")

    assert judge_rules.breaks(tiny.books())["B11"].get("toko:T2") == found


def test_more_given_back_than_taken_is_b14():
    tiny = refused()
    tiny.line(10_600, 36, reference="GT1")
    tiny.line(10_600, 90, reference="GT1")
    assert tiny.kinds() == {"B14": "must"}


def test_a_voucher_is_not_given_back_too_much():
    tiny = refused()
    tiny.line(10_600, 36, reference="GT1")
    tiny.line(1_000, 90, reference="voucher:A")
    assert tiny.kinds() == {}


def test_an_order_that_was_never_sent_is_b17_and_owed():
    tiny = Tiny()
    tiny.sending(send_state="not_sent", send_count=0, sent_at=None, first_reply=None)
    assert tiny.kinds() == {"B17": "must"}
    assert [(due.kind, due.earliest) for due in tiny.settled().due] == [("B17", later(120))]


def test_an_order_the_provider_never_got_moves_no_money():
    tiny = Tiny()
    tiny.sending(send_state="unknown", first_reply=None)
    assert tiny.kinds() == {"B02": "may", "B17": "may"}
    assert tiny.settled().due == ()


def test_status_and_code_that_disagree_are_b21():
    tiny = Tiny()
    tiny.state("pending", "03", 0, called=False)
    tiny.state("success", "02", 30)
    assert tiny.kinds() == {"B02": "may", "B21": "must"}
    assert tiny.settled().due == ()


@pytest.mark.parametrize(
    ("provider", "state", "code", "torn"),
    [
        ("digiflazz", "success", "00", False),
        ("digiflazz", "success", "02", True),
        ("digiflazz", "failed", "00", True),
        ("digiflazz", "failed", "03", True),
        ("digiflazz", "pending", "99", False),
        ("digiflazz", "reversed", "74", False),
        ("iak", "failed", "39", True),
        ("otomax", "pending", "2", False),
        ("otomax", "success", "40", True),
    ],
)
def test_a_contradiction_is_seen(provider, state, code, torn):
    assert contradicts(provider, State(at=NOON, state=state, code=code, serial_number="")) is torn


@pytest.mark.parametrize(
    ("called", "asked", "found"), [(True, 900, None), (False, 900, "must"), (False, 560, "may"), (False, None, "must")]
)
def test_a_final_word_without_a_callback_is_b22(called, asked, found):
    tiny = Tiny()
    tiny.state("pending", "03", 0, called=False)
    tiny.state("success", "00", 500, called=called)
    tiny.status("success", 502)
    if asked is not None:
        tiny.asked("00", asked)
    assert tiny.kinds().get("B22") == found


def test_a_spoiled_answer_tells_nobody_anything():
    tiny = Tiny()
    tiny.state("pending", "03", 0, called=False)
    tiny.state("success", "00", 500, called=False)
    tiny.asked("00", 560, fault="html")
    assert tiny.books().orders["toko:T1"].inquiries == []


@pytest.mark.parametrize(("days", "found"), [(79, {"B02": "must"}), (81, {"B30": "must"}), (400, {"B30": "must"})])
def test_an_order_older_than_eighty_days_is_b30(days, found):
    old = (NOON - timedelta(days=days)).isoformat()
    tiny = Tiny(ordered_at=old)
    tiny.sending(sent_at=old)
    if days < 80:
        tiny.state("pending", "03", 0, called=False)
    assert tiny.kinds() == found


@pytest.mark.parametrize(
    ("account", "kept", "found"),
    [("cash", False, "must"), ("provider_deposit", True, "must"), ("provider_deposit", False, "may")],
)
def test_other_purses_have_their_own_b01(account, kept, found):
    tiny = Tiny(charged_account=account)
    tiny.state("failed", "52", 0)
    tiny.charge(-10_400, 0)
    if not kept:
        tiny.charge(10_400, 0)
    assert tiny.kinds() == {"B01": found}
    assert tiny.settled().due == ()


@pytest.mark.parametrize(
    ("nominal", "gift"),
    [(5_000, 1_000), (10_000, 1_000), (20_000, 2_000), (25_000, 2_500), (50_000, 5_000), (100_000, 5_000)],
)
def test_an_apology_is_worth_a_tenth(nominal, gift):
    assert judge_books.gift_for(nominal) == gift


@pytest.mark.parametrize(
    ("values", "share", "value"), [([], 0.5, None), ([3.0], 0.99, 3.0), ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0)]
)
def test_a_percentile_is_a_value_that_was_seen(values, share, value):
    assert judge_money.percentile(values, share) == value


def test_journals_that_are_not_there_are_read_as_empty(tmp_path):
    verdict = judge.judge(tmp_path, {})
    assert not verdict["ok"]
    assert Counter(reason.split(" was caused")[0] for reason in verdict["reasons"])["B01"] == 1
