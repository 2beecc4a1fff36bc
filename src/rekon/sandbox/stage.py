"""What was there before the curtain rises: agents' wallets, and orders of long ago."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from rekon.sandbox import purchase
from rekon.sandbox.agenda import Agenda
from rekon.sandbox.people import Agent
from rekon.sandbox.server import PlayedServer
from rekon.sandbox.story import Sale, Story

EVENING: Final = timedelta(hours=16)
"""How long before the story wallets were opened, for agents without older orders."""


def opened_at(story: Story) -> datetime:
    """Say when the books of a story begin for everybody without an older order."""
    return story.starts_at - EVENING


def open_wallets(story: Story, servers: Mapping[str, PlayedServer]) -> None:
    """Open every wallet with one deposit line and take the orders of long ago over, all in the order of their time."""
    past = Agenda()
    first_order = {sale.agent_id: sale.ordered_at for sale in story.imported}
    for agent in story.agents:
        oldest = first_order.get(agent.agent_id)
        at = opened_at(story) if oldest is None else oldest - timedelta(days=1)
        past.add(at, partial(_open, agent, servers[agent.source]))
    for sale in story.imported:
        past.add(sale.ordered_at, partial(_take_over, sale, servers[sale.source]))
    past.play(story.starts_at)


def _open(agent: Agent, server: PlayedServer, at: datetime) -> None:
    server.wallets.post(agent.agent_id, agent.opening, kind="deposit", at=at, reference=f"TIKET-{agent.agent_id}")


def _take_over(sale: Sale, server: PlayedServer, at: datetime) -> None:
    """Write down an order that has been pending ever since; nobody asks a provider about it."""
    server.take_order(purchase.order_row(sale), at=at, charge=True)
    server.note_sending(sale.transaction_id, at=at, **purchase.sending_columns(sale, purchase.old_reply(sale)))
