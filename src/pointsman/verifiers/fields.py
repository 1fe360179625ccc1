"""A small check of a JSON object's fields, for those who need no schema."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pointsman.domain.errors import ConfigurationError
from pointsman.verifiers.answer import Answer, Found
from pointsman.verifiers.options import mapping, names, options

TYPES: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "string": lambda value: isinstance(value, str),
        "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "integer": lambda value: (
            not isinstance(value, bool)
            and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
        ),
        "boolean": lambda value: isinstance(value, bool),
        "array": lambda value: isinstance(value, list),
        "object": lambda value: isinstance(value, dict),
    }
)


def compile_fields(spec: Any) -> Callable[[Answer], None]:
    """The answer is a JSON object whose fields are as said; other fields are free.

    Options: required and forbidden: names of fields; one_of: for a field, the values it may take;
    types: for a field, one of the keys of TYPES. one_of and types bind only fields that are there.
    """
    said = options(spec, ("required", "forbidden", "one_of", "types"))
    required, forbidden = names(said, "required"), names(said, "forbidden")
    one_of, types = mapping(said, "one_of"), mapping(said, "types")
    for name, values in one_of.items():
        if not isinstance(values, list | tuple) or not values:
            raise ConfigurationError(f"'one_of.{name}' is a list of the values it may take")
    for name, kind in types.items():
        if not isinstance(kind, str) or kind not in TYPES:
            raise ConfigurationError(f"'types.{name}' is one of {', '.join(TYPES)}")
    both = set(required) & set(forbidden)
    if both:
        raise ConfigurationError(f"'{min(both)}' is both required and forbidden")

    def look(answer: Answer) -> None:
        found = answer.json()
        if not isinstance(found, dict):
            raise Found("the answer is not a JSON object")
        for name in required:
            if name not in found:
                raise Found(f"field '{name}' is missing")
        for name in forbidden:
            if name in found:
                raise Found(f"field '{name}' is forbidden")
        for name, kind in types.items():
            if name in found and not TYPES[kind](found[name]):
                raise Found(f"field '{name}' is not of type {kind}")
        for name, values in one_of.items():
            if name in found and not any(_same(found[name], value) for value in values):
                raise Found(f"field '{name}' is not one of the allowed values")

    return look


def _same(one: Any, other: Any) -> bool:
    """JSON equality: true is not 1, 1 is 1.0."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
