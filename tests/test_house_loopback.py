"""No test reaches beyond this machine, whichever library it asks."""

import socket
import threading

import httpx
import pytest

from tests.loopback import OutsideLoopbackError, is_local

DOCUMENTATION_ADDRESS = "192.0.2.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "::1%lo", "localhost", None, b"127.0.0.1"])
def test_this_machine_is_local(host):
    assert is_local(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "192.0.2.1", "example.org", "127.0.0.1.example.org"])
def test_everything_else_is_not(host):
    assert not is_local(host)


@pytest.mark.parametrize("way", ["connect", "connect_ex", "bind"])
def test_a_socket_refuses_an_outside_address(way):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock,
        pytest.raises(OutsideLoopbackError, match=r"192\.0\.2\.1"),
    ):
        getattr(sock, way)((DOCUMENTATION_ADDRESS, 9))


@pytest.mark.parametrize("host", ["", "0.0.0.0"])
def test_a_server_of_a_test_listens_on_loopback_only(host):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock, pytest.raises(OutsideLoopbackError):
        sock.bind((host, 0))


def test_a_datagram_cannot_leave():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(OutsideLoopbackError):
        sock.sendto(b"x", (DOCUMENTATION_ADDRESS, 9))


def test_no_name_is_looked_up_outside():
    with pytest.raises(OutsideLoopbackError, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)


async def test_the_http_client_is_held_back_too():
    async with httpx.AsyncClient() as client:
        with pytest.raises(OutsideLoopbackError):
            await client.get("http://example.org/")


def test_loopback_itself_works():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            connection, _ = server.accept()
            connection.close()

        answering = threading.Thread(target=hang_up)
        answering.start()
        with socket.create_connection(server.getsockname(), timeout=10) as client:
            assert client.recv(1) == b""
        answering.join(timeout=10)


def test_a_unix_socket_works(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen(1)
        client.connect(path)
        assert client.getpeername() == path
