"""The audit seen from the command line: the real program, the real file, one clear message."""

import json
import sqlite3

from rekon.store import audit, limits
from tests.cli.installation import program


def tamper(rekon, statement):
    """Change the audit as somebody with the file and no key would."""
    rekon.store.close()
    raw = sqlite3.connect(rekon.folder / "rekon.sqlite3")
    for verb in ("update", "delete"):
        raw.execute(f"DROP TRIGGER guard_audit_{verb}")
    raw.execute(statement)
    raw.commit()
    raw.close()
    assert rekon.run("db", "upgrade").exit_code == 0


def test_an_honest_audit_is_whole_and_its_end_is_anchored(rekon):
    rekon.hire("Sari")
    said = rekon.json("audit", "verify")
    assert (said["ok"], said["rows"], said["fault"]) == (True, 1, None)
    anchor = json.loads((rekon.folder / audit.FILE).read_text())
    assert anchor == {"number": 1, "link": said["link"]}


def test_an_edited_row_is_named(rekon):
    rekon.hire("Sari")
    rekon.hire("Budi")
    tamper(rekon, "UPDATE audit SET who = 'orang lain' WHERE id = 1")
    assert rekon.json("audit", "verify", code=1)["fault"] == {"number": 1, "kind": "changed"}
    assert "baris 1" in rekon.run("audit", "verify").output


def test_a_cut_is_seen_by_the_anchor(rekon):
    rekon.hire("Sari")
    rekon.hire("Budi")
    tamper(rekon, "DELETE FROM audit WHERE id = 2")
    assert rekon.json("audit", "verify", code=1)["fault"] == {"number": 2, "kind": "cut_off"}


def test_verify_looks_at_the_audit_too_and_stops_automatic_money(rekon):
    rekon.hire("Sari")
    tamper(rekon, "UPDATE audit SET who = 'orang lain' WHERE id = 1")
    (found,) = rekon.json("verify", code=1)["items"]
    assert found["rule"] == "audit.sealed"
    assert rekon.store.read(limits.halted, limits.GLOBAL).startswith("rekon verify: audit.sealed audit: baris 1")


def test_the_daemon_does_not_start_on_a_tampered_audit_and_halts_automatic_money(rekon):
    rekon.hire("Sari")
    tamper(rekon, "UPDATE audit SET who = 'orang lain' WHERE id = 1")
    for words in (("serve",), ("run", "--once")):
        done = program(*words, "--json", REKON_CONFIG=str(rekon.config))
        assert done.returncode == 3, done.stderr
        assert json.loads(done.stdout)["reason"] == "audit"
        assert "baris 1" in done.stdout
    assert rekon.store.read(limits.halted, limits.GLOBAL).startswith("jejak audit rusak, baris 1")


def test_doctor_names_the_bad_row(rekon):
    rekon.hire("Sari")
    tamper(rekon, "UPDATE audit SET who = 'orang lain' WHERE id = 1")
    (found,) = [one for one in rekon.json("doctor", code=1)["items"] if one["name"] == "audit"]
    assert found["level"] == "bad"
    assert "baris 1" in found["text"]


def test_a_changed_secret_needs_the_old_one_for_the_audit(rekon):
    rekon.hire("Sari")
    text = rekon.config.read_text()
    (line,) = [one for one in text.splitlines() if one.startswith("secret = ")]
    new = 'secret = "rahasia-yang-baru-0123456789abcdef"'
    rekon.config.write_text(text.replace(line, new))
    assert rekon.json("audit", "verify", code=1)["fault"]["number"] == 1
    rekon.config.write_text(text.replace(line, f"{new}\naudit_{line}"))
    assert rekon.json("audit", "verify")["ok"] is True
