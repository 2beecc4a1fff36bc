"""Whom a provider's calls may reach: the allow-list of names, and which addresses may stand behind a name."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from rekon.connectors.providers.parts import Host

_IPv4 = ipaddress.IPv4Address
_IPv6 = ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def find_host(name: str | None, hosts: Sequence[Host]) -> Host | None:
    """Find a host on the allow-list by name."""
    return next((host for host in hosts if host.name == name), None)


def host_name(url: str) -> str | None:
    """Return the host an address names, None where it names none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def url_fault(url: str, hosts: Sequence[Host]) -> str:
    """Say what is wrong with an address (reliability 10.3), empty when nothing is. Never repeats the address."""
    try:
        parts = urlsplit(url)
        name, _ = parts.hostname, parts.port
    except ValueError:
        return "not an address"
    host = find_host(name, hosts)
    if host is None:
        return "the host is not on the provider's list"
    if parts.scheme not in {"https", "http"}:
        return "only https and, where allowed, http"
    if parts.scheme == "http" and not host.allow_http:
        return "plain http is not allowed for this host"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "neither a user name nor a fragment may stand in it"
    if not host.allow_private and _is_literal(host.name) and not is_public(host.name):
        return "a private address is not allowed"
    return ""


def is_public(address: str) -> bool:
    """Tell whether an IP address is a public one, whichever way it is dressed; anything else is not."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(inner.is_global and not inner.is_multicast for inner in _unwrapped(found))


def _unwrapped(address: _IPv4 | _IPv6) -> list[_IPv4 | _IPv6]:
    """List an address and every IPv4 address hidden inside it (mapped, 6to4, Teredo, NAT64)."""
    if isinstance(address, _IPv4):
        return [address]
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(_IPv4(int(address) & 0xFFFFFFFF))
    hidden: list[_IPv4 | _IPv6] = [found for found in inner if found is not None]
    return hidden or [address]


def _is_literal(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
