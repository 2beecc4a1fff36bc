"""Real threads on real connections: whoever comes second finds what the first one did."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from rekon.domain import ledger
from rekon.domain.breaks import BreakKind
from rekon.domain.callback import Verdict
from rekon.domain.refund import RefundState
from rekon.store import (
    book_wallet,
    books,
    cases,
    evaluations,
    inbox,
    journal,
    limits,
    messages,
    refunds,
    schedule,
    schema,
    vouchers,
)
from rekon.store.engine import Store
from tests import builders
from tests.store import databases, filling

T0 = builders.T0
UNTIL = builders.at(seconds=60)
MANY = 8
POLICY = builders.build_policy(breaker_count=3, agent_day_count=50, voucher_month_budget=3_000)


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request, sqlite_url):
    """Give two stores on one database, as two daemons have them."""
    if request.param == "postgresql":
        store = request.getfixturevalue("pg_store")
        with databases.opened(request.getfixturevalue("pg_shared_url")) as other:
            yield store, other
        return
    with databases.opened(sqlite_url) as store, databases.opened(sqlite_url) as other:
        yield store, other


def _race(stores: tuple[Store, Store], act: Callable[[Store, int], Any]) -> list[Any]:
    """Run `act` many times at the same moment, half on each store, and give what each returned."""
    line_up = threading.Barrier(MANY)

    def run(number: int) -> Any:
        line_up.wait()
        return act(stores[number % 2], number)

    with ThreadPoolExecutor(MANY) as threads:
        return list(threads.map(run, range(MANY)))


def test_one_of_many_requests_makes_the_refund(stores):
    transaction = filling.order(stores[0])
    asked = _race(stores, lambda store, _: store.write(refunds.request, transaction, filling.wish(), now=T0))
    assert asked.count(True) == 1
    assert len(filling.rows(stores[0], schema.refunds)) == 1


def test_exactly_the_limit_passes_however_many_come_at_once(stores):
    pending = []
    for number in range(MANY):
        transaction = filling.order(stores[0], number=f"P{number}", agent_id=f"A{number}")
        pending.append(filling.refund(stores[0], transaction, amount=1_000))

    def submit(connection, row):
        limits.take_turn(connection)
        asked = {"agent_id": row["agent_id"], "amount": row["amount"], "never_formed": False}
        if limits.Room(connection, [row["agent_id"]], policy=POLICY, now=T0).refusal(**asked) is not None:
            return False
        return refunds.move(connection, row, to=RefundState.SUBMITTED, submitted_at=T0)

    passed = _race(stores, lambda store, number: store.write(submit, pending[number]))
    assert passed.count(True) == 3
    assert len(filling.rows(stores[0], schema.refunds, state="submitted")) == 3


def test_one_refund_moves_once(stores):
    row = filling.refund(stores[0], filling.order(stores[0]))
    moved = _race(stores, lambda store, _: store.write(refunds.move, row, to=RefundState.SUBMITTED))
    assert moved.count(True) == 1
    assert filling.one(stores[0], schema.refunds)["version"] == 1


def test_due_rows_are_shared_out_without_one_going_twice(stores):
    for number in range(20):
        transaction = filling.order(stores[0], number=f"T{number}")
        filling.refund(stores[0], transaction)
        stores[0].write(messages.add, filling.new_message(event=f"e{number}"), now=T0)
    claim = {"now": T0, "limit": 4, "lease_until": UNTIL}
    for what, name in ((refunds.claim_due, "refund_id"), (messages.claim_due, "message_id")):
        taken = _race(stores, lambda store, n, what=what: store.write(what, lease=f"l{n}", **claim))
        ids = [row[name] for rows in taken for row in rows]
        assert len(ids) == len(set(ids)) == 20
    taken = _race(stores, lambda store, n: store.write(schedule.claim, lease=f"l{n}", **claim))
    keys = [due.leg.key for found in taken for due in found]
    assert len(keys) == len(set(keys)) == 20


def test_the_budget_for_vouchers_is_never_overspent(stores):
    transactions = [filling.order(stores[0], number=f"T{n}", agent_id=f"A{n}") for n in range(MANY)]

    def issue(connection, number):
        asked = {"agent_id": f"A{number}", "amount": 1_000, "policy": POLICY, "now": T0}
        if vouchers.refusal(connection, **asked):
            return False
        made = {"code": f"C{number}", "kind": BreakKind.DEBITED_TWICE, "amount": 1_000, "rule": "comp.1"}
        return vouchers.issue(connection, transactions[number], **made, policy=POLICY, now=T0)

    assert _race(stores, lambda store, number: store.write(issue, number)).count(True) == 3


def test_a_voucher_is_redeemed_by_one_of_many_taps(stores):
    transaction = filling.order(stores[0])
    made = {"code": "C1", "kind": BreakKind.DEBITED_TWICE, "amount": 1_000, "rule": "comp.1"}
    stores[0].write(vouchers.issue, transaction, **made, policy=POLICY, now=T0)
    redeemed = _race(stores, lambda store, _: store.write(vouchers.redeem, "C1", agent_id="A01", now=T0))
    assert redeemed.count(True) == 1


def test_the_same_batch_sent_twice_at_once_enters_once(stores):
    transactions = [builders.build_transaction(transaction_id=f"T{number}") for number in range(50)]
    batch = [(t, builders.build_leg(transaction=t.key)) for t in transactions]
    lines = [builders.build_wallet_line(line_id=t.key, transaction_id=t.transaction_id) for t in transactions]

    def take(store, number):
        if number < MANY // 2:
            return filling.orders(store, batch).accepted
        return filling.wallet(store, *lines).accepted

    assert sorted(_race(stores, take)) == [0] * (MANY - 2) + [50, 50]
    assert stores[0].read(books.count, schema.legs) == stores[0].read(books.count, schema.wallet_lines) == 50


def test_a_case_a_message_and_a_posting_exist_once(stores):
    transaction = filling.order(stores[0])
    entry = ledger.refund_submitted("refund:toko:T1001:B01:1", provider="iak", amount=1, at=T0)

    def write(connection):
        told = {"kind": BreakKind.STUCK_PENDING, "amount": None, "rule": "r", "note": "", "ask_staff": False}
        opened = cases.open_break(connection, transaction, **told, now=T0)
        written = messages.add(connection, filling.new_message(), now=T0)
        return opened, written, journal.post(connection, entry, now=T0)

    done = _race(stores, lambda store, _: store.write(write))
    assert [sum(one[n] for one in done) for n in range(3)] == [1, 1, 1]


def test_many_may_touch_the_same_orders_in_any_order(stores):
    transactions = [builders.build_transaction(transaction_id=f"T{number}") for number in range(400)]
    filling.orders(stores[0], [(t, builders.build_leg(transaction=t.key)) for t in transactions])
    keys = [t.key for t in transactions]

    def touch(store, number):
        """Without the second chance that `write` would give after a deadlock."""
        with store.unit_of_work() as connection:
            evaluations.touch(connection, keys[:: 1 if number % 2 else -1], due_at=builders.at(-number))

    _race(stores, touch)
    assert {row["due_at"] for row in filling.rows(stores[0], schema.evaluations)} == {builders.at(-MANY + 1)}


def test_a_server_that_pulls_credits_by_position_misses_none(stores):
    pulled: list[int] = []
    finished: list[int] = []

    def pull(store):
        position = pulled[-1] if pulled else 0
        pulled.extend(row["id"] for row in store.read(book_wallet.after, position, limit=1_000))

    def credit_or_pull(store, number):
        credit = {"agent_id": "A01", "transaction_id": "T1", "amount": 1, "reason": "B01", "now": T0}
        if number:
            for turn in range(10):
                store.write(book_wallet.credit, key=f"k{number}.{turn}", **credit)
            finished.append(number)
            return
        while len(finished) < MANY - 1:
            pull(store)

    _race(stores, credit_or_pull)
    pull(stores[0])
    assert pulled == [row["id"] for row in filling.rows(stores[0], schema.book_lines)]


def test_a_callback_and_its_order_at_the_same_moment_meet(stores):
    stored = {"body": b"x", "content_type": "", "verdict": Verdict.SIGNED, "now": T0}
    for number in range(MANY // 2):
        stores[0].write(inbox.store, provider="iak", **{**stored, "body": str(number).encode()})
    waiting = stores[0].write(inbox.unread, limit=MANY)

    def look(connection, number):
        inbox.mark_read(connection, [waiting[number].id])
        legs = schema.legs.c
        found = connection.execute(select(legs.key).where(legs.ref_id == f"T{number}")).first()
        if found is None:
            inbox.keep_early(connection, waiting[number].id, ref_id=f"T{number}")
        return found is not None

    def come(store, number):
        if number < MANY // 2:
            return store.write(look, number)
        return filling.order(store, number=f"T{number - MANY // 2}")

    seen = _race(stores, come)[: MANY // 2]
    states = [row["state"] for row in filling.rows(stores[0], schema.inbox)]
    assert states == ["read" if found else "new" for found in seen]
