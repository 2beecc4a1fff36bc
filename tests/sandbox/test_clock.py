from datetime import datetime, timedelta
from itertools import pairwise

import httpx
import pytest

from rekon.sandbox.app import create_app
from rekon.sandbox.clock import STEP_MAX, DemoClock, run_free
from rekon.sandbox.feed import HEARTBEAT, LAG
from rekon.sandbox.serve import Settings
from rekon.sandbox.world import World
from tests.sandbox.played import Door, play_out, sale_of, small_story, told, world_of


async def settled(clock):
    """Ask for time until a grant moves it, and return the instants answered."""
    seen = [clock.now]
    while seen[-1] == seen[0]:
        seen.append((await clock.grant(None)).now)
    return seen


async def test_time_moves_in_steps_of_at_most_two_seconds():
    world, clock = world_of(small_story(hours=0.05, tail_hours=0.05))
    instants = []
    await play_out(world, clock, act=instants.append)
    steps = {later - at for at, later in pairwise(instants)}
    assert max(steps) == STEP_MAX
    assert min(steps) >= timedelta(0)


async def test_time_stops_where_rekon_has_something_to_do():
    _, clock = world_of(small_story())
    await settled(clock)
    wish = clock.now + timedelta(seconds=0.5)
    assert (await clock.grant(wish)).now == wish


async def test_a_wish_in_the_past_does_not_hold_time_up():
    _, clock = world_of(small_story())
    await settled(clock)
    before = clock.now
    assert (await clock.grant(before - timedelta(hours=1))).now > before


async def test_a_delivery_is_answered_with_the_same_instant():
    door = Door()
    world, clock = world_of(small_story(), door)

    first = await clock.grant(None)

    assert first.now == world.story.starts_at
    assert not first.done
    assert {call.path for call in door.calls} == {"/api/v1/agents", "/api/v1/transactions", "/api/v1/wallet-lines"}


async def test_time_stands_while_rekon_is_away_and_nothing_is_lost():
    door = Door()
    sale = sale_of("refused_later")
    world, clock = world_of(small_story(sales=[sale], hours=4.25), door)
    await settled(clock)
    while clock.now < sale.ordered_at:
        await clock.grant(sale.ordered_at)

    door.is_open = False
    for _ in range(15):
        await clock.grant(None)
    stood_at = clock.now
    for _ in range(3):
        assert (await clock.grant(None)).now == stood_at

    door.is_open = True
    await play_out(world, clock)
    orders = [row for push in door.pushed("transactions") for row in push["items"]]
    assert [row["order_status"] for row in orders if row["transaction_id"] == sale.transaction_id][-1] == "failed"
    assert sum(call.path.startswith(f"/callbacks/{sale.provider}") for call in door.calls) == 1


async def test_pushes_say_how_far_they_reach_and_never_stop():
    door = Door()
    world, clock = world_of(small_story(hours=0.1, tail_hours=0.1), door)
    await play_out(world, clock)
    marks = [datetime.fromisoformat(push["as_of"]) for push in door.pushed("transactions") if push["source"] == "toko"]

    assert marks[0] == world.story.starts_at - LAG
    gaps = {later - at for at, later in pairwise(marks)}
    assert timedelta(0) < min(gaps)
    assert max(gaps) <= HEARTBEAT


async def test_a_push_holds_only_what_is_older_than_its_lag():
    door = Door()
    sale = sale_of("plain")
    world, clock = world_of(small_story(sales=[sale], hours=4.25, tail_hours=0.1), door)
    await play_out(world, clock)
    for push in door.pushed("transactions"):
        assert all(
            datetime.fromisoformat(row["status_at"]) <= datetime.fromisoformat(push["as_of"]) for row in push["items"]
        )
    pushed = [row["line_id"] for push in door.pushed("wallet-lines") for row in push["items"]]
    assert len(pushed) == len(set(pushed)) == sum(len(server.wallets.lines) for server in world.servers.values())


async def test_a_story_ends_when_it_is_played_and_nothing_is_due():
    world, clock = world_of(small_story(hours=0.02, tail_hours=0.02))
    await play_out(world, clock, next_due=lambda: world.story.ends_at + timedelta(hours=1))
    assert clock.now == world.story.ends_at
    assert clock.is_done
    closing = world.journals["server-toko"].rows("closing")
    assert [row["balances"] for row in closing] == [world.servers["toko"].wallets.balances()]


async def test_work_that_is_due_at_the_end_is_waited_for_but_not_for_ever():
    _, clock = world_of(small_story(hours=0.0, tail_hours=0.0))
    answers = [await clock.grant(clock.now) for _ in range(10)]
    assert not any(answer.done for answer in answers)
    answers = [await clock.grant(clock.now) for _ in range(30)]
    assert answers[-1].done


async def test_a_paced_clock_waits_for_the_wall():
    world = World(small_story(hours=0.01, tail_hours=0.0), door=Door())
    world.start()
    wall = iter(range(1_000_000))
    clock = DemoClock(world, speed=2.0, wall=lambda: next(wall))
    await play_out(world, clock)
    assert clock.now == world.story.ends_at


@pytest.mark.parametrize(
    ("wishes", "speed"), [({}, None), ({"for_seconds": 60.0}, 390.0), ({"for_seconds": 60.0, "speed": 10.0}, 10.0)]
)
def test_the_speed_follows_from_what_is_wished(tmp_path, wishes, speed):
    assert Settings(port=0, journal_dir=tmp_path, **wishes).speed_of(told(1)) == speed


async def test_time_can_pass_by_itself():
    world, clock = world_of(small_story(sales=[], hours=0.05, tail_hours=0.05))
    await run_free(clock)
    assert clock.now == world.story.ends_at


async def test_time_is_granted_over_http():
    world, clock = world_of(small_story(hours=0.01, tail_hours=0.0))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(world, clock)), base_url="http://sandbox")

    looked = (await client.get("/clock")).json()
    assert looked == {"now": world.story.starts_at.isoformat(), "done": False}
    wrong = await client.post("/clock", json={"next_due": "besok"})
    assert wrong.status_code == 422

    last = {"done": False}
    while not last["done"]:
        last = (await client.post("/clock", json={"next_due": None})).json()
    assert datetime.fromisoformat(last["now"]) == world.story.ends_at
    assert (await client.get("/clock")).json()["done"]
