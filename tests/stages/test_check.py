"""CHECK against a provider that answers over real HTTP, or in every way it should not."""

import itertools
import socket
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.responses import JSONResponse, Response

from rekon.domain.transaction import LegState
from rekon.sandbox import traits
from rekon.sandbox.parcels import NobodyHome
from rekon.sandbox.plan import Step
from rekon.sandbox.skin import Pace
from rekon.sandbox.traits import Traits, delivered, failed
from rekon.sandbox.world import World
from rekon.stages import check
from rekon.store import schedule, schema
from tests.journeys import plays
from tests.store import databases

FIRST_QUESTION = 61
CHECK_STATUS = "POST /iak/api/check-status"
BALANCE = "POST /digiflazz/v1/cek-saldo"


def one_sale(*steps, provider="iak", **more):
    play = plays.Play()
    play.sell("one", Traits(steps=(traits.accepted(provider), *steps), **more), provider=provider, seconds=0)
    return play.story(minutes=60 * 24 * 200)


def failing(word="", **more):
    """Sell a top-up that truly failed; every answer to the first question is spoiled in one way."""
    faults = (word,) * 3 if word else ()
    return one_sale(failed(2, "14", callback="lost"), hears="never", faults=faults, **more)


def inquiries(bench):
    """List what the answers to our questions meant, in the order of time."""
    rows = sorted(bench.rows(schema.reports, source="inquiry"), key=lambda row: row["received_at"])
    return [row["outcome"] for row in rows]


def money(bench):
    """List everything that could move money or close an order."""
    tables = (schema.refunds, schema.order_results, schema.vouchers)
    return [row for table in tables for row in bench.rows(table)]


def leg_of(bench):
    return bench.one(schema.legs)


async def test_an_open_leg_is_asked_after_a_minute_and_its_answer_kept(set_up):
    bench = await set_up(failing())
    await bench.forward(5)
    await check.work(bench.context)
    assert inquiries(bench) == []
    await bench.forward(FIRST_QUESTION)
    await check.work(bench.context)
    report = bench.one(schema.reports, source="inquiry")
    assert (report["outcome"], report["failure_class"], report["raw_code"]) == ("failed", "definite", "14")
    assert len(bench.asked(bench.world.story.sales[0])) == 1


SPOILED = ("reset", "html", "truncated", "empty", "redirect", "wrong_type", "other_ref", "error_500", "error_404")


@pytest.mark.parametrize("word", [*SPOILED, "error_401", "error_403", "error_429", "error_502", "error_503", "huge"])
async def test_a_spoiled_answer_decides_nothing_and_the_leg_is_asked_again(set_up, word):
    bench = await set_up(failing(word))
    await bench.beats(5, FIRST_QUESTION)
    assert set(inquiries(bench)) == {"unknown"}
    assert money(bench) == []
    assert leg_of(bench)["state"] == LegState.OPEN
    assert bench.one(schema.schedule)["due_at"] > bench.now


@pytest.mark.parametrize("word", ["timeout", "drip"])
async def test_a_provider_without_an_end_is_cut_off_and_decides_nothing(set_up, word):
    pace = Pace(hold_seconds=3, drip_seconds=0.05)
    bench = await set_up(failing(word), deadline_seconds=0.5, pace=pace)
    await bench.beats(5, FIRST_QUESTION)
    assert inquiries(bench) == ["unknown"]
    assert money(bench) == []
    assert bench.one(schema.schedule)["due_at"] > bench.now


async def test_a_provider_that_is_down_decides_nothing(set_up):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        bench = await set_up(failing(), provider_url=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        await bench.beats(5, FIRST_QUESTION)
    assert inquiries(bench) == ["unknown"]
    assert money(bench) == []
    assert bench.one(schema.schedule)["due_at"] > bench.now


async def test_after_a_spoiled_answer_an_honest_one_counts(set_up):
    bench = await set_up(failing("html"))
    await bench.beats(5, FIRST_QUESTION)
    order = bench.world.cores["iak"].order("TK700001")
    order.plan = replace(order.plan, faults=())
    await bench.beats(60, 121)
    assert inquiries(bench) == ["unknown", "failed", "failed"]
    assert len(bench.credits()) == 1


async def test_a_code_that_is_in_no_table_decides_nothing(set_up):
    bench = await set_up(one_sale(failed(2, "999", callback="lost"), hears="never"))
    await bench.beats(5, FIRST_QUESTION, 60, 120, 240)
    assert set(inquiries(bench)) == {"unknown"}
    assert money(bench) == []


async def test_words_of_success_with_a_code_of_failure_go_to_a_person_after_three_questions(set_up):
    torn = Step(after=2, state="success", code="14", serial_number="*", callback="lost")
    bench = await set_up(one_sale(torn, hears="never"))
    await bench.beats(5, FIRST_QUESTION, 60)
    assert bench.rows(schema.breaks) == []
    await bench.beats(120)
    assert bench.one(schema.breaks)["kind"] == "B21"
    assert money(bench) == []


@pytest.mark.parametrize(("header", "low", "high"), [("600", 600, 610), ("1000000000", 3600, 3600), ("-5", 1, 61)])
async def test_the_provider_says_how_long_to_wait(set_up, header, low, high):
    bench = await set_up(failing())
    busy = Response(status_code=429, headers={"retry-after": header})
    bench.tampering.instead = {CHECK_STATUS: lambda _: busy}
    await bench.beats(5, FIRST_QUESTION)
    wait = bench.one(schema.schedule)["due_at"] - bench.now
    assert low <= wait.total_seconds() <= high


async def test_who_lost_the_lease_writes_neither_leg_nor_plan(set_up):
    bench = await set_up(failing())
    await bench.beats(5)

    def overtaken(_):
        until = bench.now + timedelta(seconds=200)
        later = bench.now + timedelta(seconds=100)
        bench.store.write(schedule.claim, now=later, limit=9, lease="other", lease_until=until)

    before = leg_of(bench)
    bench.tampering.instead = {CHECK_STATUS: overtaken}
    await bench.forward(FIRST_QUESTION)
    await check.work(bench.context)
    assert leg_of(bench) == before
    assert bench.one(schema.schedule)["lease"] == "other"


async def test_a_crash_while_asking_gives_the_leg_back_when_the_lease_ends(set_up):
    bench = await set_up(failing())
    await bench.beats(5)
    await bench.forward(FIRST_QUESTION)
    until = bench.now + check.LEASE
    bench.store.write(schedule.claim, now=bench.now, limit=9, lease="dead", lease_until=until)
    await check.work(bench.context)
    assert inquiries(bench) == []
    await bench.forward(check.LEASE.total_seconds() + 1)
    await check.work(bench.context)
    assert inquiries(bench) == ["failed"]


# A question that could buy.


def unproved(**more):
    return one_sale(delivered("digiflazz", 20, callback="lost"), provider="digiflazz", **more)


@pytest.mark.parametrize("send", ["lost", "reply_lost"])
async def test_a_reference_nobody_proved_is_never_asked_about_where_asking_can_buy(set_up, send):
    bench = await set_up(unproved(send=send, hears="never"))
    await bench.beats(5, FIRST_QUESTION, 60, 180, 600)
    assert bench.asked(bench.world.story.sales[0]) == []
    assert leg_of(bench)["state"] == LegState.STOPPED
    assert bench.one(schema.breaks)["kind"] == "B02"


async def test_a_proved_reference_is_asked_once_the_providers_clock_is_known(set_up):
    bench = await set_up(unproved(hears="never"))
    await bench.beats(5, 100)
    assert bench.tampering.calls[0] == BALANCE
    assert len(bench.asked(bench.world.story.sales[0])) == 1


async def test_a_provider_whose_clock_is_off_is_not_asked(set_up):
    bench = await set_up(unproved(hears="never"))
    said = JSONResponse({"data": {"deposit": 1}}, headers={"date": "Mon, 16 Nov 2026 02:05:00 GMT"})
    bench.tampering.instead = {BALANCE: lambda _: said}
    await bench.beats(5, 100, 61)
    assert bench.asked(bench.world.story.sales[0]) == []
    assert leg_of(bench)["state"] == LegState.OPEN


@pytest.mark.parametrize("provider", ["digiflazz", "iak", "otomax"])
async def test_an_order_older_than_the_provider_remembers_is_never_asked_about(set_up, provider):
    play = plays.Play()
    old = Traits(steps=(traits.accepted(provider),))
    play.sell("old", old, provider=provider, seconds=-81 * 86_400)
    story = replace(play.story(minutes=600), sales=(), imported=tuple(play.sales))
    bench = await set_up(story)
    await bench.beats(5, 100, 600)
    assert bench.tampering.calls == []
    assert bench.one(schema.breaks)["kind"] == "B30"


# Callbacks.


def callbacks_of(story):
    """Play a story to nobody and collect the callbacks its providers would have made."""
    made = []

    class Collector(NobodyHome):
        async def call(self, call):
            if call.path.startswith("/callbacks/"):
                made.append(call)
            return await super().call(call)

    world = World(story, door=Collector())
    world.start()
    return world, made


async def made_by(*steps, provider):
    world, made = callbacks_of(one_sale(*steps, provider=provider))
    at = world.story.starts_at + timedelta(seconds=60)
    world.advance(at)
    await world.courier.deliver(at)
    assert len(made) == len(steps)
    return made


_FORGOTTEN = {"id", "version", "lease", "copies", "checks_done"}
_FACTS = ("transactions", "legs", "schedule", "reports", "breaks", "refunds", "vouchers", "messages", "cases")


def facts(bench):
    """Read everything rekon believes, without counters and leases."""
    return {
        name: [{k: v for k, v in row.items() if k not in _FORGOTTEN} for row in bench.rows(getattr(schema, name))]
        for name in _FACTS
    }


async def believed_after(set_up, calls, store=None):
    """Let these callbacks arrive at one instant about a pending order, and beat on for a while."""
    bench = await set_up(one_sale(provider="digiflazz"), store=store)
    await bench.beats(5)
    for call in calls:
        bench.door.keep(call)
    await bench.beat()
    await bench.beats(30, 60, 120)
    return bench


async def test_signed_callbacks_in_any_order_and_number_lead_to_the_same_facts(set_up, sqlite_template, tmp_path):
    steps = (Step(after=4, state="pending", code="03", callback="sent"), failed(8, "02"), delivered("digiflazz", 12))
    calls = await made_by(*steps, provider="digiflazz")
    seen = []
    for number, order in enumerate(itertools.permutations(calls)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with databases.opened(databases.copy_file(sqlite_template, folder)) as store:
            seen.append(facts(await believed_after(set_up, [*order, *reversed(order)], store)))
    assert all(one == seen[0] for one in seen)
    assert [row["state"] for row in seen[0]["legs"]] == ["final"]
    assert {row["outcome"] for row in seen[0]["reports"]} == {"pending", "failed", "delivered"}


async def test_replayed_callbacks_change_nothing(set_up):
    play = plays.Play()
    for provider in ("digiflazz", "iak", "otomax"):
        fate = Traits(steps=(traits.accepted(provider), delivered(provider, 10, callback="sent,forged")))
        play.sell(f"delivered {provider}", fate, provider=provider, seconds=0)
    play.sell("failed", Traits(steps=(traits.accepted("digiflazz"), failed(10, "54"))), provider="digiflazz", seconds=0)
    bench = await set_up(play.story(minutes=600))
    await bench.beats(5, 10, 120, 60)
    before, calls = facts(bench), list(bench.tampering.calls)
    assert len(bench.door.came) >= 4
    for call in [*reversed(bench.door.came), *bench.door.came]:
        bench.door.keep(call)
    await bench.beat()
    assert facts(bench) == before
    assert bench.tampering.calls == calls


async def test_an_unsigned_callback_proves_nothing_but_makes_the_question_due(set_up):
    bench = await set_up(one_sale(delivered("iak", 10, callback="sent")))
    await bench.beats(5, 7)
    assert sorted(row["source"] for row in bench.rows(schema.reports)) == ["callback", "first_reply", "inquiry"]
    assert leg_of(bench)["state"] == LegState.FINAL
    assert len(bench.asked(bench.world.story.sales[0])) == 1


async def test_a_forged_lie_moves_nothing(set_up):
    bench = await set_up(one_sale(delivered("iak", 10, callback="forged,sent")))
    await bench.beats(5, 7, 130, 600)
    assert money(bench) == []
    assert bench.rows(schema.breaks) == []


async def test_a_callback_before_its_order_waits_for_it(set_up):
    (call,) = await made_by(delivered("digiflazz", 4), provider="digiflazz")
    bench = await set_up(one_sale(provider="digiflazz"))
    bench.door.keep(call)
    await check.work(bench.context)
    assert bench.one(schema.inbox)["state"] == "early"
    await bench.beats(5)
    assert bench.one(schema.inbox)["state"] == "read"
    assert leg_of(bench)["state"] == LegState.FINAL
    assert bench.asked(bench.world.story.sales[0]) == []
