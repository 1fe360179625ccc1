"""Guard models: asked before policies are, so that what they say is there when policies judge.

A guard is a deployment of the portfolio. What could not be asked in time, or not be read, is
`unjudged`: the policy says what follows, by default that nothing is delivered.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pointsman.domain.messages import ModelRequest
from pointsman.domain.portfolio import Deployment
from pointsman.domain.ports import AttemptFailed, Backend, UpstreamCall
from pointsman.domain.task import GuardSettings
from pointsman.governing.escapes import resolved
from pointsman.governing.guards import GuardModel, Question, answered, known
from pointsman.governing.judging import detectors_for
from pointsman.governing.requests import Text
from pointsman.policy.compiling import Policy
from pointsman.policy.detectors import names
from pointsman.policy.detectors.guards import GuardAnswer

_MOST_CHARS = 200_000  # of one text
_MOST_TEXTS = 32  # of one request or answer
_AT_ONCE = 4  # of one request
_TOKENS = 64  # of a guard's answer


async def ask_guards(
    policies: Sequence[Policy],
    texts: Iterable[Text],
    *,
    backend: Backend,
    deployments: Mapping[str, Deployment],
    before: str | None,
) -> None:
    """Ask every guard that these policies want about these texts, a few at a time.

    Args: before is what a person wrote, where the texts are a model's answer to it.
    """
    told = known()
    wanted: dict[Question, GuardSettings] = {}
    for each in texts:
        if not each.text:
            continue
        for bound in detectors_for(policies, each.subject):
            if isinstance(bound.detector, GuardModel):
                settings = bound.detector.settings
                question = Question(settings.name, _shown(each), before is not None)
                if question not in told:
                    wanted[question] = settings
    turns = asyncio.Semaphore(_AT_ONCE)

    async def asked(question: Question, settings: GuardSettings, at: int) -> None:
        if at >= _MOST_TEXTS:
            told[question] = f"more than {_MOST_TEXTS} texts"
            return
        async with turns:
            told[question] = await _ask(question, settings, backend, deployments, before)

    async with asyncio.TaskGroup() as group:
        for at, (question, settings) in enumerate(wanted.items()):
            group.create_task(asked(question, settings, at))


def _shown(each: Text) -> str:
    """The text as a detector is shown it."""
    text = each.text or ""
    escaped = each.subject.channel == "tool_args" and "\\" in text
    return resolved(text).text if escaped else text


async def _ask(
    question: Question,
    settings: GuardSettings,
    backend: Backend,
    deployments: Mapping[str, Deployment],
    before: str | None,
) -> GuardAnswer | str:
    """What the guard says, or why that is not known."""
    if len(question.text) > _MOST_CHARS:
        return f"the text is over {_MOST_CHARS} characters"
    fields = _fields(question, settings, before)
    deployment = deployments[settings.deployment]
    fields["model"] = deployment.served_name
    request = ModelRequest(
        model=deployment.served_name,
        stream=False,
        include_usage=False,
        messages=(),
        fields={name: msgspec.Raw(msgspec.json.encode(each)) for name, each in fields.items()},
        max_tokens=fields["max_tokens"],
    )
    call = UpstreamCall(deployment=deployment, request=request, deadline_s=settings.timeout_s)
    try:
        async with asyncio.timeout(settings.timeout_s):
            said = await backend.complete(call)
    except TimeoutError:
        return f"the guard did not answer within {settings.timeout_s:g} s"
    except AttemptFailed as error:
        return f"the guard could not be asked: {error.failure.kind}"
    if not said.replies:
        return "the guard said nothing"
    if said.replies[0].finish_reason == "length":
        return "the guard's answer was cut off"
    return answered(settings, said.replies[0].content)


def _fields(question: Question, settings: GuardSettings, before: str | None) -> dict[str, Any]:
    """What is sent, but for the model."""
    fields: dict[str, Any] = {"max_tokens": _TOKENS, "temperature": 0}
    if settings.form == "names":
        schema = {"name": "names", "strict": True, "schema": names.SCHEMA}
        fields["messages"] = names.messages(question.text)
        fields["max_tokens"] = names.MOST_TOKENS
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif before is not None:
        fields["messages"] = [
            {"role": "user", "content": before[-_MOST_CHARS:]},
            {"role": "assistant", "content": question.text},
        ]
    else:
        fields["messages"] = [{"role": "user", "content": question.text}]
    return fields
