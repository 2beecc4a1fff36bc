"""The outbox, the answers that come back, and the promises messages make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select, text, update

from rekon.domain.decision import stable_id
from rekon.store import schema
from rekon.store.inserts import upsert
from rekon.store.tables_effects import IS_NEW, IS_OPEN

Row = Mapping[Any, Any]

PROMISE_GRACE: Final = timedelta(minutes=1)
"""An agent was told an hour and a minute: news within that minute keeps the promise."""

_IS_NEW_ANSWER = text(f"answers.{IS_NEW}")
_COPIED = (
    "event",
    "case_id",
    "transaction_key",
    "break_kind",
    "agent_id",
    "audience",
    "channel",
    "address",
    "template",
    "variant",
    "text",
    "short_text",
    "answer_url",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message ready to leave. `event` is its identity: one event, one message."""

    event: str
    case_id: str | None
    transaction_key: str | None
    break_kind: str
    agent_id: str
    audience: str
    """agent, operator or provider."""
    channel: str
    address: str
    template: str
    variant: str
    text: str
    short_text: str
    variables: Sequence[tuple[str, str]]
    answer_url: str
    promise_at: datetime | None = None


def message_id(event: str) -> str:
    """Derive the id of the message that tells an event."""
    return stable_id("msg", event)


def add(connection: Connection, message: NewMessage, *, now: datetime) -> bool:
    """Put a message into the outbox, once an event, with the promise it makes. Returns whether it is new."""
    identity = message_id(message.event)
    values = {name: getattr(message, name) for name in _COPIED}
    statement = upsert(connection, schema.messages).values(
        message_id=identity,
        variables=[list(pair) for pair in message.variables],
        state="waiting",
        note="",
        reference="",
        created_at=now,
        due_at=now,
        attempts=0,
        **values,
    )
    m = schema.messages.c
    created = statement.on_conflict_do_nothing().returning(m.message_id)
    if connection.execute(created).first() is None:
        return False
    if message.case_id:
        _keep_promises(connection, message.case_id, now=now)
        if message.promise_at is not None:
            _promise(connection, message.case_id, identity, due_at=message.promise_at)
    return True


def _keep_promises(connection: Connection, case_id: str, *, now: datetime) -> None:
    """News in a case keeps the promises of news that were open and not yet late."""
    p = schema.promises.c
    connection.execute(
        update(schema.promises)
        .where(p.case_id == case_id, p.state == "open", p.due_at >= now - PROMISE_GRACE)
        .values(state="kept", settled_at=now)
    )


def _promise(connection: Connection, case_id: str, message: str, *, due_at: datetime) -> None:
    statement = upsert(connection, schema.promises).values(
        promise_id=stable_id("prm", message), case_id=case_id, message_id=message, due_at=due_at, state="open"
    )
    connection.execute(statement.on_conflict_do_nothing(index_elements=["promise_id"]))


def claim_due(connection: Connection, *, now: datetime, limit: int, lease: str, lease_until: datetime) -> Sequence[Row]:
    """Claim messages that wait to leave."""
    m = schema.messages.c
    query = select(schema.messages).where(m.due_at <= now).order_by(m.due_at, m.created_at, m.message_id).limit(limit)
    found = connection.execute(query.with_for_update(skip_locked=True)).mappings().all()
    if found:
        ids = [row["message_id"] for row in found]
        connection.execute(
            update(schema.messages)
            .where(m.message_id.in_(ids))
            .values(due_at=lease_until, lease=lease, attempts=m.attempts + 1)
        )
    return found


def put_off(connection: Connection, *, now: datetime, until: datetime) -> None:
    """Let every message that is due wait longer."""
    m = schema.messages.c
    connection.execute(update(schema.messages).where(m.due_at <= now).values(due_at=until))


def record(connection: Connection, row: Row, *, lease: str, **values: object) -> bool:
    """Write what became of a message, fenced by the lease."""
    m = schema.messages.c
    change = (
        update(schema.messages).where(m.message_id == row["message_id"], m.lease == lease).values(lease=None, **values)
    )
    return connection.execute(change.returning(m.message_id)).first() is not None


def find(connection: Connection, identity: str) -> Row | None:
    """Find a message."""
    query = select(schema.messages).where(schema.messages.c.message_id == identity)
    return connection.execute(query).mappings().one_or_none()


def alerts(connection: Connection, agent_id: str, *, limit: int = 100) -> Sequence[Row]:
    """List what an agent was told, newest first."""
    m = schema.messages.c
    query = select(schema.messages).where(m.agent_id == agent_id, m.audience == "agent")
    return connection.execute(query.order_by(m.created_at.desc(), m.message_id).limit(limit)).mappings().all()


def record_answer(connection: Connection, identity: str, *, answer: str, now: datetime) -> bool:
    """Keep an agent's answer to a message that exists. The first one counts. Returns whether it is the first."""
    asked = find(connection, identity)
    if asked is None:
        return False
    statement = upsert(connection, schema.answers).values(message_id=identity, answer=answer, at=now, state="new")
    first = statement.on_conflict_do_nothing(index_elements=["message_id"]).returning(schema.answers.c.message_id)
    a = schema.agents.c
    connection.execute(update(schema.agents).where(a.agent_id == asked["agent_id"]).values(last_inbound_at=now))
    return connection.execute(first).first() is not None


def new_answers(connection: Connection, *, limit: int) -> Sequence[Row]:
    """Read answers nobody acted on yet, with the message each one answers."""
    a, m = schema.answers.c, schema.messages.c
    query = select(schema.messages, a.answer, a.at).join(schema.answers, a.message_id == m.message_id)
    query = query.where(_IS_NEW_ANSWER).order_by(a.at, a.message_id).limit(limit)
    return connection.execute(query).mappings().all()


def mark_answer(connection: Connection, identity: str) -> None:
    """Note that an answer was acted on."""
    connection.execute(update(schema.answers).where(schema.answers.c.message_id == identity).values(state="done"))


def due_promises(connection: Connection, *, now: datetime, limit: int) -> Sequence[Row]:
    """Find open promises whose time has passed."""
    p = schema.promises.c
    query = select(schema.promises).where(text(IS_OPEN), p.due_at < now - PROMISE_GRACE)
    query = query.order_by(p.due_at, p.promise_id).limit(limit)
    return connection.execute(query).mappings().all()


def settle_promise(connection: Connection, promise_id: str, *, state: str, now: datetime) -> bool:
    """Close a promise as kept, broken or void, once."""
    p = schema.promises.c
    change = (
        update(schema.promises).where(p.promise_id == promise_id, p.state == "open").values(state=state, settled_at=now)
    )
    return connection.execute(change.returning(p.promise_id)).first() is not None


def last_inbound(connection: Connection, agent_id: str) -> datetime | None:
    """Say when this agent last wrote to us: WhatsApp allows free text for 24 hours after that."""
    a = schema.agents.c
    return connection.execute(select(a.last_inbound_at).where(a.agent_id == agent_id)).scalar_one_or_none()


def asked_in_chat(connection: Connection, chat_id: str, identity: str) -> Row | None:
    """Find the message a chat answers: the one its button names, else the newest; only one sent to this very chat."""
    m = schema.messages.c
    query = select(schema.messages).where(m.address == chat_id, m.audience == "agent", m.state == "sent")
    if identity:
        query = query.where(m.message_id == identity)
    return connection.execute(query.order_by(m.sent_at.desc(), m.message_id).limit(1)).mappings().one_or_none()
