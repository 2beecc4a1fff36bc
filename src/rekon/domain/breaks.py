"""Breaks: the ways in which the books can disagree (rulebook 3.4)."""

from enum import StrEnum


class BreakKind(StrEnum):
    """Why a case is open. The value is the rulebook's number."""

    FAILED_NOT_REFUNDED = "B01"
    """Gagal, saldo belum kembali."""
    STUCK_PENDING = "B02"
    """Transaksi menggantung."""
    DELIVERED_NOT_RECORDED = "B03"
    """Penyedia sukses, server masih proses."""
    LATE_SUCCESS = "B04"
    """Gagal jadi sukses setelah saldo kembali."""
    SUCCESS_TAKEN_BACK = "B05"
    """Sukses jadi gagal."""
    SERIAL_MISSING = "B07"
    """Sukses tanpa nomor seri."""
    DEBITED_TWICE = "B10"
    """Saldo terpotong ganda."""
    ORDERED_TWICE = "B11"
    """Transaksi dobel, dua order."""
    REFUNDED_TWICE = "B14"
    """Pengembalian ganda."""
    NOT_AT_PROVIDER = "B17"
    """Tidak ada di penyedia."""
    CONTRADICTION = "B21"
    """Status bertentangan."""
    CALLBACK_LOST = "B22"
    """Jawaban otomatis hilang."""
    CHECK_AGE_PASSED = "B30"
    """Umur cek terlampaui."""


BREAK_TITLES: dict[BreakKind, str] = {
    BreakKind.FAILED_NOT_REFUNDED: "Gagal, saldo belum kembali",
    BreakKind.STUCK_PENDING: "Transaksi menggantung",
    BreakKind.DELIVERED_NOT_RECORDED: "Penyedia sukses, server masih proses",
    BreakKind.LATE_SUCCESS: "Gagal jadi sukses setelah saldo kembali",
    BreakKind.SUCCESS_TAKEN_BACK: "Sukses dibatalkan penyedia",
    BreakKind.SERIAL_MISSING: "Sukses tanpa nomor seri",
    BreakKind.DEBITED_TWICE: "Saldo terpotong ganda",
    BreakKind.ORDERED_TWICE: "Dua order yang sama",
    BreakKind.REFUNDED_TWICE: "Pengembalian ganda",
    BreakKind.NOT_AT_PROVIDER: "Tidak ada di penyedia",
    BreakKind.CONTRADICTION: "Status bertentangan",
    BreakKind.CALLBACK_LOST: "Jawaban otomatis hilang",
    BreakKind.CHECK_AGE_PASSED: "Umur cek terlampaui",
}


class BreakState(StrEnum):
    """Where a break stands."""

    OPEN = "open"
    """rekon is dealing with it."""
    IN_REVIEW = "in_review"
    """A person has to look."""
    RESOLVED = "resolved"
    """The books agree again, or a person closed it."""
    WRITTEN_OFF = "written_off"
    """A person accepted the loss."""


NEXT_BREAK_STATES: dict[BreakState, frozenset[BreakState]] = {
    BreakState.OPEN: frozenset({BreakState.IN_REVIEW, BreakState.RESOLVED, BreakState.WRITTEN_OFF}),
    BreakState.IN_REVIEW: frozenset({BreakState.OPEN, BreakState.RESOLVED, BreakState.WRITTEN_OFF}),
    BreakState.RESOLVED: frozenset({BreakState.OPEN}),
    BreakState.WRITTEN_OFF: frozenset(),
}


class Mode(StrEnum):
    """How far rekon may go for a break kind (G9)."""

    OBSERVE = "observe"
    """Amati: find and record, touch nothing, tell nobody."""
    PROPOSE = "propose"
    """Saran: every refund waits for a person."""
    AUTOMATIC = "automatic"
    """Otomatis: inside the limits rekon acts alone."""
