import json
from datetime import timedelta

import pytest

from rekon.store import decisions, schema
from tests import builders
from tests.cli.installation import NOW, copied
from tests.store import filling

ORDERS = (
    "transaction_id,agent_id,charged_account,ordered_at,product,family,destination,price,face_value,order_status,"
    "status_at,provider,provider_account,ref_id,send_state"
)
WALLET = "line_id,agent_id,posted_at,amount,kind,transaction_id"
ORDERED = "2026-11-22T14:05:00+07:00"


@pytest.fixture(scope="module")
def found_once(first_installation, clock_server, tmp_path_factory):
    """Let rekon itself find, on imported books, an order whose agent was debited twice (B10)."""
    rekon = copied(first_installation, tmp_path_factory.mktemp("decided") / "rekon", clock_server)
    rekon.configure(f'[clock]\nkind = "granted"\nurl = "{clock_server.url}"')
    clock_server.now = NOW
    rekon.configure('[sources.toko]\nrefund_owner = "rekon"\nlag_seconds = 0\nzone = "Asia/Jakarta"')
    orders, wallet = rekon.folder / "order.csv", rekon.folder / "saldo.csv"
    orders.write_text(
        f"{ORDERS}\nT1001,A01,agent_wallet,{ORDERED},P50,pulsa,{builders.NUMBER},50600,50000,success,"
        f"{ORDERED},iak,utama,R1001,sent\n"
    )
    lines = [f"W{n},A01,{ORDERED},-50600,debit,T1001" for n in (1, 2)]
    wallet.write_text("\n".join([WALLET, *lines]) + "\n")
    for book, path in (("transactions", orders), ("wallet", wallet)):
        rekon.json("import", book, str(path), "--source", "toko", "--as-of", NOW.isoformat())
    rekon.beat()
    rekon.store.close()
    return rekon.folder


@pytest.fixture
def debited_twice(found_once, clock_server, tmp_path):
    clock_server.now = NOW
    rekon = copied(found_once, tmp_path / "rekon", clock_server)
    yield rekon
    rekon.store.close()


def test_a_decision_is_explained_with_rule_version_and_evidence(debited_twice):
    said = debited_twice.json("explain", "T1001")
    first = said["decisions"][0]
    assert said["transaction"] == "toko:T1001"
    assert first["break_kind"] == "B10"
    assert first["rule"].startswith(("b10.", "remedy."))
    assert first["rule_version"]
    assert {proof["id"] for proof in first["evidence"]} >= {"toko:W1", "toko:W2"}
    assert all("mutasi debit -50600" in p["text"] for p in first["evidence"] if p["id"] in ("toko:W1", "toko:W2"))


def test_deciding_again_from_what_was_stored_gives_the_same_answer(debited_twice):
    said = debited_twice.json("explain", "T1001")
    assert said["decisions"]
    assert said["agrees"] is True
    assert [one["differences"] for one in said["decisions"]] == [[] for _ in said["decisions"]]


@pytest.mark.parametrize("ref", ["toko:T1001", "T1001", "R1001"])
def test_a_purchase_is_found_by_any_of_its_names(debited_twice, ref):
    assert debited_twice.json("explain", ref)["transaction"] == "toko:T1001"


def test_a_purchase_is_found_by_its_case_number_and_the_chronology_is_told(debited_twice):
    number = debited_twice.json("explain", "T1001")["case"]
    said = debited_twice.json("explain", number.lower())
    assert said["chronology"][0]["kind"] == "break.opened"


@pytest.mark.parametrize("changed", [{"amount": 1}, {"rule": "b99.made_up"}, {"digest": "ff" * 32}, {"evidence": []}])
def test_a_decision_the_rules_do_not_repeat_is_found(debited_twice, changed):
    debited_twice.store.write(_forge, changed)
    result = debited_twice.run("explain", "T1001", "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == 1
    assert said["agrees"] is False
    assert said["decisions"][-1]["differences"]
    assert said["decisions"][0]["agrees"] is True


def _forge(connection, changed):
    """Append a decision nobody made: the table takes new rows, only changes are refused."""
    row = dict(decisions.of(connection, "toko:T1001")[0])
    row.pop("id")
    connection.execute(schema.decisions.insert().values(row | changed))


def test_a_decision_of_other_rules_is_marked_as_such(debited_twice):
    debited_twice.store.write(_forge, {"rule_version": "2025.1.1", "digest": "ff" * 32})
    last = debited_twice.json("explain", "T1001")["decisions"][-1]
    assert (last["agrees"], last["same_version"]) == (True, False)


def test_people_read_the_explanation_without_a_number_in_it(debited_twice):
    result = debited_twice.run("explain", "T1001")
    assert result.exit_code == 0
    assert "Diulang  sama" in result.stdout
    assert builders.NUMBER not in result.output


def test_a_purchase_nothing_was_decided_about_is_told(rekon):
    filling.order(rekon.store)
    assert rekon.json("explain", "T1001")["decisions"] == []


def test_a_name_of_two_purchases_asks_for_the_whole_one(rekon):
    filling.order(rekon.store)
    filling.order(rekon.store, source="lain")
    assert rekon.refused("explain", "T1001", code=2) == "ambiguous"
    assert rekon.json("explain", "lain:T1001")["transaction"] == "lain:T1001"


def test_a_name_nobody_knows_is_told(rekon):
    assert rekon.refused("explain", "T9", code=2) == "not_found"


def test_a_check_shows_what_is_known_and_when_it_is_asked_next(rekon):
    filling.order(rekon.store, now=builders.T0)
    (leg,) = rekon.json("check", "T1001")["legs"]
    assert (leg["provider"], leg["ref_id"], leg["state"]) == ("iak", "T1001", "open")
    assert leg["next_check_at"] == builders.T0.isoformat()
    assert leg["hastened"] is False


def due(rekon):
    return [row["due_at"] for row in filling.rows(rekon.store, schema.schedule)]


def test_a_check_can_be_brought_forward(rekon):
    filling.order(rekon.store, now=NOW + timedelta(hours=5))
    assert due(rekon) == [NOW + timedelta(hours=5)]
    (leg,) = rekon.json("check", "T1001", "--now")["legs"]
    assert leg["hastened"] is True
    assert due(rekon) == [NOW]


@pytest.mark.parametrize(
    ("leg", "ordered_at"),
    [
        ({"send_state": "not_sent"}, builders.T0),
        ({"state": "final"}, builders.T0),
        ({"provider": "tidak_dikenal"}, builders.T0),
        ({}, NOW - timedelta(days=81)),
    ],
    ids=["never sent", "already final", "unknown provider", "too old to ask safely"],
)
def test_a_check_that_would_tell_nothing_or_could_buy_is_refused(rekon, leg, ordered_at):
    filling.order(rekon.store, ordered_at=ordered_at)
    rekon.store.write(_set_leg, {"sent_at": ordered_at, "provider": "digiflazz"} | leg)
    before = due(rekon)
    assert rekon.refused("check", "T1001", "--now") == "not_checkable"
    assert due(rekon) == before


def _set_leg(connection, values):
    connection.execute(schema.legs.update().values(values))
