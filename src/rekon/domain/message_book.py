"""The library of message templates as data, and the reader that refuses a faulty one when it is loaded (R013)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NoReturn

from rekon.domain.message_format import MessageError

STANDARD = "standard"
OPENINGS = 3
PERSONAL_VARIABLES_MIN = 3
PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")

_SLOT_KEYS = frozenset({"openings", "empathy", "empathy_by_family", "responsibility", "steps", "short"})
_VARIANT_KEYS = _SLOT_KEYS | {"audience", "complaint"}
_TEMPLATE_KEYS = _VARIANT_KEYS | {"title", "variables", "variants"}
_COMPLAINT_SLOTS = frozenset({"empathy", "empathy_by_family", "responsibility"})


class Audience(StrEnum):
    """Who reads a text (R122)."""

    AGENT = "agent"
    CUSTOMER = "customer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One wording of a template for one circumstance, slot by slot (R026, R074-R077)."""

    name: str
    audience: Audience
    openings: tuple[str, ...]
    empathy: str
    empathy_by_family: Mapping[str, str]
    responsibility: str
    steps: str
    short: str
    variables: tuple[str, ...] = ()
    """Every variable any of its texts needs, in the order an approved WhatsApp template takes them."""

    def text(self, opening: int, family: str) -> str:
        """Put the slots together for one opening and product family (R034)."""
        empathy = self.empathy_by_family.get(family, self.empathy)
        return " ".join(filter(None, (self.openings[opening], empathy, self.responsibility, self.steps)))

    def pieces(self) -> tuple[str, ...]:
        """List every piece of text of the variant."""
        families = self.empathy_by_family.values()
        return (*self.openings, self.empathy, *families, self.responsibility, self.steps, self.short)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One situation, e.g. M01, with its variants."""

    name: str
    title: str
    variables: tuple[str, ...]
    variants: Mapping[str, Variant]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateBook:
    """All templates of one language and the version they were written in."""

    language: str
    version: str
    templates: Mapping[str, Template]

    def variant(self, template: str, variant: str = STANDARD) -> Variant:
        """Return one variant.

        Raises:
            MessageError: when the book has no such template or variant.
        """
        found = self.templates.get(template)
        if found is None or variant not in found.variants:
            refuse(f"the {self.language} book", f"has no template {template} with variant {variant}")
        return found.variants[variant]

    def required(self, template: str, variant: str = STANDARD) -> tuple[str, ...]:
        """List the variables `render` wants for a variant, in WhatsApp order.

        Raises:
            MessageError: when the book has no such template or variant.
        """
        return self.variant(template, variant).variables


def parse_templates(mapping: Mapping[str, object]) -> TemplateBook:
    """Read a template book from loaded TOML and refuse everything that could fail later (R013, R014, R026, R078).

    Raises:
        MessageError: for a missing slot, an undeclared or unused variable, a wrong number of openings, an unknown key.
    """
    tables = {key: value for key, value in mapping.items() if key not in ("language", "version")}
    return TemplateBook(
        language=text_of(mapping, "language", "book"),
        version=text_of(mapping, "version", "book"),
        templates={name: _template(name, table_of(value, name)) for name, value in tables.items()},
    )


def text_of(table: Mapping[str, object], key: str, where: str) -> str:
    """Return a non-empty text of a loaded table.

    Raises:
        MessageError: when there is none.
    """
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        refuse(where, f"needs a text for {key}")
    return value


def table_of(value: object, where: str) -> Mapping[str, object]:
    """Return a loaded value that is a table.

    Raises:
        MessageError: when it is anything else.
    """
    if not isinstance(value, Mapping):
        refuse(where, "needs a table")
    return value


def refuse(where: str, what: str) -> NoReturn:
    """Say what is wrong and where.

    Raises:
        MessageError: always.
    """
    text = f"{where} {what}"
    raise MessageError(text)


def _template(name: str, table: Mapping[str, object]) -> Template:
    _refuse_unknown(name, table, _TEMPLATE_KEYS)
    declared = _texts(table.get("variables"), f"{name}.variables")
    base = {key: value for key, value in table.items() if key in _VARIANT_KEYS}
    own = dict(table_of(table.get("variants", {}), f"{name}.variants"))
    if "openings" in base:
        own = {STANDARD: {}, **own}
    variants = {key: _variant(f"{name}.{key}", _inherit(name, base, value), declared) for key, value in own.items()}
    used = {variable for variant in variants.values() for variable in variant.variables}
    if idle := set(declared) - used:
        refuse(name, f"declares variables it never uses: {sorted(idle)}")
    return Template(name=name, title=text_of(table, "title", name), variables=declared, variants=variants)


def _inherit(where: str, base: Mapping[str, object], value: object) -> Mapping[str, object]:
    """Lay a variant over the base: its own empathy sentence displaces those by family, no complaint has none."""
    own = table_of(value, where)
    _refuse_unknown(where, own, _VARIANT_KEYS)
    if own.get("complaint") is False:
        dropped = _COMPLAINT_SLOTS
    else:
        dropped = frozenset({"empathy_by_family"} if "empathy" in own else ())
    return {key: slot for key, slot in base.items() if key not in dropped} | dict(own)


def _variant(where: str, table: Mapping[str, object], declared: tuple[str, ...]) -> Variant:
    complaint = table.get("complaint", True) is not False
    variant = Variant(
        name=where.rpartition(".")[2],
        audience=_audience(where, table),
        openings=_openings(where, table),
        empathy=text_of(table, "empathy", where) if complaint else "",
        empathy_by_family=_families(where, table),
        responsibility=text_of(table, "responsibility", where) if complaint else "",
        steps=text_of(table, "steps", where),
        short=text_of(table, "short", where),
    )
    return replace(variant, variables=_variables(where, variant, declared))


def _variables(where: str, variant: Variant, declared: tuple[str, ...]) -> tuple[str, ...]:
    used = {name for text in variant.pieces() for name in _placeholders(where, text)}
    if unknown := used - set(declared):
        refuse(where, f"uses undeclared variables {sorted(unknown)}")
    if len(used) < PERSONAL_VARIABLES_MIN:
        refuse(where, f"needs at least {PERSONAL_VARIABLES_MIN} variables to be personal")
    return tuple(name for name in declared if name in used)


def _placeholders(where: str, text: str) -> list[str]:
    if re.search(r"[{}]", PLACEHOLDER.sub("", text)):
        refuse(where, "has a brace that belongs to no variable")
    return PLACEHOLDER.findall(text)


def _openings(where: str, table: Mapping[str, object]) -> tuple[str, ...]:
    openings = _texts(table.get("openings"), f"{where}.openings")
    if len(openings) != OPENINGS or len(set(openings)) != OPENINGS:
        refuse(where, f"needs {OPENINGS} different openings")
    return openings


def _families(where: str, table: Mapping[str, object]) -> Mapping[str, str]:
    families = table_of(table.get("empathy_by_family", {}), f"{where}.empathy_by_family")
    return {family: text_of(families, family, f"{where}.empathy_by_family") for family in families}


def _audience(where: str, table: Mapping[str, object]) -> Audience:
    word = table.get("audience", Audience.AGENT.value)
    if word not in {audience.value for audience in Audience}:
        refuse(where, f"has no audience {word!r}")
    return Audience(str(word))


def _texts(value: object, where: str) -> tuple[str, ...]:
    texts = tuple(value) if isinstance(value, list) else ()
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        refuse(where, "needs a list of texts")
    return texts


def _refuse_unknown(where: str, table: Mapping[str, object], known: frozenset[str]) -> None:
    if unknown := set(table) - known:
        refuse(where, f"has unknown keys {sorted(unknown)}")
