"""The JSON Schema of a class's options: the keyword arguments of its `__init__`."""

from __future__ import annotations

import inspect
import typing
from typing import Any, Dict

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}


def options_schema(role: Any) -> Dict[str, Any]:
    """What a suite may say under `options`."""
    if role.options_schema is not None:
        return role.options_schema
    if role.__init__ is object.__init__:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    parameters = list(inspect.signature(role.__init__).parameters.values())[1:]
    try:
        hints = typing.get_type_hints(role.__init__)
    except (NameError, TypeError):
        # An annotation that exists for type checkers alone.
        hints = {}
    named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    return {
        "type": "object",
        "properties": {one.name: _property(one, hints.get(one.name)) for one in named},
        "required": [one.name for one in named if one.default is one.empty],
        "additionalProperties": any(one.kind is one.VAR_KEYWORD for one in parameters),
    }


def _property(parameter: inspect.Parameter, hint: Any) -> Dict[str, Any]:
    schema = _type(hint)
    if isinstance(parameter.default, (str, int, float, bool)):
        schema["default"] = parameter.default
    if parameter.default is None and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    return schema


def _type(hint: Any) -> Dict[str, Any]:
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is typing.Union and type(None) in arguments and len(arguments) == 2:
        (one,) = [argument for argument in arguments if argument is not type(None)]
        inner = _type(one)
        return {**inner, "type": [inner["type"], "null"]} if "type" in inner else {}
    if origin not in _TYPES:
        return {}
    schema: Dict[str, Any] = {"type": _TYPES[origin]}
    if origin is list and arguments:
        schema["items"] = _type(arguments[0])
    return schema
