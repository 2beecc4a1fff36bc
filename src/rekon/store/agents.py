"""Agents as stored: who is told where, and who is frozen."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from rekon.store import schema

Row = Mapping[Any, Any]


def find(connection: Connection, agent_id: str) -> Row | None:
    """Find an agent."""
    query = select(schema.agents).where(schema.agents.c.agent_id == agent_id)
    return connection.execute(query).mappings().one_or_none()


def freeze(connection: Connection, agent_id: str, *, reason: str) -> bool:
    """Stop automatic money for an agent (G7). The first reason stays. Returns whether he was free until now."""
    a = schema.agents.c
    change = update(schema.agents).where(a.agent_id == agent_id, a.frozen_because == "").values(frozen_because=reason)
    return connection.execute(change.returning(a.agent_id)).first() is not None
