import itertools
import json
import threading

import pytest
from sqlalchemy import delete

from rekon.store import epoch, schema
from rekon.store.epoch import EpochKeeper, RestoredBooksError, Standing
from tests import builders
from tests.store import filling


@pytest.fixture
def path(tmp_path):
    return tmp_path / epoch.FILE


def keeper(store, path):
    minted = (f"{number:08x}" for number in itertools.count(1))
    return EpochKeeper(store, path, mint=lambda: next(minted), clock=lambda: builders.T0)


def intent(connection):
    return True


def act(keeper):
    return keeper.intend(intent, has_intent=bool)


def filed(path):
    return json.loads(path.read_text())


def forget(store, number):
    """Take an intent out of the books, as restoring an older backup does; the guards stand aside for it."""
    with store.unit_of_work() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS guard_intents_delete")
        else:
            connection.exec_driver_sql("ALTER TABLE intents DISABLE TRIGGER guard_intents")
        connection.execute(delete(schema.intents).where(schema.intents.c.number == number))


def newest(store):
    return filling.rows(store, schema.intents)[-1]


def test_a_first_start_gives_both_an_epoch(own_store, path):
    assert keeper(own_store, path).look() is Standing.NEW
    assert keeper(own_store, path).look() is Standing.SAME
    assert (filed(path)["number"], filed(path)["epoch"] != "") == (0, True)


def test_each_intent_moves_the_file_up_before_its_result_comes_back(own_store, path):
    mine = keeper(own_store, path)
    assert [act(mine), filed(path)["hash"]] == [True, newest(own_store)["hash"]]
    act(mine)
    assert (filed(path)["hash"], filed(path)["number"]) == (newest(own_store)["hash"], newest(own_store)["number"])
    assert len(filling.rows(own_store, schema.intents)) == 2


def test_a_unit_of_work_without_an_intent_writes_nothing(own_store, path):
    mine = keeper(own_store, path)
    mine.look()
    before = path.stat().st_ino
    assert mine.intend(lambda connection: 0, has_intent=bool) == 0
    assert (filling.rows(own_store, schema.intents), path.stat().st_ino) == ([], before)


def test_a_crash_before_the_file_was_written_is_harmless(own_store, path):
    mine = keeper(own_store, path)
    act(mine)
    kept = path.read_text()
    act(mine)
    path.write_text(kept)
    again = keeper(own_store, path)
    assert (again.look(), again.restored) == (Standing.AHEAD, None)
    assert filed(path)["hash"] == newest(own_store)["hash"]


def test_a_crash_between_the_two_first_writings_is_harmless(own_store, path):
    path.write_text(json.dumps({"epoch": "e1", "number": 0, "hash": ""}))
    assert keeper(own_store, path).look() is Standing.NEW
    assert keeper(own_store, path).look() is Standing.SAME
    assert filed(path)["epoch"] == "e1"


def test_a_database_without_the_newest_intent_is_a_restored_one(own_store, path):
    mine = keeper(own_store, path)
    act(mine)
    act(mine)
    kept = path.read_text()
    forget(own_store, newest(own_store)["number"])
    again = keeper(own_store, path)
    assert (again.look(), again.restored) == (Standing.LOST, Standing.LOST)
    assert path.read_text() == kept


def test_other_books_a_lost_file_and_a_broken_one_count_as_restored(own_store, path):
    mine = keeper(own_store, path)
    act(mine)
    other = filed(path) | {"epoch": "another"}
    for text, standing in ((json.dumps(other), Standing.OTHER_EPOCH), ("{", Standing.UNREADABLE)):
        path.write_text(text)
        assert keeper(own_store, path).look() is standing
    path.unlink()
    assert keeper(own_store, path).look() is Standing.NO_FILE
    assert not path.exists()


def test_a_database_that_loses_its_head_while_we_run_commits_no_intent(own_store, path):
    mine = keeper(own_store, path)
    act(mine)
    forget(own_store, newest(own_store)["number"])
    with pytest.raises(RestoredBooksError):
        mine.intend(lambda connection: filling.add_fact(connection, "paid"), has_intent=lambda done: True)
    assert (mine.restored, filling.rows(own_store, schema.facts_of_life, name="paid")) == (Standing.LOST, [])


def test_reconciled_books_go_on_and_the_lost_time_line_stays_strange(own_store, path):
    mine = keeper(own_store, path)
    act(mine)
    act(mine)
    forget(own_store, newest(own_store)["number"])
    assert mine.look() is Standing.LOST
    epoch.reconcile(own_store, path, mint=lambda: "fresh", now=builders.T0)
    assert (mine.look(), mine.restored) == (Standing.SAME, None)
    forget(own_store, newest(own_store)["number"])
    assert mine.look() is Standing.LOST


def test_many_threads_leave_the_file_at_the_newest_intent(own_store, path):
    mine = keeper(own_store, path)
    mine.look()
    threads = [threading.Thread(target=act, args=(mine,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(filling.rows(own_store, schema.intents)) == 8
    assert filed(path)["number"] == newest(own_store)["number"]
