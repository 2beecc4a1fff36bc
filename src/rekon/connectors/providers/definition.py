"""A provider is data: one folder, one `provider.toml`, read strictly (design 8). Start at `Definition`."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from rekon.connectors.providers.parts import (
    Balance,
    Callback,
    CodeRow,
    Complaint,
    CutOffWindow,
    Field,
    Host,
    Inquiry,
    Limits,
    Recipe,
    Reply,
    Serial,
    Source,
    Text,
    TextRule,
)
from rekon.connectors.providers.toml_shape import DefinitionError, shape
from rekon.domain.policy import CheckKind, CutOff, ProviderRules

__all__ = [
    "FILE_NAME",
    "LEG_NAMES",
    "PLACEHOLDER",
    "Definition",
    "DefinitionError",
    "load_definition",
    "load_definitions",
]

FILE_NAME = "provider.toml"
PLACEHOLDER = re.compile(r"\{([a-z_]+)(?::(upper))?\}")
LEG_NAMES = frozenset({"ref_id", "product", "destination", "testing", "max_price", "allow_dot", "cb_url"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Everything rekon knows of one provider."""

    name: str
    title: str
    dialect: Literal["json", "form", "text"]
    """`form` sends a form and reads JSON; `text` reads a plain-text reply."""
    credentials: tuple[str, ...]
    """Names of the values an account must bring; templates may use them."""
    hosts: tuple[Host, ...] = ()
    """Hosts of the provider itself; an account's own address is added by its configuration."""
    base_url: str = ""
    """Where the provider is, empty where every account has its own server."""
    account_exclusive: bool = False
    """Nobody but this server buys with the account, so an unknown purchase is an alarm (B18)."""
    signing: Mapping[str, Recipe] = field(default_factory=dict)
    inquiry: Inquiry
    limits: Limits
    reply: Reply
    codes: Mapping[str, CodeRow]
    callback: Callback
    balance: Balance
    complaint: Complaint
    serial: Serial
    source: Source
    text: Text | None = None
    cut_off: tuple[CutOffWindow, ...] = ()

    def __post_init__(self) -> None:
        for text in _faults(self):
            raise ValueError(text)

    def find_row(self, code: str) -> CodeRow | TextRule | None:
        """Find what a raw code means, in the code table or among the text rules."""
        row = self.codes.get(code)
        if row is None and self.text is not None:
            return next((rule for rule in self.text.rules if rule.key == code), None)
        return row

    def rules(self) -> ProviderRules:
        """Return what the pure rules need to know of this provider."""
        return ProviderRules(
            name=self.name,
            check=self.inquiry.kind,
            max_check_age=timedelta(days=self.inquiry.max_age_days),
            cut_offs=tuple(_cut_off(window) for window in self.cut_off),
        )


def load_definition(folder: Path) -> Definition:
    """Read the definition in `folder`.

    Raises:
        DefinitionError: naming the file, the key and what is allowed.
    """
    path = folder / FILE_NAME
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        text = f"{path}: {error}"
        raise DefinitionError(text) from error
    definition = shape(Definition, table, where=str(path))
    if definition.name != folder.name:
        text = f"{path}.name: {definition.name!r} is not the name of its folder, {folder.name!r}"
        raise DefinitionError(text)
    return definition


def load_definitions(roots: Sequence[Path]) -> dict[str, Definition]:
    """Read every provider folder under `roots`, sorted by name; a later root replaces an earlier one's provider.

    Raises:
        DefinitionError: when any of them cannot be used.
    """
    folders: dict[str, Path] = {}
    for root in roots:
        folders.update({path.parent.name: path.parent for path in root.glob(f"*/{FILE_NAME}")})
    return {name: load_definition(folders[name]) for name in sorted(folders)}


def _cut_off(window: CutOffWindow) -> CutOff:
    start, end = window.minutes
    return CutOff(start_minute=start, end_minute=end, families=frozenset(window.families))


def _faults(definition: Definition) -> Iterator[str]:
    """Yield what no single table can see: names that point elsewhere, parts a dialect needs."""
    if not definition.codes:
        yield "codes: the table is empty"
    if (definition.dialect == "text") is not (definition.text is not None):
        yield "text: the table belongs to the dialect 'text' and to no other"
    if definition.dialect == "text" and not _is_marked(definition.inquiry):
        yield "inquiry.read_only_field: a read-only check in plain text needs the field that keeps it from buying"
    for name in (definition.inquiry.sign, definition.balance.sign, definition.callback.sign):
        if name and name not in definition.signing:
            yield f"signing: no recipe is named {name!r}"
    for key in sorted(_placeholders(definition) - LEG_NAMES - {"sign"} - set(definition.credentials)):
        yield f"template: {{{key}}} is neither a credential nor a value of the leg"


def _is_marked(inquiry: Inquiry) -> bool:
    return inquiry.kind is CheckKind.RESEND or bool(inquiry.read_only_field)


def _placeholders(definition: Definition) -> set[str]:
    fields: tuple[Field, ...] = (*definition.inquiry.fields, *definition.balance.fields)
    templates = [item.value for item in fields]
    templates += [part for recipe in definition.signing.values() for part in recipe.parts]
    return {found.group(1) for template in templates for found in PLACEHOLDER.finditer(template)}
