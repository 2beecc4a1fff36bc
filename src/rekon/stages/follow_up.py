"""FOLLOW UP: answers that came back, promises whose time is over, aftercare, complaints without an answer."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rekon.domain import sla
from rekon.domain.answer import Answer, sign_answer_token
from rekon.domain.message import format_hour, format_instant, render
from rekon.domain.message_format import to_local
from rekon.domain.money import format_rupiah
from rekon.domain.msisdn import mask
from rekon.domain.wording import plain_status
from rekon.stages.context import Context, log
from rekon.store import agents, cases, complaints, inbox, messages, vouchers
from rekon.store.engine import Connection

BATCH = 100
_NEXT_NEWS = timedelta(hours=1)
_CHASES = (timedelta(hours=2), timedelta(hours=6), timedelta(hours=24))
_UNTOLD_CLOSE = "void"

Row = Mapping[Any, Any]


async def work(context: Context) -> int:
    """Do one batch of everything that is due. Returns how much was done."""
    return await context.write(look_after, context=context, now=context.clock())


def look_after(connection: Connection, *, context: Context, now: datetime) -> int:
    """Act on answers, promises, aftercare and chases in one unit of work; nothing outside is called."""
    return (
        _answers(connection, context=context, now=now)
        + _promises(connection, context=context, now=now)
        + _plan_aftercare(connection)
        + _aftercare(connection, context=context, now=now)
        + _chases(connection, now=now)
        + _close_early(connection, now=now)
    )


def _answers(connection: Connection, *, context: Context, now: datetime) -> int:
    waiting = messages.new_answers(connection, limit=BATCH)
    for row in waiting:
        if row["answer"] == Answer.YES:
            _agreed(connection, row, now=now)
        else:
            _denied(connection, row, now=now)
        messages.mark_answer(connection, row["message_id"])
    del context
    return len(waiting)


def _agreed(connection: Connection, row: Row, *, now: datetime) -> None:
    """YA to a message that carries a voucher takes it; YA to anything else is noted."""
    if not row["case_id"]:
        return
    cases.add_event(
        connection, row["case_id"], kind="answer.yes", text=f"Agen menjawab YA untuk {row['template']}", now=now
    )
    voucher = vouchers.find_of(connection, row["transaction_key"]) if row["template"] in ("M06", "M19") else None
    if voucher is not None and vouchers.redeem(connection, voucher["code"], agent_id=row["agent_id"], now=now):
        cases.add_event(connection, row["case_id"], kind="voucher.redeemed", text="Voucher dipakai", now=now)


def _denied(connection: Connection, row: Row, *, now: datetime) -> None:
    """TIDAK opens the case again and puts it before a person (R029)."""
    if row["case_id"]:
        cases.reopen(connection, row["case_id"], reason=f"Agen menjawab TIDAK untuk {row['template']}", now=now)


def _promises(connection: Connection, *, context: Context, now: datetime) -> int:
    due = messages.due_promises(connection, now=now, limit=BATCH)
    for promise in due:
        case = cases.get(connection, promise["case_id"])
        if case["state"] != "open":
            messages.settle_promise(connection, promise["promise_id"], state=_UNTOLD_CLOSE, now=now)
            continue
        if messages.settle_promise(connection, promise["promise_id"], state="broken", now=now):
            log.warning("promise.broken", case=case["number"])
            _apologise(connection, case, promise, context=context, now=now)
    return len(due)


def _apologise(connection: Connection, case: Row, promise: Row, *, context: Context, now: datetime) -> None:
    """The case goes to a person, and an agent we know hears M26 (R112)."""
    kinds = cases.open_kinds(connection, case["case_id"])
    for kind in kinds:
        cases.ask_staff(connection, case["transaction_key"], kind, note="Janji kabar terlewat", now=now)
    agent, t = agents.find(connection, case["agent_id"]), cases.purchase(connection, case["transaction_key"])
    if agent is None or t["charged_account"] != "agent_wallet":
        return
    next_news = now + _NEXT_NEWS
    values = {
        "nama_agen": agent["name"],
        "jam_kabar_lama": format_hour(promise["due_at"], agent["zone"], now=now),
        "nomor_kasus": case["number"],
        "status_sederhana": plain_status(kinds),
        "jam_kabar": format_hour(next_news, agent["zone"], now=now),
    }
    event = f"{promise['promise_id']}:M26"
    _write(
        connection,
        case,
        agent,
        template="M26",
        variant="standard",
        values=values,
        event=event,
        context=context,
        now=now,
        promise_at=next_news,
    )


def _plan_aftercare(connection: Connection) -> int:
    """Plan the one question asked after a felt case (R041)."""
    waiting = cases.felt_without_aftercare(connection, limit=BATCH)
    for row in waiting:
        agent = agents.find(connection, row["agent_id"])
        zone = to_local(row["resolved_at"], agent["zone"]).tzinfo if agent is not None else None
        due = sla.aftercare_at(row["resolved_at"], family=row["family"], zone=zone or sla.WIB)
        cases.plan_aftercare(connection, row["case_id"], due_at=due)
    return len(waiting)


def _aftercare(connection: Connection, *, context: Context, now: datetime) -> int:
    due = cases.due_aftercare(connection, now=now, limit=BATCH)
    for case in due:
        since = now - cases.AFTERCARE_GAP
        agent, t = agents.find(connection, case["agent_id"]), cases.purchase(connection, case["transaction_key"])
        tells = agent is not None and t["charged_account"] == "agent_wallet"
        if tells and agent is not None and not cases.recent_aftercare(connection, case["agent_id"], since=since):
            _ask_after(connection, case, agent, t, context=context, now=now)
        cases.close(connection, case["case_id"], now=now)
    return len(due)


def _ask_after(connection: Connection, case: Row, agent: Row, t: Row, *, context: Context, now: datetime) -> None:
    """Ask the right question: did the money come, or did the top-up (rulebook M22)."""
    returned = cases.given_back(connection, case["transaction_key"])
    values = {
        "nama_agen": agent["name"],
        "nomor_kasus": case["number"],
        "produk": t["product"],
        "tujuan": mask(t["destination"]),
    }
    if returned:
        values["jumlah"] = format_rupiah(returned)
        variant = "refunded"
    else:
        values["waktu_selesai"] = format_instant(case["resolved_at"], agent["zone"])
        variant = "delivered"
    event = f"{case['case_id']}:M22"
    _write(
        connection, case, agent, template="M22", variant=variant, values=values, event=event, context=context, now=now
    )


def _write(
    connection: Connection,
    case: Row,
    agent: Row,
    *,
    template: str,
    variant: str,
    values: Mapping[str, str],
    event: str,
    context: Context,
    now: datetime,
    promise_at: datetime | None = None,
) -> None:
    words = context.words
    rendered = render(words.book, template=template, variables=values, case_id=case["case_id"], variant=variant)
    token = sign_answer_token(messages.message_id(event), context.secret)
    message = messages.NewMessage(
        event=event,
        case_id=case["case_id"],
        transaction_key=case["transaction_key"],
        break_kind="",
        agent_id=case["agent_id"],
        audience="agent",
        channel=agent["channel"] or words.default_channel,
        address=agent["address"],
        template=template,
        variant=variant,
        text=rendered.text,
        short_text=rendered.short_text,
        variables=rendered.variables,
        answer_url=f"{words.answer_base_url}/answers/{token}" if words.answer_base_url else "",
        promise_at=promise_at,
    )
    if messages.add(connection, message, now=now):
        cases.add_event(connection, case["case_id"], kind="message.written", text=f"{template} {variant}", now=now)


def _chases(connection: Connection, *, now: datetime) -> int:
    """Remind staff of complaints without an answer after 2, 6 and 24 hours."""
    due = complaints.due_chases(connection, now=now, limit=BATCH)
    for row in due:
        later = [row["sent_at"] + step for step in _CHASES if row["sent_at"] + step > now]
        complaints.plan_chase(connection, row["complaint_id"], due_at=later[0] if later else None)
        case_id = cases.case_of(connection, row["transaction_key"])
        if case_id:
            text = f"Laporan ke {row['provider']} belum dijawab; ingatkan penyedia"
            cases.add_event(connection, case_id, kind="complaint.unanswered", text=text, now=now)
    return len(due)


def _close_early(connection: Connection, *, now: datetime) -> int:
    """Stop waiting for orders that never came: somebody else bought there, or our server never told us."""
    closed = inbox.close_early(connection, now=now, limit=BATCH)
    for row in closed:
        log.warning("callback.expired", provider=row["provider"], inbox=row["id"])
    return len(closed)
