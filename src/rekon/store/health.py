"""What is known of each provider account: clock skew, balance, check errors, waiting times it asked for."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from rekon.store import schema
from rekon.store.inserts import upsert

Row = Mapping[Any, Any]

_ALL = select(schema.provider_health)


def note(connection: Connection, *, provider: str, account: str, **values: object) -> None:
    """Write what was seen of a provider account: columns of `provider_health`."""
    first = {"provider": provider, "account": account, "check_errors": 0, "unreadable": 0, "quarantined_because": ""}
    statement = upsert(connection, schema.provider_health).values(first | values)
    key = ["provider", "account"]
    if values:
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values))
    else:
        connection.execute(statement.on_conflict_do_nothing(index_elements=key))


def all_of(connection: Connection) -> dict[tuple[str, str], Row]:
    """Read every provider account."""
    rows = connection.execute(_ALL).mappings()
    return {(row["provider"], row["account"]): row for row in rows}


def fact(connection: Connection, name: str) -> str | None:
    """Read a single fact such as the epoch or the high-water mark."""
    f = schema.facts_of_life.c
    return connection.execute(select(f.value).where(f.name == name)).scalar_one_or_none()


def set_fact(connection: Connection, name: str, value: str) -> None:
    """Write a single fact."""
    statement = upsert(connection, schema.facts_of_life).values(name=name, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
