"""Fill a message's variables from the facts of a purchase. Numbers are masked, instants are in the reader's zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Decision
from rekon.domain.facts import Facts
from rekon.domain.message import (
    STANDARD,
    Reasons,
    Rendered,
    TemplateBook,
    format_duration,
    format_hour,
    format_instant,
    render,
)
from rekon.domain.money import format_rupiah
from rekon.domain.msisdn import mask
from rekon.domain.outcome import ReportSource
from rekon.domain.transaction import ChargedAccount

_DECISION_LIMIT = timedelta(hours=4)
_WITHOUT_BALANCE = {STANDARD: "balance_unknown", "no_voucher": "no_voucher_balance_unknown"}
_VARIANTS = {"b14": "double_refund"}
_WORDS: dict[str, dict[str, str]] = {
    "id": {"provider": "penyedia", "no_serial": "belum tersedia"},
    "en": {"provider": "the provider", "no_serial": "not available yet", "berhasil": "successful"},
}
_PLAIN: dict[BreakKind, str] = {
    BreakKind.FAILED_NOT_REFUNDED: "pengisian gagal dan saldo belum kembali",
    BreakKind.STUCK_PENDING: "pengisian masih diproses penyedia",
    BreakKind.DELIVERED_NOT_RECORDED: "pengisian berhasil dan catatannya sedang kami perbaiki",
    BreakKind.LATE_SUCCESS: "pengisian berhasil setelah saldo kembali",
    BreakKind.SUCCESS_TAKEN_BACK: "pengisian dibatalkan penyedia",
    BreakKind.SERIAL_MISSING: "nomor seri belum kami terima",
    BreakKind.DEBITED_TWICE: "saldo terpotong ganda",
    BreakKind.ORDERED_TWICE: "ada dua pengisian yang sama",
    BreakKind.REFUNDED_TWICE: "saldo kembali melebihi potongan",
    BreakKind.NOT_AT_PROVIDER: "pengisian belum ditemukan di penyedia",
    BreakKind.CONTRADICTION: "hasil pengisian belum jelas",
    BreakKind.CALLBACK_LOST: "hasil pengisian terlambat kami terima",
    BreakKind.CHECK_AGE_PASSED: "hasil pengisian menunggu jawaban tertulis penyedia",
}


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
    values = _values(
        facts, decision, reasons=reasons, reader=reader, provider_titles=provider_titles, language=book.language
    )
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
    if variant not in variants:
        return None
    if facts.history.agent_balance is None and _WITHOUT_BALANCE.get(variant) in variants:
        variant = _WITHOUT_BALANCE[variant]
    return variant


def _values(
    facts: Facts,
    decision: Decision,
    *,
    reasons: Reasons,
    reader: Reader,
    provider_titles: Mapping[str, str],
    language: str,
) -> dict[str, str]:
    t, now, zone = facts.transaction, facts.now, reader.zone
    words = _WORDS[language]
    provider = facts.legs[-1].provider if facts.legs else ""

    def instant(at: datetime) -> str:
        return format_instant(at, zone, language=language)

    values = {
        "nama_agen": reader.name,
        "produk": t.product,
        "tujuan": mask(t.destination),
        "waktu": instant(t.ordered_at),
        "jumlah": format_rupiah(_amount(facts, decision)),
        "waktu_kembali": instant(_returned_at(facts, decision)),
        "alasan_sederhana": reasons.sentence(decision.reason or "unknown", language=language),
        "penyedia": provider_titles.get(provider, provider) or words["provider"],
        "jam_kabar": format_hour(decision.promise_at or now, zone, now=now, language=language),
        "nomor_kasus": facts.history.case_number,
        "waktu_lapor": instant(_reported_at(facts)),
        "waktu_sukses": instant(_delivered_at(facts)),
        "nomor_seri": decision.details.get("serial_number") or words["no_serial"],
        "batas_keputusan": format_hour(now + _DECISION_LIMIT, zone, now=now, language=language),
        "waktu_selesai": instant(now),
    }
    if facts.history.agent_balance is not None:
        values["saldo"] = format_rupiah(facts.history.agent_balance)
    more = (_of_voucher, _of_details, _of_twins)
    return values | {k: v for part in more for k, v in part(facts, decision, zone, language).items()}


def _amount(facts: Facts, decision: Decision) -> int:
    """Take the decision's own amount; else what was given back for this break, else what is taken, else the price."""
    if decision.amount is not None:
        return decision.amount
    paid = sum(r.amount for r in facts.history.refunds if r.settled_at and r.break_kind is decision.break_kind)
    return paid or max(facts.net, 0) or facts.transaction.price


def _returned_at(facts: Facts, decision: Decision) -> datetime:
    settled = [(r.break_kind is decision.break_kind, r.settled_at) for r in facts.history.refunds if r.settled_at]
    credited = max((line.posted_at for line in facts.credits), default=facts.now)
    return max(settled)[1] if settled else credited


def _reported_at(facts: Facts) -> datetime:
    """When the provider was told: by complaint, else by our last question."""
    asked = max((r.received_at for r in facts.reports if r.source is ReportSource.INQUIRY), default=facts.now)
    return facts.history.complaint_sent_at or asked


def _delivered_at(facts: Facts) -> datetime:
    delivered = facts.delivered
    return delivered.final_word_at if delivered and delivered.final_word_at else facts.now


def _of_voucher(facts: Facts, decision: Decision, zone: str, language: str) -> dict[str, str]:
    found = facts.history.vouchers.get(decision.break_kind) if decision.break_kind else None
    if found is None:
        return {}
    code, amount, expires_at = found
    return {
        "nilai_voucher": format_rupiah(amount),
        "kode_voucher": code,
        "batas_voucher": format_instant(expires_at, zone, language=language),
    }


def _of_details(facts: Facts, decision: Decision, zone: str, language: str) -> dict[str, str]:
    details = decision.details
    values = {}
    if "window_end" in details:
        end = datetime.fromisoformat(details["window_end"])
        values["jam_selesai"] = format_hour(end, zone, now=facts.now, language=language)
    if "waited_seconds" in details:
        values["lama"] = format_duration(timedelta(seconds=int(details["waited_seconds"])), language=language)
    return values


def _of_twins(facts: Facts, decision: Decision, zone: str, language: str) -> dict[str, str]:
    if "twin_at" not in decision.details:
        return {}
    words = _WORDS[language]
    first, second = decision.details["result_1"], decision.details["result_2"]
    return {
        "waktu_1": format_instant(datetime.fromisoformat(decision.details["twin_at"]), zone, language=language),
        "waktu_2": format_instant(facts.transaction.ordered_at, zone, language=language),
        "hasil_1": words.get(first, first),
        "hasil_2": words.get(second, second),
    }


def plain_status(kinds: tuple[BreakKind, ...]) -> str:
    """Say in one clause what a case is about, in words an agent knows, for M26."""
    return "; ".join(dict.fromkeys(_PLAIN[kind] for kind in kinds)) or "masih kami telusuri"
