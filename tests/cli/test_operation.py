import json
import signal
import socket
import stat
import subprocess
import sys
from datetime import timedelta

import httpx
import pytest

from rekon.store import health, schema, staff
from tests import builders
from tests.cli.installation import NOW, program
from tests.cli.test_failures import drop_guard
from tests.store import filling


def test_a_beat_runs_what_is_due_and_says_when_the_next_thing_is(rekon):
    filling.order(rekon.store, order_status=builders.OrderStatus.PENDING)
    assert rekon.beat()["next_due"] > NOW.isoformat()


def test_a_beat_with_nothing_to_do_says_so(rekon):
    assert rekon.beat() == {"next_due": None}


def test_run_without_once_points_to_serve(rekon):
    assert rekon.refused("run", code=2) == "usage"


def test_the_log_of_a_beat_goes_to_stderr_as_one_object_a_line(rekon):
    transaction = filling.order(rekon.store)
    filling.wallet(rekon.store, builders.build_wallet_line(), builders.build_wallet_line(line_id="dua"))
    rekon.store.close()
    done = program("run", "--once", "--json", REKON_CONFIG=str(rekon.config))
    assert set(json.loads(done.stdout)) == {"next_due"}
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert transaction.key in {event.get("transaction") for event in events}
    assert builders.NUMBER not in done.stderr


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def served(rekon):
    """Start `rekon serve` as a program of its own and wait until it answers."""
    port = free_port()
    text = rekon.config.read_text().replace("port = 8750", f"port = {port}").partition("[clock]")[0]
    rekon.config.write_text(text)
    rekon.store.close()
    words = [sys.executable, "-m", "rekon", "serve", "--json", "--config", str(rekon.config)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        while "daemon.started" not in (line := running.stderr.readline()):
            assert line
        yield running, f"http://127.0.0.1:{port}", rekon
        running.kill()


def test_the_daemon_serves_until_it_is_told_to_stop(served):
    running, url, _ = served
    for _ in range(200):
        try:
            assert httpx.get(f"{url}/healthz", trust_env=False).json() == {"status": "ok"}
        except httpx.TransportError:
            continue
        break
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 0
    assert json.loads(out) == {"stopped": True}


@pytest.mark.parametrize("words", [("serve",), ("run", "--once")])
def test_a_second_daemon_on_the_same_file_is_refused_for_safety(served, words):
    _, _, rekon = served
    second = program(*words, "--json", REKON_CONFIG=str(rekon.config))
    assert second.returncode == 3
    assert json.loads(second.stdout)["reason"] == "running"


def test_the_command_line_works_beside_the_daemon(served):
    _, _, rekon = served
    added = program("users", "add", "Sari", "--role", "penyelia", "--json", REKON_CONFIG=str(rekon.config))
    assert added.returncode == 0, added.stderr


def test_a_clock_behind_the_books_stops_a_beat(rekon):
    rekon.store.write(health.set_fact, "high_water", (NOW + timedelta(hours=1)).isoformat())
    done = program("run", "--once", "--json", REKON_CONFIG=str(rekon.config))
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (3, "clock")


def test_the_schema_is_brought_up_and_told(rekon):
    current = rekon.json("db", "current")["revision"]
    assert rekon.json("db", "upgrade") == {"revision": current}
    assert rekon.json("db", "check") == {"revision": current}


def test_an_empty_database_gets_its_schema(rekon):
    (rekon.folder / "rekon.sqlite3").write_bytes(b"")
    assert rekon.json("db", "current") == {"revision": "(kosong)"}
    assert rekon.refused("db", "check") == "schema"
    rekon.json("db", "upgrade")
    rekon.json("db", "check")


def test_books_that_agree_verify(rekon):
    filling.order(rekon.store)
    assert rekon.json("verify") == {"items": [], "count": 0}


def test_books_that_do_not_agree_are_found(rekon):
    rekon.store.write(_unbalanced_entry)
    said = rekon.json("verify", code=1)
    assert said["count"] == len(said["items"]) > 0


def _unbalanced_entry(connection):
    entry = {"entry_id": "jen_x", "event": "x", "description": "x", "occurred_at": NOW, "recorded_at": NOW}
    connection.execute(schema.journal_entries.insert().values(entry))
    for side, amount in (("debit", 2), ("credit", 1)):
        posting = {"entry_id": "jen_x", "account": "a", "side": side, "amount": amount}
        connection.execute(schema.postings.insert().values(posting))


def doctor(rekon, *, code=0, **environment):
    """Run the doctor and group what it says by level and name."""
    result = rekon.run("doctor", "--json", **environment)
    assert result.exit_code == code, result.output
    said = json.loads(result.stdout)
    assert said["bad"] == sum(item["level"] == "bad" for item in said["items"])
    return {(item["level"], item["name"]): item["text"] for item in said["items"]}


def test_a_fresh_installation_is_well_and_only_short_of_people_and_providers(rekon):
    found = doctor(rekon)
    assert {name for level, name in found if level == "warn"} == {"petugas", "penyedia"}
    assert {"konfigurasi", "rahasia", "skema", "ketahanan", "penjaga", "jam", "templat"} <= {
        name for level, name in found if level == "ok"
    }


def test_a_configuration_others_can_read_is_wrong(rekon):
    rekon.config.chmod(0o644)
    assert "chmod 600" in doctor(rekon, code=1)["bad", "konfigurasi"]


def test_a_secret_others_can_read_is_wrong(rekon):
    (rekon.folder / "secrets" / "api").chmod(0o640)
    assert "secrets/api" in doctor(rekon, code=1)["bad", "rahasia"]


def test_a_secret_in_the_environment_is_warned_about(rekon):
    assert "REKON_SERVER__SECRET" in doctor(rekon, REKON_SERVER__SECRET="rahasia")["warn", "rahasia"]


def test_a_secret_written_into_the_configuration_is_warned_about(rekon):
    text = rekon.config.read_text()
    start = text.index("secret = {")
    line = text[start : text.index("\n", start)]
    rekon.config.write_text(text.replace(line, 'secret = "tertulis-langsung-di-konfigurasi-ini"'))
    found = doctor(rekon)
    assert "server.secret" in found["warn", "rahasia"]
    assert "tertulis-langsung" not in str(found)


def test_a_broken_configuration_is_the_one_finding(rekon):
    rekon.configure("[frob]")
    found = doctor(rekon, code=1)
    assert list(found) == [("bad", "konfigurasi")]


ACCOUNT = """
[providers.digiflazz]
account = "utama"
credentials = {{ username = "u", api_key = "k" }}
{more}
"""


def test_a_provider_that_signs_needs_a_secret_for_its_callbacks(rekon):
    rekon.configure(ACCOUNT.format(more=""))
    assert "digiflazz" in doctor(rekon, code=1)["bad", "penyedia"]
    text = rekon.config.read_text().replace('api_key = "k" }', 'api_key = "k" }\naccepts_callbacks = false')
    rekon.config.write_text(text)
    assert ("bad", "penyedia") not in doctor(rekon)


def test_an_account_without_its_credentials_is_wrong(rekon):
    rekon.configure('[providers.iak]\naccount = "utama"\ncredentials = { username = "u" }')
    assert "api_key" in doctor(rekon, code=1)["bad", "penyedia"]


def test_a_provider_nobody_knows_is_wrong(rekon):
    rekon.configure("[providers.entah]")
    assert "entah" in doctor(rekon, code=1)["bad", "penyedia"]


def test_plain_http_and_private_addresses_are_shown(rekon):
    more = 'base_url = "http://10.0.0.5"\nallow_http = true\nallow_private = true\naccepts_callbacks = false'
    rekon.configure(ACCOUNT.format(more=more))
    assert "allow_private" in doctor(rekon)["warn", "jaringan"]


def test_old_facts_about_a_provider_are_compared_again(rekon):
    rekon.configure(ACCOUNT.format(more="accepts_callbacks = false"))
    assert ("warn", "penyedia") not in doctor(rekon)
    rekon.clock.now = NOW + timedelta(days=181)
    assert "digiflazz" in doctor(rekon)["warn", "penyedia"]


def test_three_people_who_may_agree_are_enough(rekon):
    for name in ("Sari", "Budi", "Ratna"):
        rekon.store.write(staff.add, name=name, role="staf_billing", token=name, now=NOW)
    assert "3" in doctor(rekon)["ok", "petugas"]


def test_a_clock_behind_the_books_is_wrong(rekon):
    rekon.store.write(health.set_fact, "high_water", (NOW + timedelta(minutes=2)).isoformat())
    assert "betulkan jamnya" in doctor(rekon, code=1)["bad", "jam"]


def test_a_missing_guard_is_wrong(rekon):
    rekon.store.write(drop_guard)
    assert "rekon db upgrade" in doctor(rekon, code=1)["bad", "penjaga"]


def test_an_old_schema_is_wrong_and_nothing_more_is_asked(rekon):
    (rekon.folder / "rekon.sqlite3").write_bytes(b"")
    found = doctor(rekon, code=1)
    assert "rekon db upgrade" in found["bad", "skema"]
    assert ("ok", "jam") not in found


def test_a_halt_and_a_full_quarantine_are_shown(rekon):
    rekon.json("halt", "salah bayar")
    path = rekon.folder / "saldo.csv"
    path.write_text("line_id,agent_id,posted_at,amount,kind\nW1,A01,kemarin,1,debit\n")
    rekon.run("import", "wallet", str(path), "--source", "toko")
    found = doctor(rekon)
    assert "salah bayar" in found["warn", "henti"]
    assert "1 baris" in found["warn", "karantina"]


def test_the_doctor_changes_nothing(rekon):
    before = (rekon.folder / "rekon.sqlite3").read_bytes(), sorted(path.name for path in rekon.folder.iterdir())
    doctor(rekon)
    after = (rekon.folder / "rekon.sqlite3").read_bytes(), sorted(path.name for path in rekon.folder.iterdir())
    assert after == before
    assert stat.S_IMODE(rekon.config.stat().st_mode) == 0o600
