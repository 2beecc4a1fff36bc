from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from rekon.domain.breaks import BreakKind
from rekon.store import schema, vouchers
from tests import builders
from tests.store import filling

T0 = builders.T0
LATER = builders.at(minutes=5)
POLICY = builders.build_policy(voucher_month_budget=10_000, vouchers_per_agent_month=2, voucher_days=30)
CODE = "AAAA-BBBB"


def _issue(store, *, number="T1001", code=CODE, amount=5_000, now=T0, agent_id="A01"):
    transaction = filling.order(store, number=number, agent_id=agent_id)
    return store.write(
        vouchers.issue,
        transaction,
        code=code,
        kind=BreakKind.DEBITED_TWICE,
        amount=amount,
        rule="comp.1",
        policy=POLICY,
        now=now,
    )


def _refusal(store, *, amount=5_000, agent_id="A01", now=T0):
    return store.write(vouchers.refusal, agent_id=agent_id, amount=amount, policy=POLICY, now=now)


def test_a_purchase_has_one_voucher(store):
    assert _issue(store)
    assert not _issue(store, code="CCCC-DDDD")
    row = filling.one(store, schema.vouchers)
    assert (row["code"], row["state"], row["expires_at"]) == (CODE, "issued", T0 + timedelta(days=30))
    assert store.read(vouchers.find_of, builders.TRANSACTION)["code"] == CODE
    assert store.read(vouchers.find, "nothing") is None


def test_a_voucher_of_nothing_is_refused_by_the_database(store):
    with pytest.raises(IntegrityError):
        _issue(store, amount=0)


def test_the_months_budget_is_never_exceeded(store):
    assert _refusal(store, amount=10_000) == ""
    assert _refusal(store, amount=10_001) == "anggaran voucher bulan ini habis"
    _issue(store, amount=5_001)
    assert _refusal(store, amount=4_999) == ""
    assert _refusal(store, amount=5_000) == "anggaran voucher bulan ini habis"
    assert _refusal(store, amount=10_000, now=T0 + timedelta(days=30)) == ""


def test_an_agent_gets_two_a_month_by_rule_alone(store):
    for number in range(2):
        assert _refusal(store, amount=1) == ""
        _issue(store, number=f"T{number}", code=f"C{number}", amount=1)
    assert _refusal(store, amount=1) == "agen sudah menerima voucher otomatis terbanyak dalam 30 hari"
    assert _refusal(store, amount=1, agent_id="A02") == ""


def test_a_voucher_is_redeemed_once(store):
    _issue(store)
    assert store.write(vouchers.redeem, CODE, agent_id="A01", now=LATER)
    assert not store.write(vouchers.redeem, CODE, agent_id="A01", now=LATER)
    row = filling.one(store, schema.vouchers)
    assert (row["state"], row["due_at"]) == ("redeeming", LATER)


def test_another_agent_cannot_redeem_it(store):
    _issue(store)
    assert not store.write(vouchers.redeem, CODE, agent_id="A02", now=LATER)
    assert filling.one(store, schema.vouchers)["state"] == "issued"


def test_an_expired_voucher_is_not_redeemed(store):
    _issue(store)
    end = T0 + timedelta(days=30)
    assert not store.write(vouchers.redeem, CODE, agent_id="A01", now=end)
    assert store.write(vouchers.redeem, CODE, agent_id="A01", now=end - timedelta(microseconds=1))


def test_a_payment_is_written_by_the_one_who_holds_it(store):
    _issue(store)
    assert filling.due_at(store, "act") is None
    store.write(vouchers.redeem, CODE, agent_id="A01", now=T0)
    assert filling.due_at(store, "act") == T0
    until = builders.at(seconds=30)
    (row,) = store.write(vouchers.claim_due, now=T0, limit=5, lease="mine", lease_until=until)
    assert store.write(vouchers.claim_due, now=T0, limit=5, lease="other", lease_until=until) == []
    assert not store.write(vouchers.mark_sent, row, lease="other", now=LATER)
    assert store.write(vouchers.mark_sent, row, lease="mine", now=T0)
    assert not store.write(vouchers.record, row, lease="other", state="redeemed", due_at=None)
    assert store.write(vouchers.record, row, lease="mine", state="redeemed", due_at=None, redeemed_at=LATER)
    done = filling.one(store, schema.vouchers)
    assert (done["state"], done["sent_at"], done["redeemed_at"], done["lease"]) == ("redeemed", T0, LATER, None)


def test_vouchers_are_listed_newest_first(store):
    for number in range(3):
        _issue(
            store, number=f"T{number}", code=f"C{number}", agent_id=f"A{number % 2}", now=builders.at(seconds=number)
        )
    assert [row["code"] for row in store.read(vouchers.listed)] == ["C2", "C1", "C0"]
    assert [row["code"] for row in store.read(vouchers.listed, agent_id="A0")] == ["C2", "C0"]
