"""The table of verifier kinds, and how verifiers run; what each kind looks at lies beside it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.messages import Reply
from pointsman.domain.task import VerifierSpec
from pointsman.domain.verdict import CheckResult
from pointsman.verifiers.answer import Answer, Found, Unjudged
from pointsman.verifiers.fields import compile_fields
from pointsman.verifiers.plain import compile_expression_check, compile_number, compile_regex

Look = Callable[[Answer], None]  # returns: clear. Raises: Found or Unjudged.


def _compile_schema(spec: Any) -> Look:
    from pointsman.verifiers.schema import compile_schema  # 7 MB that few configurations need

    return compile_schema(spec)


KINDS: Mapping[str, Callable[[Any], Look]] = MappingProxyType(
    {
        "json_schema": _compile_schema,
        "regex": compile_regex,
        "number": compile_number,
        "fields": compile_fields,
        "expression": compile_expression_check,
    }
)


@dataclass(frozen=True)
class Verifier:
    """One compiled check. `look` returns when all is clear and raises Found or Unjudged."""

    name: str
    kind: str
    look: Look


def compile_verifier(spec: VerifierSpec) -> Verifier:
    """A verifier ready to run on any answer.

    Raises: ConfigurationError naming the verifier and what its spec must say.
    """
    compile_kind = KINDS.get(spec.kind)
    if compile_kind is None:
        raise ConfigurationError(
            f"verifier '{spec.name}' has the unknown kind '{spec.kind}'",
            next=f"use one of {', '.join(KINDS)}",
        )
    try:
        look = compile_kind(spec.spec)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"verifier '{spec.name}' ({spec.kind}): {error.what}", why=error.why, next=error.next
        ) from error
    except Exception as error:  # a library's own trouble with a spec is still the spec's
        raise ConfigurationError(
            f"verifier '{spec.name}' ({spec.kind}) cannot be compiled",
            why=f"{type(error).__name__}: {str(error)[:200]}",
            next="correct its spec",
        ) from error
    return Verifier(name=spec.name, kind=spec.kind, look=look)


def run_verifiers(verifiers: Iterable[Verifier], reply: Reply) -> tuple[CheckResult, ...]:
    """One result per verifier, in order; never raises for anything the answer holds."""
    answer = Answer(reply)
    return tuple(_run(verifier, answer) for verifier in verifiers)


def _run(verifier: Verifier, answer: Answer) -> CheckResult:
    try:
        verifier.look(answer)
    except Found as found:
        return CheckResult(check=verifier.name, status="found", detail=found.detail)
    except Unjudged as unjudged:
        return CheckResult(check=verifier.name, status="unjudged", detail=unjudged.detail)
    except Exception as crash:  # a crash is not a look; its message may quote the answer
        detail = f"the check failed: {type(crash).__name__}"
        return CheckResult(check=verifier.name, status="unjudged", detail=detail)
    return CheckResult(check=verifier.name, status="clear")
