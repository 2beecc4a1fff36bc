"""Who sits at the keyboard: the personal token, from a file, the environment, or a hidden question."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from rekon.cli import failures
from rekon.cli.house import House
from rekon.cli.options import TOKEN_VARIABLE

if TYPE_CHECKING:
    from rekon.domain.approval import Person, Refusal

CONSOLE = "konsol"
"""Who did it, where no personal token is asked for."""


def ask_token(token_file: Path | None) -> str:
    """Get the personal token: the given file, then the environment, then a hidden question on stderr."""
    if token_file is not None:
        return _read_token(token_file)
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    return given or str(typer.prompt("Token pribadi", hide_input=True, err=True)).strip()


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = type(error).__name__
        failures.wrong_use(f"Berkas token {path} tidak dapat dibaca ({why}). Periksa jalur dan izinnya.", reason="file")


def identify(house: House, token_file: Path | None) -> "Person":
    """Say who gives the token; one whose access was taken away is known too, and refused by the rules.

    Raises:
        CommandError: when nobody has this token.
    """
    from rekon.store import approvals

    person = house.store.read(approvals.find_person, ask_token(token_file))
    if person is None:
        text = "Token pribadi tidak dikenal; tidak ada yang berubah. Token dibuat dengan `rekon users add`."
        failures.refused(text, reason="token")
    return person


def name_if_given(house: House, token_file: Path | None) -> str:
    """Name the person where a token was given, else the console: for acts that move no money."""
    if token_file is None and not os.environ.get(TOKEN_VARIABLE, "").strip():
        return CONSOLE
    return identify(house, token_file).name


def refuse(refusal: "Refusal", what: str) -> NoReturn:
    """Tell why a person's word was not taken.

    Raises:
        CommandError: always; exit code 3, the refusal's own word as reason.
    """
    from rekon.domain.approval import REFUSAL_TEXTS

    failures.refused(f"{what} tidak dilakukan: {REFUSAL_TEXTS[refusal]}.", reason=refusal.value)
