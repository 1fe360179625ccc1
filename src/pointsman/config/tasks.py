"""Tasks: their prompt version, checks, gate and acceptance rule, resolved."""

from collections.abc import Mapping
from typing import Any

import msgspec
import re2

from pointsman.config.gates import resolve_gate
from pointsman.config.judges import online_settings
from pointsman.config.learning import resolve_objective
from pointsman.config.prompts import Prompt, resolve_reference
from pointsman.config.schema import RawAcceptance, RawTask, RawVerifier
from pointsman.config.scope import Place, Scope
from pointsman.domain.task import AcceptanceRule, Task, VerifierSpec

KINDS = ("json_schema", "regex", "number", "fields", "expression")
OUTCOME = {"outcome": ("kind", "value", "source")}
ANSWER = {"answer": (), "json": None, "number": ()}


def resolve_task(
    name: str, raw: RawTask, route: str, prompts: Mapping[str, Prompt], scope: Scope
) -> Task:
    """One task, every problem with it kept."""
    place: Place = ("tasks", name)
    verifiers = _verifiers(raw.verify, (*place, "verify"), scope)
    gate = resolve_gate(raw.gate, (*place, "gate"), scope) if raw.gate else None
    for index, check in enumerate(gate.checks if gate else ()):
        where = (*place, "gate", "checks", index)
        scope.reference(
            where, "check", check, [each.name for each in verifiers], of=f" in task {name}"
        )
    return Task(
        name=name,
        route=route,
        prompt=resolve_reference(raw.prompt, (*place, "prompt"), prompts, scope)
        if raw.prompt
        else None,
        verifiers=verifiers,
        gate=gate,
        acceptance=_acceptance(raw.acceptance, (*place, "acceptance"), scope),
        capture=raw.capture,
        retention_days=raw.retention_days,
        thinking=raw.thinking,
        stream=raw.stream,
        objective=resolve_objective(raw.objective, (*place, "objective"), scope),
        segments=tuple(dict.fromkeys(raw.segments)),
        online=online_settings(raw),
    )


def _acceptance(raw: RawAcceptance, place: Place, scope: Scope) -> AcceptanceRule:
    scope.expression((*place, "accepted"), raw.accepted, OUTCOME)
    scope.expression((*place, "rejected"), raw.rejected, OUTCOME)
    return AcceptanceRule(
        accepted=raw.accepted,
        rejected=raw.rejected,
        within_h=raw.within_h,
        otherwise=raw.otherwise,
    )


def _verifiers(raw: list[RawVerifier], place: Place, scope: Scope) -> tuple[VerifierSpec, ...]:
    verifiers: dict[str, VerifierSpec] = {}
    given = {each.name for each in raw}
    for index, each in enumerate(raw):
        where = (*place, index)
        kinds = [kind for kind in KINDS if getattr(each, kind) is not None]
        if len(kinds) != 1:
            scope.problem(where, f"needs exactly one of {', '.join(KINDS)}")
            continue
        kind = kinds[0]
        name = each.name or _free_name(kind, {*verifiers, *given})
        if name in verifiers:
            scope.problem(where, f"a second check named {name!r}")
            continue
        spec = _SPECS[kind](getattr(each, kind), (*where, kind), scope)
        verifiers[name] = VerifierSpec(name=name, kind=kind, spec=spec)  # type: ignore[arg-type]
    return tuple(verifiers.values())


def _free_name(kind: str, taken: set[str | None]) -> str:
    """The kind itself, numbered from the second on."""
    number, name = 1, kind
    while name in taken:
        number += 1
        name = f"{kind}-{number}"
    return name


def _schema(spec: Any, place: Place, scope: Scope) -> Any:
    if isinstance(spec, dict) and spec.keys() == {"file"} and isinstance(spec["file"], str):
        text = scope.text_of_file((*place, "file"), spec["file"])
        if text is None:
            return None
        try:
            spec = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            scope.problem((*place, "file"), f"not JSON: {str(error)[:120]}")
            return None
    if not isinstance(spec, dict | bool):
        scope.problem(place, "a JSON Schema is a mapping")
        return None
    from jsonschema import Draft202012Validator, SchemaError  # slow to import, rarely needed

    try:
        Draft202012Validator.check_schema(spec)
    except SchemaError as error:
        path = "/".join(str(step) for step in error.absolute_path)
        scope.problem(place, f"not a JSON Schema (draft 2020-12) at /{path[:120]}")
    except Exception as error:  # its own checkers fail on some patterns and references
        scope.problem(place, f"not a JSON Schema that can be checked: {type(error).__name__}")
    return spec


def _regex(spec: str, place: Place, scope: Scope) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(spec, options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        scope.problem(place, f"not an RE2 pattern: {words[:120]}")
    return spec


def _number(spec: Any, place: Place, scope: Scope) -> dict[str, Any]:
    if spec.min is not None and spec.max is not None and spec.min > spec.max:
        scope.problem(place, "min is greater than max")
    said: dict[str, Any] = msgspec.to_builtins(spec)  # defaults are left out
    return said


def _fields(spec: Any, place: Place, scope: Scope) -> dict[str, Any]:
    for name in sorted(set(spec.required) & set(spec.forbidden)):
        scope.problem(place, f"{name!r} is both required and forbidden")
    said: dict[str, Any] = msgspec.to_builtins(spec)  # defaults are left out
    return said


def _expression(spec: str, place: Place, scope: Scope) -> str:
    scope.expression(place, spec, ANSWER)
    return spec


_SPECS = {
    "json_schema": _schema,
    "regex": _regex,
    "number": _number,
    "fields": _fields,
    "expression": _expression,
}
