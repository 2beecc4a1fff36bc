"""Keep what was decided, by which rule, from what. Append-only, complete enough to decide again (I21)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, tuple_

from rekon.domain.decision import RULE_VERSION, Decision, evidence_digest
from rekon.domain.policy import Policy, ProviderRules
from rekon.domain.snapshot import freeze
from rekon.store import audit, schema
from rekon.store.dossier import Dossier
from rekon.store.inserts import upsert


def remember_configuration(
    connection: Connection, policy: Policy, providers: Mapping[str, ProviderRules], *, now: datetime
) -> str:
    """Keep the rules' numbers once and return their hash."""
    body = {"policy": freeze(policy), "providers": freeze(dict(sorted(providers.items())))}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    statement = upsert(connection, schema.configurations).values(hash=digest, body=body, recorded_at=now)
    new = statement.on_conflict_do_nothing(index_elements=["hash"]).returning(schema.configurations.c.hash)
    if connection.execute(new).first() is not None:
        audit.record(connection, who="rekon", what="rules.changed", about=digest, detail={}, now=now)
    return digest


def append(
    connection: Connection, dossier: Dossier, decisions: Sequence[Decision], *, config_hash: str, now: datetime
) -> None:
    """Append decisions together with the inputs they were made from."""
    inputs = {
        "transaction": freeze(dossier.transaction),
        "legs": freeze(dossier.legs),
        "wallet_lines": freeze(dossier.wallet_lines),
        "reports": freeze(dossier.reports),
        "history": freeze(dossier.history),
    }
    rows = [_row(dossier.transaction.key, d, inputs=inputs, config_hash=config_hash, now=now) for d in decisions]
    connection.execute(insert(schema.decisions), rows)


def _row(key: str, decision: Decision, *, inputs: Mapping[str, Any], config_hash: str, now: datetime) -> dict[str, Any]:
    return {
        "transaction_key": key,
        "at": now,
        "action": decision.action,
        "break_kind": decision.break_kind or "",
        "rule": decision.rule,
        "rule_version": RULE_VERSION,
        "config_hash": config_hash,
        "amount": decision.amount,
        "evidence": list(decision.evidence),
        "digest": evidence_digest(decision, transaction=key),
        "body": {"note": decision.note, "template": decision.template, "needs_approval": decision.needs_approval},
        "inputs": inputs,
    }


def of(connection: Connection, transaction_key: str) -> Sequence[Mapping[Any, Any]]:
    """Read everything decided about a purchase, oldest first."""
    d = schema.decisions.c
    query = select(schema.decisions).where(d.transaction_key == transaction_key).order_by(d.id)
    return connection.execute(query).mappings().all()


def configuration(connection: Connection, digest: str) -> Mapping[str, Any]:
    """Read the numbers a decision was made under."""
    c = schema.configurations.c
    found: Mapping[str, Any] = connection.execute(select(c.body).where(c.hash == digest)).scalar_one()
    return found


def page(
    connection: Connection, *, since: datetime, until: datetime, after: tuple[str, int], limit: int
) -> Sequence[Mapping[Any, Any]]:
    """Read decisions taken from `since` until before `until`, purchase by purchase, oldest first within each.

    `after` is the transaction key and the id of the last one read; `("", 0)` begins.
    """
    d = schema.decisions.c
    query = (
        select(schema.decisions)
        .where(tuple_(d.transaction_key, d.id) > after, d.at >= since, d.at < until)
        .order_by(d.transaction_key, d.id)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()
