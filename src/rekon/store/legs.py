"""Legs found by what providers call them."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, func, select

from rekon.domain.transaction import Leg
from rekon.store import rows, schema


def of_ref(connection: Connection, *, provider: str, ref_id: str) -> list[Leg]:
    """Find the legs of a provider's reference. More than one account may use the same."""
    c = schema.legs.c
    query = select(schema.legs).where(c.provider == provider, c.ref_id == ref_id).order_by(c.key)
    return [rows.leg(row) for row in connection.execute(query).mappings()]


def credited_back(connection: Connection, legs: Iterable[Leg]) -> dict[tuple[str, str], datetime]:
    """Say for which (provider, reference) the provider's statement shows a credit, and since when we know it (UTC)."""
    refs = {leg.ref_id for leg in legs}
    if not refs:
        return {}
    s = schema.statement_lines.c
    query = select(s.provider, s.ref_id, func.max(s.recorded_at)).where(s.ref_id.in_(refs), s.amount > 0)
    rows = connection.execute(query.group_by(s.provider, s.ref_id))
    return {(provider, ref_id): recorded_at for provider, ref_id, recorded_at in rows}
