"""DECIDE on stored books: what one row spoils stays with that row, and what was decided once is not decided again."""

from sqlalchemy import text

from rekon.domain.breaks import BreakKind, Mode
from rekon.sandbox import traits
from rekon.sandbox.traits import Traits, delivered, failed
from rekon.stages import check, decide
from rekon.store import evaluations, intake, schema
from tests import builders
from tests.journeys import plays


def unformed(count):
    play = plays.Play()
    for number in range(count):
        fate = Traits(steps=(failed(0, "68", callback="lost"),))
        play.sell(f"unformed {number}", fate, provider="digiflazz", seconds=0)
    return play.story(minutes=600)


def spoil(bench, column, value, *, table="transactions", **where):
    """Change a stored row the way a careless hand would."""
    ((name, key),) = where.items()
    statement = text(f"UPDATE {table} SET {column} = :value WHERE {name} = :key")  # noqa: S608 - a test's own names
    bench.store.write(lambda connection: connection.execute(statement, {"value": value, "key": key}))


def take_agents(bench):
    rows = [{"agent_id": agent.agent_id, "name": agent.name, "zone": "WIB"} for agent in bench.world.story.agents]
    bench.store.write(intake.take, intake.Batch(book="agents", source="toko", rows=rows, origin="bench"), now=bench.now)


async def test_a_purchase_that_cannot_be_decided_does_not_stop_the_others(set_up):
    bench = await set_up(unformed(3))
    take_agents(bench)
    spoil(bench, "zone", "Mars", table="agents", agent_id="T002")
    await bench.beats(5, 5)
    told = {row["transaction_key"] for row in bench.rows(schema.messages, template="M01")}
    assert told == {"toko:T100001", "toko:T100003"}
    assert bench.one(schema.evaluations)["transaction_key"] == "toko:T100002"


async def test_a_row_edited_by_hand_does_not_stop_the_others(set_up, log):
    bench = await set_up(unformed(3))
    await bench.forward(5)
    await check.work(bench.context)
    spoil(bench, "order_status", "entah", key="toko:T100002")
    await bench.beat()
    settled = {row["transaction_key"] for row in bench.rows(schema.refunds, state="settled")}
    assert settled == {"toko:T100001", "toko:T100003"}
    assert [line["transaction"] for line in log if line["event"] == "transaction.unreadable"] == ["toko:T100002"]


async def test_a_spoiled_row_is_looked_at_again_later_and_decided_once_it_is_mended(set_up):
    bench = await set_up(unformed(1))
    await bench.forward(5)
    spoil(bench, "order_status", "entah", key="toko:T100001")
    await bench.beat()
    assert bench.one(schema.evaluations)["due_at"] > bench.now
    spoil(bench, "order_status", "failed", key="toko:T100001")
    await bench.beats(601, 5)
    assert bench.one(schema.refunds)["state"] == "settled"


async def test_looking_again_at_the_same_books_decides_nothing_new(set_up):
    bench = await set_up(unformed(1))
    await bench.beats(5, 5)
    before = [bench.rows(table) for table in (schema.decisions, schema.messages, schema.refunds, schema.case_events)]
    bench.store.write(_look_again, bench.now)
    await decide.work(bench.context)
    assert [
        bench.rows(table) for table in (schema.decisions, schema.messages, schema.refunds, schema.case_events)
    ] == before


def _look_again(connection, now):
    evaluations.touch(connection, ["toko:T100001"], due_at=now)


async def test_a_decision_is_kept_with_the_inputs_it_was_made_from(set_up):
    bench = await set_up(unformed(1))
    await bench.beats(5)
    (row,) = bench.rows(schema.decisions, action="issue_refund")
    assert row["rule"] == "b01.refund"
    assert row["amount"] == 50_500
    assert row["inputs"]
    assert set(row["evidence"]) == set(bench.one(schema.refunds)["evidence"])


async def test_a_fresh_installation_only_observes(set_up):
    bench = await set_up(unformed(1), policy=builders.build_policy(mode=Mode.OBSERVE))
    await bench.beats(5, 60, 600)
    assert bench.one(schema.breaks)["kind"] == "B01"
    assert bench.rows(schema.refunds) == []
    assert bench.rows(schema.messages) == []
    assert bench.tampering.calls == []


async def test_in_propose_mode_every_refund_waits_for_a_person(set_up):
    bench = await set_up(unformed(1), policy=builders.build_policy(mode=Mode.PROPOSE))
    await bench.beats(5, 60)
    row = bench.one(schema.refunds)
    assert (row["state"], row["automatic"]) == ("awaiting_approval", False)
    assert bench.tampering.called("/refunds") == 0


async def test_in_propose_mode_a_person_closes_the_order(set_up):
    play = plays.Play()
    fate = Traits(steps=(traits.accepted("iak"), failed(2, "14")), hears="never")
    play.sell("unheard", fate, seconds=0)
    bench = await set_up(play.story(minutes=600), policy=builders.build_policy(mode=Mode.PROPOSE))
    await bench.beats(5, 61, 70, 10)
    assert bench.one(schema.breaks, kind="B01")["state"] == "in_review"
    assert bench.rows(schema.order_results) == []


async def test_a_mode_may_be_set_for_one_kind_alone(set_up):
    policy = builders.build_policy(modes={BreakKind.FAILED_NOT_REFUNDED: Mode.OBSERVE})
    bench = await set_up(unformed(1), policy=policy)
    await bench.beats(5, 60)
    assert bench.rows(schema.refunds) == []


async def test_without_a_voucher_budget_the_apology_goes_out_without_one(set_up):
    play = plays.Play()
    fate = Traits(steps=(traits.accepted("iak"), delivered("iak", 2)), debited_again_after=2)
    play.sell("twice", fate, seconds=0)
    bench = await set_up(play.story(minutes=600), policy=builders.build_policy(voucher_month_budget=4_999))
    await bench.beats(5, 120, 10)
    assert bench.rows(schema.vouchers) == []
    assert [row["template"] for row in bench.rows(schema.messages)] == ["M06"]
    assert len(bench.credits()) == 1
