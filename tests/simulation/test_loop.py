"""The loop of a simulation: virtual time, drawn order, and no waiting."""

import asyncio
from asyncio import sleep as pass_time  # virtual: the loop jumps over it
from random import Random

import pytest

from rekon.simulation import loop


def test_time_jumps_to_the_next_timer():
    async def sleep():
        await pass_time(86_400)
        return asyncio.get_running_loop().time()

    assert loop.run(sleep(), rng=Random(1)) == 86_400


def test_deadlines_are_virtual_too():
    async def late():
        async with asyncio.timeout(5):
            await pass_time(6)

    with pytest.raises(TimeoutError):
        loop.run(late(), rng=Random(1))


async def _race(names):
    told = []

    async def tell(name):
        await pass_time(1)
        told.append(name)

    async with asyncio.TaskGroup() as tasks:
        for name in names:
            tasks.create_task(tell(name))
    return "".join(told)


def test_what_is_ready_at_once_comes_in_an_order_the_seed_draws():
    orders = {seed: loop.run(_race("abcde"), rng=Random(seed)) for seed in range(20)}
    assert all(sorted(order) == list("abcde") for order in orders.values())
    assert len(set(orders.values())) > 5
    assert orders == {seed: loop.run(_race("abcde"), rng=Random(seed)) for seed in range(20)}


def test_a_task_that_waits_for_nothing_is_a_defect():
    async def stuck():
        await asyncio.Event().wait()

    with pytest.raises(loop.StuckError):
        loop.run(stuck(), rng=Random(1))


def test_threads_are_played_inline():
    async def work():
        return await asyncio.to_thread(lambda: 7)

    assert loop.run(work(), rng=Random(1)) == 7
