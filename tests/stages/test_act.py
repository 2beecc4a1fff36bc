"""ACT against a played server whose wire breaks: whatever happens, an agent has his money once or a person looks."""

import asyncio
from dataclasses import replace

import pytest
from starlette.responses import JSONResponse, Response

from rekon.domain.breaks import BreakKind
from rekon.domain.refund import RefundState, voucher_key
from rekon.sandbox import traits
from rekon.sandbox.traits import Traits, accepted, delivered, failed
from rekon.stages import act, check, decide
from rekon.stages.act import intents, lanes, payouts, refunding
from rekon.store import agents, approvals, intake, journal, leases, limits, refunds, schema, staff, vouchers
from tests import builders
from tests.journeys import plays

HALF_A_MINUTE = 31


def unformed(count=1, *, source="toko"):
    """Sell top-ups that the provider refuses before anything exists: their refund is due at once."""
    play = plays.Play()
    for _ in range(count):
        fate = Traits(steps=(failed(0, "68", callback="lost"),))
        play.sell("unformed", fate, provider="digiflazz", source=source, seconds=0)
    return play


async def asked_for(set_up, play=None, **more):
    """Set a bench up at the instant when the refund stands requested and nothing was sent."""
    bench = await set_up((play or unformed()).story(minutes=6000), **more)
    await bench.forward(5)
    await wish(bench)
    return bench


async def wish(bench):
    """Walk up to the request: read what is new, decide, and stop before ACT."""
    await check.work(bench.context)
    await decide.work(bench.context)


def refund_of(bench):
    return bench.one(schema.refunds)


def in_transit(bench):
    balances = {one.account: one.amount for one in bench.store.read(journal.balances)}
    return balances.get("refunds_in_transit", 0)


def tells(bench):
    """Count how often the gateway was told to pay."""
    return bench.tampering.called("/refunds")


async def settle(bench, *seconds):
    await bench.beats(*(seconds or (3, 5, 9)))
    return refund_of(bench)["state"]


async def test_an_honest_gateway_pays_once_and_the_credit_is_read_back(set_up):
    bench = await asked_for(set_up)
    await act.work(bench.context)
    row = refund_of(bench)
    (credit,) = bench.credits()
    assert (row["state"], credit["amount"], credit["reference"]) == ("settled", row["amount"], row["key"])
    assert bench.tampering.calls == [
        "GET /servers/toko/wallet-lines",
        "POST /servers/toko/refunds",
        "GET /servers/toko/wallet-lines",
    ]
    assert in_transit(bench) == 0


@pytest.mark.parametrize("word", ["lost", "short", "conflict"])
@pytest.mark.parametrize("gateway_class", ["G1", "G2"])
async def test_a_payment_whose_answer_is_no_good_is_looked_up_and_not_told_again(set_up, word, gateway_class):
    bench = await asked_for(set_up, gateway_class=gateway_class)
    bench.tampering.words = [word]
    await act.work(bench.context)
    assert refund_of(bench)["state"] == "submitted"
    assert await settle(bench) == "settled"
    assert len(bench.credits()) == tells(bench) == 1
    assert in_transit(bench) == 0


async def test_silence_after_the_effect_is_looked_up(set_up):
    bench = await asked_for(set_up, deadline_seconds=0.5)
    bench.tampering.words = ["held"]
    await act.work(bench.context)
    assert refund_of(bench)["state"] == "submitted"
    assert await settle(bench) == "settled"
    assert len(bench.credits()) == tells(bench) == 1


@pytest.mark.parametrize("word", ["unpaid", "busy"])
async def test_a_gateway_that_knows_keys_is_told_again_when_it_does_not_know_ours(set_up, word):
    bench = await asked_for(set_up)
    bench.tampering.words = [word]
    await act.work(bench.context)
    assert await settle(bench) == "settled"
    assert (len(bench.credits()), tells(bench)) == (1, 2)


async def test_five_broken_answers_in_a_row_pay_once(set_up):
    bench = await asked_for(set_up)
    bench.tampering.words = ["unpaid", "busy", "unpaid", "unpaid", "lost"]
    assert await settle(bench, 0, 3, 5, 9, 17, 33, 65, 129) == "settled"
    assert len(bench.credits()) == 1


async def test_after_half_the_window_a_key_is_never_told_again(set_up):
    bench = await asked_for(set_up)
    bench.tampering.words = ["unpaid"]
    await act.work(bench.context)
    state = await settle(bench, 25 * 3600, 5, 9, 17, 33, 65, 129, 257, 513)
    assert (state, tells(bench), bench.credits()) == ("unknown", 1, [])


async def test_a_gateway_that_can_only_be_asked_is_not_told_again_while_not_found_may_mean_not_yet(set_up):
    bench = await asked_for(set_up, gateway_class="G1")
    bench.tampering.words = ["unpaid"]
    await act.work(bench.context)
    await bench.beats(3, 5, 9, 17, 33, 65, 129)
    assert (tells(bench), bench.credits()) == (1, [])


@pytest.mark.parametrize("word", ["lost", "unpaid", "short", "busy", "conflict"])
async def test_a_gateway_without_keys_is_told_once_and_anything_unclear_goes_to_a_person(set_up, word):
    bench = await asked_for(set_up, gateway_class="G0")
    bench.tampering.words = [word]
    assert await settle(bench, 0, 3, 60, 3600) == "unknown"
    assert tells(bench) == 1


async def test_a_gateway_without_keys_that_says_paid_is_believed_by_nobody_but_a_person(set_up):
    bench = await asked_for(set_up, gateway_class="G0")
    assert await settle(bench, 0, HALF_A_MINUTE, 3600) == "unknown"
    assert len(bench.credits()) == tells(bench) == 1


async def test_a_plain_refusal_takes_the_posting_back_and_asks_a_person(set_up):
    bench = await asked_for(set_up)
    bench.tampering.words = ["refused"]
    assert await settle(bench, 0, 60, 3600) == "failed"
    assert (tells(bench), bench.credits(), in_transit(bench)) == (1, [], 0)
    assert bench.one(schema.breaks, kind="B01")["state"] == "in_review"


async def test_pending_is_waited_for_and_counts_only_when_it_succeeded(set_up):
    bench = await asked_for(set_up)
    row = refund_of(bench)
    said = {"status": "pending", "gateway_ref": "", "agent_id": row["agent_id"], "amount": row["amount"]}
    bench.tampering.instead = {"POST /refunds": lambda _: JSONResponse(said)}
    bench.tampering.instead[f"GET /refunds/by-key/{row['key']}"] = lambda _: JSONResponse(said)
    assert await settle(bench) == "submitted"
    pay(bench, row)
    bench.tampering.instead.clear()
    assert await settle(bench, 60) == "settled"
    assert len(bench.credits()) == tells(bench) == 1


def pay(bench, row):
    """Let the server pay a refund it had only taken in."""
    body = {"agent_id": row["agent_id"], "transaction_id": row["transaction_key"].partition(":")[2]}
    order = body | {"amount": row["amount"], "currency": "IDR"}
    bench.world.servers["toko"].refund(row["key"], order, at=bench.now)


async def test_a_look_up_that_names_another_amount_never_settles(set_up):
    bench = await asked_for(set_up)
    row = refund_of(bench)
    bench.tampering.words = ["lost"]
    said = {"status": "succeeded", "gateway_ref": "X1", "agent_id": row["agent_id"], "amount": row["amount"] // 2}
    bench.tampering.instead = {f"GET /refunds/by-key/{row['key']}": lambda _: JSONResponse(said)}
    state = await settle(bench, 0, 3, 5, 9, 17, 33, 65, 129, 257, 513)
    assert (state, tells(bench)) == ("unknown", 1)


async def test_paid_is_not_settled_before_the_credit_with_our_key_was_read(set_up):
    bench = await asked_for(set_up)
    empty = {"as_of": bench.now.isoformat(), "items": []}
    reads = iter([None])
    bench.tampering.instead = {"GET /wallet-lines": lambda _: next(reads, JSONResponse(empty))}
    await act.work(bench.context)
    assert refund_of(bench)["state"] == "submitted"
    bench.tampering.instead.clear()
    assert await settle(bench, 3) == "settled"


async def test_a_server_without_a_live_read_settles_by_the_lines_it_pushes(set_up):
    bench = await asked_for(set_up)
    bench.tampering.instead = {"GET /wallet-lines": lambda _: Response(status_code=501)}
    await act.work(bench.context)
    assert refund_of(bench)["state"] == "submitted"
    assert await settle(bench, 3) == "settled"
    assert len(bench.credits()) == tells(bench) == 1


@pytest.mark.parametrize("status", [500, 404, 401])
async def test_nothing_is_paid_while_the_wallet_cannot_be_read(set_up, status):
    bench = await asked_for(set_up)
    bench.tampering.instead = {"GET /wallet-lines": lambda _: Response(status_code=status)}
    assert await settle(bench, 0, 3) == "requested"
    bench.tampering.instead.clear()
    assert tells(bench) == 0
    assert await settle(bench, 60) == "settled"


async def test_a_wallet_that_stays_unreadable_is_a_persons_business(set_up):
    bench = await asked_for(set_up)
    bench.tampering.instead = {"GET /wallet-lines": lambda _: Response(status_code=500)}
    state = await settle(bench, 0, 3, 5, 9, 17, 33, 65, 129, 257)
    assert (state, tells(bench)) == ("awaiting_approval", 0)


async def test_a_refund_is_withdrawn_when_the_server_paid_in_the_meantime(set_up):
    bench = await asked_for(set_up)
    row = refund_of(bench)
    wallets = bench.world.servers["toko"].wallets
    wallets.post(row["agent_id"], row["amount"], kind="refund", at=bench.now, transaction_id="T100001", reference="G1")
    await act.work(bench.context)
    assert (refund_of(bench)["state"], tells(bench)) == ("rejected", 0)
    assert [credit["reference"] for credit in bench.credits()] == ["G1"]


async def test_a_restart_between_effect_and_record_pays_no_second_time(set_up):
    bench = await asked_for(set_up)
    row = meant(bench)
    await bench.context.connectors.gateways["toko"].pay(refunding.order_of(row))
    bench.store.write(leases.release_all, bench.now)
    assert await settle(bench, 0) == "settled"
    assert len(bench.credits()) == tells(bench) == 1


async def test_a_restart_between_intent_and_effect_pays_after_all(set_up):
    bench = await asked_for(set_up)
    meant(bench)
    assert await settle(bench, HALF_A_MINUTE) == "settled"
    assert len(bench.credits()) == tells(bench) == 1


def meant(bench):
    """Claim the only refund and write its intent, as a program does that dies right after it."""
    claimed = bench.store.write(act.claim, lease="dead", now=bench.now)
    asked = {"context": bench.context, "rows": claimed.refunds, "lease": "dead", "now": bench.now}
    (row,) = bench.store.write(intents.submit, **asked)
    return row


async def step(bench, steps, rows, *, lease):
    """Take one step with rows that were claimed before."""
    async with asyncio.TaskGroup() as tasks:
        await steps(lanes.Round(context=bench.context, lease=lease, tasks=tasks), rows)


async def test_who_lost_the_lease_writes_no_intent_and_sends_nothing(set_up):
    bench = await asked_for(set_up)
    claimed = bench.store.write(act.claim, lease="slow", now=bench.now)
    await bench.forward(HALF_A_MINUTE)
    bench.store.write(act.claim, lease="quick", now=bench.now)
    await step(bench, refunding.step_refunds, claimed.refunds, lease="slow")
    assert (refund_of(bench)["state"], tells(bench)) == ("requested", 0)


async def test_two_workers_at_once_pay_once(set_up, store):
    bench = await asked_for(set_up, unformed(3), store=store)
    await asyncio.gather(act.work(bench.context), act.work(bench.context))
    await settle_all(bench)
    assert sorted(row["state"] for row in bench.rows(schema.refunds)) == ["settled"] * 3
    assert len(bench.credits()) == tells(bench) == 3


async def settle_all(bench):
    await bench.beats(3, 5, 9)


async def test_lost_news_settles_on_each_database(set_up, store):
    bench = await asked_for(set_up, store=store)
    bench.tampering.words = ["lost"]
    await act.work(bench.context)
    assert await settle(bench) == "settled"
    assert len(bench.credits()) == 1


async def test_a_source_without_a_gateway_waits_for_a_person(set_up):
    bench = await asked_for(set_up, sources=("mandiri",))
    await act.work(bench.context)
    row = refund_of(bench)
    assert (row["state"], row["hold_reason"]) == ("awaiting_approval", "sumber ini tidak punya jalan pengembalian")
    assert bench.tampering.calls == []


async def test_a_refund_that_lost_its_gateway_on_the_way_goes_on_counting(set_up):
    bench = await asked_for(set_up)
    bench.tampering.words = ["lost"]
    await act.work(bench.context)
    bench.context = replace(bench.context, connectors=replace(bench.context.connectors, gateways={}))
    await bench.forward(HALF_A_MINUTE)
    await act.work(bench.context)
    row = refund_of(bench)
    assert (row["state"], row["automatic"], row["submitted_at"] is not None) == ("unknown", True, True)


# Limits.


@pytest.mark.parametrize(("provider", "state"), [("digiflazz", "awaiting_approval"), ("iak", "settled")])
async def test_a_halt_of_one_provider_stops_what_goes_back_on_its_word(set_up, provider, state):
    bench = await asked_for(set_up)
    bench.store.write(limits.halt, scope=limits.scope_of(provider), reason="aneh", by="Sari", now=bench.now)
    assert await settle(bench, 0, 60) == state
    assert refund_of(bench)["hold_reason"] == ("HALT digiflazz: aneh" if state != "settled" else "")


async def test_a_halt_of_a_provider_leaves_what_our_own_books_prove(set_up):
    play = plays.Play()
    steps = (accepted("digiflazz"), delivered("digiflazz", 20))
    play.sell("twice", Traits(steps=steps, debited_again_after=10), provider="digiflazz")
    bench = await set_up(play.story(minutes=6000))
    bench.store.write(limits.halt, scope=limits.scope_of("digiflazz"), reason="aneh", by="Sari", now=bench.now)
    await bench.beats(330, 60, 60, 60, 60, 60, 60)
    assert refund_of(bench)["state"] == "settled"


async def test_approved_money_waits_for_the_halt_of_its_provider_too(set_up):
    bench = await asked_for(set_up)
    row = refund_of(bench)
    bench.store.write(refunds.move, row, to=RefundState.AWAITING_APPROVAL, automatic=False)
    row = refund_of(bench)
    bench.store.write(refunds.move, row, to=RefundState.APPROVED, due_at=bench.now)
    bench.store.write(limits.halt, scope=limits.scope_of("digiflazz"), reason="aneh", by="Sari", now=bench.now)
    await act.work(bench.context)
    assert (refund_of(bench)["state"], tells(bench)) == ("approved", 0)
    bench.store.write(limits.resume, scope=limits.scope_of("digiflazz"))
    assert await settle(bench, 61) == "settled"


async def test_a_halt_stops_automatic_money(set_up):
    bench = await asked_for(set_up)
    halt(bench)
    assert await settle(bench, 0, 60) == "awaiting_approval"
    assert (refund_of(bench)["hold_reason"], tells(bench)) == ("HALT: latihan", 0)


async def test_a_frozen_agent_gets_nothing_automatically(set_up):
    bench = await asked_for(set_up)
    agent = {"agent_id": "T001", "name": "Konter", "zone": "WIB"}
    take_agent(bench, agent)
    bench.store.write(agents.freeze, "T001", reason="saldo tidak runtut")
    assert await settle(bench, 0, 60) == "awaiting_approval"
    assert (refund_of(bench)["hold_reason"], tells(bench)) == ("agen dibekukan: saldo tidak runtut", 0)


def take_agent(bench, agent):
    batch = intake.Batch(book="agents", source="toko", rows=[agent], origin="bench")
    taken = bench.store.write(intake.take, batch, now=bench.now)
    assert taken.accepted == 1


async def test_the_one_refund_too_many_waits_and_halts_the_rest(set_up):
    play = plays.Play()
    for number in range(3):
        fate = Traits(steps=(traits.accepted("iak"), delivered("iak", 2)), debited_again_after=2)
        play.sell(f"twice {number}", fate, seconds=0)
    bench = await set_up(play.story(minutes=60), policy=builders.build_policy(breaker_count=2))
    await bench.beats(5, 120, 10)
    states = sorted(row["state"] for row in bench.rows(schema.refunds))
    assert states == ["awaiting_approval", "settled", "settled"]
    assert len(bench.credits()) == tells(bench) == 2
    assert bench.one(schema.halts)["scope"] == "all"


async def test_refunds_of_what_was_never_formed_do_not_open_the_breaker(set_up):
    bench = await set_up(unformed(3).story(minutes=60), policy=builders.build_policy(breaker_count=1))
    await bench.beats(5, 5)
    assert [row["state"] for row in bench.rows(schema.refunds)] == ["settled"] * 3
    assert bench.rows(schema.halts) == []


async def test_an_agents_day_has_an_end(set_up):
    play = unformed(2)
    first, second = play.sales
    play.sales = [first, replace(second, agent_id=first.agent_id)]
    bench = await set_up(play.story(minutes=60), policy=builders.build_policy(agent_day_count=1))
    await bench.beats(5, 5)
    assert sorted(row["state"] for row in bench.rows(schema.refunds)) == ["awaiting_approval", "settled"]


async def test_an_approved_refund_waits_while_all_money_is_halted_and_moves_when_it_is_lifted(set_up):
    bench = await asked_for(set_up)
    halt(bench)
    await bench.beat()
    approve(bench)
    assert await settle(bench, 5, 61) == "approved"
    assert tells(bench) == 0
    bench.store.write(limits.resume, scope=limits.GLOBAL)
    assert await settle(bench, 61) == "settled"
    assert len(bench.credits()) == 1


def halt(bench):
    bench.store.write(limits.halt, scope=limits.GLOBAL, reason="latihan", by="tes", now=bench.now)


async def test_an_approval_of_other_evidence_moves_nothing(set_up):
    bench = await asked_for(set_up, policy=builders.build_policy(auto_max_own_books=1))
    approve(bench)
    row = refund_of(bench)
    bench.store.write(_forge_digest, row["refund_id"])
    assert await settle(bench, 5) == "awaiting_approval"
    assert (refund_of(bench)["hold_reason"], tells(bench)) == ("bukti atau jumlah berubah setelah diajukan", 0)


def approve(bench):
    bench.store.write(staff.add, name="Sari", role="staf_billing", token="t" * 40, now=bench.now)
    person = bench.store.read(approvals.find_person, "t" * 40)
    ballot = approvals.Ballot(refund_id=refund_of(bench)["refund_id"], person=person, word=approvals.Word.APPROVE)
    bench.store.write(approvals.take, ballot, policy=bench.context.policy, now=bench.now)


def _forge_digest(connection, refund_id):
    row = refunds.get(connection, refund_id)
    refunds.move(connection, row, to=refunds.RefundState(row["state"]), digest="e" * 64)


# Telling a server how an order ended.


def unheard():
    play = plays.Play()
    fate = Traits(steps=(traits.accepted("iak"), delivered("iak", 2)), hears="never")
    play.sell("unheard", fate, seconds=0)
    return play.story(minutes=600)


async def completed(set_up, **more):
    """Walk up to the instant when the server is about to be told of a success it has not heard."""
    bench = await set_up(unheard(), **more)
    await bench.beats(4, 60)
    return bench


async def test_a_server_that_has_not_heard_of_a_success_is_told(set_up):
    bench = await completed(set_up)
    await bench.beats(10)
    assert bench.one(schema.order_results)["state"] == "accepted"
    assert bench.world.servers["toko"].order("T100001")["order_status"] == "success"


async def test_a_result_whose_answer_was_lost_is_told_again_with_the_same_key(set_up):
    bench = await set_up(unheard())
    broken = iter([Response(status_code=502)])
    bench.tampering.instead = {"POST /orders/T100001/result": lambda _: next(broken, None)}
    await bench.beats(4, 60, 3, 5)
    assert bench.one(schema.order_results)["state"] == "accepted"
    assert bench.tampering.called("/result") == 2


@pytest.mark.parametrize(
    ("answer", "state"),
    [(JSONResponse({"status": "failed"}, status_code=409), "conflict"), (Response(status_code=501), "unsupported")],
)
async def test_a_server_that_takes_no_result_leaves_it_to_a_person(set_up, answer, state):
    bench = await set_up(unheard())
    bench.tampering.instead = {"POST /orders/T100001/result": lambda _: answer}
    await bench.beats(4, 60, 10)
    assert bench.one(schema.order_results)["state"] == state
    assert bench.one(schema.breaks, kind="B03")["state"] == "in_review"
    assert bench.tampering.called("/result") == 1


async def test_no_money_moves_for_an_order_that_the_server_calls_a_success(set_up):
    play = plays.Play()
    fate = Traits(steps=(traits.accepted("iak"), failed(2, "14")), hears="never")
    play.sell("unheard failure", fate, seconds=0)
    bench = await set_up(play.story(minutes=600))
    await bench.beats(4)
    bench.world.servers["toko"].learn("T100001", "success", serial_number="99", at=bench.now)
    await bench.beats(120, 60, 600)
    assert (tells(bench), bench.credits()) == (0, [])
    assert bench.one(schema.breaks, kind="B01")["state"] == "in_review"


# Vouchers.


async def with_voucher(set_up):
    bench = await asked_for(set_up)
    await act.work(bench.context)
    bench.store.write(_issue, bench, "KODE-KODE-KODE-KODE")
    return bench, "KODE-KODE-KODE-KODE"


def _issue(connection, bench, code):
    transaction = builders.build_transaction(transaction_id="T100001", agent_id="T001")
    assert vouchers.issue(
        connection,
        transaction,
        code=code,
        kind=BreakKind.FAILED_NOT_REFUNDED,
        amount=5_000,
        rule="comp.1",
        policy=bench.context.policy,
        now=bench.now,
    )
    assert vouchers.redeem(connection, code, agent_id="T001", now=bench.now)


def gifts(bench, code):
    return [line["amount"] for line in bench.credits() if line["reference"] == voucher_key(code)]


@pytest.mark.parametrize("words", [[], ["lost"], ["unpaid"], ["busy", "lost"]])
async def test_a_voucher_is_paid_once_whatever_the_wire_does(set_up, words):
    bench, code = await with_voucher(set_up)
    bench.tampering.words = list(words)
    await bench.beats(0, 3, 5, 9, 17)
    assert bench.one(schema.vouchers)["state"] == "redeemed"
    assert gifts(bench, code) == [5_000]


async def test_a_voucher_waits_while_all_money_is_halted(set_up):
    bench, code = await with_voucher(set_up)
    halt(bench)
    await bench.beats(0, 61)
    assert gifts(bench, code) == []
    bench.store.write(limits.resume, scope=limits.GLOBAL)
    await bench.beats(61)
    assert gifts(bench, code) == [5_000]


async def test_who_lost_the_lease_of_a_voucher_sends_nothing(set_up):
    bench, code = await with_voucher(set_up)
    claimed = bench.store.write(act.claim, lease="slow", now=bench.now)
    await bench.forward(HALF_A_MINUTE)
    bench.store.write(act.claim, lease="quick", now=bench.now)
    before = tells(bench)
    await step(bench, payouts.step_vouchers, claimed.vouchers, lease="slow")
    assert (tells(bench), gifts(bench, code)) == (before, [])


async def test_a_voucher_that_the_server_refuses_is_not_tried_again(set_up):
    bench, code = await with_voucher(set_up)
    bench.tampering.words = ["refused"]
    await bench.beats(0, 60, 3600)
    assert (bench.one(schema.vouchers)["state"], gifts(bench, code)) == ("refused", [])


async def test_a_voucher_without_a_certain_answer_ends_with_a_person(set_up):
    bench, code = await with_voucher(set_up)
    bench.tampering.words = ["lost"]
    bench.tampering.instead = {f"GET /refunds/by-key/{voucher_key(code)}": lambda _: Response(status_code=500)}
    await bench.beats(0, 3, 5, 9, 17, 33, 65, 129, 257, 513, 601)
    assert (bench.one(schema.vouchers)["state"], gifts(bench, code)) == ("unknown", [5_000])
