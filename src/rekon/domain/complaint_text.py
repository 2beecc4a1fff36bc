"""What rekon writes to a provider's seller, and the one-tap links to send it (rulebook 3.8).

No supplier offers a complaint API: the text goes by chat, and a person taps once. The destination stands here in
clear, for the seller needs it; a PLN token never does.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from urllib.parse import quote

from rekon.domain.message_format import format_duration, format_instant, to_local
from rekon.domain.money import Money, format_rupiah
from rekon.domain.msisdn import normal

_T = TypeVar("_T")

BATCH_MAX = 20
_PREFILLED_URL_MAX = 2_000
_TOKEN_FAMILY = "pln_token"  # noqa: S105 - a product family, not a credential
_WHATSAPP_NUMBER = re.compile(r"08\d{8,11}")
_TELEGRAM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")
_LINK_HOST = re.compile(r"(?:https?://)?(?:t\.me|wa\.me)/", re.IGNORECASE)
_TOKEN_DIGITS = 20
_PARTS_OF_DAY = ((11, "pagi"), (15, "siang"), (18, "sore"), (24, "malam"))


class ComplaintKind(StrEnum):
    """Which text goes to the provider."""

    PENDING = "PC1"
    """Still in progress; asks for the final state."""
    NOT_RECEIVED = "PC2"
    """Reported as success, the customer says nothing came."""
    CHARGED_TWICE = "PC3"
    """The provider took its price more than once."""
    CHASE = "PC4"
    """Asks again about an earlier complaint."""


class LinkKind(StrEnum):
    """Where a one-tap link leads."""

    WHATSAPP = "whatsapp"
    TELEGRAM = "telegram"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintFacts:
    """What a complaint about one leg says. Instants are aware UTC; they are written in `zone`."""

    ref_id: str
    sent_at: datetime
    provider_reference: str = ""
    product: str = ""
    family: str = ""
    destination: str = field(default="", repr=False)
    serial_number: str = field(default="", repr=False)
    checked_at: datetime | None = None
    """When the customer looked and found nothing (PC2)."""
    charges: tuple[Money, ...] = ()
    """Every charge of the provider for this reference (PC3)."""
    price: Money | None = None
    """What it should have charged once (PC3)."""
    complaint_number: str = ""
    complained_at: datetime | None = None
    """The earlier complaint (PC4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLink:
    """One contact of a seller: where to tap, and the text to paste where the link cannot carry it."""

    kind: LinkKind
    label: str
    url: str = field(repr=False)
    text_to_copy: str = field(repr=False)
    prefilled: bool
    """True when the opened chat already holds the text."""


class ComplaintTextError(ValueError):
    """A complaint cannot be written: a fact is missing or there are too many at once."""


def compose(kind: ComplaintKind, facts: ComplaintFacts, *, now: datetime, zone: str = "WIB") -> str:
    """Write the complaint about one leg in Indonesian.

    Raises:
        ComplaintTextError: when the kind needs a fact that is missing.
        MessageError: for a naive instant or an unknown zone.
    """
    greeting = f"Selamat {_part_of_day(now, zone)}."
    return f"{greeting} {_body(kind, facts, now=now, zone=zone)} Terima kasih."


def compose_batch(kind: ComplaintKind, batch: Sequence[ComplaintFacts], *, now: datetime, zone: str = "WIB") -> str:
    """Write one text about up to 20 legs of the same seller, numbered, one paragraph a leg.

    Raises:
        ComplaintTextError: for an empty batch, for more than 20 legs, or when a fact is missing.
    """
    if not 1 <= len(batch) <= BATCH_MAX:
        text = f"a complaint text covers 1 to {BATCH_MAX} legs, not {len(batch)}"
        raise ComplaintTextError(text)
    if len(batch) == 1:
        return compose(kind, batch[0], now=now, zone=zone)
    greeting = f"Selamat {_part_of_day(now, zone)}. Mohon bantuan untuk {len(batch)} transaksi berikut."
    legs = [f"{n}. {_body(kind, facts, now=now, zone=zone)}" for n, facts in enumerate(batch, start=1)]
    return "\n".join((greeting, *legs, "Terima kasih."))


def contact_links(contacts: Iterable[str], text: str) -> tuple[ContactLink, ...]:
    """Turn the contacts a reply carried (`wa:0812…`, `tele:@name`) into links, each contact once, in their order.

    A contact that is no number and no Telegram name is left out: the field is the seller's free text.
    """
    links: dict[str, ContactLink] = {}
    for contact in contacts:
        kind, _, value = contact.partition(":")
        for part in re.split(r"[,;|/]+", _LINK_HOST.sub("", value)):
            for link in _links_of(kind.strip().lower(), part.strip(), text):
                links.setdefault(link.label, link)
    return tuple(links.values())


def _body(kind: ComplaintKind, facts: ComplaintFacts, *, now: datetime, zone: str) -> str:
    if kind is ComplaintKind.PENDING:
        return _pending(facts, now=now, zone=zone)
    if kind is ComplaintKind.NOT_RECEIVED:
        return _not_received(facts, zone=zone)
    if kind is ComplaintKind.CHARGED_TWICE:
        return _charged_twice(facts, zone=zone)
    return _chase(facts, zone=zone)


def _pending(facts: ComplaintFacts, *, now: datetime, zone: str) -> str:
    waited = format_duration(max(now - facts.sent_at, timedelta()))
    return (
        f"{_identity(facts, zone)} Status di kami: masih diproses sejak {waited}. "
        "Mohon status akhir dan nomor seri, atau pengembalian deposit bila gagal."
    )


def _not_received(facts: ComplaintFacts, *, zone: str) -> str:
    checked_at = _needed(facts.checked_at, "checked_at")
    serial = f", nomor seri {_shown_serial(facts)}" if facts.serial_number else ""
    return (
        f"{_identity(facts, zone)} Status: sukses{serial}. Pelanggan memeriksa pada {format_instant(checked_at, zone)} "
        "dan isi belum diterima, tangkapan layar terlampir. "
        "Mohon pengecekan ke operator, bukti penerimaan, atau pengembalian dana."
    )


def _charged_twice(facts: ComplaintFacts, *, zone: str) -> str:
    price, total = _needed(facts.price, "price"), sum(facts.charges)
    if total <= price:
        text = f"the charges of {facts.ref_id} do not exceed its price"
        raise ComplaintTextError(text)
    return (
        f"ID {facts.ref_id} terpotong {len(facts.charges)} kali pada {format_instant(facts.sent_at, zone)}, "
        f"total {format_rupiah(total)}. Seharusnya {format_rupiah(price)}. Rincian mutasi terlampir. "
        f"Mohon pengembalian {format_rupiah(total - price)}."
    )


def _chase(facts: ComplaintFacts, *, zone: str) -> str:
    complained_at = _needed(facts.complained_at, "complained_at")
    number = f" {facts.complaint_number}" if facts.complaint_number else ""
    return (
        f"Menindaklanjuti laporan{number} tanggal {format_instant(complained_at, zone)} untuk ID {facts.ref_id}. "
        "Mohon perkiraan waktu jawaban."
    )


def _identity(facts: ComplaintFacts, zone: str) -> str:
    parts = (
        f"ID transaksi kami {facts.ref_id}",
        facts.provider_reference and f"ID Anda {facts.provider_reference}",
        facts.product and f"produk {facts.product}",
        facts.destination and f"tujuan {facts.destination}",
        f"waktu {format_instant(facts.sent_at, zone)}",
    )
    return f"Mohon bantuan pengecekan. {', '.join(filter(None, parts))}."


def _shown_serial(facts: ComplaintFacts) -> str:
    if facts.family != _TOKEN_FAMILY:
        return facts.serial_number
    token = re.sub(r"\D", "", facts.serial_number.partition("/")[0])[:_TOKEN_DIGITS]
    return f"****-****-****-****-{token[-4:]}"


def _needed(value: _T | None, name: str) -> _T:
    if value is None:
        text = f"this complaint needs {name}"
        raise ComplaintTextError(text)
    return value


def _part_of_day(now: datetime, zone: str) -> str:
    hour = to_local(now, zone).hour
    return next(word for until, word in _PARTS_OF_DAY if hour < until)


def _links_of(kind: str, value: str, text: str) -> list[ContactLink]:
    """Read one contact, or several with only spaces between them; a number may hold spaces of its own."""
    whole = _link(kind, value, text)
    candidates = [whole] if whole else [_link(kind, piece, text) for piece in value.split()]
    return [link for link in candidates if link is not None]


def _link(kind: str, value: str, text: str) -> ContactLink | None:
    if kind in {"wa", "whatsapp"}:
        return _whatsapp(value, text)
    if kind in {"tele", "telegram", "tg"}:
        return _telegram(value, text)
    return None


def _whatsapp(value: str, text: str) -> ContactLink | None:
    number = normal(value)
    if not _WHATSAPP_NUMBER.fullmatch(number):
        return None
    url = f"https://wa.me/62{number[1:]}"
    with_text = f"{url}?text={quote(text, safe='')}"
    prefilled = len(with_text) <= _PREFILLED_URL_MAX
    return ContactLink(
        kind=LinkKind.WHATSAPP,
        label=f"WhatsApp {number}",
        url=with_text if prefilled else url,
        text_to_copy=text,
        prefilled=prefilled,
    )


def _telegram(value: str, text: str) -> ContactLink | None:
    name = value.strip().removeprefix("@")
    if not _TELEGRAM_NAME.fullmatch(name):
        return None
    return ContactLink(
        kind=LinkKind.TELEGRAM,
        label=f"Telegram @{name}",
        url=f"https://t.me/{name}",
        text_to_copy=text,
        prefilled=False,
    )
