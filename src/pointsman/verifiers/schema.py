"""JSON Schema (Draft 2020-12) over an answer: no remote references, linear patterns, real formats.

Details name keywords and places by the schema's own words, never by the answer's.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from itertools import islice
from typing import Any

import jsonschema
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from pointsman.domain.errors import ConfigurationError
from pointsman.verifiers.answer import Answer, Found, Unjudged
from pointsman.verifiers.formats import FORMATS
from pointsman.verifiers.plain import compile_pattern

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_ERRORS_NAMED = 3
MAX_STEPS = 50_000  # keywords applied to values, about 10 microseconds each; more is unjudged
_MAX_ERRORS_READ = 20
_steps_left: ContextVar[list[int]] = ContextVar("steps_left")

_OF_NAMES = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_OF_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_OF_ONE = (
    "items",
    "additionalProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
)


def compile_schema(spec: Any) -> Callable[[Answer], None]:
    """The answer is JSON and valid against the schema.

    Raises: ConfigurationError for another dialect, a reference out of the schema, a pattern that
    RE2 does not take, a format we cannot check, or a schema that is none.
    """
    if not isinstance(spec, Mapping | bool):
        raise ConfigurationError("the spec is a JSON Schema, an object")
    try:
        jsonschema.Draft202012Validator.check_schema(spec)
    except SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path) or "the root"
        raise ConfigurationError(f"not a JSON Schema at {place}", why=error.message) from None
    known = frozenset(_check_parts(spec))
    validator = _validator(spec)
    try:
        _errors(validator, None)
    except (RecursionError, Unjudged):
        raise ConfigurationError("the schema refers to itself without end") from None

    def look(answer: Answer) -> None:
        errors = _errors(validator, answer.json())
        if errors:
            raise Found(_detail(errors, known))

    return look


def _validator(spec: Any) -> Any:
    registry: Registry[Any] = Registry()  # empty, and nothing is ever fetched
    return _KIND(spec, registry=registry, format_checker=FORMATS)


def _errors(validator: Any, value: Any) -> list[ValidationError]:
    token = _steps_left.set([MAX_STEPS])
    try:
        return list(islice(validator.iter_errors(value), _MAX_ERRORS_READ))
    finally:
        _steps_left.reset(token)


def _counted(apply: Callable[..., Any]) -> Callable[..., Any]:
    def run(validator: Any, said: Any, instance: Any, schema: Any) -> Any:
        left = _steps_left.get()
        left[0] -= 1
        if left[0] < 0:
            raise Unjudged(f"more than {MAX_STEPS} steps to check")
        return apply(validator, said, instance, schema)

    return run


def _check_parts(root: Any) -> Iterator[str]:
    """Every field name the schema itself says. Raises: ConfigurationError on what we refuse."""
    resource = DRAFT202012.create_resource(root)
    registry: Registry[Any] = Registry()
    resolver = registry.resolver_with_root(resource)
    for part, is_root in _parts(root, True):
        if part.get("$schema", DIALECT).rstrip("#") != DIALECT:
            raise ConfigurationError("another dialect in '$schema'", next=f"write it for {DIALECT}")
        if "$id" in part and not is_root:
            raise ConfigurationError("'$id' below the root", next="refer by '#/$defs/NAME'")
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in part:
                _check_reference(part[keyword], resolver)
        for pattern in [part["pattern"]] if "pattern" in part else []:
            compile_pattern(pattern)
        for pattern in part.get("patternProperties", ()):
            compile_pattern(pattern)
        if "patternProperties" in part and "unevaluatedProperties" in part:
            raise ConfigurationError(
                "'unevaluatedProperties' beside 'patternProperties'",
                next="use 'additionalProperties'",
            )
        if "format" in part and part["format"] not in FORMATS.checkers:
            raise ConfigurationError(
                f"the format '{part['format']}' is not one we can check",
                next=f"use one of {', '.join(sorted(FORMATS.checkers))}, or a pattern",
            )
        yield from part.get("properties", ())
        yield from part.get("required", ())


def _parts(schema: Any, is_root: bool) -> Iterator[tuple[Mapping[str, Any], bool]]:
    if not isinstance(schema, Mapping):
        return
    yield schema, is_root
    below: list[Any] = []
    for keyword in _OF_NAMES:
        below.extend(schema.get(keyword, {}).values())
    for keyword in _OF_LISTS:
        below.extend(schema.get(keyword, ()))
    below.extend(schema[keyword] for keyword in _OF_ONE if keyword in schema)
    for part in below:
        yield from _parts(part, False)


def _check_reference(reference: str, resolver: Any) -> None:
    if not reference.startswith("#"):
        raise ConfigurationError(
            f"the reference '{reference}' leaves the schema",
            why="a check never fetches anything",
            next="copy what it names into '$defs' and refer to '#/$defs/NAME'",
        )
    try:
        resolver.lookup(reference)
    except Unresolvable:
        raise ConfigurationError(f"the reference '{reference}' names nothing") from None


def _detail(errors: list[ValidationError], known: frozenset[str]) -> str:
    named = [f"{_place(error, known)} {error.validator}" for error in errors]
    distinct = list(dict.fromkeys(named))
    more = len(distinct) - MAX_ERRORS_NAMED
    return "; ".join(distinct[:MAX_ERRORS_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _place(error: ValidationError, known: frozenset[str]) -> str:
    """`$.items[2].*`: a key is shown only where the schema itself says it."""
    place = "$"
    for part in error.absolute_path:
        if isinstance(part, int):
            place += f"[{part}]"
        else:
            place += f".{part}" if part in known else ".*"
    return place


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not compile_pattern(pattern).search(instance):
        yield ValidationError("does not match the pattern")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        compiled = compile_pattern(pattern)
        for key, value in instance.items():
            if compiled.search(key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    patterns = [compile_pattern(pattern) for pattern in schema.get("patternProperties", ())]
    named = schema.get("properties", {})
    for key, value in instance.items():
        if key in named or any(pattern.search(key) for pattern in patterns):
            continue
        if allowed is False:
            yield ValidationError("an additional property")
            return
        yield from validator.descend(value, allowed, path=key)


def _unique_items(
    validator: Any, unique: bool, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    # jsonschema compares each item with each where they are of mixed types: minutes for an answer
    if unique and isinstance(instance, list):
        frozen = [_frozen(item) for item in instance]
        if len(set(frozen)) < len(frozen):
            yield ValidationError("an item twice")


def _frozen(value: Any) -> Any:
    """A hashable value, equal exactly where JSON Schema calls two values equal."""
    if isinstance(value, list):
        return ("array", tuple(_frozen(item) for item in value))
    if isinstance(value, dict):
        return ("object", frozenset((key, _frozen(item)) for key, item in value.items()))
    return ("boolean", value) if isinstance(value, bool) else value


_KIND: Any = extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        keyword: _counted(apply)
        for keyword, apply in {
            **jsonschema.Draft202012Validator.VALIDATORS,
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": _additional_properties,
            "uniqueItems": _unique_items,
        }.items()
    },
)
