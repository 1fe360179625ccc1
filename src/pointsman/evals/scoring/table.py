"""The kinds of scorers: what a file may say of each, and what makes it ready."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from pointsman.domain.errors import ConfigurationError
from pointsman.evals.case import ScorerSpec
from pointsman.evals.scoring import (
    conduct,
    grounding,
    helped,
    judge,
    numbers,
    structured,
    texts,
    tool_calls,
)
from pointsman.evals.scoring.scorer import Options, Scorer


class Kind(NamedTuple):
    """One kind of scorer."""

    options: type[Options]
    make: Callable[[ScorerSpec, Any], Scorer]
    expects: Callable[[Any], bool] = lambda options: True  # whether each case must say something


_NOTHING: Callable[[Any], bool] = lambda options: False  # noqa: E731

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "exact": Kind(texts.ExactOptions, texts.exact),
        "regex": Kind(
            texts.RegexOptions, texts.regex, expects=lambda options: options.pattern is None
        ),
        "numeric": Kind(numbers.NumericOptions, numbers.numeric),
        "json_schema": Kind(
            structured.JsonSchemaOptions, structured.json_schema, expects=_NOTHING
        ),
        "json_fields": Kind(structured.JsonFieldsOptions, structured.json_fields),
        "fields": Kind(structured.FieldsOptions, structured.fields, expects=_NOTHING),
        "expression": Kind(structured.ExpressionOptions, structured.expression, expects=_NOTHING),
        "tool_calls": Kind(tool_calls.ToolCallsOptions, tool_calls.tool_calls),
        "code": Kind(helped.CodeOptions, helped.code),
        "retrieval": Kind(grounding.RetrievalOptions, grounding.retrieval),
        "citation": Kind(grounding.CitationOptions, grounding.citation),
        "refusal": Kind(
            conduct.RefusalOptions,
            conduct.refusal,
            expects=lambda options: options.expect == "as the case says",
        ),
        "policy": Kind(conduct.PolicyOptions, conduct.policy, expects=_NOTHING),
        "judge": Kind(judge.JudgeOptions, judge.judge, expects=judge.needs_expected),
        "similarity": Kind(helped.SimilarityOptions, helped.similarity),
    }
)  # fmt: skip


def compile_scorer(spec: ScorerSpec) -> Scorer:
    """A scorer ready to look. Raises: ConfigurationError that names it and what is off."""
    kind = KINDS.get(spec.kind)
    if kind is None:
        raise ConfigurationError(
            f"scorer '{spec.name}' has the unknown kind '{spec.kind}'",
            next=f"use one of {', '.join(KINDS)}",
        )
    try:
        return kind.make(spec, msgspec.convert(spec.spec, kind.options))
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"scorer '{spec.name}' ({spec.kind}): {error}") from None
    except ConfigurationError as error:
        raise ConfigurationError(
            f"scorer '{spec.name}' ({spec.kind}): {error.what}", why=error.why, next=error.next
        ) from error


def compile_scorers(specs: Iterable[ScorerSpec]) -> tuple[Scorer, ...]:
    """All of them. Raises: as `compile_scorer`."""
    return tuple(compile_scorer(spec) for spec in specs)
