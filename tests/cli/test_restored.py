"""A backup that was put back, seen from the command line: the real program, the real file, one clear message."""

import json
import shutil

import pytest

from rekon.domain.transaction import OrderStatus
from rekon.store import books, epoch, schema
from tests import builders
from tests.cli.installation import NOW, program
from tests.store import filling

SHOP = """
[sources.toko]
refund_owner = "rekon"
gateway = "buku"

[gateway.buku]
kind = "book"
"""


@pytest.fixture
def shop(rekon):
    """Give an installation that may pay by itself into its own book, and that ran once."""
    text = rekon.config.read_text().replace('default = "observe"', 'default = "automatic"')
    rekon.config.write_text(text)
    rekon.configure(SHOP)
    beat(rekon)
    return rekon


def beat(rekon):
    """Run one beat as a program of its own; its log comes back."""
    rekon.store.close()
    done = program("run", "--once", "--json", REKON_CONFIG=str(rekon.config))
    assert done.returncode == 0, done.stderr
    return done.stderr


def debit_twice(rekon):
    """Sell a top-up whose wallet line came twice: our own books prove that one has to go back."""
    transaction = filling.order(rekon.store, order_status=OrderStatus.SUCCESS)
    filling.wallet(rekon.store, builders.build_wallet_line(), builders.build_wallet_line(line_id="dua"))
    for book in ("orders", "wallet"):
        rekon.store.write(books.advance_mark, source="toko", book=book, read_to=NOW, now=NOW)
    return transaction


def backup(rekon):
    rekon.store.close()
    return shutil.copyfile(rekon.folder / "rekon.sqlite3", rekon.folder / "cadangan")


def restore(rekon, copy):
    rekon.store.close()
    for end in ("-wal", "-shm"):
        (rekon.folder / f"rekon.sqlite3{end}").unlink(missing_ok=True)
    shutil.copyfile(copy, rekon.folder / "rekon.sqlite3")


def refund(rekon):
    return filling.one(rekon.store, schema.refunds)


def paid(rekon):
    return filling.rows(rekon.store, schema.book_lines)


@pytest.fixture
def put_back(shop):
    """Pay a refund, then put the backup of before it back and beat once."""
    debit_twice(shop)
    copy = backup(shop)
    beat(shop)
    assert (refund(shop)["state"], len(paid(shop))) == ("settled", 1)
    restore(shop, copy)
    shop.said = beat(shop)
    return shop


def test_a_crash_before_the_file_was_written_stops_nothing(shop):
    debit_twice(shop)
    kept = (shop.folder / epoch.FILE).read_text()
    beat(shop)
    (shop.folder / epoch.FILE).write_text(kept)
    assert "books.restored" not in beat(shop)
    newest = filling.rows(shop.store, schema.intents)[-1]
    assert json.loads((shop.folder / epoch.FILE).read_text())["hash"] == newest["hash"]


def test_a_restored_backup_pays_nothing_and_says_so_once(put_back):
    assert (refund(put_back)["state"], paid(put_back)) == ("awaiting_approval", [])
    assert put_back.said.count("books.restored") == 1


def test_doctor_tells_about_restored_books(put_back):
    found = put_back.json("doctor", code=1)["items"]
    (one,) = [item for item in found if item["name"] == "cadangan"]
    assert (one["level"], "rekon db reconcile" in one["text"]) == ("bad", True)


def test_reconciling_first_says_what_to_compare(put_back):
    said = put_back.json("db", "reconcile", code=1)
    assert (said["restored"], said["cleared"], said["standing"]) == (True, False, "lost")
    assert said["refunds"] == {"awaiting_approval": 1}
    assert "kredit" in put_back.run("db", "reconcile").output


def test_only_a_supervisor_with_a_reason_declares_the_books_compared(put_back):
    words = ("db", "reconcile", "--confirm", "--reason", "sudah dibandingkan")
    assert put_back.refused(*words, token=put_back.hire("Sari")) == "role"
    ratna = put_back.hire("Ratna", "penyelia")
    assert put_back.refused("db", "reconcile", "--confirm", token=ratna) == "no_reason"
    assert put_back.json(*words, token=ratna)["cleared"] is True
    row = filling.one(put_back.store, schema.audit, what="books.reconciled")
    assert (row["who"], row["detail"]["reason"]) == ("Ratna", "sudah dibandingkan")


def test_reconciled_books_work_again_and_the_held_refund_still_waits_for_a_person(put_back):
    token = put_back.hire("Ratna", "penyelia")
    put_back.json("db", "reconcile", "--confirm", "--reason", "sudah dibandingkan", token=token)
    assert "books.restored" not in beat(put_back)
    assert (refund(put_back)["state"], paid(put_back)) == ("awaiting_approval", [])
    assert put_back.json("db", "reconcile")["restored"] is False


def test_a_copy_without_its_file_is_not_trusted(shop):
    (shop.folder / epoch.FILE).unlink()
    assert "no_file" in beat(shop)
