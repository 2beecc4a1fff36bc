"""Books that came back from a backup: every stage may look, none may act."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from rekon.sandbox.traits import Traits, accepted
from rekon.stages import act, check, tell
from rekon.store import epoch, messages, results, schema
from rekon.store.epoch import EpochKeeper, Standing
from tests.journeys import plays
from tests.stages.test_act import asked_for, refund_of, unformed
from tests.store import filling


@pytest.fixture
def path(tmp_path):
    return tmp_path / epoch.FILE


def with_epoch(bench, path):
    minted = iter(f"{number:08x}" for number in range(1, 100_000))
    keeper = EpochKeeper(bench.store, path, mint=lambda: next(minted), clock=lambda: bench.now)
    bench.context = replace(bench.context, epoch=keeper)
    return keeper


async def restored(bench, path):
    """Let the books be those of another epoch than the file's."""
    path.write_text('{"epoch": "earlier", "number": 7, "hash": "77"}')
    with_epoch(bench, path)
    await bench.context.look_at_epoch()
    return bench


async def test_a_paid_refund_stands_in_the_file_before_the_gateway_hears_of_it(set_up, path):
    bench = await asked_for(set_up)
    keeper = with_epoch(bench, path)
    await act.work(bench.context)
    assert (refund_of(bench)["state"], keeper.look()) == ("settled", Standing.SAME)
    assert len(bench.rows(schema.intents)) == 1


async def test_restored_books_pay_nothing_and_a_person_sees_why(set_up, path):
    bench = await restored(await asked_for(set_up), path)
    await act.work(bench.context)
    row = refund_of(bench)
    assert (row["state"], row["hold_reason"]) == ("awaiting_approval", "basis data hasil pemulihan")
    assert (bench.tampering.calls, bench.rows(schema.intents)) == ([], [])


async def test_a_refund_that_was_on_its_way_is_only_looked_up_once_the_books_are_reconciled(set_up, path):
    bench = await asked_for(set_up)
    bench.tampering.words = ["lost"]
    await act.work(bench.context)
    await restored(bench, path)
    called = len(bench.tampering.calls)
    await bench.forward(60)
    await act.work(bench.context)
    assert (refund_of(bench)["state"], len(bench.tampering.calls)) == ("submitted", called)
    epoch.reconcile(bench.store, path, mint=lambda: "fresh", now=bench.now)
    await bench.beats(60, 3, 5)
    assert (refund_of(bench)["state"], len(bench.credits())) == ("settled", 1)


async def test_restored_books_never_send_a_check_that_could_buy(set_up, path):
    play = plays.Play()
    sale = play.sell("stuck", Traits(steps=(accepted("digiflazz"),)), provider="digiflazz", seconds=0)
    bench = await restored(await set_up(play.story(minutes=6000)), path)
    for _ in range(20):
        await bench.forward(60)
        await check.work(bench.context)
    assert (bench.asked(sale), bench.rows(schema.intents)) == ([], [])
    epoch.reconcile(bench.store, path, mint=lambda: "fresh", now=bench.now)
    await bench.context.look_at_epoch()
    for _ in range(3):
        await bench.forward(61)
        await check.work(bench.context)
    assert bench.asked(sale)
    assert len(bench.rows(schema.intents)) == 1 + len(bench.asked(sale))


async def test_restored_books_tell_no_server_how_an_order_ended(set_up, path):
    bench = await restored(await set_up(unformed().story(minutes=60)), path)
    order = filling.order(bench.store, source="mandiri")
    bench.store.write(results.request, order, status="failed", serial_number="", reason="", now=bench.now)
    await act.work(bench.context)
    row = bench.one(schema.order_results)
    assert (row["state"], row["attempts"], bench.tampering.calls) == ("pending", 0, [])


async def test_restored_books_send_no_message_again(set_up, path):
    bench = await restored(await set_up(unformed().story(minutes=60)), path)
    bench.store.write(filling_message, now=bench.now)
    await tell.work(bench.context)
    row = bench.one(schema.messages, event="toko:T1001:B02:M02")
    assert (row["state"], row["attempts"], row["due_at"] > bench.now) == ("waiting", 0, True)


def filling_message(connection, *, now):
    return messages.add(connection, filling.new_message(channel="webhook"), now=now)


async def test_one_line_says_so_and_not_one_a_refund(set_up, path):
    bench = await asked_for(set_up, unformed(3))
    with capture_logs() as lines:
        await restored(bench, path)
        await bench.beats(1, 60, 60)
    assert [line["event"] for line in lines].count("books.restored") == 1
