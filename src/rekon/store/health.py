"""What is known of each provider account: clock skew, balance, check errors, waiting times it asked for."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from rekon.store import schema
from rekon.store.inserts import upsert

Row = Mapping[Any, Any]


def note(connection: Connection, *, provider: str, account: str, **values: object) -> None:
    """Write what was seen of a provider account: columns of `provider_health`."""
    statement = upsert(connection, schema.provider_health).values(
        provider=provider, account=account, check_errors=0, unreadable=0, quarantined_because=""
    )
    connection.execute(statement.on_conflict_do_nothing(index_elements=["provider", "account"]))
    if values:
        h = schema.provider_health.c
        change = update(schema.provider_health).where(h.provider == provider, h.account == account)
        connection.execute(change.values(**values))


def all_of(connection: Connection) -> dict[tuple[str, str], Row]:
    """Read every provider account."""
    rows = connection.execute(select(schema.provider_health)).mappings()
    return {(row["provider"], row["account"]): row for row in rows}


def fact(connection: Connection, name: str) -> str | None:
    """Read a single fact such as the epoch or the high-water mark."""
    f = schema.facts_of_life.c
    return connection.execute(select(f.value).where(f.name == name)).scalar_one_or_none()


def set_fact(connection: Connection, name: str, value: str) -> None:
    """Write a single fact."""
    statement = upsert(connection, schema.facts_of_life).values(name=name, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
