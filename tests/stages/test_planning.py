"""When a charge that came back brings the next question forward."""

from types import SimpleNamespace
from typing import Any

import pytest

from rekon.domain.outcome import Outcome
from rekon.stages.check.planning import Case, plan
from tests.builders import PROVIDERS, READ_ONLY, RESEND, at, build_leg, build_policy, build_report

CONTEXT: Any = SimpleNamespace(policy=build_policy(), rules_of=PROVIDERS.__getitem__)


def due(*said, now, provider=READ_ONLY, asked=None, credited=None):
    leg = build_leg(provider=provider)
    case = Case(
        leg=leg,
        asked_at=None if asked is None else at(asked),
        said=said,
        credited_at=None if credited is None else at(credited),
    )
    return plan(case, context=CONTEXT, now=at(now)).due_at


@pytest.fixture
def pending():
    return build_report(at=at(0), outcome=Outcome.PENDING)


def test_a_returned_charge_makes_the_question_due_at_once(pending):
    assert due(pending, now=600, asked=480) == at(900)
    assert due(pending, now=600, asked=480, credited=600) == at(600)


def test_a_returned_charge_is_asked_about_once(pending):
    assert due(pending, now=601, asked=601, credited=600) == at(900)


def test_a_check_that_can_buy_keeps_its_distance_from_the_purchase_and_the_last_question(pending):
    assert due(pending, now=30, credited=30, provider=RESEND) == at(90)
    assert due(pending, now=500, asked=480, credited=500, provider=RESEND) == at(540)


def test_a_returned_charge_asks_nothing_more_about_a_delivered_order():
    delivered = build_report(at=at(60), outcome=Outcome.DELIVERED, serial_number="0123456789012345")
    assert due(delivered, now=600, asked=60, credited=600) is None
