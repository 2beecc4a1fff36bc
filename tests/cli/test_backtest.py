import sqlite3
from contextlib import closing

import pytest

from rekon.cli import backtest
from tests import builders
from tests.cli.installation import NOW, copied

DAY = "2026-11-22"
ORDERS = (
    "transaction_id,agent_id,charged_account,ordered_at,product,family,destination,price,face_value,order_status,"
    "status_at,provider,provider_account,ref_id,send_state"
)
WALLET = "line_id,agent_id,posted_at,amount,kind,transaction_id"
AT = "2026-11-22T14:05:00+07:00"
PRICES = {"T1": 50_600, "T2": 20_450, "T3": 150_000}
ALL = sum(PRICES.values())


@pytest.fixture(scope="module")
def decided_once(first_installation, clock_server, tmp_path_factory):
    """Let rekon itself, watching only, find three orders whose agents were debited twice."""
    rekon = copied(first_installation, tmp_path_factory.mktemp("past") / "rekon", clock_server)
    rekon.configure(f'[clock]\nkind = "granted"\nurl = "{clock_server.url}"')
    rekon.configure('[sources.toko]\nrefund_owner = "rekon"\nlag_seconds = 0\nzone = "Asia/Jakarta"')
    clock_server.now = NOW
    orders, wallet = rekon.folder / "order.csv", rekon.folder / "saldo.csv"
    orders.write_text("\n".join([ORDERS, *(_order(key, price) for key, price in PRICES.items())]) + "\n")
    lines = [f"{key}-{n},A{key},{AT},-{price},debit,{key}" for key, price in PRICES.items() for n in (1, 2)]
    wallet.write_text("\n".join([WALLET, *lines]) + "\n")
    for book, path in (("transactions", orders), ("wallet", wallet)):
        rekon.json("import", book, str(path), "--source", "toko", "--as-of", NOW.isoformat())
    rekon.beat()
    rekon.store.close()
    return rekon.folder


def _order(key, price):
    return (
        f"{key},A{key},agent_wallet,{AT},P50,pulsa,{builders.NUMBER},{price},{price},success,{AT},iak,utama,R{key},sent"
    )


@pytest.fixture
def past(decided_once, clock_server, tmp_path):
    clock_server.now = NOW
    rekon = copied(decided_once, tmp_path / "rekon", clock_server)
    yield rekon
    rekon.store.close()


def compare(rekon, candidate, *more, since=DAY, until=DAY):
    path = rekon.folder / "calon.toml"
    present = rekon.config.read_text()
    assert 'default = "observe"' in present
    path.write_text(present.replace('default = "observe"', f'default = "{candidate}"'))
    return rekon.json("backtest", "--from", since, "--to", until, "--config", str(path), *more)


def everything(rekon):
    with closing(sqlite3.connect(rekon.folder / "rekon.sqlite3")) as connection:
        return list(connection.iterdump())


def money(side):
    return {fate: (one["count"], one["amount"]) for fate, one in side.items()}


def test_a_candidate_that_acts_refunds_what_the_present_rules_only_watch(past):
    told = compare(past, "automatic")
    assert told["purchases"] == 3
    assert money(told["present"]) == {"refunded": (0, 0), "asked": (0, 0), "held": (3, ALL)}
    assert money(told["candidate"]) == {"refunded": (3, ALL), "asked": (0, 0), "held": (0, 0)}
    assert told["changed"] == 3
    first = told["differences"][0]
    assert first == {
        "transaction_key": "toko:T1", "kind": "B10", "present": "held", "candidate": "refunded", "amount": 50_600
    }  # fmt: skip


def test_a_candidate_that_proposes_asks(past):
    assert money(compare(past, "propose")["candidate"])["asked"] == (3, ALL)


def test_the_same_rules_differ_in_nothing(past):
    told = compare(past, "observe")
    assert (told["changed"], told["differences"]) == (0, [])
    assert told["present"] == told["candidate"]


def test_small_pages_see_every_purchase_once(past, monkeypatch):
    whole = compare(past, "automatic")
    monkeypatch.setattr(backtest, "PAGE", 1)
    assert compare(past, "automatic") == whole


def test_only_the_asked_days_count(past):
    assert compare(past, "automatic", since="2026-11-20", until="2026-11-21")["purchases"] == 0


def test_differences_beyond_the_limit_are_counted(past):
    told = compare(past, "automatic", "--limit", "1")
    assert (told["changed"], len(told["differences"])) == (3, 1)


def test_nothing_is_written(past):
    before = everything(past)
    compare(past, "automatic")
    assert everything(past) == before


def test_people_read_both_sides(past):
    path = past.folder / "calon.toml"
    path.write_text(past.config.read_text().replace('default = "observe"', 'default = "automatic"'))
    said = past.run("backtest", "--from", DAY, "--to", DAY, "--config", str(path)).stdout
    assert "3 transaksi diputuskan ulang; tidak ada yang diubah." in said
    assert "Rp 221.050" in said
