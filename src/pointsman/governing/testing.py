"""A policy's own tests, run through what a request runs through, whole and in every split asked."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from pointsman.domain.messages import Message, ModelRequest
from pointsman.domain.policies import (
    PolicyBinding,
    PolicyMode,
    PolicySpec,
    PolicyTest,
    ScopeSpec,
    Verdict,
)
from pointsman.domain.ports import Chunk
from pointsman.governing.answers import texts_of_answer
from pointsman.governing.governor import Governor, delivered, judged
from pointsman.governing.guards import scripted
from pointsman.governing.outlook import outlook
from pointsman.governing.screen import Screen
from pointsman.policy.compiling import Policy
from pointsman.policy.evaluating import Decided
from pointsman.policy.facts import Facts
from pointsman.policy.registry import Registry
from pointsman.policy.verdicts import worst

_OUTPUTS = ("output", "reasoning", "tool_args", "refusal")
_FIELDS = {"output": "content", "reasoning": "reasoning_content", "refusal": "refusal"}


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """One test in one way of coming: `whole` or a split of a stream."""

    policy: str
    test: str
    way: str
    passed: bool
    why: str = ""  # what was otherwise than expected
    verdict: Verdict = "allow"
    rules: tuple[str, ...] = ()  # that fired


class _Came(msgspec.Struct):
    verdict: Verdict
    fired: set[str]
    text: str | None
    unjudged: list[str]


def run_tests(spec: PolicySpec, *, day: str, registry: Registry | None = None) -> list[Tested]:
    """Every test of a policy, in every way. Modes do not count: a test is of what rules mean.

    Args: day stands for today where a test names no day.
    Raises: ConfigurationError where the policy cannot run.
    """
    governor = governor_of([spec], registry)
    return [
        _tested(spec, test, way, governor, day)
        for test in spec.tests
        for way in ("whole", *(each for each in test.stream if each != "whole"))
    ]


def governor_of(specs: Sequence[PolicySpec], registry: Registry | None = None) -> Governor:
    """What asks these policies, and enforces every rule of them, whatever its mode."""
    meant = tuple(
        replace(
            spec,
            base=False,
            mode=PolicyMode(),
            rules=tuple(replace(rule, mode=None) for rule in spec.rules),
        )
        for spec in specs
    )
    return Governor([PolicyBinding(name="all", files=("all",), policies=meant)], registry)


def _tested(spec: PolicySpec, test: PolicyTest, way: str, governor: Governor, day: str) -> Tested:
    facts = _facts(spec.scope, test, way, day)
    came = _came(governor, facts, test, way)
    why = [] if came.verdict == test.expect else [f"came to {came.verdict}, not {test.expect}"]
    if why and came.unjudged:
        why.append(f"not judged: {'; '.join(dict.fromkeys(came.unjudged))}")
    if test.rules is not None and came.fired != set(test.rules):
        said = ", ".join(sorted(came.fired)) or "none"
        why.append(f"fired: {said}; expected: {', '.join(test.rules) or 'none'}")
    if test.text is not None and came.text != test.text:
        why.append(f"the client reads {came.text!r}")
    return Tested(
        policy=spec.id,
        test=test.name,
        way=way,
        passed=not why,
        why="; ".join(why),
        verdict=came.verdict,
        rules=tuple(sorted(came.fired)),
    )


def _facts(scope: ScopeSpec, test: PolicyTest, way: str, day: str) -> Facts:
    """Who asks: as the test says, else somebody in the policy's scope."""
    said: dict[str, Any] = {"day": day, "unit": test.name, "stream": way != "whole"}
    lists = {"tenant": scope.tenants, "team": scope.teams, "task": scope.tasks,
             "route": scope.routes, "model": scope.models, "surface": scope.surfaces}  # fmt: skip
    for name, patterns in lists.items():
        if patterns:
            said[name] = patterns[0].replace("*", "x").replace("?", "x")
    return Facts(**{**said, **test.facts})


def _came(governor: Governor, facts: Facts, test: PolicyTest, way: str) -> _Came:
    rules = governor.rules(facts)
    request = _request(test)
    came = _Came("allow", set(), None, [])
    if request is not None:
        with scripted({**test.guards, **test.guards_input}):
            inbound = governor.request(rules.inbound, facts, request)
        _take(came, inbound.decided)
        came.text = _said(inbound.request)
    if all(getattr(test, name) is None for name in _OUTPUTS):
        return came
    with scripted(test.guards):
        decided, came.text = _answered(governor, rules.outbound, facts, test, way)
    _take(came, decided)
    return came


def _answered(
    governor: Governor, policies: Sequence[Policy], facts: Facts, test: PolicyTest, way: str
) -> tuple[Decided, str]:
    """What follows for the answer, and what the client reads of it."""
    if way != "whole":
        screen = Screen(policies, facts, outlook(policies, facts), governor.compiled)
        text = _streamed(screen, test, way)
        assert screen.decided is not None, "the stream came to its end"
        return screen.decided, text
    body = _body(test)
    texts = list(texts_of_answer(body))
    _, decided = judged(policies, facts, texts)
    made = msgspec.json.decode(delivered(policies, facts, decided, body, texts))
    return decided, made["choices"][0]["message"].get("content") or ""


def _take(came: _Came, decided: Decided) -> None:
    came.verdict = worst((came.verdict, decided.verdict))
    came.unjudged += [each.reason for each in decided.unjudged if each.how == "enforced"]
    came.fired |= {each.rule for each in decided.fired if each.how == "enforced"}


def _request(test: PolicyTest) -> ModelRequest | None:
    messages = []
    if test.input is not None:
        messages.append({"role": "user", "content": test.input})
    if test.tool_result is not None:
        messages.append({"role": "tool", "tool_call_id": "c", "content": test.tool_result})
    fields: dict[str, Any] = {"messages": messages} if messages else {}
    if test.retrieval is not None:
        fields["documents"] = [test.retrieval]
    if not fields:
        return None
    return ModelRequest(
        model=test.facts.get("model", "test"),
        stream=False,
        include_usage=False,
        messages=tuple(msgspec.convert(messages, list[Message])),
        fields={name: msgspec.Raw(msgspec.json.encode(each)) for name, each in fields.items()},
    )


def _said(request: ModelRequest) -> str:
    messages = [each.content for each in request.messages if isinstance(each.content, str)]
    return "\n".join(messages)


def _body(test: PolicyTest) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    for name, field in _FIELDS.items():
        if getattr(test, name) is not None:
            message[field] = getattr(test, name)
    if test.tool_args is not None:
        function = {"name": "tool", "arguments": test.tool_args}
        message["tool_calls"] = [{"id": "c", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return msgspec.json.encode({"id": "c", "object": "chat.completion", "choices": [choice]})


def _streamed(screen: Screen, test: PolicyTest, way: str) -> str:
    out: list[Chunk] = []
    for delta in _deltas(test, way):
        out += screen.push([_chunk(delta)])
        if screen.stopped:
            break
    if not screen.stopped:
        out += screen.push([_chunk({}, "stop")])
    out += screen.end()
    deltas = [
        choice.get("delta") or {}
        for each in out
        for choice in msgspec.json.decode(each.data)["choices"]
    ]
    return "".join(each.get("content") or "" for each in deltas)


def _deltas(test: PolicyTest, way: str) -> Iterator[dict[str, Any]]:
    for name in _OUTPUTS:
        text = getattr(test, name)
        for piece in _pieces(text or "", way):
            if name == "tool_args":
                yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            else:
                yield {_FIELDS[name]: piece}


def _pieces(text: str, way: str) -> Sequence[str]:
    if way == "every-char":
        return list(text)
    pieces, at = [], 0
    while at < len(text):  # a split that the test names: the same each time
        size = 1 + sha256(f"{way}:{at}".encode()).digest()[0] % 7
        pieces.append(text[at : at + size])
        at += size
    return pieces


def _chunk(delta: dict[str, Any], finish: str | None = None) -> Chunk:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return Chunk(data=msgspec.json.encode({"id": "c", "choices": [choice]}), content=bool(delta))
