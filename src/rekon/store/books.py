"""Write what came in: wallet lines, statements, agents, marks. Identity is (source, id); nothing enters twice.

Orders have a module of their own, `orders`, and are recorded through here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, Connection, Row, Table, func, literal, select, update

from rekon.domain.books import Agent, StatementLine
from rekon.domain.transaction import WalletLine, transaction_key
from rekon.store import evaluations, schema
from rekon.store.inserts import insert_rows, upsert, wait_turn
from rekon.store.types import micros

SETTLED_AFTER = timedelta(days=7)
"""Orders that entered final and older than this are history: kept for reports, not worked on."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that contradicts what is stored under the same identity."""

    index: int
    field: str
    reason: str


@dataclass(slots=True)
class Recorded:
    """What a batch did."""

    accepted: int = 0
    unchanged: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
