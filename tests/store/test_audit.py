import json
import random
import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from rekon.domain import ledger
from rekon.store import audit, decisions, journal, limits, migrate, schema
from rekon.store.audit import Fault, FaultKind
from rekon.store.engine import Store
from tests import builders
from tests.store import databases, filling

KEY = b"kunci di luar basis data"
TAMPERINGS = 1_000
ROWS = 12
NOW = builders.at(hours=1)


@pytest.fixture
def sealed(own_store):
    """Give a store with a key, on a database a test may damage."""
    url = own_store.url.render_as_string(hide_password=False)
    own_store.close()
    store = Store(url, audit_key=KEY)
    yield store
    store.close()


def write(store, *, count=1, first=1):
    for number in range(first, first + count):
        words = {"who": f"Sari {number}", "what": "refund.approve", "about": f"ref_{number}"}
        store.write(audit.record, **words, detail={"amount": number * 1_000, "word": "approve"}, now=NOW)


def fault(store, anchor=None):
    return store.read(audit.first_fault, anchor)


def rows(store):
    return store.read(lambda c: [tuple(row) for row in c.execute(text("SELECT * FROM audit ORDER BY id"))])


@contextmanager
def unguarded(store):
    """Open a unit of work in which the audit's guards are gone; it is undone at the end."""
    with store.engine.connect() as connection:
        undone = connection.begin()
        if store.is_sqlite:
            for verb in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER guard_audit_{verb}"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER guard_audit"))
        yield connection
        undone.rollback()


def test_an_empty_audit_and_an_untouched_one_are_whole(sealed):
    assert fault(sealed) is None
    write(sealed, count=3)
    assert fault(sealed) is None
    assert [row["id"] for row in filling.rows(sealed, schema.audit)] == [1, 2, 3]


def test_another_key_fits_no_seal(sealed):
    write(sealed, count=2)
    stranger = Store(sealed.url.render_as_string(hide_password=False), audit_key=b"kunci lain")
    assert fault(stranger) == Fault(number=1, kind=FaultKind.CHANGED)
    write(stranger, first=3)
    stranger.close()
    assert fault(sealed) == Fault(number=3, kind=FaultKind.CHANGED)


def edit(connection, rng):
    number = rng.randint(1, ROWS)
    name, value = rng.choice(
        [
            ("at", rng.randint(0, 10**15)),
            ("who", f"Budi {rng.random()}"),
            ("what", f"refund.{rng.random()}"),
            ("about", f"ref_x{rng.random()}"),
            ("detail", json.dumps({"amount": rng.randint(10**6, 10**7)})),
            ("detail", json.dumps({"amount": number * 1_000, "word": "approve"}, indent=1)),
            ("link", f"{rng.getrandbits(256):064x}"),
            ("link", None),
            ("link", ""),
        ]
    )
    marked = "CAST(:value AS json)" if name == "detail" and connection.dialect.name != "sqlite" else ":value"
    change = text(f"UPDATE audit SET {name} = {marked} WHERE id = :id")  # noqa: S608 - our own names
    connection.execute(change, {"value": value, "id": number})
    return number


def delete(connection, rng):
    number = rng.randint(1, ROWS - 1)
    connection.execute(text("DELETE FROM audit WHERE id = :id"), {"id": number})
    return number


def reorder(connection, rng):
    """Let two rows change places, whole or with their seals staying where they were."""
    first, second = sorted(rng.sample(range(1, ROWS + 1), 2))
    names = ["at", "who", "what", "about", "detail", *(["link"] if rng.random() < 0.5 else [])]
    one, other = (
        connection.execute(text("SELECT * FROM audit WHERE id = :id"), {"id": number}).mappings().one()
        for number in (first, second)
    )
    for number, row in ((first, other), (second, one)):
        values = {name: row[name] if isinstance(row[name], str | int) else json.dumps(row[name]) for name in names}
        sets = ", ".join(
            f"{name} = CAST(:{name} AS json)"
            if name == "detail" and connection.dialect.name != "sqlite"
            else f"{name} = :{name}"
            for name in names
        )
        change = text(f"UPDATE audit SET {sets} WHERE id = :number")  # noqa: S608 - our own names
        connection.execute(change, values | {"number": number})
    return first


def insert(connection, rng):
    """Put a row in, at the end or with every later row moved up by one."""
    number = rng.randint(1, ROWS + 1)
    for moved in range(ROWS, number - 1, -1):
        connection.execute(text("UPDATE audit SET id = :new WHERE id = :old"), {"new": moved + 1, "old": moved})
    values = {"id": number, "at": builders.at(hours=2), "who": "Budi", "what": "refund.approve", "about": "ref_9"}
    link = f"{rng.getrandbits(256):064x}"
    connection.execute(schema.audit.insert().values(**values, detail={"amount": 1}, link=link))
    return number


def truncate(connection, rng):
    number = rng.randint(1, ROWS)
    connection.execute(text("DELETE FROM audit WHERE id >= :id"), {"id": number})
    return number


def test_a_thousand_tamperings_are_found_and_the_first_bad_row_is_named(sealed, tmp_path):
    write(sealed, count=ROWS)
    anchor = tmp_path / audit.FILE
    assert audit.move_anchor(sealed, anchor) == sealed.read(audit.head)
    rng = random.Random(20261122)
    kinds = [edit, delete, reorder, insert, truncate]
    wrong = []
    for number in range(TAMPERINGS):
        tamper = kinds[number % len(kinds)]
        with unguarded(sealed) as connection:
            bad = tamper(connection, rng)
            found = audit.first_fault(connection, anchor)
        if found is None or found.number != bad:
            wrong.append((number, tamper.__name__, bad, found))
    assert wrong == []
    assert fault(sealed, anchor) is None


def test_a_cut_is_seen_even_after_new_rows_grew_over_it_and_the_anchor_does_not_move(sealed, tmp_path):
    write(sealed, count=5)
    anchor = tmp_path / audit.FILE
    audit.move_anchor(sealed, anchor)
    before = anchor.read_text()
    with sealed.engine.begin() as connection:
        if sealed.is_sqlite:
            connection.execute(text("DROP TRIGGER guard_audit_delete"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER guard_audit"))
        connection.execute(text("DELETE FROM audit WHERE id > 3"))
    write(sealed, count=4, first=40)
    assert fault(sealed) is None
    assert fault(sealed, anchor) == Fault(number=5, kind=FaultKind.REWRITTEN)
    assert audit.move_anchor(sealed, anchor) is None
    assert anchor.read_text() == before


def test_an_anchor_nobody_can_read_is_a_fault(sealed, tmp_path):
    anchor = tmp_path / audit.FILE
    anchor.write_text("bukan jangkar")
    assert fault(sealed, anchor) == Fault(number=0, kind=FaultKind.ANCHOR)
    assert audit.move_anchor(sealed, anchor) is None


def test_the_anchor_moves_up_and_only_up(sealed, tmp_path):
    anchor = tmp_path / audit.FILE
    assert audit.move_anchor(sealed, anchor) is None
    write(sealed, count=2)
    assert audit.move_anchor(sealed, anchor).number == 2
    assert audit.move_anchor(sealed, anchor) is None


def test_rows_from_before_there_were_seals_are_sealed_by_the_next_one(sealed, empty_url):
    with databases.opened(empty_url) as old:
        migrate.upgrade(old, databases.MIGRATIONS)
    store = Store(empty_url, audit_key=KEY)
    unsealed = {"at": NOW, "who": "Sari", "what": "halt.opened", "about": "all", "detail": {}}
    for number in (1, 4):
        store.write(lambda c, n=number: c.execute(schema.audit.insert().values(id=n, **unsealed)))
    assert fault(store) is None
    write(store, count=2, first=5)
    assert fault(store) is None
    with unguarded(store) as connection:
        connection.execute(text("UPDATE audit SET who = 'Budi' WHERE id = 1"))
        assert audit.first_fault(connection) == Fault(number=5, kind=FaultKind.CHANGED)
    store.close()


def test_many_writers_at_once_make_one_chain(pg_store_url):
    stores = [Store(pg_store_url, audit_key=KEY) for _ in range(2)]
    threads = [threading.Thread(target=write, args=(stores[n % 2],), kwargs={"count": 10}) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fault(stores[0]) is None
    assert stores[1].read(audit.head).number == 80
    for store in stores:
        store.close()


def test_what_is_undone_leaves_no_row_and_no_gap(store):
    write(store)
    with pytest.raises(ZeroDivisionError):
        store.write(_break_off)
    write(store, first=2)
    assert [row["id"] for row in filling.rows(store, schema.audit)] == [1, 2]
    assert fault(store) is None


def _break_off(connection):
    audit.record(connection, who="Sari", what="x", about="y", detail={}, now=NOW)
    raise ZeroDivisionError


def whats(store):
    return [row["what"] for row in filling.rows(store, schema.audit)]


def test_every_posting_is_written_down_once_with_its_amounts(store):
    entry = ledger.refund_submitted("refund:toko:T1001:B01:1", provider="iak", amount=10_500, at=NOW)
    assert store.write(journal.post, entry, now=NOW)
    assert not store.write(journal.post, entry, now=NOW)
    (row,) = filling.rows(store, schema.audit)
    assert (row["what"], row["about"]) == ("money.posted", entry.event)
    assert sorted(amount for _, _, amount in row["detail"]["postings"]) == [10_500, 10_500]


def test_new_rules_are_written_down_once(store):
    for policy in (builders.build_policy(), builders.build_policy(), builders.build_policy(breaker_count=7)):
        store.write(decisions.remember_configuration, policy, {}, now=NOW)
    assert whats(store) == ["rules.changed", "rules.changed"]


def test_a_halt_is_written_down_when_it_opens(store):
    assert store.write(limits.halt, scope=limits.GLOBAL, reason="terlalu cepat", by="rule", now=NOW)
    assert not store.write(limits.halt, scope=limits.GLOBAL, reason="lain", by="rule", now=NOW)
    (row,) = filling.rows(store, schema.audit)
    assert (row["who"], row["what"], row["detail"]) == ("rule", "halt.opened", {"reason": "terlalu cepat"})
