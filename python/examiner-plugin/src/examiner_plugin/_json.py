"""Dataclasses as JSON: unknown fields are passed over, missing ones take their default, and `None` is left out.

How a class is read and written is worked out once, because a model may answer ten thousand requests a second.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any, Callable, Dict, List, Type, TypeVar

T = TypeVar("T")
_PLAIN = frozenset([str, int, float, bool, type(None)])
_fields: Dict[type, List[str]] = {}
_readers: Dict[Any, Callable[[Any], Any]] = {}


def encode(value: Any) -> Any:
    """A value as lists, dictionaries, texts and numbers."""
    kind = value.__class__
    if kind in _PLAIN:
        return value
    if kind is list or kind is tuple:
        return value if all(item.__class__ in _PLAIN for item in value) else [encode(item) for item in value]
    if kind is dict:
        return {key: encode(item) for key, item in value.items()}
    if hasattr(kind, "to_json"):
        return value.to_json()
    if dataclasses.is_dataclass(kind):
        return fields(value)
    return value


def fields(value: Any) -> Dict[str, Any]:
    """The fields of a dataclass that are not `None`."""
    kind = value.__class__
    names = _fields.get(kind)
    if names is None:
        names = _fields[kind] = [field.name for field in dataclasses.fields(kind)]
    found = {}
    for name in names:
        item = getattr(value, name)
        if item is not None:
            found[name] = item if item.__class__ in _PLAIN else encode(item)
    return found


def decode(kind: Type[T], data: Any) -> T:
    """A value of a type, from what `encode` makes of it."""
    reader = _readers.get(kind)
    if reader is None:
        reader = _readers[kind] = _reader(kind)
    return reader(data)


def _reader(kind: Any) -> Callable[[Any], Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        item = _reader(arguments[0])
        return list if item is _as_it_is else lambda data: [item(one) for one in data]
    if origin is typing.Union:
        (one,) = [argument for argument in arguments if argument is not type(None)]
        inner = _reader(one)
        return inner if inner is _as_it_is else lambda data: None if data is None else inner(data)
    if hasattr(kind, "from_json"):
        return kind.from_json
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(kind)
    return _as_it_is


def _as_it_is(data: Any) -> Any:
    return data


def _dataclass_reader(kind: Any) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    names = frozenset(hints)
    nested = [(name, reader) for name, reader in ((n, _reader(h)) for n, h in hints.items()) if reader is not _as_it_is]

    def read(data: Dict[str, Any]) -> Any:
        known = {name: item for name, item in data.items() if name in names}
        for name, reader in nested:
            if name in known:
                known[name] = reader(known[name])
        return kind(**known)

    return read


def _number_of(value: Any) -> Any:
    """A number or an array of NumPy or PyTorch as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"expected text, numbers, lists and dictionaries, found a `{type(value).__name__}`")


def line(message: Dict[str, Any]) -> bytes:
    """A message as a line. A number that is none, or a text with half a character, is an error: JSON has neither."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_number_of).encode() + b"\n"
