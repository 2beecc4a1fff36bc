"""Signatures as data: templates filled, joined, digested, encoded. Nothing here is logged or shown.

MD5 and SHA-1 are what the providers ask for; they keep no secret of ours (the documented exception to ASVS 11.4.1).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence

from rekon.connectors.providers.definition import PLACEHOLDER
from rekon.connectors.providers.parts import Recipe

_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
}
_ENCODINGS: dict[str, Callable[[bytes], str]] = {
    "hex": lambda digest: digest.hex(),
    "base64url": lambda digest: base64.urlsafe_b64encode(digest).decode().rstrip("="),
    "base64_of_hex": lambda digest: base64.b64encode(digest.hex().encode()).decode(),
}


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values into a template: `{name}` as it is, `{name:upper}` in capitals. What is inserted is not read again."""

    def put(found: re.Match[str]) -> str:
        value = values[found.group(1)]
        return value.upper() if found.group(2) else value

    return PLACEHOLDER.sub(put, template)


def sign(recipe: Recipe, values: Mapping[str, str]) -> str:
    """Make the signature of one call."""
    text = recipe.separator.join(fill(part, values) for part in recipe.parts)
    return _ENCODINGS[recipe.encoding](_DIGESTS[recipe.digest](text.encode()))


def is_same(given: str, expected: str) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def is_signed_by_any(raw: bytes, *, given: str, prefix: str, secrets: Sequence[str]) -> bool:
    """Tell whether the header `given` is the HMAC-SHA1 of the raw body under one of the secrets. Tries them all."""
    found = [is_same(given, prefix + hmac.new(secret.encode(), raw, hashlib.sha1).hexdigest()) for secret in secrets]
    return any(found)
