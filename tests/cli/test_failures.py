import importlib
import json
import sqlite3
import subprocess
import sys

import pytest
import typer
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from rekon.cli import failures
from rekon.cli.app import app
from tests.cli.installation import program

HOUSE = list(failures.KNOWN)


@pytest.mark.parametrize("name", HOUSE)
def test_every_named_exception_exists_under_its_name(name):
    module, _, cls = name.rpartition(".")
    found = getattr(importlib.import_module(module), cls)
    assert f"{found.__module__}.{found.__qualname__}" == name


@pytest.mark.parametrize("name", HOUSE)
def test_a_known_failure_says_what_happened_why_and_what_next(name):
    module, _, cls = name.rpartition(".")
    kind = getattr(importlib.import_module(module), cls)
    arguments = {"name": "a.csv", "line": 3, "what": "rusak", "advice": "Betulkan"} if cls == "FileError" else {}
    error = kind(**arguments) if arguments else kind("because of this")
    told = failures.explain(error)
    assert told is not None
    assert told.exit_code in (failures.WRONG_USE, failures.REFUSED)
    assert "because of this" in told.text or "rusak" in told.text
    assert "\n" not in told.text
    assert told.reason.isidentifier()


def test_a_defect_of_ours_is_not_dressed_up():
    assert failures.explain(ZeroDivisionError("division by zero")) is None


def test_a_database_error_tells_no_statement_and_no_value():
    error = OperationalError("SELECT secret", {"destination": "081234567890"}, Exception("database is locked"))
    told = failures.explain(error)
    assert told is not None
    assert (told.exit_code, told.reason) == (failures.OUTSIDE, "database")
    assert "database is locked" in told.text
    assert "0812" not in told.text
    assert "SELECT" not in told.text


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ConnectionRefusedError("refused"), "system"), (PermissionError(13, "Permission denied"), "system")],
)
def test_the_outside_is_exit_code_four(error, reason):
    told = failures.explain(error)
    assert told is not None
    assert (told.exit_code, told.reason) == (4, reason)


def test_trouble_of_one_task_among_several_is_told_like_any_other():
    inner = OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error"))
    failure = failures.explain(ExceptionGroup("tasks", [inner]))
    assert failure == failures.explain(inner)
    assert failures.explain(ExceptionGroup("tasks", [inner, KeyError("x")])) is None


def test_an_aborted_question_changes_nothing_and_says_so():
    told = failures.explain(typer.Abort())
    assert told is not None
    assert told.exit_code == 2
    assert "tidak ada yang berubah" in told.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["frob"], "Perintah frob tidak ada"),
        (["users", "frob"], "Perintah frob tidak ada"),
        (["explain"], "Argumen REF wajib diisi"),
        (["users", "add", "Sari"], "Opsi '--role' wajib diisi"),
        (["report", "leaks", "--days"], "Opsi --days memerlukan nilai"),
        (["report", "leaks", "--days", "banyak"], "Nilai untuk --days tidak sah"),
        (["report", "leaks", "--frob"], "Opsi --frob tidak dikenal"),
        (["users", "list", "lagi"], "Terlalu banyak argumen: lagi"),
    ],
)
def test_a_mistake_in_the_words_is_told_in_indonesian(rekon, words, said):
    result = rekon.run(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_a_mistake_in_the_words_is_json_where_json_was_asked_for(rekon):
    assert rekon.refused("users", "add", "Sari", code=2) == "usage"


@pytest.mark.parametrize(
    ("added", "named"),
    [
        ("[server", "rekon.toml"),
        ("[frob]\nx = 1", "frob"),
        ('[sources.toko]\ngateway = "tidakada"', "sources.toko.gateway"),
        ("[checks]\ndeadline_seconds = 0", "checks.deadline_seconds"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_one_line_with_file_and_key(rekon, added, named):
    rekon.configure(added)
    result = rekon.run("users", "list")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "rekon.toml" in result.stderr
    assert named in result.stderr
    assert "Traceback" not in result.output


def test_a_missing_configuration_is_told_with_the_way_to_make_one(tmp_path):
    result = program("users", "list", "--config", str(tmp_path / "tidak-ada.toml"), "--json")
    assert result.returncode == 2
    assert json.loads(result.stdout)["reason"] == "config"
    assert "rekon init" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_database_is_not_made_out_of_a_mistyped_path(rekon):
    (rekon.folder / "rekon.sqlite3").unlink()
    assert rekon.refused("users", "list", code=2) == "no_database"
    assert not (rekon.folder / "rekon.sqlite3").exists()


def test_a_file_that_is_no_database_is_an_outside_fault(rekon):
    (rekon.folder / "rekon.sqlite3").write_bytes(b"bukan basis data, hanya teks biasa " * 40)
    assert rekon.refused("users", "list", code=4) == "database"


def test_a_missing_guard_is_refused_for_safety(rekon):
    rekon.store.write(drop_guard)
    assert rekon.refused("users", "list") == "guards"


def drop_guard(connection):
    name = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger' LIMIT 1")).scalar_one()
    connection.execute(text(f"DROP TRIGGER {name}"))


def test_a_database_without_schema_is_refused_for_safety(rekon):
    (rekon.folder / "rekon.sqlite3").write_bytes(b"")
    assert rekon.refused("users", "list") == "schema"


def test_a_clock_that_does_not_answer_is_an_outside_fault(rekon):
    changed = rekon.config.read_text().replace(rekon.clock.url, "http://127.0.0.1:9/clock")
    rekon.config.write_text(changed)
    assert rekon.refused("users", "list", code=4) == "unreachable"


def test_help_names_every_noun_and_imports_nothing_heavy():
    result = program("--help")
    assert result.returncode == 0
    for noun in ("init", "serve", "refunds", "report", "demo", "sandbox", "explain"):
        assert noun in result.stdout
    loaded = program_modules()
    assert not loaded & {"sqlalchemy", "httpx", "fastapi", "alembic", "apscheduler", "pydantic", "structlog"}


def program_modules():
    """Name the top-level modules that putting the command line together imports."""
    code = "import sys, rekon.cli.app; print(','.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.strip().split(",")}


def test_no_words_show_the_help(rekon):
    result = rekon.run()
    assert result.exit_code == 2
    assert "refunds" in result.output


def commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


EVERY = dict(commands(typer.main.get_group(app)))


@pytest.mark.parametrize("words", list(EVERY), ids=" ".join)
def test_every_command_takes_json_and_a_configuration(words):
    flags = {flag for parameter in EVERY[words].params for flag in parameter.opts}
    assert "--json" in flags
    assert "--config" in flags or words == ("init",)


@pytest.mark.parametrize("words", list(EVERY), ids=" ".join)
def test_every_command_says_what_it_does(words):
    assert EVERY[words].help
