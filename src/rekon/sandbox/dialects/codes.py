"""The providers' own code tables: message text and what the provider does with such an order."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a provider."""

    text: str
    formed: bool = True
    """Whether an order exists at the provider after an answer with this code."""


def _table(formed: str, unformed: str) -> Mapping[str, Code]:
    rows = {code: Code(text) for code, text in _pairs(formed)}
    rows |= {code: Code(text, formed=False) for code, text in _pairs(unformed)}
    return MappingProxyType(rows)


def _pairs(lines: str) -> list[tuple[str, str]]:
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines.strip().splitlines()]


DIGIFLAZZ: Final = _table(
    formed="""
00 Transaksi Sukses
01 Timeout
02 Transaksi Gagal
03 Transaksi Pending
50 Transaksi Tidak Ditemukan
51 Nomor Tujuan Diblokir
52 Prefix Tidak Sesuai Dengan Operator
53 Produk Seller Sedang Tidak Tersedia
54 Nomor Tujuan Salah
55 Produk Sedang Gangguan
57 Jumlah Digit Kurang Atau Lebih
58 Sedang Cut Off
59 Tujuan di Luar Wilayah/Cluster
60 Tagihan Belum Tersedia
70 Timeout Dari Biller
71 Produk Sedang Tidak Stabil
72 Lakukan Unreg Paket Dahulu
73 Kwh Melebihi Batas
74 Transaksi Refund
84 Nominal Tidak Valid
85 Limitasi Transaksi, Coba 1 Menit Lagi
86 Limitasi Pengecekan Nomor PLN
99 DF Router Issue
""",
    unformed="""
40 Payload Error
41 Signature Tidak Valid
42 Gagal Memproses API Buyer
43 SKU Tidak Ditemukan atau Non-Aktif
44 Saldo Tidak Cukup
45 IP Anda Tidak Kami Kenali
47 Transaksi Sudah Terjadi di Buyer Lain
49 Ref ID Tidak Unik
56 Limit Saldo Seller
61 Belum Pernah Deposit
62 Seller Sedang Mengalami Gangguan
63 Tidak Support Transaksi Multi
64 Tarik Tiket Gagal
65 Limit Transaksi Multi
66 Cut Off (Perbaikan Sistem Seller)
67 Seller Belum Terverifikasi
68 Stok Habis
69 Harga Seller Lebih Besar Dari Ketentuan Harga Buyer
80 Akun Anda Telah Diblokir Oleh Seller
81 Seller Ini Telah Diblokir Oleh Anda
82 Akun Anda Belum Terverifikasi
83 Limitasi Pricelist
87 E-money Harus Kelipatan 1.000
88 Akun Tidak Dapat Melakukan Aksi Ini
""",
)
"""Result codes with Digiflazz's own column "Transaksi Terbentuk"."""

IAK: Final = _table(
    formed="""
00 SUCCESS
07 FAILED
12 BALANCE MAX LIMIT
13 CUSTOMER NUMBER BLOCKED
14 INCORRECT DESTINATION NUMBER
16 NUMBER NOT MATCH WITH OPERATOR
18 NUMBER NOT AVAILABLE
19 NUMBER ALREADY IN USE
39 PROCESS
121 MONTHLY LIMIT
131 REGION BLOCKED
141 INVALID USER/ZONE/SERVER/ROLE
142 INVALID USER ID
143 INQUIRY NOT NEEDED
201 UNDEFINED RESPONSE CODE
206 DESTINATION BLOCKED
""",
    unformed="""
06 TRANSACTION NOT FOUND
10 TOP UP LIMIT SAME NUMBER 1 DAY
17 INSUFFICIENT DEPOSIT
20 CODE NOT FOUND
102 INVALID IP
106 PRODUCT OUT OF SERVICE
107 FORMAT ERROR
110 MAINTENANCE
117 PAGE NOT FOUND
118 ACCOUNT SUSPENDED
202 MAX 1 NUMBER 1 TIME IN 1 DAY
203 NUMBER TOO LONG
204 WRONG AUTHENTICATION
205 WRONG COMMAND
207 MAX 1 NUMBER ANY CODE 1 DAY
208 INVALID USERNAME
301 E-MAIL LIMIT
""",
)
"""Response codes. The documentation has no column for `formed`: those are not that judge the request itself."""

OTOMAX: Final = _table(
    formed="""
0 belum diproses
1 sedang diproses
2 menunggu jawaban
3 menunggu jawaban
4 menunggu jawaban
20 Transaction Success.
40 Transaction Failed.
50 Transaksi dibatalkan.
52 Nomor tujuan salah.
53 Nomor tujuan di luar wilayah.
54 Area tidak cocok.
55 Timeout
56 Nomor tujuan masuk daftar hitam.
58 Nomor tujuan tidak aktif.
59 Harga tidak sesuai.
61 Qty tidak sesuai.
64 Transaksi digagalkan.
69 Sedang cutoff.
""",
    unformed="""
41 Bukan reseller.
42 Format salah.
43 Saldo tidak cukup.
44 Produk salah.
45 Stok sedang kosong/ditutup.
46 Transaksi dobel.
47 Produk sedang gangguan.
49 PIN salah.
51 Reseller tidak aktif.
63 Reseller disuspend.
""",
)
"""Status numbers; an order exists where the centre's reply carries its own `#` number."""
