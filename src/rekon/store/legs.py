"""Legs found by what providers call them."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from rekon.domain.transaction import Leg
from rekon.store import rows, schema


def of_ref(connection: Connection, *, provider: str, ref_id: str) -> list[Leg]:
    """Find the legs of a provider's reference. More than one account may use the same."""
    c = schema.legs.c
    query = select(schema.legs).where(c.provider == provider, c.ref_id == ref_id).order_by(c.key)
    return [rows.leg(row) for row in connection.execute(query).mappings()]


def credited_back(connection: Connection, legs: Iterable[Leg]) -> set[tuple[str, str]]:
    """Find the (provider, reference) pairs whose deposit the provider's statement shows credited."""
    refs = {leg.ref_id for leg in legs}
    if not refs:
        return set()
    s = schema.statement_lines.c
    query = select(s.provider, s.ref_id).where(s.ref_id.in_(refs), s.amount > 0)
    return {(provider, ref_id) for provider, ref_id in connection.execute(query)}
