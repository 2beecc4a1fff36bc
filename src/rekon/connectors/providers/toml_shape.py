"""Read a TOML value into a frozen dataclass: the dataclass is the schema, anything it does not name is refused."""

import dataclasses
import re
import types
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_PLAIN: dict[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float), str: (str,), date: (date,)}
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", date: "a date"}


class DefinitionError(ValueError):
    """A provider definition cannot be used. The text names the file, the key and what is allowed there."""


def shape(kind: type[T], value: object, *, where: str) -> T:
    """Read `value` as `kind`: a plain type, an enum, a pattern, a tuple, a mapping, an optional or a dataclass.

    Raises:
        DefinitionError: for a missing or unknown key, a wrong type, a word that is not allowed.
    """
    result: T = _shape(kind, value, where=where)
    return result


def _shape(kind: Any, value: object, *, where: str) -> Any:  # noqa: ANN401 - the answer's type is the argument `kind`
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        return _shape(next(arm for arm in get_args(kind) if arm is not type(None)), value, where=where)
    if origin is Literal:
        return _one_of(get_args(kind), value, where=where)
    if origin is re.Pattern:
        return _pattern(value, where)
    if origin is tuple:
        return _row(get_args(kind)[0], value, where=where)
    if origin is not None and issubclass(origin, Mapping):
        return {
            name: _shape(get_args(kind)[1], item, where=f"{where}.{name}")
            for name, item in _table(value, where).items()
        }
    if dataclasses.is_dataclass(kind):
        return _record(kind, _table(value, where), where=where)
    if issubclass(kind, StrEnum):
        return kind(_one_of([str(member) for member in kind], value, where=where))
    return _plain(kind, value, where=where)


def _plain(kind: type, value: object, *, where: str) -> object:
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, _PLAIN[kind]):
        raise DefinitionError(_text(where, f"{value!r} is not {_WORDS[kind]}"))
    return value


def _one_of(allowed: Any, value: object, *, where: str) -> object:  # noqa: ANN401 - any sequence of words or numbers
    if value not in allowed or isinstance(value, bool):
        raise DefinitionError(_text(where, f"{value!r} is not allowed; allowed: {', '.join(map(str, allowed))}"))
    return value


def _pattern(value: object, where: str) -> re.Pattern[str]:
    try:
        return re.compile(str(_plain(str, value, where=where)), re.IGNORECASE)
    except re.error as error:
        raise DefinitionError(_text(where, f"not a pattern: {error}")) from error


def _row(kind: Any, value: object, *, where: str) -> tuple[Any, ...]:  # noqa: ANN401 - see `_shape`
    if not isinstance(value, list):
        raise DefinitionError(_text(where, f"{value!r} is not a list"))
    return tuple(_shape(kind, item, where=f"{where}[{number}]") for number, item in enumerate(value))


def _table(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise DefinitionError(_text(where, f"{value!r} is not a table"))
    return value


def _record(kind: Any, table: Mapping[str, object], *, where: str) -> Any:  # noqa: ANN401 - see `_shape`
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(table) - set(fields))
    if unknown:
        raise DefinitionError(_text(where, f"unknown key {unknown[0]!r}; allowed: {', '.join(sorted(fields))}"))
    missing = sorted(name for name, field in fields.items() if _is_required(field) and name not in table)
    if missing:
        raise DefinitionError(_text(where, f"key {missing[0]!r} is missing"))
    hints = get_type_hints(kind)
    values = {name: _shape(hints[name], item, where=f"{where}.{name}") for name, item in table.items()}
    try:
        return kind(**values)
    except DefinitionError:
        raise
    except ValueError as error:
        raise DefinitionError(_text(where, str(error))) from error


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _text(where: str, what: str) -> str:
    return f"{where}: {what}"
