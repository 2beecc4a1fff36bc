"""The stages of rekon's flow. They meet in stored rows, never in a call stack, and never import each other.

May import domain, store and connectors. Each module has `work(context)`, one bounded batch, and `next_due(connection)`.
Start reading at `check.py`; `context.py` is what every stage is given.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from rekon.stages import act, check, decide, follow_up, tell
from rekon.stages.context import Context


class Stage(NamedTuple):
    """One step of the flow."""

    name: str
    work: Callable[[Context], Awaitable[int]]
    next_due: Callable[[Connection], datetime | None]


FLOW: tuple[Stage, ...] = (
    Stage("check", check.work, check.next_due),
    Stage("decide", decide.work, decide.next_due),
    Stage("act", act.work, act.next_due),
    Stage("tell", tell.work, tell.next_due),
    Stage("follow_up", follow_up.work, follow_up.next_due),
)
"""The order in which the daemon walks. INTAKE stands before it: the API writes at once, files and sources on their beat."""
