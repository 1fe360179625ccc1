"""Reading the options of a verifier spec: known names, known types, or a sentence why not."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from pointsman.domain.errors import ConfigurationError


def options(spec: Any, known: Collection[str]) -> Mapping[str, Any]:
    """The spec as a mapping of known options. Raises: ConfigurationError."""
    if not isinstance(spec, Mapping):
        raise ConfigurationError(f"the spec is a mapping of {', '.join(known)}")
    for name in spec:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            meant = f"did you mean '{near[0]}'?" if near else f"use {', '.join(known)}"
            raise ConfigurationError(f"unknown option '{name}'", next=meant)
    return spec


def names(spec: Mapping[str, Any], option: str) -> tuple[str, ...]:
    """A list of field names, empty when the option is absent. Raises: ConfigurationError."""
    value = spec.get(option, ())
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError(f"'{option}' is a list of field names")
    return tuple(value)


def mapping(spec: Mapping[str, Any], option: str) -> Mapping[str, Any]:
    """A mapping by field name, empty when the option is absent. Raises: ConfigurationError."""
    value = spec.get(option, {})
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError(f"'{option}' is a mapping by field name")
    return value
