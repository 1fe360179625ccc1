"""A gateway under policies, for tests; and what a client reads on each surface."""

from textwrap import dedent

import msgspec
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.client import Workspace
from pointsman.config.policies import parse_policy
from pointsman.domain.policies import PolicyBinding

CODE = "EMP-[0-9]{6}"
REDACT = """
id: codes
detectors:
  code: {regex: "EMP-[0-9]{6}"}
rules:
  - id: no-codes
    stages: [response]
    verdict: redact
    detectors: [code]
    redact: {replacement: "<code>"}
"""
BLOCK = """
id: falcon
detectors:
  word: {literal: [Falcon-9]}
rules:
  - {id: no-falcon, stages: [response, request], verdict: block, detectors: [word]}
"""


def bound(*texts, **binding):
    specs = tuple(parse_policy(dedent(text), name=f"p{at}.yaml") for at, text in enumerate(texts))
    return (PolicyBinding(name="all", files=("*.yaml",), policies=specs, **binding),)


def governed(path, upstreams, *texts, binding=None, **changes):
    """A gateway over these upstreams, cheapest first, under these policies."""
    names = ("small", "large", "huge")
    deployments = [a_deployment(n, u.base_url) for n, u in zip(names, upstreams, strict=False)]
    config = a_config(path, deployments, **{"gate": None, **changes})
    policies = bound(*texts, **(binding or {}))
    return RunningGateway(msgspec.structs.replace(config, policies=policies))


def asked(surface: str, text: str = "hello", *, stream: bool = False, model: str = "task:work"):
    """A path and a body that asks this on a surface."""
    body: dict = {"model": model, "stream": stream}
    if surface == "chat":
        return "/v1/chat/completions", {**body, "messages": [{"role": "user", "content": text}]}
    if surface == "completions":
        return "/v1/completions", {**body, "prompt": text}
    if surface == "responses":
        return "/v1/responses", {**body, "input": text}
    messages = [{"role": "user", "content": text}]
    return "/v1/messages", {**body, "max_tokens": 100, "messages": messages}


def texts_in(value) -> list[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [one for each in value for one in texts_in(each)] if isinstance(value, list) else []


def told_of(gateway, answer) -> dict:
    """What the journal holds of one request."""
    found = Workspace(gateway.config).trace(answer.headers["x-pointsman-trace"])
    return msgspec.to_builtins(found)
