from collections import Counter
from decimal import Decimal

import pytest

from rekon.connectors.providers.inquiry import build_balance, build_inquiry
from rekon.connectors.providers.reading import read_reply
from rekon.domain.outcome import FailureClass, Outcome, Reading, ReportSource
from tests.connectors.providers.builders import NOW, PROVIDERS, account, definition, proof, sample_leg, samples

NAMES = ("digiflazz", "iak", "otomax")
REPLIES = [sample for name in NAMES for sample in samples(name, "replies.toml", "sample")]
REQUESTS = [sample for name in NAMES for sample in samples(name, "requests.toml", "request")]


def test_every_provider_folder_is_covered():
    assert {path.parent.name for path in PROVIDERS.glob("*/provider.toml")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_brings_at_least_twelve_samples_of_all_three_kinds(name):
    kinds = Counter(sample["input"] for sample in REPLIES if sample["provider"] == name)
    assert kinds.total() >= 12
    assert set(kinds) == {"first_reply", "inquiry", "callback"}


def test_every_sample_says_where_it_comes_from():
    assert {sample["origin"] for sample in REPLIES + REQUESTS} == {"doc", "code", "made"}


def expected_reading(expected: dict) -> Reading:
    facts = dict(expected)
    facts["outcome"] = Outcome(facts["outcome"])
    if "failure_class" in facts:
        facts["failure_class"] = FailureClass(facts["failure_class"])
    for name in ("price", "balance"):
        if name in facts:
            facts[name] = Decimal(facts[name])
    facts["contacts"] = tuple(facts.get("contacts", ()))
    return Reading(**facts)


@pytest.mark.parametrize("sample", REPLIES, ids=lambda sample: f"{sample['provider']}: {sample['name']}")
def test_a_sample_is_read_as_its_author_expects(sample):
    reading = read_reply(
        definition(sample["provider"]),
        leg=sample_leg(sample),
        source=ReportSource(sample["input"]),
        raw=sample["raw"].encode(),
        http_status=sample.get("http_status", 200),
        content_type=sample.get("content_type", ""),
    )
    expected = expected_reading(sample["expected"])
    assert {name: getattr(reading, name) for name in Reading.__slots__ if name != "note"} == {
        name: getattr(expected, name) for name in Reading.__slots__ if name != "note"
    }
    assert bool(reading.note) is (reading.outcome is Outcome.UNKNOWN)


@pytest.mark.parametrize("sample", REQUESTS, ids=lambda sample: f"{sample['provider']}: {sample['name']}")
def test_a_request_leaves_byte_for_byte_as_its_sample(sample):
    provider = definition(sample["provider"])
    payer = account(sample["provider"], credentials=sample["account"])
    if sample["call"] == "balance":
        request = build_balance(provider, account=payer)
    else:
        request = build_inquiry(provider, account=payer, leg=sample_leg(sample), now=NOW, proof=proof())
    assert (request.method, request.path, request.query, request.body.decode()) == (
        sample["method"],
        sample["path"],
        sample.get("query", ""),
        sample.get("body", ""),
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_same_leg_gives_the_same_bytes_every_time(name):
    built = [
        build_inquiry(
            definition(name),
            account=account(name),
            leg=sample_leg({"provider": name, "leg": {"ref_id": "A1", "product": "P1", "destination": "0812345678"}}),
            now=NOW,
            proof=proof(),
        )
        for _ in range(2)
    ]
    assert built[0] == built[1]
