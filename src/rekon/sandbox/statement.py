"""A provider's statement of the operator's deposit as a CSV file, with its opening and its closing."""

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Final

from rekon.sandbox.deposit import Deposit
from rekon.sandbox.feed import statement_row

COLUMNS: Final = ("line_id", "posted_at", "ref_id", "amount", "kind", "balance_after")


def render(deposit: Deposit, *, opened_at: datetime, at: datetime) -> str:
    """Word the statement so far: an `opening` line, every line, a `closing` line; amounts are signed whole rupiah."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerow(_edge(deposit, "opening", at=opened_at, balance=deposit.opening))
    writer.writerows(statement_row(line) for line in deposit.lines)
    writer.writerow(_edge(deposit, "closing", at=at, balance=deposit.balance))
    return text.getvalue()


def write(folder: Path, deposit: Deposit, *, opened_at: datetime, at: datetime) -> Path:
    """Write the statement to `statement-<provider>.csv` in `folder`."""
    path = folder / f"statement-{deposit.provider}.csv"
    path.write_text(render(deposit, opened_at=opened_at, at=at))
    return path


def _edge(deposit: Deposit, kind: str, *, at: datetime, balance: int) -> dict[str, object]:
    return {
        "line_id": f"{deposit.provider}-{kind}",
        "posted_at": at.isoformat(),
        "ref_id": "",
        "amount": 0,
        "kind": kind,
        "balance_after": balance,
    }
