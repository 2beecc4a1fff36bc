"""Whatever the books hold: a failure that would be given back, with anything drawn on top of it."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action
from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from rekon.domain.refund import COUNTS_AS_CREDIT, RefundState, refund_key
from rekon.domain.transaction import ChargedAccount, LegState, OrderStatus, RefundOwner, SendState
from tests.builders import (
    PRICE,
    READ_ONLY,
    RESEND,
    TRANSACTION,
    at,
    build_break,
    build_facts,
    build_history,
    build_leg,
    build_refund,
    build_report,
    build_wallet_line,
    decide_on,
    find,
)
from tests.domain.stories import CREDIT, FIRST, failed, order

B01, B17 = BreakKind.FAILED_NOT_REFUNDED, BreakKind.NOT_AT_PROVIDER
NEVER_FORMED, DEFINITE = FailureClass.NEVER_FORMED, FailureClass.DEFINITE
SOFT, TIMEOUT_LIKE = FailureClass.SOFT, FailureClass.TIMEOUT_LIKE
REFUND, MARK = Action.ISSUE_REFUND, Action.MARK_FAILED_AT_SERVER
FAILED = OrderStatus.FAILED


SECONDS = st.integers(0, 20).map(lambda n: n * 30)
WORDS = st.builds(
    lambda seconds, source, outcome, failure_class, is_signed, contradiction, leg_no: build_report(
        at=at(seconds),
        source=source,
        outcome=outcome,
        failure_class=failure_class if outcome is Outcome.FAILED else None,
        body_signed=is_signed,
        contradiction=contradiction,
        leg=f"{TRANSACTION}#{leg_no}",
        report_id=f"{seconds}{source}{outcome}{failure_class}{is_signed}{contradiction}{leg_no}",
    ),
    SECONDS,
    st.sampled_from(ReportSource),
    st.sampled_from(Outcome),
    st.sampled_from([DEFINITE, SOFT, TIMEOUT_LIKE, NEVER_FORMED, FailureClass.CHECK_ERROR]),
    st.booleans(),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([1, 1, 2]),
)
LINES = st.lists(
    st.tuples(st.sampled_from([-PRICE, PRICE, 10_000, -500]), SECONDS, st.sampled_from(["", "voucher:X"])), max_size=3
).map(
    lambda rows: [
        build_wallet_line(amount=amount, posted_at=at(s), reference=ref, line_id=f"L{i}")
        for i, (amount, s, ref) in enumerate(rows)
    ]
)
REFUNDS = st.lists(
    st.tuples(st.sampled_from([B01, BreakKind.DEBITED_TWICE, B17]), st.sampled_from(RefundState)),
    max_size=2,
    unique_by=lambda pair: pair[0],
).map(lambda rows: tuple(build_refund(kind=kind, state=state) for kind, state in rows))


def mostly(usual, others):
    """Draw the usual value four times of five."""
    return st.sampled_from([True, True, True, True, False]).flatmap(
        lambda is_usual: st.just(usual) if is_usual else st.sampled_from(list(others))
    )


@st.composite
def books(draw):
    """Draw any state the books may be in, near the one in which money goes back."""
    legs = [
        build_leg(
            leg_no=n,
            provider=draw(st.sampled_from([READ_ONLY, RESEND])),
            send_count=draw(mostly(1, [2])),
            send_state=draw(mostly(SendState.SENT, SendState)),
            state=draw(mostly(LegState.FINAL, LegState)),
        )
        for n in draw(mostly((1,), [(1, 2)]))
    ]
    proofs = {
        DEFINITE: [failed(0, DEFINITE, FIRST), failed(300, DEFINITE)],
        SOFT: [failed(0, SOFT, FIRST), failed(540, SOFT)],
        TIMEOUT_LIKE: [failed(s, TIMEOUT_LIKE) for s in (0, 300, 540)],
        NEVER_FORMED: [failed(0, NEVER_FORMED, FIRST)],
        None: [],
    }
    fresh = mostly(at(hours=3), [None, at(30), at(400)])
    return {
        "now": at(draw(mostly(600, [0, 60, 120, 300, 540, 2700, 9000]))),
        "transaction": order(
            draw(mostly(FAILED, OrderStatus)), charged_account=draw(mostly(ChargedAccount.AGENT_WALLET, ChargedAccount))
        ),
        "legs": legs,
        "lines": [build_wallet_line(line_id="first"), *draw(LINES)],
        "reports": proofs[draw(st.sampled_from(list(proofs)))] + draw(st.lists(WORDS, max_size=3)),
        "history": build_history(
            refund_owner=draw(mostly(RefundOwner.REKON, RefundOwner)),
            orders_read_to=draw(fresh),
            wallet_read_to=draw(fresh),
            refunds=draw(st.one_of(st.just(()), REFUNDS)),
            breaks=draw(st.sampled_from([(), (build_break(),)])),
            order_result=draw(st.sampled_from(["", "failed:accepted", "failed:pending", "failed:conflict"])),
            order_result_at=at(60),
            statement_lines=draw(st.sampled_from([(), tuple(CREDIT)])),
        ),
    }


MANY = settings(max_examples=100)


@MANY
@given(drawn=books())
def test_no_failure_is_ever_given_back_unless_every_leg_is_plainly_failed(drawn):
    if find(decide_on(**drawn), REFUND, kind=B01) is None:
        return
    facts = build_facts(**drawn)
    assert all(v.outcome is Outcome.FAILED and v.confirmed and not v.doubted for v in facts.attempts)
    heard = {r.leg_key: [] for r in facts.reports}
    for report in facts.reports:
        heard[report.leg_key].append(report)
    for verdict in facts.attempts:
        words = [r for r in heard[verdict.leg.key] if r.is_reading and not r.contradiction]
        assert words[-1].outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.PENDING)
        assert not any(r.outcome in (Outcome.DELIVERED, Outcome.REVERSED, Outcome.PARTIAL) for r in words)


@MANY
@given(drawn=books())
def test_no_refund_is_ever_more_than_what_is_still_taken_and_one_is_asked_for_at_a_time(drawn):
    refunds = [d for d in decide_on(**drawn) if d.action is REFUND]
    facts = build_facts(**drawn)
    assert all(0 < d.amount <= facts.net for d in refunds)
    assert sum(d.amount for d in refunds) <= max(facts.net, 0)
    assert all(facts.refunds_of(d.break_kind) == [] for d in refunds)


@MANY
@given(drawn=books())
def test_rekon_never_pays_a_failure_beside_a_server_that_pays_by_itself(drawn):
    server = drawn | {"history": replace(drawn["history"], refund_owner=RefundOwner.SERVER)}
    kinds = {d.break_kind for d in decide_on(**server) if d.action is REFUND}
    assert kinds <= {BreakKind.DEBITED_TWICE}


@MANY
@given(drawn=books())
def test_no_money_ever_moves_for_a_failure_on_books_that_are_not_fresh(drawn):
    decisions = [d for d in decide_on(**drawn) if d.action in (REFUND, MARK)]
    facts = build_facts(**drawn)
    words = [v.final_word_at for v in facts.attempts if v.final_word_at and v.outcome is Outcome.FAILED]
    if decisions and words:
        assert facts.fresh_since(min(words))


@MANY
@given(drawn=books(), chance=st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_any_row_changes_a_decision(drawn, chance):
    shuffled = dict(drawn)
    for name in ("legs", "lines", "reports"):
        rows = drawn[name] + [chance.choice(drawn[name]) for _ in range(2) if drawn[name]]
        chance.shuffle(rows)
        shuffled[name] = rows
    assert decide_on(**shuffled) == decide_on(**drawn)


@MANY
@given(drawn=books())
def test_deciding_one_refund_after_the_other_never_gives_back_more_than_was_taken(drawn):
    taken = -sum(line.amount for line in build_facts(**drawn).own_lines)
    paid = list(drawn["history"].refunds)
    for _ in range(4):
        step = drawn | {
            "now": drawn["now"] + timedelta(hours=1),
            "history": replace(drawn["history"], refunds=tuple(paid)),
        }
        asked = [d for d in decide_on(**step) if d.action is REFUND]
        paid += [
            replace(
                build_refund(kind=d.break_kind, amount=d.amount, state=RefundState.SUBMITTED),
                key=refund_key(TRANSACTION, d.break_kind, 1),
            )
            for d in asked
        ]
    ours = paid[len(drawn["history"].refunds) :]
    counted = sum(r.amount for r in drawn["history"].refunds if r.state in COUNTS_AS_CREDIT)
    assert not ours or sum(r.amount for r in ours) + counted <= taken


@MANY
@given(drawn=books())
def test_a_decision_asks_to_look_again_at_most_once_and_last(drawn):
    decisions = decide_on(**drawn)
    waits = [n for n, d in enumerate(decisions) if d.action is Action.WAIT]
    assert waits in ([], [len(decisions) - 1])
