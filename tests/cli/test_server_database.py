"""A server's own database: read by the source in its own words, and prepared once for paying."""

import pytest
from sqlalchemy import inspect

from rekon import settings, wiring
from rekon.connectors.sources.read_only import reading
from rekon.store import schema
from tests.cli.installation import NOW
from tests.connectors import databases
from tests.connectors.databases import put
from tests.connectors.sources.test_sql_otomax import sent, sold
from tests.store import filling

OTOMAX = """
[sources.oto]
sql_url = {{ file = "oto_url" }}
sql_preset = "otomax"
drop_folder = "masuk"
words = {{ provider = {{ 311 = "digiflazz" }}, family = {{ TSEL = "pulsa" }}, order_status = {{ 77 = "failed" }} }}
"""
LARAVEL = """
[gateway.shop]
kind = "sql"
sql_url = { file = "shop_url" }
preset = "laravel_ppob"

[sources.shop]
gateway = "shop"
zone = "Asia/Makassar"
"""


@pytest.fixture
def otomax(rekon):
    server = databases.otomax(rekon.folder / "otomax.db")
    put(server, "produk", kode="TM1", nama="Telkomsel 1", nominal=1000.0, kode_operator="TSEL")
    sold(server, status=77, tgl_entri="2026-11-22 14:05:00", tgl_status="2026-11-22 14:05:02")
    sent(server, 1, 311, at="2026-11-22 14:05:01")
    (rekon.folder / "oto_url").write_text(f"sqlite:///{rekon.folder / 'otomax.db'}\n", encoding="utf-8")
    rekon.configure(OTOMAX.format())
    yield server
    server.dispose()


@pytest.fixture
def shop(rekon):
    server = databases.laravel(f"sqlite:///{rekon.folder / 'shop.db'}")
    (rekon.folder / "shop_url").write_text(f"sqlite:///{rekon.folder / 'shop.db'}\n", encoding="utf-8")
    rekon.configure(LARAVEL)
    yield server
    server.dispose()


def test_an_installation_reads_a_server_in_the_servers_own_words(rekon, otomax):
    rekon.beat()
    order = filling.one(rekon.store, schema.transactions)
    leg = filling.one(rekon.store, schema.legs)
    assert (order["order_status"], order["family"], leg["provider"]) == ("failed", "pulsa", "digiflazz")


async def test_a_source_is_opened_for_reading_only(rekon, otomax):
    closers = []
    (feed,) = wiring.build_feeds(settings.load(rekon.config), rekon.folder, closers)
    assert feed.folder == rekon.folder / "masuk"
    with reading(feed.database._engine) as connection, pytest.raises(Exception, match=r"readonly|not authorized"):
        connection.exec_driver_sql("UPDATE produk SET nama = 'x'")
    for close in closers:
        await close()


def test_the_servers_database_is_prepared_only_after_the_statements_were_shown(rekon, shop):
    shown = rekon.json("db", "gateway", "shop")
    assert (shown["done"], len(shown["statements"])) == (False, 1)
    assert "rekon_refunds" not in inspect(shop).get_table_names()
    assert rekon.json("db", "gateway", "shop", "--confirm")["done"] is True
    assert "rekon_refunds" in inspect(shop).get_table_names()


def test_only_a_gateway_in_a_database_is_prepared(rekon, shop):
    assert rekon.refused("db", "gateway", "tidakada", code=2) == "usage"


def test_a_gateway_in_a_database_writes_in_the_zone_of_its_source(rekon, shop):
    loaded = settings.load(rekon.config)
    source = loaded.sources["shop"]
    gateway = wiring.sql_gateway("shop", loaded.gateway["shop"], lambda: NOW, zone=source.zone, words=source.words)
    assert gateway._mapping.zone.key == "Asia/Makassar"
