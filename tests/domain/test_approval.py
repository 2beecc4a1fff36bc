import itertools
from datetime import UTC, datetime, timedelta

import pytest

from rekon.domain import approval
from rekon.domain.approval import Person, Question, Refusal, Role, Said, Word
from rekon.domain.policy import Policy
from rekon.domain.refund import RefundState

NOW = datetime(2026, 11, 22, 7, 5, tzinfo=UTC)
DIGEST = "d1" * 32
LIMIT = 500_000
POLICY = Policy(one_approver_max=LIMIT)
MONEY_ROLES = (Role.BILLING, Role.SUPERVISOR)


def person(name="sari", *, role=Role.BILLING, active=True):
    return Person(staff_id=f"stf_{name}", name=name, role=role, active=active)


def said(who, *, word=Word.APPROVE, digest=DIGEST, ago=timedelta(minutes=5)):
    return Said(person=who, word=word, digest=digest, at=NOW - ago)


def question(*words, amount=50_600, state=RefundState.AWAITING_APPROVAL, makers=()):
    return Question(state=state, amount=amount, digest=DIGEST, makers=frozenset(makers), said=words)


def refusal(asked, who, word=Word.APPROVE, *, seen=None, reason="sudah diperiksa", approved_today=0):
    return approval.refuse(asked, who, word, seen_digest=seen, reason=reason, approved_today=approved_today, now=NOW)


def enough(asked, word=Word.APPROVE):
    return approval.is_enough(asked, word, policy=POLICY, now=NOW)


SEEN = {"none": None, "whole": DIGEST, "beginning": DIGEST[:12], "other": "ff" * 32, "empty": ""}
MATRIX = list(
    itertools.product(
        Role,
        (True, False),
        ("a_rule", "the_person", "somebody_else"),
        (RefundState.AWAITING_APPROVAL, RefundState.REQUESTED, RefundState.APPROVED, RefundState.UNKNOWN),
        SEEN,
        (False, True),
    )
)


def test_the_matrix_is_large():
    assert len(MATRIX) >= 300


@pytest.mark.parametrize(("role", "active", "maker", "state", "seen", "spoke"), MATRIX)
def test_only_the_right_person_may_approve_what_he_saw_once(role, active, maker, state, seen, spoke):
    who = person(role=role, active=active)
    makers = {"a_rule": (), "the_person": (who.staff_id,), "somebody_else": ("stf_budi",)}[maker]
    asked = question(*([said(who)] if spoke else []), state=state, makers=makers)
    allowed = (
        role in MONEY_ROLES
        and active
        and maker != "the_person"
        and state is RefundState.AWAITING_APPROVAL
        and seen in ("none", "whole", "beginning")
        and not spoke
    )
    assert (refusal(asked, who, seen=SEEN[seen]) is None) is allowed


@pytest.mark.parametrize(
    ("who", "asked", "word", "expected"),
    [
        (person(active=False), question(), Word.APPROVE, Refusal.DISABLED),
        (person(role=Role.TECHNICAL), question(), Word.APPROVE, Refusal.ROLE),
        (person(role=Role.AUDITOR), question(), Word.REJECT, Refusal.ROLE),
        (person(), question(makers=["stf_sari"]), Word.APPROVE, Refusal.MAKER),
        (person(), question(makers=["stf_sari"]), Word.REJECT, Refusal.MAKER),
        (person(), question(state=RefundState.SETTLED), Word.APPROVE, Refusal.NOT_WAITING),
        (person(), question(state=RefundState.UNKNOWN), Word.REJECT, Refusal.NOT_WAITING),
        (person(), question(said(person())), Word.APPROVE, Refusal.ALREADY),
        (person(), question(state=RefundState.UNKNOWN), Word.SETTLED, Refusal.ROLE),
        (person(role=Role.SUPERVISOR), question(), Word.SETTLED, Refusal.NOT_WAITING),
    ],
)
def test_a_refusal_says_why(who, asked, word, expected):
    assert refusal(asked, who, word) is expected


def test_a_person_who_was_shown_other_evidence_is_refused():
    assert refusal(question(), person(), seen="ab") is Refusal.CHANGED


@pytest.mark.parametrize("word", [Word.REJECT, Word.SETTLED, Word.FAILED])
def test_a_word_against_or_about_the_unknown_needs_a_reason(word):
    state = RefundState.AWAITING_APPROVAL if word is Word.REJECT else RefundState.UNKNOWN
    who = person(role=Role.SUPERVISOR)
    assert refusal(question(state=state), who, word, reason="  ") is Refusal.NO_REASON
    assert refusal(question(state=state), who, word, reason="sudah dicek di server") is None


def test_an_approval_needs_no_reason():
    assert refusal(question(), person(), reason="") is None


@pytest.mark.parametrize(("before", "expected"), [(9_949_400, None), (9_949_401, Refusal.DAY_CAP)])
def test_a_person_approves_at_most_ten_million_a_day(before, expected):
    assert refusal(question(amount=50_600), person(), approved_today=before) is expected


def test_the_daily_cap_does_not_stop_a_rejection():
    assert refusal(question(), person(), Word.REJECT, approved_today=approval.DAY_MAX) is None


@pytest.mark.parametrize("role", MONEY_ROLES)
def test_one_person_is_enough_up_to_the_limit(role):
    assert enough(question(said(person(role=role)), amount=LIMIT))
    assert not enough(question(said(person(role=role)), amount=LIMIT + 1))


def test_nobody_is_never_enough():
    assert not enough(question(amount=1))


@pytest.mark.parametrize(("first", "second"), list(itertools.product(Role, Role)))
def test_above_the_limit_two_agree_and_one_is_a_supervisor(first, second):
    asked = question(said(person("sari", role=first)), said(person("budi", role=second)), amount=LIMIT + 1)
    both_may = first in MONEY_ROLES and second in MONEY_ROLES
    assert enough(asked) is (both_may and Role.SUPERVISOR in (first, second))


def test_one_supervisor_twice_is_not_two_people():
    boss = person("ratna", role=Role.SUPERVISOR)
    assert not enough(question(said(boss), said(boss, ago=timedelta(hours=1)), amount=LIMIT + 1))


@pytest.mark.parametrize(
    "word",
    [
        said(person(), ago=timedelta(hours=24)),
        said(person(), digest="e2" * 32),
        said(person(), word=Word.REJECT),
        said(person(active=False)),
        said(person(role=Role.TECHNICAL)),
    ],
    ids=["a day old", "about other evidence", "against it", "of somebody without access", "of a lost role"],
)
def test_a_word_that_no_longer_counts_is_not_enough(word):
    assert not enough(question(word))


def test_a_word_just_short_of_a_day_still_counts():
    assert enough(question(said(person(), ago=timedelta(hours=24) - timedelta(seconds=1))))


def test_the_word_of_somebody_who_turns_out_to_be_a_maker_does_not_count():
    assert not enough(question(said(person()), makers=["stf_sari"]))


def test_a_person_whose_word_expired_may_speak_again():
    asked = question(said(person(), ago=timedelta(hours=25)))
    assert refusal(asked, person()) is None


def test_one_rejection_is_enough_for_any_amount():
    asked = question(said(person(), word=Word.REJECT), amount=LIMIT * 10)
    assert enough(asked, Word.REJECT)


def test_two_supervisors_settle_above_the_limit_only_if_they_say_the_same():
    ratna, dewi = (person(name, role=Role.SUPERVISOR) for name in ("ratna", "dewi"))
    state = RefundState.UNKNOWN
    split = question(said(ratna, word=Word.SETTLED), said(dewi, word=Word.FAILED), amount=LIMIT + 1, state=state)
    agreed = question(said(ratna, word=Word.SETTLED), said(dewi, word=Word.SETTLED), amount=LIMIT + 1, state=state)
    assert not enough(split, Word.SETTLED)
    assert enough(agreed, Word.SETTLED)


@pytest.mark.parametrize(
    ("words", "amount", "expected"),
    [
        ([], LIMIT, "satu petugas (staf_billing atau penyelia)"),
        ([], LIMIT + 1, "dua petugas berbeda, salah satunya penyelia"),
        ([said(person())], LIMIT + 1, "seorang penyelia"),
        ([said(person(role=Role.SUPERVISOR))], LIMIT + 1, "satu petugas lain (staf_billing atau penyelia)"),
        ([said(person())], LIMIT, ""),
    ],
)
def test_the_card_says_who_is_still_missing(words, amount, expected):
    assert approval.still_missing(question(*words, amount=amount), policy=POLICY, now=NOW) == expected


HALT = NOW.isoformat()


def resume_refusal(who, *agreed):
    return approval.refuse_resume(who, agreed=agreed, halt=HALT, now=NOW)


def test_two_different_supervisors_lift_a_halt():
    ratna, dewi = (person(name, role=Role.SUPERVISOR) for name in ("ratna", "dewi"))
    agreed = [said(one, word=Word.RESUME, digest=HALT) for one in (ratna, dewi)]
    assert resume_refusal(ratna) is None
    assert not approval.may_resume(agreed=agreed[:1], halt=HALT, now=NOW)
    assert approval.may_resume(agreed=agreed, halt=HALT, now=NOW)


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (person(role=Role.SUPERVISOR, active=False), Refusal.DISABLED),
        (person(role=Role.BILLING), Refusal.ROLE),
        (person(role=Role.TECHNICAL), Refusal.ROLE),
    ],
)
def test_only_an_active_supervisor_helps_to_lift_a_halt(who, expected):
    assert resume_refusal(who) is expected


def test_one_supervisor_cannot_lift_a_halt_by_asking_twice():
    ratna = person("ratna", role=Role.SUPERVISOR)
    assert resume_refusal(ratna, said(ratna, word=Word.RESUME, digest=HALT)) is Refusal.ALREADY


def test_a_word_about_an_earlier_halt_does_not_lift_this_one():
    ratna, dewi = (person(name, role=Role.SUPERVISOR) for name in ("ratna", "dewi"))
    earlier = (NOW - timedelta(days=2)).isoformat()
    agreed = [said(ratna, word=Word.RESUME, digest=earlier), said(dewi, word=Word.RESUME, digest=HALT)]
    assert not approval.may_resume(agreed=agreed, halt=HALT, now=NOW)


def test_every_refusal_has_a_sentence():
    assert set(approval.REFUSAL_TEXTS) == set(Refusal)
