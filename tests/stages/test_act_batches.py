"""ACT takes many refunds at once: one unit of work each step, and yet each refund as if it were alone."""

import asyncio
from dataclasses import replace

import pytest
from starlette.responses import JSONResponse

from rekon.domain.breaks import BreakKind
from rekon.stages import act
from rekon.stages.act import intents, lanes, refunding
from rekon.store import epoch, limits, refunds, schema
from rekon.store.epoch import EpochKeeper, RestoredBooksError
from tests import builders
from tests.stages.test_act import asked_for, tells, unformed


@pytest.fixture
def written(monkeypatch):
    """Count the units of work of one kind."""
    seen = []

    def count(name):
        inner = getattr(intents, name)

        def counted(*args, **kwargs):
            seen.append(kwargs["rows"])
            return inner(*args, **kwargs)

        monkeypatch.setattr(intents, name, counted)
        return seen

    return count


def states(bench):
    return sorted(row["state"] for row in bench.rows(schema.refunds))


async def test_many_refunds_share_the_unit_of_work_of_their_intents(set_up, store, written):
    bench = await asked_for(set_up, unformed(10), store=store)
    seen = written("submit")
    await act.work(bench.context)
    assert states(bench) == ["settled"] * 10
    assert sum(len(rows) for rows in seen) == 10
    assert len(seen) < 10
    assert len(bench.credits()) == tells(bench) == 10


async def test_a_refund_that_breaks_is_left_out_and_the_others_are_paid(set_up, store, monkeypatch):
    bench = await asked_for(set_up, unformed(4), store=store)
    bad = bench.rows(schema.refunds)[1]["refund_id"]
    batch = intents._Intents
    judge = batch.judge

    def broken(self, row, one):
        if row["refund_id"] == bad:
            message = "a defect"
            raise ZeroDivisionError(message)
        judge(self, row, one)

    monkeypatch.setattr(batch, "judge", broken)
    with pytest.raises(ZeroDivisionError):
        await act.work(bench.context)
    assert states(bench) == ["requested", "settled", "settled", "settled"]
    assert len(bench.credits()) == tells(bench) == 3
    monkeypatch.undo()
    await bench.beats(31)
    assert states(bench) == ["settled"] * 4


async def test_a_gateway_that_breaks_leaves_its_refund_to_be_looked_up(set_up):
    bench = await asked_for(set_up, unformed(3))
    bad = bench.rows(schema.refunds)[1]["key"]
    gateway = bench.context.connectors.gateways["toko"]
    pay = gateway.pay

    async def broken(order):
        answer = await pay(order)
        if order.key == bad:
            message = "a defect"
            raise ZeroDivisionError(message)
        return answer

    gateway.pay = broken
    with pytest.raises(ZeroDivisionError):
        await act.work(bench.context)
    assert states(bench) == ["settled", "settled", "submitted"]
    await bench.beats(31)
    assert states(bench) == ["settled"] * 3
    assert len(bench.credits()) == tells(bench) == 3


@pytest.mark.parametrize("limit", [0, 1, 3])
async def test_a_limit_holds_to_one_refund_within_a_batch(set_up, limit):
    play = unformed(5)
    play.sales = [replace(sale, agent_id=play.sales[0].agent_id) for sale in play.sales]
    bench = await asked_for(set_up, play, policy=builders.build_policy(agent_day_count=limit))
    await act.work(bench.context)
    assert states(bench) == ["awaiting_approval"] * (5 - limit) + ["settled"] * limit
    assert len(bench.credits()) == tells(bench) == limit


async def test_the_breaker_that_opens_within_a_batch_stops_the_rest_of_it(set_up):
    bench = await asked_for(set_up, unformed(4), policy=builders.build_policy(breaker_count=2))
    for row in bench.rows(schema.refunds):
        bench.store.write(_count_it, row["refund_id"])
    await act.work(bench.context)
    assert states(bench) == ["awaiting_approval", "awaiting_approval", "settled", "settled"]
    halt = bench.one(schema.halts)
    assert (halt["scope"], halt["reason"]) == ("all", "lebih dari 2 pengembalian otomatis dalam 60 menit")
    held = [row["hold_reason"] for row in bench.rows(schema.refunds, state="awaiting_approval")]
    assert sorted(held) == [f"HALT: {halt['reason']}", halt["reason"]]


def _count_it(connection, refund_id):
    row = refunds.get(connection, refund_id)
    assert refunds.move(connection, row, to=refunds.RefundState(row["state"]), never_formed=False)


async def test_two_refunds_of_one_purchase_are_judged_one_after_the_other(set_up, written):
    bench = await asked_for(set_up)
    row = bench.one(schema.refunds)
    second = {**row, "refund_id": "ref_2", "key": "second", "break_kind": BreakKind.DEBITED_TWICE.value}
    bench.store.write(lambda connection: connection.execute(schema.refunds.insert().values(**second)))
    seen = written("submit")
    await act.work(bench.context)
    assert [[row["refund_id"] for row in rows] for rows in seen] in (
        [[row["refund_id"]], ["ref_2"]],
        [["ref_2"], [row["refund_id"]]],
    )
    assert states(bench) == ["rejected", "settled"]


async def test_no_more_calls_are_under_way_at_a_gateway_than_it_has_places(set_up, monkeypatch):
    monkeypatch.setattr(lanes, "IN_FLIGHT", 3)
    monkeypatch.setattr(lanes.Round, "is_over", lambda _: False)
    bench = await asked_for(set_up, unformed(8))
    gateway = bench.context.connectors.gateways["toko"]
    under_way, most = 0, 0
    read_wallet = gateway.read_wallet

    async def counted(transaction_id):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await read_wallet(transaction_id)
        finally:
            under_way -= 1

    gateway.read_wallet = counted
    await act.work(bench.context)
    assert most == 3
    assert states(bench) == ["settled"] * 8


async def test_what_a_round_does_not_begin_is_due_again_at_once(set_up, monkeypatch):
    monkeypatch.setattr(lanes, "IN_FLIGHT", 2)
    monkeypatch.setattr(lanes.Round, "is_over", lambda here: bool(tells_of(here)))
    bench = await asked_for(set_up, unformed(5))

    def tells_of(here):
        return here.context is bench.context and tells(bench)

    await act.work(bench.context)
    assert states(bench) == ["requested"] * 3 + ["settled"] * 2
    left = bench.rows(schema.refunds, state="requested")
    assert {(row["lease"], row["due_at"]) for row in left} == {(None, bench.now)}


async def test_books_that_turn_out_restored_pay_nothing_of_the_batch(set_up, tmp_path):
    bench = await asked_for(set_up, unformed(3))
    minted = iter(f"{number:08x}" for number in range(1, 1_000))
    keeper = EpochKeeper(bench.store, tmp_path / epoch.FILE, mint=lambda: next(minted), clock=lambda: bench.now)
    bench.context = replace(bench.context, epoch=keeper)
    await bench.context.look_at_epoch()
    keeper._known = replace(keeper._known, number=99, hash="lost")
    with pytest.raises(RestoredBooksError):
        await act.work(bench.context)
    assert (states(bench), tells(bench)) == (["requested"] * 3, 0)


async def test_a_halt_that_comes_while_wallets_are_read_stops_the_whole_batch(set_up):
    bench = await asked_for(set_up, unformed(3))

    def stop(_):
        bench.store.write(limits.halt, scope=limits.GLOBAL, reason="cukup", by="Sari", now=bench.now)
        return JSONResponse({"as_of": bench.now.isoformat(), "items": []})

    bench.tampering.instead = {"GET /wallet-lines": stop}
    await act.work(bench.context)
    assert tells(bench) == 0
    assert "submitted" not in states(bench)


async def test_a_defect_of_one_kind_of_row_is_raised_after_the_others(set_up, monkeypatch):
    bench = await asked_for(set_up, unformed(2))

    async def broken(here, rows):
        await asyncio.sleep(0)
        raise ZeroDivisionError

    monkeypatch.setattr(act, "step_results", broken)
    with pytest.raises(ZeroDivisionError):
        await act.work(bench.context)
    assert states(bench) == ["settled"] * 2


def test_the_groups_of_a_batch_keep_every_refund_once():
    rows = [{"refund_id": str(n), "transaction_key": key} for n, key in enumerate("ababc")]
    groups = [[row["refund_id"] for row in group] for group in refunding._no_purchase_twice(rows)]
    assert groups == [["0", "1", "4"], ["2", "3"]]
