"""The messages agents, customers and the operator read.

A template is data with slots in a fixed order: apologise, sympathise, accept responsibility, prepare to help
(rulebook 3.7). The caller loads the TOML and hands it to `parse_templates`; `render` writes one message.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rekon.domain.message_book import (
    PLACEHOLDER,
    STANDARD,
    Audience,
    Template,
    TemplateBook,
    Variant,
    parse_templates,
    refuse,
    table_of,
    text_of,
)
from rekon.domain.message_format import MessageError, format_duration, format_hour, format_instant
from rekon.domain.message_lint import EMOJI, LENGTH_MAX, SHORT_LENGTH_MAX, lint

__all__ = [
    "REASON_KEYS",
    "STANDARD",
    "Audience",
    "MessageError",
    "Reasons",
    "Rendered",
    "Template",
    "TemplateBook",
    "Variant",
    "format_duration",
    "format_hour",
    "format_instant",
    "lint",
    "parse_reasons",
    "parse_templates",
    "render",
]

REASON_KEYS = (
    "busy",
    "maintenance",
    "operator_trouble",
    "out_of_stock",
    "wrong_prefix",
    "wrong_number",
    "blocked_number",
    "outside_area",
    "bill_unavailable",
    "other_package",
    "limit_reached",
    "cancelled_by_provider",
    "our_account",
    "price_changing",
    "unknown",
)

_VALUE_MAX = 80
_LONG_LIMITS = (
    {"nama_agen": 40, "produk": 60, "penyedia": 30},
    {"nama_agen": 30, "produk": 40, "penyedia": 20},
    {"nama_agen": 20, "produk": 30, "penyedia": 14},
)
_SHORT_LIMITS = (
    {"nama_agen": 14, "produk": 22, "penyedia": 14},
    {"nama_agen": 10, "produk": 16, "penyedia": 10},
    {"nama_agen": 8, "produk": 10, "penyedia": 8},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A message ready to leave. Texts and values stay out of its repr: they hold customers' numbers (G10)."""

    template: str
    variant: str
    audience: Audience
    opening_index: int
    text: str = field(repr=False)
    short_text: str = field(repr=False)
    variables: tuple[tuple[str, str], ...] = field(repr=False)
    """Names and values in the order an approved WhatsApp template takes them."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """The dictionary from a technical cause to a plain sentence (R027, R084)."""

    sentences: Mapping[str, Mapping[str, str]]

    def sentence(self, key: str, *, language: str = "id") -> str:
        """Say a cause in plain words; a cause without a sentence is honestly called unknown."""
        return self.sentences.get(key, self.sentences["unknown"])[language]


def render(
    book: TemplateBook,
    *,
    template: str,
    variables: Mapping[str, str],
    case_id: str,
    variant: str = STANDARD,
    short: bool = False,
    family: str = "",
) -> Rendered:
    """Write a message; the case chooses the opening (R078), so one case always reads the same.

    `variables` may hold any variable of the template and must hold those of `book.required(...)`. With `short` the
    short text is the text. Values lose control characters, emoji and exclamation runs; long names are cut at a word.

    Raises:
        MessageError: for an unknown template, variant or variable, and for a missing or empty value.
    """
    chosen = book.variant(template, variant)
    values = _values(book.templates[template], chosen, variables)
    opening = _opening(case_id, len(chosen.openings))
    short_text = _fit(chosen.short, values, limits=_SHORT_LIMITS, length=SHORT_LENGTH_MAX)
    long_text = _fit(chosen.text(opening, family), values, limits=_LONG_LIMITS, length=LENGTH_MAX)
    widest = _limit(values, _LONG_LIMITS[0])
    return Rendered(
        template=template,
        variant=variant,
        audience=chosen.audience,
        opening_index=opening,
        text=short_text if short else long_text,
        short_text=short_text,
        variables=tuple((name, widest[name]) for name in chosen.variables),
    )


def parse_reasons(mapping: Mapping[str, object]) -> Reasons:
    """Read the reason dictionary from loaded TOML.

    Raises:
        MessageError: when a key or one of its two languages is missing.
    """
    missing = set(REASON_KEYS) - set(mapping)
    if missing:
        refuse("the reason dictionary", f"lacks {sorted(missing)}")
    return Reasons({key: _reason(key, value) for key, value in mapping.items()})


def _reason(key: str, value: object) -> Mapping[str, str]:
    table = table_of(value, f"reason {key}")
    return {language: text_of(table, language, f"reason {key}") for language in ("id", "en")}


def _values(template: Template, variant: Variant, variables: Mapping[str, str]) -> dict[str, str]:
    if unknown := set(variables) - set(template.variables):
        refuse(template.name, f"knows no variables {sorted(unknown)}")
    values = {name: _clean(variables.get(name, "")) for name in variant.variables}
    if empty := [name for name, value in values.items() if not value]:
        refuse(f"{template.name}.{variant.name}", f"needs values for {empty}")
    return values


def _opening(case_id: str, count: int) -> int:
    digest = hashlib.sha256(case_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % count


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Substitute once, from left to right: a brace inside a value stays a brace."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _fit(text: str, values: Mapping[str, str], *, limits: Sequence[Mapping[str, int]], length: int) -> str:
    """Cut names further and further until the text fits; amounts, times, codes and serials are never cut for it."""
    filled = ""
    for limit in limits:
        filled = _fill(text, _limit(values, limit))
        if len(filled) <= length:
            break
    return filled


def _limit(values: Mapping[str, str], limits: Mapping[str, int]) -> dict[str, str]:
    return {name: _cut(value, limits.get(name, _VALUE_MAX)) for name, value in values.items()}


def _cut(value: str, limit: int) -> str:
    if len(value) <= limit:
        return value
    head, space, _ = value[: limit + 1].rpartition(" ")
    return (head if space else value[:limit]).rstrip(".,;:! ")


def _clean(value: str) -> str:
    """Take out of a value what no message may carry: controls, direction marks, emoji, exclamation runs, a last dot."""
    spaced = re.sub(r"\s+", " ", EMOJI.sub("", value))
    visible = "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))
    return re.sub(r"!(\s*!)+", "!", visible).strip().rstrip(".,;:! ")
