"""The stages of rekon's flow. They meet in stored rows, never in a call stack, and never import each other.

May import domain, store and connectors. Each module has `work(context)`, one bounded batch,.
Start reading at `check.py`; `context.py` is what every stage is given.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from rekon.stages import act, check, decide, follow_up, relay, tell
from rekon.stages.context import Context


class Stage(NamedTuple):
    """One step of the flow."""

    name: str
    work: Callable[[Context], Awaitable[int]]


FLOW: tuple[Stage, ...] = (
    Stage("check", check.work),
    Stage("decide", decide.work),
    Stage("act", act.work),
    Stage("tell", tell.work),
    Stage("follow_up", follow_up.work),
    Stage("relay", relay.work),
)
"""The order in which the daemon walks. INTAKE stands before it: the API writes at once, files and databases have
their own beat."""
