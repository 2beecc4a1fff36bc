"""Compare what a scenario expects with what came of it: both lists have to be the same, row for row."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from rekon.simulation import scenario as form

_LISTS: Final = ("breaks", "refunds", "vouchers", "complaints", "messages")
_LIMITS: Final = frozenset({"ref", "count", "after", "before"})

Row = Mapping[str, Any]


def differences(expect: form.Expect, result: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what is missing and what is there without being expected; nothing when all is as it should be."""
    found: list[str] = []
    for name in _LISTS:
        found += _compare(name, getattr(expect, name), result[name])
    found += [text for wanted in expect.inquiries for text in _asked(wanted, result["inquiries"])]
    return tuple(found)


def _compare(name: str, expected: Sequence[form.ExpectedRow], there: Sequence[Row]) -> Iterable[str]:
    left = list(there)
    for wanted in expected:
        places = [place for place, row in enumerate(left) if _is(row, wanted)][: wanted.count]
        left = [row for place, row in enumerate(left) if place not in places]
        if len(places) < wanted.count:
            yield f"{name}: expected {wanted.count} x {_wish(wanted)}, found {len(places)}"
    for row in left:
        yield f"{name}: not expected: {_told(row)}"


def _is(row: Row, wanted: form.ExpectedRow) -> bool:
    said = wanted.model_dump(exclude=set(_LIMITS), exclude_none=True)
    after = row["after_seconds"]
    return (
        fnmatchcase(row["ref"], wanted.ref)
        and all(row[name] == value for name, value in said.items())
        and (wanted.after is None or after >= wanted.after.total_seconds())
        and (wanted.before is None or after <= wanted.before.total_seconds())
    )


def _wish(wanted: form.ExpectedRow) -> str:
    said = wanted.model_dump(exclude={"count"}, exclude_none=True)
    return " ".join(f"{name}={value}" for name, value in said.items())


def _told(row: Row) -> str:
    left_out = {"transaction", "at"}
    return " ".join(f"{name}={value}" for name, value in row.items() if name not in left_out)


def _asked(wanted: form.ExpectedInquiries, counts: Mapping[str, int]) -> Iterable[str]:
    for ref, count in counts.items():
        if fnmatchcase(ref, wanted.ref):
            if count < wanted.least:
                yield f"inquiries: {ref} was asked about {count} times, at least {wanted.least} expected"
            if wanted.most is not None and count > wanted.most:
                yield f"inquiries: {ref} was asked about {count} times, at most {wanted.most} expected"
