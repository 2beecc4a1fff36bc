"""DECIDE: look at due transactions, name breaks, and write down what has to happen.

Claim, decide and apply are one unit of work: nothing outside is called here, so a crash leaves either all or nothing.
`apply.py` makes decisions true, `letters.py` writes the messages and complaints they ask for.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rekon.domain.decide import decide_on, gather
from rekon.domain.decision import Action
from rekon.stages.context import Context, log
from rekon.stages.decide.apply import apply
from rekon.stages.decide.turn import Turn
from rekon.store import decisions, dossier, evaluations
from rekon.store.engine import Connection

BATCH = 200
_BALANCE_FRESH = timedelta(seconds=120)
_DEFECT_WAIT = timedelta(minutes=10)
_UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError)
"""What a row raises that somebody changed by hand; trouble with the database itself is none of these."""
_FOLLOWED_AT_ONCE = frozenset({Action.COMPENSATE, Action.RESOLVE})


async def work(context: Context) -> int:
    """Look at one batch of due transactions. Returns how many were looked at."""
    return await context.write(look_at_due, context=context, now=context.clock(), limit=BATCH)


def look_at_due(connection: Connection, *, context: Context, now: datetime, limit: int) -> int:
    """Claim due transactions, decide each and apply what is new."""
    keys = evaluations.claim(connection, now=now, limit=limit)
    found, unreadable = _load(connection, keys, context=context)
    due: dict[str, datetime | None] = dict.fromkeys(keys) | dict.fromkeys(unreadable, now + _DEFECT_WAIT)
    for one in found:
        due[one.transaction.key] = _look_alone(connection, one, context=context, now=now)
    evaluations.settle(connection, due)
    return len(keys)


def _load(
    connection: Connection, keys: Sequence[str], *, context: Context
) -> tuple[Sequence[dossier.Dossier], Sequence[str]]:
    """Load these books at once; where a row cannot be read each alone. Returns the books and the unreadable keys."""
    try:
        window = context.policy.duplicate_window
        return dossier.load(connection, keys, sources=context.sources, twin_window=window), ()
    except _UNREADABLE:
        if len(keys) > 1:
            parts = [_load(connection, [key], context=context) for key in keys]
            return [one for found, _ in parts for one in found], [key for _, bad in parts for key in bad]
        log.exception("transaction.unreadable", transaction=keys[0])
        return (), keys


def _look_alone(connection: Connection, one: dossier.Dossier, *, context: Context, now: datetime) -> datetime | None:
    """Look at one transaction so that a defect in it leaves nothing half done and does not stop the others."""
    try:
        with connection.begin_nested():
            return _look_at(connection, one, context=context, now=now)
    except Exception:  # noqa: BLE001 - one bad row must not stop the queue
        log.exception("transaction.undecidable", transaction=one.transaction.key)
        return now + _DEFECT_WAIT


def _look_at(connection: Connection, one: dossier.Dossier, *, context: Context, now: datetime) -> datetime | None:
    one = _with_balance(connection, one, now=now)
    providers = {leg.provider: context.rules_of(leg.provider) for leg in one.legs}
    facts = gather(
        one.transaction, one.legs, one.wallet_lines, one.reports, context.policy, one.history, now, providers=providers
    )
    wanted = decide_on(facts)
    fresh = [
        d
        for d in wanted
        if d.action is not Action.WAIT
        and apply(Turn(connection=connection, facts=facts, decision=d, context=context, now=now))
    ]
    if fresh:
        decisions.append(connection, one, fresh, config_hash=context.config_hash, now=now)
        log.info("transaction.decided", transaction=one.transaction.key, rules=[d.rule for d in fresh])
    wait = next((d.due_at for d in wanted if d.action is Action.WAIT), None)
    return now if any(d.action in _FOLLOWED_AT_ONCE for d in fresh) else wait


def _with_balance(connection: Connection, one: dossier.Dossier, *, now: datetime) -> dossier.Dossier:
    """Add the agent's balance when the wallet book is fresh enough to quote it."""
    mark = one.history.wallet_read_to
    if not one.history.refunds or mark is None or now - mark > _BALANCE_FRESH:
        return one
    balance = dossier.agent_balance(connection, one.transaction.agent_id, not_before=now - timedelta(days=30))
    return replace(one, history=replace(one.history, agent_balance=balance))
