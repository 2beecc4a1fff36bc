"""What `rekon db reconcile` looks at and says: books that came back from a backup, and a supervisor's word on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rekon.cli import output, people

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from rekon.cli.house import House
    from rekon.domain.approval import Person
    from rekon.store.epoch import AtStake, Found, Head

_STEPS = (
    "Di server: cari kredit berawalan refund: atau voucher: sejak niat terakhir; bandingkan dengan daftar kita.",
    "Impor lagi order dan mutasi sejak saat itu, supaya kredit yang sudah terjadi terlihat.",
    "Impor rekening koran penyedia sejak saat itu: order yang dikirim ulang terlihat di situ.",
    "Pengembalian yang menunggu petugas setujui hanya bila kreditnya belum ada di server.",
)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """The database beside its epoch file, and what is at stake."""

    found: Found
    stake: AtStake
    is_restored: bool


def examine(place: House) -> Examined:
    """Compare the database with its epoch file; changes nothing."""
    from rekon.store import audit, epoch

    found = place.store.read(epoch.compare, epoch.path_of(place.store, place.state_dir))
    is_cut = place.store.read(audit.lost_rows, audit.path_of(place.store, place.state_dir))
    is_restored = is_cut or found.standing in epoch.RESTORED
    return Examined(found=found, stake=place.store.read(epoch.at_stake), is_restored=is_restored)


def clear(place: House, examined: Examined, *, person: Person, reason: str) -> Head:
    """Take a supervisor's word that the books were compared: it is written down, then the file names this database.

    Raises:
        CommandError: when the person may not say this.
    """
    from rekon import bootstrap
    from rekon.domain import approval
    from rekon.store import audit, epoch

    refusal = approval.refuse_reconcile(person, reason=reason)
    if refusal is not None:
        people.refuse(refusal, "Menyatakan cocok")
    place.store.write(_note, examined, person=person, reason=reason.strip(), now=place.now)
    path = epoch.path_of(place.store, place.state_dir)
    done = epoch.reconcile(place.store, path, mint=bootstrap.mint, now=place.now)
    audit.set_anchor(audit.path_of(place.store, place.state_dir), place.store.read(audit.head))
    return done


def _note(connection: Connection, examined: Examined, *, person: Person, reason: str, now: datetime) -> None:
    from rekon.store import approvals

    found = examined.found
    detail = {
        "staff_id": person.staff_id,
        "reason": reason,
        "standing": found.standing.value,
        "stored": found.stored.number,
        "filed": found.filed.number if found.filed else None,
    }
    approvals.audit(connection, who=person.name, what="books.reconciled", about="epoch", detail=detail, now=now)


def as_json(examined: Examined, *, cleared: bool) -> dict[str, Any]:
    """Word the findings for programs."""
    found = examined.found
    return {
        "restored": examined.is_restored and not cleared,
        "cleared": cleared,
        "standing": found.standing,
        "stored": found.stored.number,
        "filed": found.filed.number if found.filed else None,
        "last_intent_at": examined.stake.last_intent_at,
        "refunds": examined.stake.refunds,
        "vouchers": examined.stake.vouchers,
    }


def show(examined: Examined, *, cleared: bool) -> None:
    """Tell a person what to compare, or that it is done."""
    from rekon.cli.doctor_store import RESTORED_TEXTS

    if not examined.is_restored:
        output.line("Basis data ini yang terbaru; tidak ada yang perlu dibandingkan.")
        return
    if cleared:
        output.line("Dicatat. Daemon bekerja lagi pada denyut berikutnya.")
        return
    stake = examined.stake
    text = RESTORED_TEXTS.get(examined.found.standing, "jejak audit berakhir sebelum baris di berkas jangkarnya")
    output.line(f"{text.capitalize()}.")
    output.line(f"Niat terakhir yang diketahui: {output.at(stake.last_intent_at)}")
    for state, count in stake.refunds.items():
        output.line(f"Pengembalian {state}: {count}")
    output.line(f"Voucher yang sedang atau mungkin sudah dibayar: {stake.vouchers}")
    for number, step in enumerate(_STEPS, start=1):
        output.line(f"{number}. {step}")
    output.line("Sesudah itu: `rekon db reconcile --confirm --reason ALASAN` dengan token seorang penyelia.")
