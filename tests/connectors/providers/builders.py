"""Legs, accounts and proofs with sensible defaults for the provider tests."""

import functools
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rekon.connectors.providers.account import ProviderAccount
from rekon.connectors.providers.definition import Definition, load_definitions
from rekon.connectors.providers.inquiry import CheckProof
from rekon.domain.outcome import Outcome, Reading
from rekon.domain.transaction import Leg, SendState

PROVIDERS = Path(__file__).parents[3] / "providers"
NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
SECRET = "rahasia-demo-callback-0123456789"
CREDENTIALS = {
    "digiflazz": {"username": "rekonuser", "api_key": "dev-key-123"},
    "iak": {"username": "081234567890", "api_key": "dev-key-123"},
    "otomax": {"member_id": "RK0001", "pin": "1234", "password": "rahasia"},
}
ADDRESSES = {
    "digiflazz": "https://api.digiflazz.com",
    "iak": "https://prepaid.iak.id",
    "otomax": "https://pusat.example",
}


@functools.cache
def definitions() -> dict[str, Definition]:
    return load_definitions([PROVIDERS])


def definition(name: str = "digiflazz") -> Definition:
    return definitions()[name]


def leg(**facts: Any) -> Leg:
    given: dict[str, Any] = {
        "key": "toko:T1#1",
        "transaction_key": "toko:T1",
        "leg_no": 1,
        "provider": "digiflazz",
        "provider_account": "utama",
        "ref_id": "REF0001",
        "provider_product": "xld10",
        "destination_sent": "087800001230",
        "sent_at": NOW - timedelta(minutes=10),
        "send_state": SendState.SENT,
    }
    return Leg(**(given | facts))


def account(provider: str = "digiflazz", **facts: Any) -> ProviderAccount:
    given: dict[str, Any] = {
        "provider": provider,
        "name": "utama",
        "credentials": CREDENTIALS[provider],
        "base_url": ADDRESSES[provider],
        "callback_secrets": (SECRET,),
    }
    return ProviderAccount(**(given | facts))


def formed_reply(**facts: Any) -> Reading:
    given: dict[str, Any] = {"outcome": Outcome.PENDING, "raw_code": "03"}
    return Reading(**(given | facts))


def proof(**facts: Any) -> CheckProof:
    given: dict[str, Any] = {
        "first_reply": formed_reply(),
        "signed_callback": False,
        "check_codes": (),
        "account_matches": True,
        "generation_matches": True,
        "testing_matches": True,
        "restored_epoch": False,
        "skew_seconds": 0.4,
        "skew_read_at": NOW - timedelta(minutes=1),
        "high_water_mark": NOW,
        "last_sent_at": NOW - timedelta(minutes=10),
        "last_checked_at": None,
    }
    return CheckProof(**(given | facts))


def samples(provider: str, file: str, table: str) -> list[dict[str, Any]]:
    """Read the samples of a provider; each one carries the leg facts it is about."""
    data = tomllib.loads((PROVIDERS / provider / "samples" / file).read_text(encoding="utf-8"))
    return [
        {
            **item,
            "provider": provider,
            "leg": {**data["leg"], **item.get("leg", {})},
            "account": data.get("account", {}),
        }
        for item in data[table]
    ]


def sample_leg(sample: dict[str, Any]) -> Leg:
    facts = dict(sample["leg"])
    return leg(
        provider=sample["provider"],
        provider_product=facts.pop("product"),
        destination_sent=facts.pop("destination"),
        **facts,
    )
