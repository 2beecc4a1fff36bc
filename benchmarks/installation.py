"""Installations of rekon to measure: made by the migrations in a folder of their own, gone afterwards."""

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.fast_server import DESTINATION, PRODUCT

from rekon import bootstrap, logs, resources
from rekon.settings import load
from rekon.store import intake
from rekon.store.engine import Store

SOURCE = "toko"
PROVIDER = "iak"
ACCOUNT = "utama"
PRICE = 50_600
BATCH = 5_000
AGENTS = 500
_LIMITS = re.compile(r"^\[limits\]\nper_second = \d+\nconcurrency = \d+$", re.MULTILINE)
_CONFIG = """\
[server]
port = {port}
secret = "benchmark-secret-0123456789abcdef"
callback_token = "benchmark-token-0123456789abcdef"

[store]
url = "{url}"

[modes]
default = "automatic"

[limits]
auto_max_own_books = 1000000000
auto_max_provider_proof = 1000000000
breaker_count = 1000000000
breaker_amount = 1000000000000
agent_day_count = 1000000000

[gateway.book]
kind = "book"

[sources.toko]
refund_owner = "rekon"
lag_seconds = 0
gateway = "book"

[providers.iak]
account = "utama"
base_url = "{base_url}"
allow_http = true
allow_private = true
credentials = {{ username = "081234567890", api_key = "dev-key-123" }}
"""


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="rekon-bench-") as name:
        yield Path(name)


def make(
    place: Path, *, base_url: str = "http://127.0.0.1:9", concurrency: int = 16, port: int = 8750, url: str = ""
) -> Path:
    """Make an installation in an empty folder and return its configuration.

    The provider's own limits are raised by a definition in the state directory, the way an operator would do it.
    """
    config = place / bootstrap.CONFIG_FILE
    config.write_text(_CONFIG.format(port=port, base_url=base_url, url=url), encoding="utf-8")
    shipped = resources.data_path("providers") / PROVIDER / "provider.toml"
    raised = f"[limits]\nper_second = 1000000\nconcurrency = {concurrency}"
    text, found = _LIMITS.subn(raised, shipped.read_text(encoding="utf-8"))
    assert found == 1, "the shipped definition has its limits in one table of two lines"
    own = place / "providers" / PROVIDER
    own.mkdir(parents=True)
    (own / "provider.toml").write_text(text, encoding="utf-8")
    bootstrap.upgrade_store(load(config), place)
    return config


@contextmanager
def quiet() -> Iterator[None]:
    """Log as the daemon does, into nothing."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
        logs.configure()
        yield


def now() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


def order(number: int, *, at: datetime, prefix: str = "T", **more: object) -> dict[str, object]:
    """Write one order that was sent to the fast server's provider at once. One whose prefix is F failed there."""
    return {
        "transaction_id": f"{prefix}{number:08d}",
        "agent_id": _agent(number),
        "charged_account": "agent_wallet",
        "ordered_at": at.isoformat(),
        "status_at": at.isoformat(),
        "sent_at": at.isoformat(),
        "product": "Telkomsel 50.000",
        "family": "pulsa",
        "destination": DESTINATION,
        "price": PRICE,
        "face_value": 50_000,
        "order_status": "pending",
        "provider": PROVIDER,
        "provider_account": ACCOUNT,
        "provider_product": PRODUCT,
        "ref_id": f"{prefix}{number:08d}",
    } | more


def debit(number: int, *, at: datetime, prefix: str = "T") -> dict[str, object]:
    """Write the wallet line an order took its price by."""
    return {
        "line_id": f"D{number:08d}",
        "agent_id": _agent(number),
        "posted_at": at.isoformat(),
        "amount": -PRICE,
        "kind": "debit",
        "transaction_id": f"{prefix}{number:08d}",
    }


def _agent(number: int) -> str:
    return f"A{number % AGENTS:04d}"


def take(store: Store, rows: Sequence[dict[str, object]], *, book: str = "orders") -> None:
    """Take rows in as the API does, all books complete up to now."""
    for start in range(0, len(rows), BATCH):
        batch = intake.Batch(
            book=book, source=SOURCE, rows=rows[start : start + BATCH], origin="benchmark", as_of=now()
        )
        taken = store.write(intake.take, batch, now=now())
        assert not taken.refused, taken.refused[:3]


def minutes_ago(minutes: float) -> datetime:
    """Name an instant before now."""
    return now() - timedelta(minutes=minutes)
