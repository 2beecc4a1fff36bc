"""Write the messages to agents and the complaints to providers that decisions ask for, once each."""

from dataclasses import replace

from rekon.domain import complaint_text, wording
from rekon.domain.answer import sign_answer_token
from rekon.domain.breaks import BreakKind
from rekon.domain.facts import Facts
from rekon.domain.message import Rendered
from rekon.stages.context import Words
from rekon.stages.decide.turn import Turn
from rekon.store import agents, cases, complaints, messages, reports

_NOBODY = "Agen"
_ZONE = "Asia/Jakarta"


def tell(turn: Turn, *, template: str) -> bool:
    """Write a message to whoever was charged. Returns whether it is new."""
    cases.open_case(turn.connection, turn.facts.transaction, now=turn.now)
    turn = replace(turn, facts=_with_number(turn.facts), decision=replace(turn.decision, template=template))
    agent = agents.find(turn.connection, turn.facts.transaction.agent_id)
    is_operator = wording.audience_of(turn.facts) == "operator"
    rendered = _render(turn, agent, is_operator=is_operator)
    if rendered is None:
        return False
    message = _message(turn, rendered, to=None if is_operator else agent, is_operator=is_operator)
    if not messages.add(turn.connection, message, now=turn.now):
        return False
    cases.mark_felt(turn.connection, turn.case_id)
    turn.note_event(kind="message.written", text=f"{template} {rendered.variant}")
    return True


def apologise_without_voucher(turn: Turn) -> bool:
    """Tell about the refund although the voucher waits for a person."""
    return tell(replace(turn, decision=replace(turn.decision, amount=None)), template="M06")


def _render(turn: Turn, agent: agents.Row | None, *, is_operator: bool) -> Rendered | None:
    words = turn.context.words
    if is_operator:
        reader = wording.Reader(name=words.operator_name, zone=_ZONE, operator=True)
    else:
        reader = wording.Reader(
            name=agent["name"] if agent else _NOBODY, zone=agent["zone"] if agent else _ZONE, operator=False
        )
    return wording.write(
        words.book,
        words.reasons,
        turn.facts,
        turn.decision,
        reader=reader,
        case_id=turn.case_id,
        provider_titles=words.provider_titles,
    )


def _message(turn: Turn, rendered: Rendered, *, to: agents.Row | None, is_operator: bool) -> messages.NewMessage:
    words, t = turn.context.words, turn.facts.transaction
    kind = turn.decision.break_kind.value if turn.decision.break_kind else ""
    event = f"{t.key}:{kind}:{turn.decision.template}"
    fallback = words.operator_channel if is_operator else words.default_channel
    return messages.NewMessage(
        event=event,
        case_id=turn.case_id,
        transaction_key=t.key,
        break_kind=kind,
        agent_id=t.agent_id,
        audience="operator" if is_operator else "agent",
        channel=(to["channel"] if to else "") or fallback,
        address=to["address"] if to else words.operator_address,
        template=turn.decision.template,
        variant=rendered.variant,
        text=rendered.text,
        short_text=rendered.short_text,
        variables=rendered.variables,
        answer_url=_answer_url(words, messages.message_id(event), secret=turn.context.secret),
        promise_at=turn.decision.promise_at,
    )


def _with_number(facts: Facts) -> Facts:
    if facts.history.case_number:
        return facts
    number = cases.case_number(facts.transaction.key)
    return replace(facts, history=replace(facts.history, case_number=number))


def _answer_url(words: Words, message_id: str, *, secret: bytes) -> str:
    """Build the signed link an agent answers by; without a public address there is none."""
    base = words.answer_base_url
    return f"{base}/answers/{sign_answer_token(message_id, secret)}" if base else ""


def complain(turn: Turn) -> bool:
    """Write a complaint to the provider, ready to be sent by one tap, or by a channel where one is set."""
    leg, t = turn.leg, turn.facts.transaction
    facts = complaint_text.ComplaintFacts(
        ref_id=leg.ref_id,
        sent_at=leg.sent_at,
        product=leg.provider_product,
        family=t.family,
        destination=leg.destination_sent,
    )
    text = complaint_text.compose(complaint_text.ComplaintKind.PENDING, facts, now=turn.now)
    links = complaint_text.contact_links(reports.contacts_of(turn.connection, leg.key), text)
    kind = turn.decision.break_kind or BreakKind.STUCK_PENDING
    complaint_id = complaints.open_complaint(
        turn.connection, leg, kind=kind, text=text, links=[link.url for link in links], now=turn.now
    )
    if complaint_id is None:
        return False
    turn.note_event(kind="complaint.opened", text=f"Laporan ke {leg.provider}")
    if turn.context.words.complaint_channel:
        _send(turn, complaint_id=complaint_id, text=text, kind=kind)
    return True


def _send(turn: Turn, *, complaint_id: str, text: str, kind: BreakKind) -> None:
    message = messages.NewMessage(
        event=f"complaint:{complaint_id}",
        case_id=None,
        transaction_key=turn.facts.transaction.key,
        break_kind=kind,
        agent_id=f"provider:{turn.leg.provider}",
        audience="provider",
        channel=turn.context.words.complaint_channel,
        address=turn.leg.provider,
        template="PC1",
        variant="standard",
        text=text,
        short_text=text,
        variables=(),
        answer_url="",
    )
    messages.add(turn.connection, message, now=turn.now)
