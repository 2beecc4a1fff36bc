"""One account of the operator at a provider, as configured. Secrets stay out of every repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.hosts import find_host, host_name, url_fault
from rekon.connectors.providers.parts import Host


class AccountError(ValueError):
    """An account's configuration cannot be used. The text says which key and why, never a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAccount:
    """An account at a provider. `name` is what legs carry as `provider_account`."""

    provider: str
    name: str
    credentials: Mapping[str, str] = field(repr=False)
    base_url: str = ""
    """The server's own address; empty takes the definition's."""
    allow_http: bool = False
    """Plain http to `base_url`, for a local server or the sandbox."""
    allow_private: bool = False
    """Loopback and private addresses for `base_url`."""
    callback_secrets: tuple[str, ...] = field(default=(), repr=False)
    """One, or two while the secret is being changed."""
    accepts_callbacks: bool = True
    """False where the provider's callbacks are not pointed at rekon: the door refuses all of them."""
    generation: str = ""
    """Which credentials these are; a purchase made with others is not checked by a re-send."""
    testing: bool = False

    def url(self, definition: Definition) -> str:
        """Return where the account's calls go, without a trailing slash."""
        return (self.base_url or definition.base_url).rstrip("/")


def check_account(definition: Definition, account: ProviderAccount) -> None:
    """Refuse an account that cannot work with its provider's definition.

    Addresses behind a name are checked once more on connecting (reliability 10.3).

    Raises:
        AccountError: for another provider, a missing credential, an address that may not be called.
    """
    if account.provider != definition.name:
        text = f"account {account.name!r} belongs to {account.provider!r}, not to {definition.name!r}"
        raise AccountError(text)
    missing = [name for name in definition.credentials if not account.credentials.get(name)]
    if missing:
        text = f"account {account.name!r} of {definition.name!r} lacks the credential {missing[0]!r}"
        raise AccountError(text)
    fault = url_fault(account.url(definition), allowed_hosts(definition, account))
    if fault:
        text = f"account {account.name!r} of {definition.name!r}, base_url: {fault}"
        raise AccountError(text)


def allowed_hosts(definition: Definition, account: ProviderAccount) -> tuple[Host, ...]:
    """Return whom calls of this account may reach. The definition's own word about a host wins (no downgrade)."""
    name = host_name(account.base_url)
    if name is None or find_host(name, definition.hosts) is not None:
        return definition.hosts
    own = Host(name=name, allow_http=account.allow_http, allow_private=account.allow_private)
    return (*definition.hosts, own)
