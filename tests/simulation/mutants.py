"""Defects planted on purpose: every one has to be found by the simulator's general oracles.

    python -m tests.simulation.mutants [--seeds 50] [NAME …]

Prints one line a mutant, and at the end one line of JSON: `{"killed", "of", "median_seeds"}`.
"""

import argparse
import json
import logging
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
import structlog

from rekon.connectors.gateways.contract import GatewayClass
from rekon.connectors.providers import callbacks, inquiry
from rekon.connectors.providers.client import ProviderClient
from rekon.domain import verdict
from rekon.domain.facts import Facts
from rekon.domain.outcome import FailureClass, Outcome, Reading
from rekon.domain.transaction import RefundOwner
from rekon.simulation import life
from rekon.simulation.run import run

Plant = Callable[[pytest.MonkeyPatch], None]
DEFINITIONS = life._definitions
SEEDS = 50
_HTTP_OK = 200
_SERVER_ERROR = 500


def _failed(reading: Reading) -> Reading:
    return replace(
        reading,
        outcome=Outcome.FAILED,
        failure_class=FailureClass.DEFINITE,
        about_this_leg=True,
        contradiction=False,
        raw_code=reading.raw_code or "02",
    )


def _misread(when) -> Plant:
    """Take an answer for a failure wherever `when(answer, reading)` holds."""

    def plant(patch):
        honest = ProviderClient._read

        def read(self, answer, leg):
            reading = honest(self, answer, leg)
            return _failed(reading) if when(answer, reading) else reading

        patch.setattr(ProviderClient, "_read", read)

    return plant


def no_hold(patch):
    patch.setattr(verdict, "HOLDS", {kind: replace(rule, hold=timedelta(0)) for kind, rule in verdict.HOLDS.items()})
    patch.setattr(verdict, "SOFT_HOLD_WITH_CREDIT", timedelta(0))


def one_reading(patch):
    patch.setattr(verdict, "HOLDS", {kind: replace(rule, readings=1) for kind, rule in verdict.HOLDS.items()})


def unknown_ref_asked(patch):
    patch.setattr(inquiry, "_purchase_danger", lambda _definition, *, leg, proof: None)


def no_age_guard(patch):
    honest = inquiry.find_danger

    def find(definition, **named):
        danger = honest(definition, **named)
        return None if danger is inquiry.Unsafe.TOO_OLD else danger

    patch.setattr(inquiry, "find_danger", find)
    patch.setattr("rekon.simulation.life._definitions", _ageless)


@cache
def _ageless():
    return {
        name: replace(definition, inquiry=replace(definition.inquiry, max_age_days=100_000))
        for name, definition in DEFINITIONS().items()
    }


def a_fault_of_ours_is_a_failure(patch):
    _misread(lambda answer, reading: reading.failure_class is FailureClass.CHECK_ERROR)(patch)


def signature_skipped(patch):
    patch.setattr(callbacks, "is_signed_by_any", lambda *_args, **_named: True)


def success_can_fail(patch):
    honest = verdict.judge_leg

    def judge(leg, reports, **named):
        last = max((r.received_at for r in reports if r.outcome is Outcome.FAILED and r.is_reading), default=None)
        kept = [r for r in reports if last is None or r.outcome is not Outcome.DELIVERED or r.received_at > last]
        return honest(leg, kept, **named)

    patch.setattr("rekon.domain.facts.judge_leg", judge)


def pays_beside_the_server(patch):
    patch.setattr(life, "_OWNERS", {"toko": RefundOwner.REKON, "mandiri": RefundOwner.REKON})


def stale_books(patch):
    patch.setattr(Facts, "fresh_since", lambda _self, _instant: True)


def new_key_each_time(patch):
    count = iter(range(1, 1_000_000))
    honest = life.HttpGateway.pay

    async def pay(self, order):
        return await honest(self, replace(order, key=f"{order.key}:{next(count)}"))

    patch.setattr(life.HttpGateway, "pay", pay)


def tells_a_forgetful_gateway_again(patch):
    patch.setattr("rekon.stages.act.patience.may_tell_again", lambda _gateway, _age: True)
    patch.setattr(life.HttpGateway, "gateway_class", GatewayClass.G2)


def every_failure_is_definite(patch):
    patch.setattr(verdict, "worst_class", lambda _failed, *, leg: FailureClass.DEFINITE)


def not_found_is_failed(patch):
    _misread(lambda _answer, reading: reading.outcome is Outcome.NOT_FOUND)(patch)


def net_forgets_the_servers_refund(patch):
    honest = Facts.net.func

    def net(self):
        theirs = sum(line.amount for line in self.credits if not line.reference)
        return honest(self) + theirs

    patch.setattr(Facts, "net", property(net))


MUTANTS: dict[str, Plant] = {
    "M1 a timeout is a failure": _misread(lambda answer, _: bool(answer.fault)),
    "M2 a server error is a failure": _misread(lambda answer, _: answer.http_status >= _SERVER_ERROR),
    "M3 what cannot be read is a failure": _misread(
        lambda answer, reading: answer.http_status == _HTTP_OK and reading.outcome is Outcome.UNKNOWN
    ),
    "M4 a page is a failure": _misread(
        lambda answer, _: "html" in answer.content_type and answer.http_status == _HTTP_OK
    ),
    "M6 an unknown reference is sent again": unknown_ref_asked,
    "M5 no limit of age": no_age_guard,
    "M26 a fault of ours is a failure": a_fault_of_ours_is_a_failure,
    "M7 no hold": no_hold,
    "M7b one reading is enough": one_reading,
    "M9 a new key for every try": new_key_each_time,
    "M10 a forgetful gateway is told again": tells_a_forgetful_gateway_again,
    "M13 the signature is not looked at": signature_skipped,
    "M16 a success can still fail": success_can_fail,
    "M30 not found is a failure": not_found_is_failed,
    "M31 pays beside the server": pays_beside_the_server,
    "M32 decides on stale books": stale_books,
    "M33 every failure is definite": every_failure_is_definite,
    "M34 the server's own refund is forgotten": net_forgets_the_servers_refund,
}


def killed_after(plant: Plant, *, seeds: int) -> int | None:
    """Play seeds until an oracle speaks; how many it took, or None."""
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        for seed in range(1, seeds + 1):
            try:
                if run(seed).violations:
                    return seed
            except Exception:  # noqa: BLE001 - a defect that breaks the program is found as well
                return seed
    return None


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - itself
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chosen = {n: p for n, p in MUTANTS.items() if not options.names or n.split()[0] in options.names}
    took = {}
    for name, plant in chosen.items():
        took[name] = killed_after(plant, seeds=options.seeds)
        sys.stdout.write(f"{name}: {took[name] or 'ALIVE'}\n")
        sys.stdout.flush()
    dead = [n for n in took.values() if n is not None]
    said = {"killed": len(dead), "of": len(took), "median_seeds": statistics.median(dead) if dead else None}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0 if len(dead) == len(took) else 1


if __name__ == "__main__":
    sys.exit(main())
