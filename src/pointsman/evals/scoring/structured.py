"""Answers as JSON: valid against a schema, with the fields that are expected, or by expression."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from pointsman.domain.errors import ConfigurationError
from pointsman.evals.case import ScorerSpec
from pointsman.evals.scoring.numbers import number_in
from pointsman.evals.scoring.scorer import (
    Looking,
    Options,
    Said,
    Scorer,
    Seen,
    answer_of,
    wanted,
)
from pointsman.verifiers.answer import Answer, Unjudged, parse_json
from pointsman.verifiers.fields import compile_fields
from pointsman.verifiers.plain import compile_expression_check

MAX_FIELDS = 1000


class JsonSchemaOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer is JSON and valid against the schema."""

    schema: dict[str, Any]


def json_schema(spec: ScorerSpec, options: JsonSchemaOptions) -> Scorer:
    """1 where the answer is valid JSON of that schema (2020-12)."""
    from pointsman.verifiers.schema import compile_schema  # 7 MB that few suites need

    return _verifying(spec, compile_schema(options.schema))


class FieldsOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer is a JSON object with these fields; nothing is expected by the case."""

    required: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)
    one_of: dict[str, Any] = field(default_factory=dict)
    types: dict[str, Any] = field(default_factory=dict)


def fields(spec: ScorerSpec, options: FieldsOptions) -> Scorer:
    """1 where the object has what is said."""
    said = {name: getattr(options, name) for name in options.__struct_fields__}
    return _verifying(spec, compile_fields({name: value for name, value in said.items() if value}))


class ExpressionOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An expression over `answer`, `json` and `number` is true."""

    holds: str


def expression(spec: ScorerSpec, options: ExpressionOptions) -> Scorer:
    """1 where the expression is true of the answer."""
    return _verifying(spec, compile_expression_check(options.holds))


class JsonFieldsOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON answer agrees with the expected one, field by field."""

    ignore: list[str] = field(default_factory=list)
    only: list[str] = field(default_factory=list)
    extra: Literal["forbid", "allow"] = "forbid"
    absolute: Annotated[float, Meta(ge=0)] = 0.0
    ignore_case: bool = False
    lists: Literal["in order", "any order"] = "in order"


def json_fields(spec: ScorerSpec, options: JsonFieldsOptions) -> Scorer:
    """The share of expected fields that agree; every leaf of the expected JSON is a field.

    A field that is there beyond what is expected counts as one that does not agree, unless
    `extra: allow`. Details name the fields, never their values.
    """
    both = set(options.ignore) & set(options.only)
    if both:
        raise ConfigurationError(f"'{min(both)}' is both in 'ignore' and in 'only'")

    def look(said: Said, expected: Any) -> Seen:
        right, given = wanted(expected), answer_of(said).json()
        if isinstance(right, str):
            right = parse_json(right)
        leaves = _leaves(right, options)
        there = _leaves(given, options)
        wrong = [
            path
            for path, value in leaves.items()
            if path not in there or not _alike(value, there[path], options)
        ]
        more = [] if options.extra == "allow" else [path for path in there if path not in leaves]
        total = len(leaves) + len(more)
        if not total:
            raise Unjudged("no field to compare")
        off = [path or "the whole" for path in (*wrong, *more)]
        return Seen(1.0 - len(off) / total, "differs: " + ", ".join(off[:8]) if off else "")

    return Looking(spec, look)


def _verifying(spec: ScorerSpec, check: Callable[[Answer], None]) -> Scorer:
    """A check of a task as a scorer."""

    def look(said: Said, expected: Any) -> Seen:
        check(answer_of(said))
        return Seen(1.0)

    return Looking(spec, look)


def _leaves(value: Any, options: JsonFieldsOptions) -> dict[str, Any]:
    """By path; an empty object or list is a leaf itself."""
    found: dict[str, Any] = {}
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        path, each = stack.pop()
        if isinstance(each, Mapping) and each:
            stack += [(f"{path}.{key}" if path else str(key), item) for key, item in each.items()]
        elif isinstance(each, list) and each and options.lists == "in order":
            stack += [(f"{path}[{index}]", item) for index, item in enumerate(each)]
        elif _counts(path, options):
            found[path] = each
        if len(found) + len(stack) > MAX_FIELDS:
            raise Unjudged(f"more than {MAX_FIELDS} fields")
    return dict(sorted(found.items()))


def _counts(path: str, options: JsonFieldsOptions) -> bool:
    if any(_within(path, name) for name in options.ignore):
        return False
    return not options.only or any(_within(path, name) for name in options.only)


def _within(path: str, name: str) -> bool:
    return path == name or path.startswith((f"{name}.", f"{name}["))


def _alike(one: Any, other: Any, options: JsonFieldsOptions) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return _same_items(one, other, options)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        first, second = number_in(repr(one), "whole"), number_in(repr(other), "whole")
        if first is None or second is None:
            return bool(one == other)
        return float(abs(first - second)) <= options.absolute
    if options.ignore_case and isinstance(one, str) and isinstance(other, str):
        return one.strip().casefold() == other.strip().casefold()
    return type(one) is type(other) and bool(one == other)


def _same_items(one: list[Any], other: list[Any], options: JsonFieldsOptions) -> bool:
    """Whether the lists hold the same, each item once, in any order."""
    if len(one) != len(other) or len(one) > MAX_FIELDS:
        return False
    left = list(other)
    for item in one:
        match = next((i for i, each in enumerate(left) if _equal(item, each, options)), None)
        if match is None:
            return False
        del left[match]
    return True


def _equal(one: Any, other: Any, options: JsonFieldsOptions) -> bool:
    first, second = _leaves(one, options), _leaves(other, options)
    return first.keys() == second.keys() and all(
        _alike(first[path], second[path], options) for path in first
    )
