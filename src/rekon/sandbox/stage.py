"""What was there before the curtain rises: agents' wallets, and orders of long ago."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from rekon.sandbox import purchase
from rekon.sandbox.server import PlayedServer
from rekon.sandbox.story import Sale, Story

EVENING: Final = timedelta(hours=16)
"""How long before the story wallets were opened, for agents without older orders."""


def opened_at(story: Story) -> datetime:
    """Say when the books of a story begin for everybody without an older order."""
    return story.starts_at - EVENING


def open_wallets(story: Story, servers: Mapping[str, PlayedServer]) -> None:
    """Open every wallet with one deposit line, and play the orders of long ago in between."""
    old = {sale.agent_id: sale for sale in story.imported}
    first = sorted(
        story.agents, key=lambda agent: old[agent.agent_id].ordered_at if agent.agent_id in old else opened_at(story)
    )
    for agent in first:
        wallets, sale = servers[agent.source].wallets, old.get(agent.agent_id)
        at = opened_at(story) if sale is None else sale.ordered_at - timedelta(days=1)
        wallets.post(agent.agent_id, agent.opening, kind="deposit", at=at, reference=f"TIKET-{agent.agent_id}")
        if sale is not None:
            _import(sale, servers[sale.source])


def _import(sale: Sale, server: PlayedServer) -> None:
    """Take over an order that has been pending ever since; nobody asks a provider about it."""
    server.take_order(purchase.order_row(sale), at=sale.ordered_at, charge=True)
    columns = purchase.sending_columns(sale, purchase.old_reply(sale))
    server.note_sending(sale.transaction_id, at=sale.ordered_at, **columns)
