"""Billing staff of a simulation: they look at what waits a few times a day, and agree or refuse."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Final

from sqlalchemy import Connection, select

from rekon.domain.approval import NotAllowedError, Person, Role, Word
from rekon.domain.refund import RefundState
from rekon.simulation.life import automatic
from rekon.simulation.memory import Memory
from rekon.store import approvals, schema
from rekon.store import staff as staff_rows

_PAUSE: Final = (600.0, 14_400.0)
_AGREES: Final = 0.7
_TEAM: Final = (("Sari", Role.BILLING), ("Bowo", Role.SUPERVISOR), ("Rina", Role.SUPERVISOR))


async def work(memory: Memory, clock: Callable[[], datetime], rng: Random, *, until: datetime) -> None:
    """Look at waiting refunds now and then; whoever looks decides alone what he may."""
    team = memory.write(_hire, clock())
    while clock() < until:
        await asyncio.sleep(rng.uniform(*_PAUSE))
        person = rng.choice(team)
        for refund_id in memory.write(_waiting):
            word = Word.APPROVE if rng.random() < _AGREES else Word.REJECT
            ballot = approvals.Ballot(refund_id=refund_id, person=person, word=word, reason="sudah diperiksa")
            try:
                memory.write(approvals.take, ballot, policy=automatic(), now=clock())
            except NotAllowedError:
                continue


def _hire(connection: Connection, now: datetime) -> list[Person]:
    team = []
    for name, role in _TEAM:
        staff_rows.add(connection, name=name, role=role, token=f"token-{name}-0123456789abcdef", now=now)
        person = approvals.find_person(connection, f"token-{name}-0123456789abcdef")
        if person is not None:
            team.append(person)
    return team


def _waiting(connection: Connection) -> list[str]:
    r = schema.refunds.c
    query = select(r.refund_id).where(r.state == RefundState.AWAITING_APPROVAL).order_by(r.refund_id)
    return list(connection.execute(query).scalars())
