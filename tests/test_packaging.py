"""The service unit starts what exists, keeps what it writes in one place, and gives nothing away."""

import configparser
import re

import pytest

from rekon import daemon
from rekon.cli import failures, serve
from tests import house

UNIT = house.ROOT / "packaging" / "rekon.service"


@pytest.fixture(scope="module")
def service():
    unit = configparser.RawConfigParser(strict=False, comment_prefixes="#")
    unit.optionxform = str
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    return unit["Service"]


def test_the_unit_serves_an_installation_in_its_state_directory(service):
    program, command, option, config = service["ExecStart"].split()
    assert program.endswith("/bin/rekon")
    assert command == serve.serve.__name__
    assert (option, config) == ("--config", f"/var/lib/{service['StateDirectory']}/rekon.toml")


def test_what_the_service_writes_is_its_owners_alone(service):
    assert service["User"] not in {"", "root"}
    assert (service["StateDirectoryMode"], service["UMask"], service["LimitCORE"]) == ("0700", "0077", "0")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("SystemCallArchitectures", "native"),
    ],
)
def test_the_service_may_do_no_more_than_it_needs(service, name, value):
    assert service[name] == value


def test_system_calls_are_a_list_of_what_is_allowed():
    filters = re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert filters[0] == "@system-service"
    assert "@privileged" in filters[1]


def test_a_refusal_waits_for_a_person_and_a_crash_does_not(service):
    waits = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert service["Restart"] == "on-failure"
    assert waits == {failures.WRONG_USE, failures.REFUSED}


def test_the_service_is_given_the_time_its_work_in_flight_may_take(service):
    assert int(service["TimeoutStopSec"].removesuffix("s")) > 2 * daemon.STOP_SECONDS
