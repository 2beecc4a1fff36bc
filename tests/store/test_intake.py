import json

from rekon.store import books, intake, quarantine, schema
from tests import builders
from tests.store import filling

NOW = builders.at(minutes=1)
ROW = {
    "transaction_id": "T1001",
    "agent_id": "A01",
    "charged_account": "agent_wallet",
    "ordered_at": "2026-11-22T14:05:00+07:00",
    "product": "Telkomsel 50.000",
    "family": "pulsa",
    "destination": builders.NUMBER,
    "price": 50_600,
    "face_value": 50_000,
    "order_status": "pending",
    "provider": "iak",
    "ref_id": "T1001",
}


def _take(store, rows, *, book="orders", **more):
    batch = intake.Batch(book=book, source="toko", rows=rows, origin="api", **more)
    return store.write(intake.take, batch, now=NOW)


def test_good_rows_enter_and_bad_ones_wait_for_a_person(store):
    taken = _take(
        store, [ROW, {**ROW, "transaction_id": "T1002", "price": "10.500"}, {**ROW, "transaction_id": "T1003"}]
    )
    assert (taken.accepted, taken.unchanged) == (2, 0)
    assert [(one.index, one.field) for one in taken.refused] == [(1, "price")]
    (waiting,) = store.read(quarantine.waiting)
    assert (waiting["source"], waiting["book"], waiting["line"], waiting["field"]) == ("toko", "orders", 1, "price")
    assert waiting["row"]["price"] == "10.500"


def test_a_changed_price_is_quarantined_with_its_row(store):
    _take(store, [ROW])
    taken = _take(store, [{**ROW, "price": 1}])
    assert (taken.accepted, taken.unchanged, [one.field for one in taken.refused]) == (0, 0, ["price"])
    assert filling.one(store, schema.transactions)["price"] == 50_600
    assert filling.one(store, schema.quarantine)["row"]["price"] == 1


def test_the_same_bad_row_sent_again_is_kept_once(store):
    bad = {**ROW, "price": "x"}
    _take(store, [bad])
    _take(store, [ROW, bad], first_line=7)
    assert len(filling.rows(store, schema.quarantine)) == 1


def test_a_heartbeat_moves_the_mark_alone(store):
    taken = _take(store, [], as_of=builders.T0)
    assert (taken.accepted, taken.unchanged, taken.refused) == (0, 0, ())
    assert store.read(books.marks) == {("toko", "orders"): builders.T0}


def test_a_batch_without_a_mark_leaves_the_book_stale(store):
    _take(store, [ROW])
    assert store.read(books.marks) == {}


def test_every_book_has_its_parser(store):
    line = {
        "line_id": "L1",
        "agent_id": "A01",
        "posted_at": "2026-11-22T14:05:00+07:00",
        "amount": -50_600,
        "kind": "debit",
    }
    statement = {"line_id": "S1", "posted_at": "2026-11-22T14:05:00+07:00", "amount": -50_150, "kind": "charge"}
    assert _take(store, [line], book="wallet").accepted == 1
    assert _take(store, [{"agent_id": "A01"}, {"agent_id": ""}], book="agents").accepted == 1
    assert _take(store, [statement], book="statement", provider="iak", account="utama").accepted == 1
    assert len(filling.rows(store, schema.statement_lines, provider="iak", account="utama")) == 1


def test_rows_no_database_could_hold_are_still_kept(store):
    odd = {"transaction_id": "T\x00\ud800", "price": json.loads("NaN"), "ordered_at": builders.T0}
    _take(store, [odd])
    row = filling.one(store, schema.quarantine)["row"]
    assert row == {"transaction_id": "T\x00\ud800", "price": "NaN", "ordered_at": str(builders.T0)}


def test_a_corrected_row_is_released_once(store):
    _take(store, [{**ROW, "price": "x"}])
    (waiting,) = store.read(quarantine.waiting)
    assert store.write(quarantine.change, waiting["id"], row=ROW)
    assert store.read(quarantine.find, waiting["id"])["row"] == ROW
    store.write(quarantine.release, waiting["id"])
    assert store.read(quarantine.waiting) == []
    assert not store.write(quarantine.change, waiting["id"], row={})
