"""Fill a message's variables from the facts of a purchase. Numbers are masked, instants are in the reader's zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rekon.domain.breaks import BREAK_TITLES, BreakKind
from rekon.domain.decision import Decision
from rekon.domain.facts import Facts
from rekon.domain.message import STANDARD, Reasons, Rendered, TemplateBook, format_duration, format_hour, format_instant, render
from rekon.domain.money import format_rupiah
from rekon.domain.msisdn import mask
from rekon.domain.transaction import ChargedAccount

_DECISION_LIMIT = timedelta(hours=4)
_WITHOUT_BALANCE = {STANDARD: "balance_unknown", "no_voucher": "no_voucher_balance_unknown"}
_VARIANTS = {"b14": "double_refund"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who will read the message."""

    name: str
    zone: str
    operator: bool = False


def audience_of(facts: Facts) -> str:
    """Say who is told: the agent whose wallet was charged, or the operator (design 2)."""
    return "agent" if facts.transaction.charged_account is ChargedAccount.AGENT_WALLET else "operator"


def write(
    book: TemplateBook,
    reasons: Reasons,
    facts: Facts,
    decision: Decision,
    *,
    reader: Reader,
    case_id: str,
    provider_titles: Mapping[str, str],
) -> Rendered | None:
    """Write the message of a TELL decision, or None when the template has no words for this reader."""
    variant = _variant(book, facts, decision, reader=reader)
    if variant is None:
        return None
    values = _values(facts, decision, reasons=reasons, reader=reader, provider_titles=provider_titles)
    values = {name: values[name] for name in book.required(decision.template, variant)}
    return render(
        book,
        template=decision.template,
        variant=variant,
        variables=values,
        case_id=case_id,
        family=facts.transaction.family,
    )


def _variant(book: TemplateBook, facts: Facts, decision: Decision, *, reader: Reader) -> str | None:
    variants = book.templates[decision.template].variants
    if reader.operator:
        cash = facts.transaction.charged_account is ChargedAccount.CASH
        return next((v for v in (("customer",) if cash else ()) + ("operator",) if v in variants), None)
    variant = _VARIANTS.get(decision.variant, decision.variant)
    if decision.template == "M06" and decision.break_kind not in facts.history.vouchers:
        variant = "no_voucher"
    if facts.history.agent_balance is None and _WITHOUT_BALANCE.get(variant) in variants:
        variant = _WITHOUT_BALANCE[variant]
    return variant


def _values(
    facts: Facts, decision: Decision, *, reasons: Reasons, reader: Reader, provider_titles: Mapping[str, str]
) -> dict[str, str]:
    t, now, zone = facts.transaction, facts.now, reader.zone
    amount = decision.amount if decision.amount is not None else max(facts.net, 0) or t.price
    settled = max((r.settled_at for r in facts.history.refunds if r.settled_at), default=facts.last_line_at) or now
    final = max((v.final_word_at for v in facts.verdicts if v.final_word_at), default=now)
    provider = facts.legs[-1].provider if facts.legs else ""
    values = {
        "nama_agen": reader.name,
        "produk": t.product,
        "tujuan": mask(t.destination),
        "waktu": format_instant(t.ordered_at, zone),
        "jumlah": format_rupiah(amount),
        "waktu_kembali": format_instant(settled, zone),
        "alasan_sederhana": reasons.sentence(decision.reason or "unknown"),
        "penyedia": provider_titles.get(provider, provider) or "penyedia",
        "jam_kabar": format_hour(decision.promise_at or now, zone, now=now),
        "nomor_kasus": facts.history.case_number,
        "waktu_lapor": format_instant(facts.history.complaint_sent_at or now, zone),
        "waktu_sukses": format_instant(final, zone),
        "nomor_seri": decision.details.get("serial_number") or "belum tersedia",
        "batas_keputusan": format_hour(now + _DECISION_LIMIT, zone, now=now),
        "waktu_selesai": format_instant(now, zone),
    }
    if facts.history.agent_balance is not None:
        values["saldo"] = format_rupiah(facts.history.agent_balance)
    return values | _of_voucher(facts, decision, zone) | _of_details(decision, zone, now=now) | _of_twins(facts, decision, zone)


def _of_voucher(facts: Facts, decision: Decision, zone: str) -> dict[str, str]:
    found = facts.history.vouchers.get(decision.break_kind) if decision.break_kind else None
    if found is None:
        return {}
    code, amount, expires_at = found
    return {
        "nilai_voucher": format_rupiah(amount),
        "kode_voucher": code,
        "batas_voucher": format_instant(expires_at, zone),
    }


def _of_details(decision: Decision, zone: str, *, now: datetime) -> dict[str, str]:
    details = decision.details
    values = {}
    if "window_end" in details:
        values["jam_selesai"] = format_hour(datetime.fromisoformat(details["window_end"]), zone, now=now)
    if "waited_seconds" in details:
        values["lama"] = format_duration(timedelta(seconds=int(details["waited_seconds"])))
    return values


def _of_twins(facts: Facts, decision: Decision, zone: str) -> dict[str, str]:
    if "twin_at" not in decision.details:
        return {}
    return {
        "waktu_1": format_instant(datetime.fromisoformat(decision.details["twin_at"]), zone),
        "waktu_2": format_instant(facts.transaction.ordered_at, zone),
        "hasil_1": decision.details["result_1"],
        "hasil_2": decision.details["result_2"],
    }


def plain_status(kinds: tuple[BreakKind, ...]) -> str:
    """Say in one clause what a case is about, for M26."""
    return "; ".join(BREAK_TITLES[kind].lower() for kind in kinds) or "masih kami telusuri"
