"""Keeps tests on this machine: an address or a name outside loopback raises before anything leaves."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost", ""})
_INTERNET = (socket.AF_INET, socket.AF_INET6)


class OutsideLoopbackError(RuntimeError):
    """A test tried to reach beyond this machine. Serve the peer on 127.0.0.1, or inject it."""


def is_local(host: object) -> bool:
    """Tell whether a host is this machine, without asking anybody; `0.0.0.0` is the whole network, not us."""
    if host is None:
        return True
    name = host.decode("idna") if isinstance(host, bytes) else str(host)
    if name in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


@contextmanager
def only_loopback() -> Iterator[None]:
    """Refuse connecting, binding, sending and looking names up outside loopback."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "bind"):
            patch.setattr(socket.socket, name, _guard_address(getattr(socket.socket, name)))
        patch.setattr(socket.socket, "sendto", _guard_sendto(socket.socket.sendto))
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
            patch.setattr(socket, name, _guard_name(getattr(socket, name)))
        yield


def _refuse_outside(host: object) -> None:
    if not is_local(host):
        text = f"{host!r} is outside loopback"
        raise OutsideLoopbackError(text)


def _check(sock: socket.socket, address: Any) -> None:
    if sock.family in _INTERNET:
        if address[0] == "":
            text = "an empty address means every network of this machine"
            raise OutsideLoopbackError(text)
        _refuse_outside(address[0])


def _guard_address(original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(sock: socket.socket, address: Any) -> Any:
        _check(sock, address)
        return original(sock, address)

    return guarded


def _guard_sendto(original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(sock: socket.socket, data: Any, *rest: Any) -> Any:
        _check(sock, rest[-1])
        return original(sock, data, *rest)

    return guarded


def _guard_name(original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_outside(host)
        return original(host, *args, **kwargs)

    return guarded
