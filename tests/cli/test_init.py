import json
import stat
import tomllib

import pytest

from rekon import settings
from tests.cli.installation import program


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "baru"
    result = program("init", "--dir", str(folder), "--json")
    assert result.returncode == 0, result.stderr
    return folder, json.loads(result.stdout)


def test_a_fresh_installation_observes_on_sqlite_and_writes_messages_to_files(made):
    folder, said = made
    read = settings.load(folder / "rekon.toml")
    assert read.modes.default == "observe"
    assert read.store.url == ""
    assert {channel.kind for channel in read.channels.values()} == {"file"}
    assert said["mode"] == "observe"


def test_every_file_of_a_fresh_installation_is_its_owners_alone(made):
    folder, _ = made
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"rekon.toml", "rekon.sqlite3", "server", "callback", "api"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "secrets")} == {0o700}


def test_no_secret_stands_in_the_configuration_or_on_the_screen(made):
    folder, said = made
    hidden = [path.read_text().strip() for path in (folder / "secrets").iterdir()]
    shown = (folder / "rekon.toml").read_text() + json.dumps(said)
    assert len(hidden) == len(set(hidden)) == 3
    assert min(map(len, hidden)) >= 32
    assert not [secret for secret in hidden if secret in shown]


def test_two_installations_share_no_secret(made, tmp_path):
    folder, _ = made
    program("init", "--dir", str(tmp_path / "kedua"))
    assert (folder / "secrets" / "server").read_text() != (tmp_path / "kedua" / "secrets" / "server").read_text()


def test_the_database_is_ready_at_once(made):
    folder, _ = made
    checked = program("db", "check", "--json", REKON_CONFIG=str(folder / "rekon.toml"))
    assert checked.returncode == 0
    assert json.loads(checked.stdout)["revision"]


@pytest.mark.parametrize("kept", ["rekon.toml", "rekon.sqlite3", "secrets"])
def test_nothing_that_is_there_is_overwritten(tmp_path, kept):
    (tmp_path / kept).mkdir() if kept == "secrets" else (tmp_path / kept).write_text("milik saya")
    result = program("init", "--dir", str(tmp_path), "--json")
    assert result.returncode == 3
    assert json.loads(result.stdout)["reason"] == "exists"
    assert [path.name for path in tmp_path.iterdir()] == [kept]


def test_the_comments_of_the_configuration_are_a_working_configuration_too(made, tmp_path):
    folder, _ = made
    text = (folder / "rekon.toml").read_text()
    example = "\n".join(
        line.removeprefix("# ") if line.startswith(("# [", "# refund_owner", "# zone", "# lag", "# account")) else line
        for line in text.splitlines()
    )
    assert {"sources", "providers"} <= set(tomllib.loads(example))
    (tmp_path / "contoh.toml").write_text(example)
    assert settings.load(tmp_path / "contoh.toml").sources["toko"].refund_owner == "manual"


def test_the_next_steps_are_told(made):
    _, said = made
    assert any("doctor" in step for step in said["next"])
    assert any("report leaks" in step for step in said["next"])
