"""The sentences of an OtomaX centre: replies to a request and messages of a report."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rekon.sandbox.dialects.orders import Order, Refusal, Wanted

WIB: Final = ZoneInfo("Asia/Jakarta")
TIMED_OUT: Final = "55"
_FIRST_NUMBER: Final = 17_126_000


def trx_id(order: Order) -> int:
    """Name the centre's own number of an order."""
    return _FIRST_NUMBER + order.number


@dataclass(frozen=True, slots=True)
class OtomaxTexts:
    """The wording of one centre: `separator` stands between thousands, `fraction` behind every balance (`,773`)."""

    separator: str = "."
    fraction: str = ""

    def rupiah(self, amount: int) -> str:
        """Write an amount with the centre's separator between the thousands."""
        return f"{amount:,}".replace(",", self.separator)

    def saldo(self, amount: int) -> str:
        """Write a balance."""
        return self.rupiah(amount) + self.fraction

    def accepted(self, order: Order, balance: int, now: datetime) -> str:
        """Word the reply to a purchase that is on its way."""
        head = f"#{trx_id(order)} R#{order.ref_id} {_what(order.wanted)} akan diproses @{_clock(now)}."
        return f"{head} Saldo {self._debited(order, balance)}"

    def done(self, order: Order, balance: int, now: datetime) -> str:
        """Word the reply to a purchase that succeeded or failed at once."""
        if order.state == "success":
            return self._succeeded(order, balance, now)
        if order.code == TIMED_OUT:
            return self.timed_out(order, balance, now)
        return self._failed(order, balance, now)

    def repeated(self, order: Order, wanted: Wanted, balance: int) -> str:
        """Word the reply to a purchase the centre has already today, under the reference that asks now."""
        head = f"#{trx_id(order)} R#{wanted.ref_id} {_what(order.wanted)} sdh pernah jam {_clock(order.created_at)}"
        if order.state != "pending":
            return f"{head}, {_stood(order)} Saldo {self.saldo(balance)}"
        again = f"Trx ke-2/hr: {order.product}.2.{order.destination}.pin."
        return f"{head}, {_stood(order)} {again} Saldo {self.saldo(balance)}"

    def told(self, order: Order, balance: int, now: datetime) -> str:
        """Word the reply to `check=1` about an order of the centre."""
        if order.state == "failed" and order.code == TIMED_OUT:
            return self.timed_out(order, balance, now)
        head = f"#{trx_id(order)} R#{order.ref_id} {_what(order.wanted)} sdh pernah jam {_clock(order.created_at)}"
        price = f" Hrg {self.rupiah(order.price)}." if order.state == "success" else ""
        return f"{head}, {_stood(order)}{price} Saldo {self.saldo(balance)}"

    def timed_out(self, order: Order, balance: int, now: datetime) -> str:
        """Word a time-out, whose `R#` stays empty."""
        return f"#{trx_id(order)} R# {_what(order.wanted)} GAGAL Timeout. Saldo {self.saldo(balance)} @{_clock(now)}"

    def refused(self, wanted: Wanted, refusal: Refusal, *, price: int, balance: int, now: datetime) -> str:
        """Word a purchase that was not taken: no `#`, and no `R#` either when stock is out."""
        what = _what(wanted)
        if refusal.code == "43":
            head = f"R#{wanted.ref_id} {what} GAGAL. Saldo tidak cukup."
            return f"{head} Hrg {self.rupiah(price)}, Saldo {self.saldo(balance)} Limit 0, proses 0. @{_clock(now)}"
        reference = "" if refusal.code == "45" else f"R#{wanted.ref_id} "
        return f"{reference}{what} GAGAL. {_sentence(refusal.text)} Saldo {self.saldo(balance)} @{_clock(now)}"

    def not_found(self, destination: str, now: datetime) -> str:
        """Word the answer of `check=1` about nothing of today."""
        return f"TIDAK ADA transaksi Tujuan {destination} pada tgl {now.astimezone(WIB):%d/%m/%Y}. Tidak ada data."

    def rejected(self, reason: str, now: datetime) -> str:
        """Word a request that was turned away at the door."""
        return f"{reason} Akses ditolak @{_clock(now)}"

    def balance_sheet(self, member_id: str, balance: int) -> str:
        """Word the answer to a balance request."""
        lines = ("Informasi Akun Anda", "Nama : REKON", f"ID Agen : {member_id}", f"Saldo : {self.saldo(balance)}")
        return "\n".join((*lines, "Bonus : 0", "Debet : 0"))

    def reported(self, order: Order, balance: int, now: datetime) -> str:
        """Word the message of a report."""
        what = _what(order.wanted)
        if order.state == "success":
            return f"{what} SUKSES. SN/Ref: {_serial(order)}. Saldo {self._debited(order, balance)}"
        if order.code == TIMED_OUT:
            return self.timed_out(order, balance, now)
        return f"{what} GAGAL. {_sentence(order.text)} Saldo {self.saldo(balance)}. @{_clock(now, seconds=True)}"

    def refuted(self, order: Order, balance: int, now: datetime) -> str:
        """Word the message of a forged report, which claims the opposite of the truth."""
        what = _what(order.wanted)
        if order.state == "success":
            return f"{what} GAGAL. Transaction Failed. Saldo {self.saldo(balance)}. @{_clock(now, seconds=True)}"
        return f"{what} SUKSES. SN/Ref: 9999888877776666. Saldo {self._debited(order, balance)}"

    def _succeeded(self, order: Order, balance: int, now: datetime) -> str:
        head = f"#{trx_id(order)} R#{order.ref_id} {_what(order.wanted)} SUKSES. SN : {_serial(order)}."
        before, after = f"Rp.{self.saldo(balance + order.price)}", f"Rp.{self.saldo(balance)}"
        return f"{head} Saldo {before} - {self.rupiah(order.price)} = {after} . @{_stamp(now)} {_sentence(order.text)}"

    def _failed(self, order: Order, balance: int, now: datetime) -> str:
        head = f"#{trx_id(order)} R#{order.ref_id} {_what(order.wanted)} GAGAL. {_sentence(order.text)}"
        if order.charges_kept:
            return f"{head} Saldo {self.saldo(balance)} @{_clock(now)}"
        before, after = f"Rp. {self.saldo(balance - order.price)}", f"Rp. {self.saldo(balance)}"
        return f"{head} Saldo {before} + {self.rupiah(order.price)} = {after} @{_clock(now)}"

    def _debited(self, order: Order, balance: int) -> str:
        return f"{self.saldo(balance + order.price)} - {self.rupiah(order.price)} = {self.saldo(balance)}"


def _what(wanted: Wanted) -> str:
    return f"{wanted.product}.{wanted.destination}"


def _stood(order: Order) -> str:
    if order.state in {"failed", "reversed"}:
        return f"status Gagal. {_sentence(order.text)}"
    status = "Sukses" if order.state == "success" else "Menunggu Jawaban"
    return f"status {status}. SN/Ref: {_serial(order)}."


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _serial(order: Order) -> str:
    return order.serial_number if order.state == "success" else ""


def _clock(at: datetime, *, seconds: bool = False) -> str:
    return f"{at.astimezone(WIB):%H.%M.%S}" if seconds else f"{at.astimezone(WIB):%H.%M}"


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(WIB):%d/%m %H.%M.%S}"
