import threading
from datetime import timedelta

import pytest

from rekon.domain import ledger
from rekon.domain.approval import NotAllowedError, Refusal, Role, Word
from rekon.domain.policy import Policy
from rekon.domain.refund import RefundState
from rekon.store import approvals, journal, limits, refunds, schema, staff
from rekon.store.approvals import Ballot
from tests import builders
from tests.store import filling

NOW = builders.at(minutes=10)
POLICY = Policy(one_approver_max=500_000)
LARGE = 500_001


def hire(store, name="Sari", *, role=Role.BILLING):
    store.write(staff.add, name=name, role=role, token=f"token-{name}", now=builders.T0)
    found = store.read(approvals.find_person, f"token-{name}")
    assert found is not None
    return found


def waiting(store, *, amount=builders.PRICE):
    transaction = filling.order(store)
    filling.case(store, transaction, kind=filling.wish().break_kind, amount=amount)
    row = filling.refund(store, transaction, amount=amount, needs_approval=True, approval_reason="mode saran")
    return row["refund_id"]


def unknown(store, *, amount=builders.PRICE):
    """Bring a refund to where nobody knows: told to a gateway that never gave a plain answer."""
    transaction = filling.order(store)
    filling.case(store, transaction, kind=filling.wish().break_kind, amount=amount)
    row = filling.refund(store, transaction, amount=amount)
    store.write(_lose, row, now=builders.at(minutes=1))
    return row["refund_id"]


def _lose(connection, row, *, now):
    refunds.move(connection, row, to=RefundState.SUBMITTED, submitted_at=now)
    entry = ledger.refund_submitted(row["key"], provider="iak", amount=row["amount"], at=now)
    journal.post(connection, entry, now=now)
    refunds.move(connection, refunds.get(connection, row["refund_id"]), to=RefundState.UNKNOWN, due_at=None)


def say(store, refund_id, who, word=Word.APPROVE, *, now=NOW, reason="sudah diperiksa", seen=None):
    ballot = Ballot(refund_id=refund_id, person=who, word=word, reason=reason, seen_digest=seen)
    return store.write(approvals.take, ballot, policy=POLICY, now=now)


def refused(store, refund_id, who, word=Word.APPROVE, **more):
    with pytest.raises(NotAllowedError) as caught:
        say(store, refund_id, who, word, **more)
    return caught.value.refusal


def row_of(store, refund_id):
    return filling.one(store, schema.refunds, refund_id=refund_id)


def audited(store):
    return [row["what"] for row in filling.rows(store, schema.audit)]


def balances(store):
    return {one.account: one.amount for one in store.read(journal.balances)}


def test_one_approval_makes_a_small_refund_due_now(store):
    refund_id = waiting(store)
    done = say(store, refund_id, hire(store))
    row = row_of(store, refund_id)
    assert (done.state, done.missing) == (RefundState.APPROVED, "")
    assert (row["state"], row["due_at"]) == ("approved", NOW)
    assert audited(store) == ["refund.approve"]


def test_an_approval_is_bound_to_the_digest_of_that_moment(store):
    refund_id = waiting(store)
    say(store, refund_id, hire(store))
    (vote,) = filling.rows(store, schema.approvals)
    assert vote["digest"] == row_of(store, refund_id)["digest"]


def test_a_large_refund_waits_for_a_second_person(store):
    refund_id = waiting(store, amount=LARGE)
    first = say(store, refund_id, hire(store))
    assert (first.state, first.missing) == (RefundState.AWAITING_APPROVAL, "seorang penyelia")
    assert row_of(store, refund_id)["due_at"] is None
    second = say(store, refund_id, hire(store, "Ratna", role=Role.SUPERVISOR))
    assert second.state is RefundState.APPROVED


def test_two_billing_people_are_not_enough_for_a_large_refund(store):
    refund_id = waiting(store, amount=LARGE)
    for name in ("Sari", "Budi"):
        done = say(store, refund_id, hire(store, name))
    assert (done.state, done.missing) == (RefundState.AWAITING_APPROVAL, "seorang penyelia")


def test_one_person_cannot_approve_twice(store):
    refund_id, sari = waiting(store, amount=LARGE), hire(store)
    say(store, refund_id, sari)
    assert refused(store, refund_id, sari) is Refusal.ALREADY
    assert len(filling.rows(store, schema.approvals)) == 1


def test_an_approval_that_expired_is_not_counted_with_a_second_one(store):
    refund_id = waiting(store, amount=LARGE)
    say(store, refund_id, hire(store))
    later = say(store, refund_id, hire(store, "Ratna", role=Role.SUPERVISOR), now=NOW + timedelta(hours=24))
    assert later.state is RefundState.AWAITING_APPROVAL


def test_taking_access_away_takes_the_pending_word_away(store):
    refund_id, sari = waiting(store, amount=LARGE), hire(store)
    say(store, refund_id, sari)
    store.write(staff.disable, "Sari")
    later = say(store, refund_id, hire(store, "Ratna", role=Role.SUPERVISOR))
    assert later.state is RefundState.AWAITING_APPROVAL


def test_a_disabled_person_is_known_by_his_token_and_refused(store):
    refund_id = waiting(store)
    hire(store)
    store.write(staff.disable, "Sari")
    gone = store.read(approvals.find_person, "token-Sari")
    assert refused(store, refund_id, gone) is Refusal.DISABLED


def test_nobody_has_an_unknown_token(store):
    hire(store)
    assert store.read(approvals.find_person, "token-Budi") is None


@pytest.mark.parametrize("what", ["refund.requested", "refund.edited"])
def test_who_asked_for_a_refund_or_changed_its_amount_is_not_its_checker(store, what):
    refund_id, sari = waiting(store), hire(store)
    detail = {"staff_id": sari.staff_id}
    store.write(approvals.audit, who="Sari", what=what, about=refund_id, detail=detail, now=builders.T0)
    assert refused(store, refund_id, sari) is Refusal.MAKER
    assert say(store, refund_id, hire(store, "Budi")).state is RefundState.APPROVED


def test_changed_evidence_voids_an_approval_and_the_same_person_may_look_again(store):
    refund_id, sari = waiting(store, amount=LARGE), hire(store)
    say(store, refund_id, sari)
    old = row_of(store, refund_id)["digest"]
    store.write(_change_evidence, refund_id)
    assert refused(store, refund_id, sari, seen=old) is Refusal.CHANGED
    again = say(store, refund_id, sari)
    assert again.missing == "seorang penyelia"


def _change_evidence(connection, refund_id):
    row = refunds.get(connection, refund_id)
    refunds.move(connection, row, to=RefundState.AWAITING_APPROVAL, digest="e2" * 32)


def test_a_refused_word_leaves_nothing_behind(store):
    refund_id = waiting(store)
    assert refused(store, refund_id, hire(store, role=Role.TECHNICAL)) is Refusal.ROLE
    assert filling.rows(store, schema.approvals) == []
    assert audited(store) == []


def test_a_rejection_puts_the_break_before_a_person(store):
    refund_id = waiting(store)
    say(store, refund_id, hire(store), Word.REJECT, reason="pelanggan sudah menerima")
    row, found = row_of(store, refund_id), filling.one(store, schema.breaks)
    assert (row["state"], row["due_at"]) == ("rejected", None)
    assert (found["state"], found["staff_asked"]) == ("in_review", True)
    assert "pelanggan sudah menerima" in found["note"]
    assert audited(store) == ["refund.reject"]


def test_a_person_reaches_his_daily_cap_over_several_refunds(store):
    sari = hire(store)
    refund_id = waiting(store)
    store.write(_approved_before, refund_id, sari, amount=9_999_999)
    assert refused(store, refund_id, sari) is Refusal.DAY_CAP
    assert say(store, refund_id, sari, now=NOW + timedelta(hours=24)).state is RefundState.APPROVED


def _approved_before(connection, refund_id, who, *, amount):
    other = dict(refunds.get(connection, refund_id)) | {
        "refund_id": "ref_other",
        "key": "refund:toko:T1001:B10:1",
        "break_kind": "B10",
        "amount": amount,
        "state": "settled",
    }
    connection.execute(schema.refunds.insert().values(other))
    staff.record_decision(
        connection,
        refund_id="ref_other",
        staff_id=who.staff_id,
        decision=Word.APPROVE,
        reason="",
        digest="a1",
        now=NOW - timedelta(hours=1),
    )


def test_a_supervisor_settles_what_nobody_knew_and_the_transit_account_returns_to_zero(store):
    refund_id = unknown(store)
    done = say(store, refund_id, hire(store, "Ratna", role=Role.SUPERVISOR), Word.SETTLED)
    row = row_of(store, refund_id)
    assert done.state is RefundState.SETTLED
    assert (row["settled_at"], row["due_at"]) == (NOW, None)
    assert balances(store) == {
        "customer_funds": -builders.PRICE,
        "recoverable:iak": builders.PRICE,
        "refunds_in_transit": 0,
    }


def test_a_supervisor_takes_back_what_was_never_paid_by_a_reversing_entry(store):
    refund_id = unknown(store)
    say(store, refund_id, hire(store, "Ratna", role=Role.SUPERVISOR), Word.FAILED)
    entries = filling.rows(store, schema.journal_entries)
    reversing = next(e for e in entries if e["reverses"])
    assert row_of(store, refund_id)["state"] == "failed"
    assert reversing["reverses"] in {e["entry_id"] for e in entries if e["event"].endswith(":submitted")}
    assert set(balances(store).values()) == {0}


def test_a_refund_seen_in_the_wallet_cannot_be_called_failed(store):
    refund_id = unknown(store)
    key = row_of(store, refund_id)["key"]
    filling.wallet(store, builders.build_wallet_line(amount=builders.PRICE, reference=key))
    ratna = hire(store, "Ratna", role=Role.SUPERVISOR)
    assert refused(store, refund_id, ratna, Word.FAILED) is Refusal.MONEY_SEEN
    assert say(store, refund_id, ratna, Word.SETTLED).state is RefundState.SETTLED


def test_billing_staff_does_not_settle_the_unknown(store):
    refund_id = unknown(store)
    assert refused(store, refund_id, hire(store), Word.SETTLED) is Refusal.ROLE


def test_above_the_limit_two_supervisors_settle(store):
    refund_id = unknown(store, amount=LARGE)
    ratna, dewi = (hire(store, name, role=Role.SUPERVISOR) for name in ("Ratna", "Dewi"))
    first = say(store, refund_id, ratna, Word.SETTLED)
    assert (first.state, first.missing) == (RefundState.UNKNOWN, "seorang penyelia lain")
    assert refused(store, refund_id, ratna, Word.SETTLED) is Refusal.ALREADY
    assert say(store, refund_id, dewi, Word.FAILED).state is RefundState.UNKNOWN
    assert say(store, refund_id, dewi, Word.SETTLED).state is RefundState.SETTLED


def halt(store, *, now=builders.T0):
    store.write(limits.halt, scope=limits.GLOBAL, reason="terlalu banyak", by="rule", now=now)


def resume(store, who, *, now=NOW):
    return store.write(approvals.agree_to_resume, scope=limits.GLOBAL, person=who, now=now)


def test_two_supervisors_lift_a_halt_and_both_are_written_down(store):
    halt(store)
    ratna, dewi = (hire(store, name, role=Role.SUPERVISOR) for name in ("Ratna", "Dewi"))
    assert not resume(store, ratna).lifted
    assert store.read(limits.halted, limits.GLOBAL) == "terlalu banyak"
    assert resume(store, dewi).lifted
    assert store.read(limits.halted, limits.GLOBAL) == ""
    assert audited(store) == ["halt.opened", "halt.resume_agreed", "halt.resume_agreed", "halt.lifted"]


def test_a_word_about_a_lifted_halt_does_not_lift_the_next_one(store):
    ratna, dewi = (hire(store, name, role=Role.SUPERVISOR) for name in ("Ratna", "Dewi"))
    halt(store)
    resume(store, ratna)
    resume(store, dewi)
    halt(store, now=NOW)
    assert not resume(store, dewi, now=NOW + timedelta(minutes=1)).lifted


def test_there_is_nothing_to_resume_without_a_halt(store):
    ratna = hire(store, "Ratna", role=Role.SUPERVISOR)
    with pytest.raises(NotAllowedError) as caught:
        resume(store, ratna)
    assert caught.value.refusal is Refusal.NOT_HALTED


def test_only_active_billing_and_supervisors_count_as_approvers(store):
    for name, role in (("A", Role.BILLING), ("B", Role.SUPERVISOR), ("C", Role.TECHNICAL), ("D", Role.AUDITOR)):
        hire(store, name, role=role)
    hire(store, "E")
    store.write(staff.disable, "E")
    assert store.read(approvals.count_approvers) == 2


def test_fifty_parallel_approvals_of_one_person_count_once(store):
    refund_id, sari = waiting(store, amount=LARGE), hire(store)
    outcomes = race([(store, refund_id, sari)] * 50)
    assert outcomes.count("taken") == 1
    assert len(filling.rows(store, schema.approvals)) == 1
    assert row_of(store, refund_id)["state"] == "awaiting_approval"


def test_parallel_approvals_of_different_people_approve_once(store):
    refund_id = waiting(store)
    people = [hire(store, f"P{n}") for n in range(8)]
    outcomes = race([(store, refund_id, who) for who in people])
    assert outcomes.count("taken") == 1
    assert row_of(store, refund_id)["state"] == "approved"


def race(jobs):
    """Let every job start at once and collect what became of each."""
    start, outcomes = threading.Barrier(len(jobs)), []

    def run(store, refund_id, who):
        start.wait()
        try:
            say(store, refund_id, who)
        except NotAllowedError as error:
            outcomes.append(error.refusal.value)
        else:
            outcomes.append("taken")

    threads = [threading.Thread(target=run, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == len(jobs)
    return outcomes


def test_the_same_person_may_renew_a_word_that_no_longer_counts(store):
    sari, ratna = hire(store), hire(store, "Ratna", role=Role.SUPERVISOR)
    refund_id = waiting(store, amount=LARGE)
    say(store, refund_id, sari)
    assert refused(store, refund_id, sari, now=NOW + timedelta(hours=23)) is Refusal.ALREADY
    later = NOW + timedelta(hours=24)
    assert say(store, refund_id, ratna, now=later).missing
    assert say(store, refund_id, sari, now=later).state is RefundState.APPROVED
    assert len(filling.rows(store, schema.approvals)) == 3
