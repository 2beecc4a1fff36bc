import pytest

from rekon.connectors.providers.account import allowed_hosts, check_account
from rekon.connectors.providers.hosts import is_public, url_fault
from rekon.connectors.providers.parts import Host
from tests.connectors.providers.builders import account, definition

HOSTS = (Host(name="api.digiflazz.com"), Host(name="lan.example", allow_http=True, allow_private=True))
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "localhost",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_inside_is_not_public_however_it_is_dressed(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["52.74.250.133", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_an_address_outside_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", [a for a in PRIVATE if a not in {"", "fe80::1%eth0"}])
def test_an_inside_address_is_refused_unless_it_is_allowed(address):
    url = f"https://[{address}]/" if ":" in address else f"https://{address}/"
    assert url_fault(url, HOSTS)
    strict = (Host(name=address.lower()),)
    if is_literal(address):
        assert url_fault(url, strict) == "a private address is not allowed"
        assert not url_fault(url, (Host(name=address.lower(), allow_private=True),))


def is_literal(address):
    return address.count(".") == 3 or ":" in address if not address.startswith("0177") else False


@pytest.mark.parametrize(
    "url",
    [
        "https://api.digiflazz.com.evil.example/",
        "https://evil.example/api.digiflazz.com",
        "https://api.digiflazz.com@evil.example/",
        "https://evil.example#api.digiflazz.com",
        "https://api.digiflazz.com:pw@api.digiflazz.com/",
        "http://api.digiflazz.com/",
        "ftp://api.digiflazz.com/",
        "file:///etc/passwd",
        "gopher://api.digiflazz.com/",
        "//api.digiflazz.com/",
        "api.digiflazz.com",
        "https://",
        "https://api.digiflazz.com:99999/",
        "https://[::1",
        "https://api.digiflazz.com./",
        "",
    ],
)
def test_an_address_outside_the_list_is_refused(url):
    assert url_fault(url, HOSTS)


@pytest.mark.parametrize(
    "url", ["https://api.digiflazz.com/v1", "https://API.Digiflazz.com:443/", "http://lan.example:6969/trx"]
)
def test_an_address_on_the_list_is_allowed(url):
    assert not url_fault(url, HOSTS)


def test_the_fault_never_repeats_the_address():
    assert "rahasia" not in url_fault("https://evil.example/?pin=rahasia", HOSTS)


def test_an_account_may_add_its_own_server():
    given = account(base_url="http://127.0.0.1:8900/digiflazz", allow_http=True, allow_private=True)
    check_account(definition(), given)
    assert allowed_hosts(definition(), given)[-1] == Host(name="127.0.0.1", allow_http=True, allow_private=True)


def test_an_account_cannot_weaken_a_host_of_the_provider():
    given = account(base_url="https://api.digiflazz.com", allow_http=True, allow_private=True)
    assert allowed_hosts(definition(), given) == definition().hosts
