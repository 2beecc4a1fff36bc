"""One beat: a stage that breaks is told, and keeps no other from its work."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from rekon.daemon import Heart
from rekon.sandbox import traits
from rekon.sandbox.traits import Traits, failed
from rekon.store import schema
from tests.journeys import plays

BROKEN = (RuntimeError, ExceptionGroup)


class Clients(Mapping):
    """Breaks CHECK as a defect of ours would, until it is mended; no other stage asks a provider."""

    def __init__(self, honest):
        self.honest = honest
        self.is_broken = True

    def __getitem__(self, key):
        if self.is_broken:
            text = "a defect"
            raise RuntimeError(text)
        return self.honest[key]

    def __iter__(self):
        return iter(self.honest)

    def __len__(self):
        return len(self.honest)


@pytest.fixture
async def bench(set_up):
    """Give a leg to be asked about after a minute, and beside it a refund that falls due then."""
    play = plays.Play()
    play.sell("pending", Traits(steps=(traits.accepted("iak"),)), seconds=0)
    play.sell("unformed", Traits(steps=(failed(0, "68", callback="lost"),)), provider="digiflazz", seconds=60)
    made = await set_up(play.story(minutes=600))
    await made.beats(5)
    made.clients = Clients(made.context.connectors.clients)
    made.heart = Heart(replace(made.context, connectors=replace(made.context.connectors, clients=made.clients)))
    return made


async def test_a_stage_that_breaks_keeps_no_other_from_its_work(bench, log):
    for seconds in (62, 3, 3, 3):
        await bench.forward(seconds)
        with pytest.raises(BROKEN):
            await bench.heart.beat()
        bench.context.store.write(_free, bench.now)
    assert bench.one(schema.refunds)["state"] == "settled"
    assert {line["stage"] for line in log if line["event"] == "stage.failed"} == {"check"}


async def test_a_broken_stage_shows_until_it_works_again(bench):
    await bench.forward(62)
    with pytest.raises(BROKEN):
        await bench.heart.beat()
    assert bench.heart.healthy is False
    assert bench.heart.last_beat == bench.now
    bench.clients.is_broken = False
    bench.context.store.write(_free, bench.now)
    await bench.heart.beat()
    assert bench.heart.healthy is True


def _free(connection, now):
    """Give a claimed leg back at once, so that it breaks the very next beat too."""
    connection.execute(
        schema.schedule.update().where(schema.schedule.c.due_at.is_not(None)).values(lease=None, due_at=now)
    )
