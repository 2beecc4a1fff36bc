"""Callbacks: tell the provider's own from anybody else's, then read them (reliability 10.2).

The signature is judged on the raw body before anything is parsed. Only a callback whose body is signed is a reading;
the others make the next check due, and cannot change anything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rekon.connectors.providers.account import ProviderAccount
from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.dialects import json, strict_json, text
from rekon.connectors.providers.dialects.said import UnreadableError, unknown
from rekon.connectors.providers.reading import read_reply
from rekon.connectors.providers.signing import is_same, is_signed_by_any, sign
from rekon.domain.callback import Verdict
from rekon.domain.outcome import Reading, ReportSource
from rekon.domain.transaction import Leg

SECRET_BYTES_MIN = 24
SECRETS_MAX = 2
BODY_BYTES_MAX = 64 * 1024
NOT_TIED = "laporan belum dicocokkan dengan transaksi"
_NAME_CHARACTERS_MAX = 128


class CallbackSecretError(ValueError):
    """An account cannot take callbacks safely. Set `callback_secrets`, or `accepts_callbacks` to false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackWord:
    """What a callback says: whose it is by its own word, and what it means for the leg it was tied to."""

    ref_id: str
    """Empty when it names none."""
    destination: str
    reading: Reading


class ProviderDoor:
    """The callback door of all configured providers (`rekon.domain.callback.CallbackDoor`)."""

    def __init__(self, definitions: Mapping[str, Definition], accounts: Sequence[ProviderAccount]) -> None:
        """Check every account's secrets.

        Raises:
            CallbackSecretError: where a provider can sign and an account has no secret, or one that is too short.
        """
        self._definitions = dict(definitions)
        self._accounts = tuple(account for account in accounts if account.accepts_callbacks)
        for account in self._accounts:
            _check_secrets(self._definitions[account.provider], account)

    def verify(self, provider: str, headers: Mapping[str, str], raw: bytes) -> Verdict:
        """Judge one callback. Header names are lower-case; for GET, `raw` is the query string. Never raises."""
        definition = self._definitions.get(provider)
        accounts = [account for account in self._accounts if account.provider == provider]
        if definition is None or not accounts or not raw or len(raw) > BODY_BYTES_MAX:
            return Verdict.REFUSED
        try:
            return _judge(definition, accounts=accounts, headers=headers, raw=raw)
        except UnreadableError:
            return Verdict.REFUSED


def read_callback(
    definition: Definition, raw: bytes, *, content_type: str = "", leg: Leg | None = None
) -> CallbackWord:
    """Read a stored callback. Without a leg the reading is UNKNOWN: find the leg by `ref_id`, then read again with it.

    Never raises. `leg` must be one of this provider's; a callback about another purchase has `about_this_leg` false.
    """
    ref_id, destination = _names(definition, raw)
    if leg is None:
        reading = unknown(NOT_TIED, about_this_leg=False)
    else:
        reading = read_reply(definition, leg=leg, source=ReportSource.CALLBACK, raw=raw, content_type=content_type)
    return CallbackWord(ref_id=ref_id, destination=destination, reading=reading)


def _check_secrets(definition: Definition, account: ProviderAccount) -> None:
    if definition.callback.verification != "hmac_sha1":
        return
    whose = f"account {account.name!r} of {definition.name!r}"
    if not 1 <= len(account.callback_secrets) <= SECRETS_MAX:
        text = f"{whose}: the provider signs its callbacks, give one callback secret, or two while changing it"
        raise CallbackSecretError(text)
    if any(len(secret.encode()) < SECRET_BYTES_MIN for secret in account.callback_secrets):
        text = f"{whose}: a callback secret has at least {SECRET_BYTES_MIN} bytes"
        raise CallbackSecretError(text)


def _judge(
    definition: Definition, *, accounts: Sequence[ProviderAccount], headers: Mapping[str, str], raw: bytes
) -> Verdict:
    rules = definition.callback
    if rules.verification == "hmac_sha1":
        secrets = [secret for account in accounts for secret in account.callback_secrets]
        given = headers.get(rules.header, "")
        if not is_signed_by_any(raw, given=given, prefix=rules.prefix, secrets=secrets):
            return Verdict.REFUSED
        return Verdict.PING if _is_ping(definition, raw) else Verdict.SIGNED
    if rules.verification == "body_sign":
        return Verdict.HINT if _holds_signature(definition, accounts=accounts, raw=raw) else Verdict.REFUSED
    return Verdict.HINT if any(_names(definition, raw)) else Verdict.REFUSED


def _is_ping(definition: Definition, raw: bytes) -> bool:
    try:
        body = strict_json.loads(raw)
    except UnreadableError:
        return False
    keys = set(body) if isinstance(body, dict) else set()
    return bool(definition.callback.ping) and keys >= set(definition.callback.ping)


def _holds_signature(definition: Definition, *, accounts: Sequence[ProviderAccount], raw: bytes) -> bool:
    """Compare the signature in the body with that of every account; it covers the reference alone."""
    rules = definition.callback
    body = json.open_body(definition, raw, texts=True)
    given, ref_id = body.find_text(rules.sign_field) or "", _names(definition, raw)[0]
    recipe = definition.signing[rules.sign]
    same = [is_same(given, sign(recipe, {**account.credentials, "ref_id": ref_id})) for account in accounts]
    return bool(ref_id) and any(same)


def _names(definition: Definition, raw: bytes) -> tuple[str, str]:
    """Read the reference and destination a callback names, empty where it does not."""
    try:
        ref_id, destination = _query_names(definition, raw) if definition.text else _json_names(definition, raw)
    except UnreadableError:
        return "", ""
    return _name(ref_id), _name(destination)


def _json_names(definition: Definition, raw: bytes) -> tuple[str, str]:
    body = json.open_body(definition, raw)
    references = (body.find_text(name) for name in definition.reply.reference)
    numbers = (body.find_text(name) for name in definition.reply.number)
    return next(filter(None, references), ""), next(filter(None, numbers), "")


def _query_names(definition: Definition, raw: bytes) -> tuple[str, str]:
    fields = text.parse_query(raw)
    message = fields.get(definition.callback.message, "")
    rules = definition.text
    numbers = text.find_identity(rules, message[: rules.characters_max], leg=None)[0] if rules else ()
    return fields.get(definition.callback.reference, ""), next(iter(numbers), "")


def _name(value: str) -> str:
    return value if value.isprintable() and len(value) <= _NAME_CHARACTERS_MAX else ""
