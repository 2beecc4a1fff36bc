"""FOLLOW UP: what was promised, answered and asked afterwards, on stored cases."""

from datetime import datetime, timedelta, timezone

import pytest

from rekon.domain.breaks import BreakKind, BreakState
from rekon.stages import follow_up
from rekon.store import cases, complaints, intake, messages, schema, vouchers
from tests import builders
from tests.journeys import plays
from tests.store import filling

WIB, WIT = timezone(timedelta(hours=7)), timezone(timedelta(hours=9))


@pytest.fixture
async def bench(set_up):
    """Give a purchase of an agent that rekon knows, on a quiet bench."""
    made = await set_up(plays.Play().story(minutes=60 * 24 * 20))
    known(made)
    made.transaction = filling.order(made.store, ordered_at=made.now, now=made.now)
    return made


def known(bench, zone="WIB"):
    rows = [{"agent_id": "A01", "name": "Sari", "zone": zone, "address": "agen-1"}]
    bench.store.write(intake.take, intake.Batch(book="agents", source="toko", rows=rows, origin="x"), now=bench.now)


def troubled(bench):
    """Open a case about the purchase."""
    return filling.case(bench.store, bench.transaction, now=bench.now)


def told(bench, case_id, *, event="x:M02", **more):
    """Tell the agent something about it."""
    message = filling.new_message(event=event, case_id=case_id, **more)
    bench.store.write(messages.add, message, now=bench.now)
    return messages.message_id(event)


def resolved(bench, *, felt=True):
    """Close the only break, so that its case is resolved."""
    case_id = troubled(bench)
    if felt:
        bench.store.write(cases.mark_felt, case_id)
    bench.store.write(cases.resolve, bench.transaction, kind=BreakKind.STUCK_PENDING, rule="b02.over", now=bench.now)
    return case_id


async def look(bench, **later):
    bench.clock.now += timedelta(**later)
    await follow_up.work(bench.context)


def events(bench):
    return [row["kind"] for row in bench.rows(schema.case_events)]


def templates(bench):
    return [row["template"] for row in bench.rows(schema.messages)]


def answered(bench, identity, answer):
    bench.store.write(messages.record_answer, identity, answer=answer, now=bench.now)


# Promises.


async def test_a_promise_that_passes_without_news_is_apologised_for_and_goes_to_a_person(bench):
    case_id = troubled(bench)
    told(bench, case_id, promise_at=bench.now + timedelta(minutes=30))
    await look(bench, minutes=31)
    assert templates(bench) == ["M02"]
    await look(bench, seconds=1)
    assert templates(bench) == ["M02", "M26"]
    assert bench.one(schema.breaks)["state"] == BreakState.IN_REVIEW
    text = bench.one(schema.messages, template="M26")["text"]
    assert "pukul 09.30 WIB" in text
    assert sorted(row["state"] for row in bench.rows(schema.promises)) == ["broken", "open"]


async def test_the_apology_promises_the_next_news_and_is_not_repeated_before(bench):
    case_id = troubled(bench)
    told(bench, case_id, promise_at=bench.now + timedelta(minutes=30))
    for minutes in (32, 1, 20):
        await look(bench, minutes=minutes)
    assert templates(bench).count("M26") == 1
    await look(bench, hours=1)
    assert templates(bench).count("M26") == 2


async def test_a_promise_of_a_case_that_is_over_binds_nobody(bench):
    case_id = troubled(bench)
    told(bench, case_id, promise_at=bench.now + timedelta(minutes=30))
    bench.store.write(cases.resolve, bench.transaction, kind=BreakKind.STUCK_PENDING, rule="b02.over", now=bench.now)
    await look(bench, minutes=32)
    assert templates(bench) == ["M02"]
    assert bench.one(schema.promises)["state"] == "void"


async def test_a_broken_promise_to_somebody_unknown_still_goes_to_a_person(set_up):
    bench = await set_up(plays.Play().story(minutes=600))
    bench.transaction = filling.order(bench.store, ordered_at=bench.now, now=bench.now)
    told(bench, troubled(bench), promise_at=bench.now + timedelta(minutes=30))
    await look(bench, minutes=32)
    assert templates(bench) == ["M02"]
    assert bench.one(schema.breaks)["state"] == BreakState.IN_REVIEW


# Answers.


async def test_a_no_opens_the_case_again_and_puts_it_before_a_person(bench):
    case_id = resolved(bench)
    answered(bench, told(bench, case_id, event="x:M01", template="M01"), "TIDAK")
    await look(bench)
    assert bench.one(schema.cases)["state"] == "open"
    assert bench.one(schema.breaks)["state"] == BreakState.IN_REVIEW
    assert "case.reopened" in events(bench)


async def test_a_yes_is_noted_once_and_changes_no_case(bench):
    case_id = resolved(bench)
    answered(bench, told(bench, case_id, event="x:M01", template="M01"), "YA")
    await look(bench)
    await look(bench, minutes=1)
    assert events(bench).count("answer.yes") == 1
    assert bench.one(schema.cases)["state"] == "resolved"


def gift(bench):
    """Give the agent a voucher for his purchase."""
    bench.store.write(
        vouchers.issue,
        bench.transaction,
        code="KODE-0001",
        kind=BreakKind.DEBITED_TWICE,
        amount=5_000,
        rule="comp.1",
        policy=builders.build_policy(),
        now=bench.now,
    )


@pytest.mark.parametrize(("template", "state"), [("M06", "redeeming"), ("M19", "redeeming"), ("M01", "issued")])
async def test_a_yes_takes_a_voucher_only_where_one_was_offered(bench, template, state):
    gift(bench)
    answered(bench, told(bench, resolved(bench), event="x", template=template), "YA")
    await look(bench)
    assert bench.one(schema.vouchers)["state"] == state


async def test_a_no_takes_no_voucher(bench):
    gift(bench)
    answered(bench, told(bench, resolved(bench), event="x", template="M06"), "TIDAK")
    await look(bench)
    assert bench.one(schema.vouchers)["state"] == "issued"


# Aftercare.


async def test_one_question_follows_a_case_that_was_felt_and_closes_it(bench):
    resolved(bench)
    await look(bench)
    await look(bench, minutes=119)
    assert templates(bench) == []
    for minutes in (1, 60, 60 * 24):
        await look(bench, minutes=minutes)
    assert templates(bench) == ["M22"]
    assert bench.one(schema.cases)["state"] == "closed"


async def test_a_case_nobody_felt_is_not_asked_about(bench):
    resolved(bench, felt=False)
    await look(bench)
    await look(bench, hours=48)
    assert templates(bench) == []


@pytest.mark.parametrize(("zone", "offset"), [("WIB", WIB), ("WIT", WIT)])
async def test_the_question_keeps_the_hours_of_the_agents_own_clock(bench, zone, offset):
    known(bench, zone)
    bench.clock.now = datetime(2026, 11, 16, 17, 30, tzinfo=WIB)
    resolved(bench)
    await look(bench)
    due = bench.one(schema.cases)["aftercare_due_at"].astimezone(offset)
    assert (due.hour, due.minute) == ((19, 30) if zone == "WIB" else (8, 0))


# Complaints to providers.


async def test_a_provider_that_does_not_answer_is_chased_after_two_six_and_twenty_four_hours(bench):
    troubled(bench)
    identity = bench.store.write(
        complaints.open_complaint,
        builders.build_leg(),
        kind=BreakKind.STUCK_PENDING,
        text="Mohon dicek.",
        links=[],
        now=bench.now,
    )
    bench.store.write(complaints.mark_sent, identity, by="Sari", now=bench.now)
    seen = []
    for hours in (1, 1, 1, 3, 17, 1, 24, 24):
        await look(bench, hours=hours)
        seen.append(events(bench).count("complaint.unanswered"))
    assert seen == [0, 1, 1, 2, 2, 3, 3, 3]
