"""Arms: deployments in one of their modes; and the deployment behind every name of a step."""

from collections.abc import Mapping

from pointsman.config.prompts import Prompt, resolve_reference
from pointsman.config.schema import RawArm, RawConfiguration
from pointsman.config.scope import Place, Scope
from pointsman.domain.portfolio import OUTPUT_FIELDS
from pointsman.domain.task import Arm

# What a mode may not set: what is asked, how it is answered, and what bounds the cost.
_OWN_WORDS = frozenset(
    {"model", "messages", "prompt", "input", "query", "documents", "stream", "stream_options", "n",
     "best_of", "tools", "tool_choice", "functions", "response_format", "logprobs", "user",
     "metadata", "store", *OUTPUT_FIELDS}
)  # fmt: skip


def resolve_arm(name: str, raw: RawArm, prompts: Mapping[str, Prompt], scope: Scope) -> Arm:
    """One arm, every problem with it kept."""
    place: Place = ("arms", name)
    scope.reference(
        (*place, "deployment"), "deployment", raw.deployment, scope.names("deployments")
    )
    if name in scope.names("deployments"):
        first = scope.root.mark_of("deployments", name)
        scope.problem(place, f"a name of deployments already, at {first}")
    for field in sorted(_OWN_WORDS & set(raw.fields)):
        scope.problem((*place, "fields", field), "the client's to say, or the deployment's limits'")
    if raw.thinking_tokens is not None and raw.thinking == "off":
        scope.problem((*place, "thinking_tokens"), "there is nothing to bound: thinking is off")
    return Arm(
        name=name,
        deployment=raw.deployment,
        thinking=raw.thinking,
        thinking_tokens=raw.thinking_tokens,
        prompt=resolve_reference(raw.prompt, (*place, "prompt"), prompts, scope)
        if raw.prompt
        else None,
        fields=raw.fields,
    )


def deployments_of(raw: RawConfiguration) -> dict[str, str]:
    """The deployment behind every name that a step may say: each deployment, then each arm."""
    return {name: name for name in raw.deployments} | {
        name: arm.deployment for name, arm in raw.arms.items() if name not in raw.deployments
    }
