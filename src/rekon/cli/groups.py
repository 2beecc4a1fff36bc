"""The root of the command line: every failure is told in one place, and heavy nouns are imported only when called."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from rekon.cli import failures, output

LATE: Mapping[str, tuple[str, str]] = {
    "demo": ("rekon.cli.demo", "Perlihatkan rekon bekerja di komputer ini."),
    "sandbox": ("rekon.cli.sandbox", "Mainkan dunia luar: penyedia, server, kotak pesan, dan jam."),
    "simulate": ("rekon.cli.simulate", "Mainkan satu skenario dengan aturan dan SQL yang sebenarnya."),
}
"""Nouns that are imported when called: module and what the list of commands says. Each module has `register(app)`."""


class RootGroup(TyperGroup):
    """The command `rekon`."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,  # noqa: ANN401 - the same
    ) -> Any:  # noqa: ANN401 - the same
        """Run a command and leave with its exit code; known failures become one line and never a traceback."""
        words = list(sys.argv[1:] if args is None else args)
        del standalone_mode
        if "--help" in words or not any(word.startswith("-") for word in words):
            _speak_indonesian()
            _name_help(self)
        try:
            code = super().main(
                words,
                prog_name,
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except Exception as error:
            failure = failures.explain(error)
            if failure is None:
                raise
            _tell(failure, as_json="--json" in words)
            code = failure.exit_code
        sys.exit(code if isinstance(code, int) else 0)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer keeps its context class to itself
        """List every noun, the late ones too."""
        return [*super().list_commands(ctx), *(name for name in LATE if name not in self.commands)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - as above
        """Give a late noun's line for the list of commands without importing it."""
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name in LATE:
            return _placeholder(cmd_name, LATE[cmd_name][1])
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as above
        """Import a late noun now that it is called."""
        if args and args[0] in LATE and args[0] not in self.commands:
            self.commands[args[0]] = _load(args[0])
        return super().resolve_command(ctx, args)


def _speak_indonesian() -> None:
    """Word what typer itself says on a help page; imported only where a help page may follow."""
    from typer import rich_utils

    rich_utils.ARGUMENTS_PANEL_TITLE = "Argumen"
    rich_utils.OPTIONS_PANEL_TITLE = "Opsi"
    rich_utils.COMMANDS_PANEL_TITLE = "Perintah"
    rich_utils.REQUIRED_LONG_STRING = "[wajib]"
    rich_utils.DEFAULT_STRING = "[bawaan: {}]"
    rich_utils.ENVVAR_STRING = "[variabel: {}]"


def _name_help(command: Any) -> None:  # noqa: ANN401 - commands and groups of typer's own classes
    """Word `--help` of a command and of all below it."""
    option = command.get_help_option(typer.Context(command))
    if option is not None:
        option.help = "Perlihatkan bantuan ini."
    for inner in getattr(command, "commands", {}).values():
        _name_help(inner)


def _tell(failure: failures.Failure, *, as_json: bool) -> None:
    if as_json:
        output.write_json({"error": failure.text, "reason": failure.reason})
    if failure.text:
        output.remark(failure.text)


def _placeholder(name: str, text: str) -> Any:  # noqa: ANN401 - a command of typer's own class
    app = typer.Typer(add_completion=False)
    app.command(name, help=text)(lambda: None)
    return typer.main.get_command(app)


def _load(name: str) -> Any:  # noqa: ANN401 - as above
    module = LATE[name][0]
    if importlib.util.find_spec(module) is None:
        failures.wrong_use(f"Perintah {name} tidak ikut dalam pemasangan ini.", reason="missing")
    app = typer.Typer(add_completion=False)
    importlib.import_module(module).register(app)
    group = get_group(app)
    command = group.commands.get(name, group)
    _name_help(command)
    return command
