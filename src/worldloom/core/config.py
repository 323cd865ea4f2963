"""Frozen dataclasses to and from plain dictionaries, strictly: a typo is an error, never a default.

Fields may be bool, int, float, str, Path, None, Literal, Optional and other unions, tuple, list, dict with
string keys, and further dataclasses.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from worldloom.core.error import UsageError

Config = TypeVar("Config")
TRUE_WORDS, FALSE_WORDS = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def to_dict(config: Any) -> dict[str, Any]:
    """Return a config as a JSON-able dictionary (tuples become lists, paths strings)."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"to_dict takes a dataclass instance, not {config!r}")
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def from_dict(cls: type[Config], values: Mapping[str, Any]) -> Config:
    """Return `cls` built from `values`, which must hold exactly its fields, each of its annotated type.

    Raises UsageError that names the unknown or missing keys and the allowed ones, or the value that does not
    fit.
    """
    return _build(cls, values, where=cls.__name__)


def override(config: Config, changes: Mapping[str, str]) -> Config:
    """Return a copy with fields replaced, each named by a dotted path and read from text by its annotation.

    `{"optimizer.lr": "3e-4", "model.patch_size": "1,2,2", "resume_from": "none"}`. Tuples and lists are
    commas or JSON. Raises UsageError for an unknown field, naming the allowed ones, and for text that does
    not fit.
    """
    for dotted, text in changes.items():
        config = _replace(config, dotted.split("."), text, dotted)
    return config


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _build(cls: Any, values: Any, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise UsageError(f"{where} must be a mapping of fields, not {values!r}")
    kinds = _field_kinds(cls)
    unknown, missing = sorted(set(values) - set(kinds)), sorted(set(kinds) - set(values))
    if unknown or missing:
        parts = [f"has unknown fields {', '.join(unknown)}"] if unknown else []
        parts += [f"lacks the fields {', '.join(missing)}"] if missing else []
        raise UsageError(f"{where} {' and '.join(parts)}; allowed: {', '.join(kinds)}")
    return cls(**{name: _fit(kinds[name], values[name], f"{where}.{name}") for name in kinds})


def _field_kinds(cls: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def _fit(kind: Any, value: Any, where: str) -> Any:
    """Return `value` as `kind`, changing only what JSON cannot say (tuples, whole floats)."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return value if isinstance(value, typing.cast(type, kind)) else _build(kind, value, where)
    if origin in (Union, types.UnionType):
        return _fit_union(inner, value, where)
    if origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in inner):
            return value
        raise UsageError(f"{where} is {value!r}; allowed: {', '.join(map(repr, inner))}")
    if kind in (tuple, list) or origin in (tuple, list, Sequence):
        return _fit_sequence(kind, value, where)
    if kind is dict or origin in (dict, Mapping):
        return _fit_mapping(inner, value, where)
    return _fit_scalar(kind, value, where)


def _fit_scalar(kind: Any, value: Any, where: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and is_number:
        return float(value)
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    if kind in (None, type(None)) and value is None:
        return None
    if kind is int and is_number and isinstance(value, int):
        return value
    if kind in (bool, str) and isinstance(value, kind):
        return value
    name = "null" if kind in (None, type(None)) else getattr(kind, "__name__", str(kind))
    raise UsageError(f"{where} is {value!r}; it must be of type {name}")


def _fit_union(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    errors: list[UsageError] = []
    for choice in choices:
        try:
            return _fit(choice, value, where)
        except UsageError as error:
            errors.append(error)
    # A mapping was meant for the one dataclass among the choices: its own complaint names the field.
    detailed = [
        e
        for c, e in zip(choices, errors, strict=True)
        if dataclasses.is_dataclass(c) and isinstance(value, Mapping)
    ]
    if len(detailed) == 1:
        raise detailed[0]
    names = " or ".join("null" if c is type(None) else getattr(c, "__name__", str(c)) for c in choices)
    raise UsageError(f"{where} is {value!r}; it must be {names}")


def _fit_sequence(kind: Any, value: Any, where: str) -> Any:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UsageError(f"{where} is {value!r}; it must be a list")
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if not inner:
        kinds: tuple[Any, ...] = (Any,) * len(value)
    elif origin is not tuple:
        kinds = inner * len(value)
    elif len(inner) == 2 and inner[1] is Ellipsis:
        kinds = inner[:1] * len(value)
    elif len(inner) == len(value):
        kinds = inner
    else:
        raise UsageError(f"{where} has {len(value)} entries; it must have {len(inner)}")
    items = [_fit(k, item, f"{where}[{i}]") for i, (k, item) in enumerate(zip(kinds, value, strict=True))]
    return items if origin is list else tuple(items)


def _fit_mapping(inner: tuple[Any, ...], value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{where} is {value!r}; it must be a mapping")
    kind = inner[1] if inner else Any
    return {key: _fit(kind, item, f"{where}.{key}") for key, item in value.items()}


def _replace(config: Any, path: list[str], text: str, dotted: str) -> Any:
    kinds = _field_kinds(type(config))
    name, rest = path[0], path[1:]
    if name not in kinds:
        raise UsageError(
            f"{dotted}: {type(config).__name__} has no field {name!r}; allowed: {', '.join(kinds)}"
        )
    current = getattr(config, name)
    if rest and not dataclasses.is_dataclass(current):
        raise UsageError(f"{dotted}: {name!r} is a value without fields of its own; set it directly")
    if rest:
        new = _replace(current, rest, text, dotted)
    elif dataclasses.is_dataclass(current) and text.lower() != "none":
        inside = ", ".join(f"{dotted}.{field}" for field in _field_kinds(type(current)))
        raise UsageError(f"{dotted} is a group; set one of its fields: {inside}")
    else:
        new = _fit(kinds[name], _read(kinds[name], text), dotted)
    return dataclasses.replace(config, **{name: new})


def _read(kind: Any, text: str) -> Any:
    """Return the value that `text` spells for `kind`, or the text itself, for _fit to refuse."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _read_union(inner, text)
    if origin is Literal:
        return next((choice for choice in inner if str(choice) == text), text)
    if kind in (tuple, list) or origin in (tuple, list, Sequence):
        return _read_sequence(inner, text)
    if kind is bool:
        return {**dict.fromkeys(TRUE_WORDS, True), **dict.fromkeys(FALSE_WORDS, False)}.get(
            text.lower(), text
        )
    if kind in (int, float):
        return _read_number(kind, text)
    if kind is dict or origin in (dict, Mapping):
        return _read_json(text)
    return None if kind is type(None) and text.lower() in ("none", "null") else text


def _read_union(choices: tuple[Any, ...], text: str) -> Any:
    # None first and str last: "none" is no name, and every text would pass for a str.
    for choice in sorted(choices, key=lambda c: (c is not type(None), c is str)):
        value = _read(choice, text)
        try:
            return _fit(choice, value, "")
        except UsageError:
            continue
    return text


def _read_sequence(inner: tuple[Any, ...], text: str) -> Any:
    if text.lstrip().startswith("["):
        return _read_json(text)
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    fixed = len(inner) == len(pieces) and Ellipsis not in inner
    kinds = inner if fixed else (inner[:1] or (str,)) * len(pieces)
    return [_read(kind, piece) for kind, piece in zip(kinds, pieces, strict=True)]


def _read_number(kind: type, text: str) -> Any:
    try:
        number = kind(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
