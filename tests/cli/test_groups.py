import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from rekon.cli import groups
from rekon.cli.app import NOUNS, app


def test_every_noun_registers_itself():
    assert all(callable(noun.register) for noun in NOUNS)


def test_a_late_noun_stands_in_the_list_and_is_imported_when_called():
    assert set(groups.LATE) == {"demo", "sandbox", "simulate"}
    for name in groups.LATE:
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == 0
        assert "--seed" in result.stdout


def test_a_late_noun_whose_module_is_missing_is_told(monkeypatch):
    monkeypatch.setattr(groups, "LATE", {"hilang": ("rekon.cli.tidak_ada", "Tidak ada.")})
    result = CliRunner().invoke(app, ["hilang"])
    assert result.exit_code == 2
    assert "tidak ikut" in result.stderr


def test_a_defect_is_not_hidden():
    broken = typer.Typer(cls=groups.RootGroup, pretty_exceptions_enable=False)

    @broken.command()
    def boom() -> None:
        text = "a defect"
        raise ZeroDivisionError(text)

    @broken.command()
    def other() -> None:
        """Make it a group."""

    assert isinstance(CliRunner().invoke(broken, ["boom"]).exception, ZeroDivisionError)


def test_the_exit_code_of_a_command_is_its_own():
    counted = typer.Typer(cls=groups.RootGroup)

    @counted.command()
    def one() -> None:
        raise typer.Exit(1)

    @counted.command()
    def none() -> None:
        """Do nothing."""

    assert CliRunner().invoke(counted, ["one"]).exit_code == 1
    assert CliRunner().invoke(counted, ["none"]).exit_code == 0


def every_command(command, words=()):
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from every_command(inner, (*words, name))


def everything():
    root = get_command(app)
    late = [groups._load(name) for name in groups.LATE]
    return [*every_command(root), *(found for one in late for found in every_command(one, (one.name,)))]


def test_every_command_and_every_word_of_it_is_explained():
    bare = [words for words, command in everything() if not command.help]
    mute = [
        (*words, param.name)
        for words, command in everything()
        for param in command.params
        if param.name not in ("help", "install_completion", "show_completion") and not param.help
    ]
    assert (bare, mute) == ([], [])


def test_no_explanation_loses_words_to_the_markup_of_help_pages():
    found = [words for words, command in everything() if "[" in (command.help or "")]
    found += [(*words, p.name) for words, command in everything() for p in command.params if "[" in (p.help or "")]
    assert found == []


@pytest.mark.parametrize("words", [["halt"], ["import", "transactions"], ["db"], ["demo"], []])
def test_a_help_page_speaks_indonesian_throughout(words):
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    english = ("Show this message", "required]", "default:", "env var", "Arguments", "Commands")
    assert [word for word in english if word in result.stdout] == []
    assert "Perlihatkan bantuan ini." in result.stdout
