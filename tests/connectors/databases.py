"""Databases of other people's servers, built small: OtomaX (on SQLite) and a Laravel top-up application (on either)."""

import tomllib
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from tests import house

OTOMAX = """
CREATE TABLE transaksi (kode INTEGER PRIMARY KEY, tgl_entri TEXT, kode_produk TEXT, tujuan TEXT, kode_reseller TEXT,
    pengirim TEXT, tipe_pengirim TEXT, harga FLOAT, kode_inbox INTEGER, status INTEGER, tgl_status TEXT,
    kode_modul INTEGER, harga_beli FLOAT, kode_jawaban INTEGER, saldo_awal FLOAT, perintah TEXT, counter INTEGER,
    sn TEXT, ref_id TEXT, saldo_supplier FLOAT);
CREATE TABLE mutasi (kode INTEGER PRIMARY KEY, kode_reseller TEXT, tanggal TEXT, jumlah FLOAT, keterangan TEXT,
    jenis TEXT, kode_transaksi INTEGER, saldo_akhir FLOAT);
CREATE TABLE inbox (kode INTEGER PRIMARY KEY, tgl_entri TEXT, penerima TEXT, pengirim TEXT, pesan TEXT, status INTEGER,
    kode_transaksi INTEGER, is_jawaban INTEGER);
CREATE TABLE outbox (kode INTEGER PRIMARY KEY, tgl_entri TEXT, penerima TEXT, pesan TEXT, status INTEGER,
    kode_inbox INTEGER, kode_transaksi INTEGER, is_perintah INTEGER, kode_modul INTEGER);
CREATE TABLE produk (kode TEXT PRIMARY KEY, nama TEXT, nominal FLOAT, kode_operator TEXT);
CREATE TABLE reseller (kode TEXT PRIMARY KEY, nama TEXT, nomor_hp TEXT, tgl_daftar TEXT, tgl_aktivitas TEXT)
"""

LARAVEL = """
CREATE TABLE users (id {serial}, name VARCHAR(255) NOT NULL, phone VARCHAR(255), saldo {double} DEFAULT 0,
    created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL);
CREATE TABLE transactions (id {serial}, user_id BIGINT NOT NULL, invoice VARCHAR(255) NOT NULL UNIQUE,
    target VARCHAR(255) NOT NULL, buyer_sku_code VARCHAR(255) NOT NULL, product_name VARCHAR(255) NOT NULL,
    price VARCHAR(255) NOT NULL, message VARCHAR(255), sn VARCHAR(255), status VARCHAR(255),
    type VARCHAR(255) NOT NULL DEFAULT 'prabayar', created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL);
CREATE TABLE mutations (id {serial}, user_id BIGINT NOT NULL REFERENCES users (id),
    type VARCHAR(255) NOT NULL CHECK (type IN ('Debet', 'Kredit')), description VARCHAR(255) NOT NULL,
    amount {double} NOT NULL, latest_balance {double} NOT NULL, current_balance {double} NOT NULL,
    invoice VARCHAR(255) NOT NULL, created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL)
"""
_SQLITE = {"serial": "INTEGER PRIMARY KEY AUTOINCREMENT", "double": "DOUBLE"}
_POSTGRES = {"serial": "BIGSERIAL PRIMARY KEY", "double": "DOUBLE PRECISION"}


def preset(name: str) -> dict:
    with (house.ROOT / "config" / "sources" / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


def build(engine: Engine, schema: str) -> None:
    with engine.begin() as connection:
        for statement in schema.split(";"):
            connection.execute(text(statement))


def otomax(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")
    build(engine, OTOMAX)
    return engine


def laravel(url: str) -> Engine:
    engine = create_engine(url)
    build(engine, LARAVEL.format_map(_SQLITE if engine.dialect.name == "sqlite" else _POSTGRES))
    return engine


def put(engine: Engine, table: str, **values) -> None:
    columns = ", ".join(values)
    binds = ", ".join(f":{name}" for name in values)
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({binds})"), values)  # noqa: S608 - names of the test's own


def ask(engine: Engine, statement: str, **values) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def change(engine: Engine, statement: str, **values) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)
