"""Legs found by what providers call them."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from rekon.domain.transaction import Leg
from rekon.store import rows, schema

_L, _S = schema.legs.c, schema.statement_lines.c
_OF_REF = (
    select(schema.legs).where(_L.provider == bindparam("provider"), _L.ref_id == bindparam("ref_id")).order_by(_L.key)
)
_CREDITED = (
    select(_S.provider, _S.ref_id, func.max(_S.recorded_at))
    .where(_S.ref_id.in_(bindparam("refs", expanding=True)), _S.amount > 0)
    .group_by(_S.provider, _S.ref_id)
)


def of_ref(connection: Connection, *, provider: str, ref_id: str) -> list[Leg]:
    """Find the legs of a provider's reference. More than one account may use the same."""
    found = connection.execute(_OF_REF, {"provider": provider, "ref_id": ref_id}).mappings()
    return [rows.leg(row) for row in found]


def credited_back(connection: Connection, legs: Iterable[Leg]) -> dict[tuple[str, str], datetime]:
    """Say for which (provider, reference) the provider's statement shows a credit, and since when we know it (UTC)."""
    refs = {leg.ref_id for leg in legs}
    if not refs:
        return {}
    found = connection.execute(_CREDITED, {"refs": sorted(refs)})
    return {(provider, ref_id): recorded_at for provider, ref_id, recorded_at in found}
