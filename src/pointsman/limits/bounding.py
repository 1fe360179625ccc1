"""The most that one request can cost, over every step its plan may take; pure, and never low."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.limits import Need
from pointsman.domain.messages import WRITING, ModelRequest
from pointsman.domain.plan import Plan
from pointsman.domain.portfolio import OUTPUT_FIELDS, Deployment

# A token of text is a byte at least, and the JSON around a message is longer than the template's
# words in its place; what templates add once (a default system prompt, how to call tools) is less.
_TEMPLATE_TOKENS = 512
# Beside text: the most that vision models of the Qwen, Llama and Gemma families make of one image.
_PART_TOKENS = 16_384
_PAIR_TOKENS = 256  # what rerankers say around a query and a document (Qwen3-Reranker: about 80)
_ALONE_TOKENS = 8  # what begins and ends a text
_TEXT_PARTS = frozenset({"text", "input_text", "refusal"})
_CHOICES = frozenset(("n", "best_of"))
_Whole = msgspec.json.Decoder(int | float | None)


def need_of(
    request: ModelRequest,
    *,
    body_bytes: int,
    prompt_bytes: int,
    estimate: int,
    plan: Plan,
    deployments: Mapping[str, Deployment],
    tries: int = 1,
) -> Need:
    """What to reserve before the first upstream call.

    Args: body_bytes is the size of the body, prompt_bytes that of the prompt put into it;
        estimate is that of the prompt's tokens, for the rate; tries is how often one step may be
        called.
    Raises: InvalidRequest where a step's answer may be of any length.
    """
    prompt = _prompt_tokens(request, body_bytes, prompt_bytes)
    if request.operation not in WRITING:
        return _reading(prompt, estimate, plan, deployments, tries)
    asked, choices = output_asked(request), _choices(request)
    usd_picos, longest = 0, 0
    for step in plan.steps:
        deployment = deployments[step.deployment]
        output = _output(asked, deployment)
        longest = max(longest, output)
        if deployment.price is None:
            continue
        context = deployment.embedded.context if deployment.embedded else None
        read = prompt if context is None else min(prompt, context)
        price = deployment.price
        dearest = max(price.input_usd_picos, price.cached_input_usd_picos or 0)
        once = read * dearest + output * choices * price.output_usd_picos
        usd_picos += once * tries
    return Need(estimate + longest * choices, usd_picos)


def _reading(
    prompt: int, estimate: int, plan: Plan, deployments: Mapping[str, Deployment], tries: int
) -> Need:
    """For vectors and rankings: what is read costs, and nothing is written."""
    prices = (deployments[step.deployment].price for step in plan.steps)
    dearest = [max(p.input_usd_picos, p.cached_input_usd_picos or 0) for p in prices if p]
    return Need(estimate, sum(prompt * price * tries for price in dearest))


def tokens_of(request: ModelRequest, *, estimate: int, plan: Plan,
              deployments: Mapping[str, Deployment]) -> int:  # fmt: skip
    """What a rate is charged at first; an answer of any length counts as its prompt alone."""
    if request.operation not in WRITING:
        return estimate
    asked = output_asked(request)
    bounds = [asked, *(deployments[step.deployment].limits.max_output_tokens
                       for step in plan.steps)]  # fmt: skip
    known = [bound for bound in bounds if bound is not None]
    return estimate + (min(known) if known else 0) * _choices(request)


def output_asked(request: ModelRequest) -> int | None:
    """The most tokens an answer may have by the client's words; None: it did not say.

    Where several of an engine's words for it are there, the largest counts.
    Raises: InvalidRequest for one that is no number above zero.
    """
    said = [request.max_tokens] if request.max_tokens is not None else []
    for name in OUTPUT_FIELDS:
        raw = request.fields.get(name)
        if raw is not None:
            value = _number(name, raw)
            if value is not None:
                said.append(value)
    return max(said) if said else None


def _output(asked: int | None, deployment: Deployment) -> int:
    limit = deployment.limits.max_output_tokens
    if asked is None and limit is None:
        raise InvalidRequest(
            "the answer to this request has no bound, and this key has a budget",
            why=f"neither the request nor {deployment.name} says how long an answer may be",
            next="send max_tokens, or set limits.max_output_tokens of the deployment",
            param="max_tokens",
            code="output_unbounded",
        )
    return min(value for value in (asked, limit) if value is not None)


def _number(name: str, raw: msgspec.Raw) -> int | None:
    try:
        value = _Whole.decode(raw)
    except msgspec.MsgspecError:
        value = -1
    if value is None:
        return None
    if not 0 < value <= 2**31:  # not NaN either
        raise InvalidRequest(
            f"`{name}` must be a number from 1 to 2147483648", param=name, code="invalid_value"
        )
    return int(value)


def _choices(request: ModelRequest) -> int:
    """Answers that are written: for each prompt as many as are asked for, or tried for the best."""
    if _CHOICES.isdisjoint(request.fields):
        return request.choices
    said = {name: request.fields.get(name) for name in _CHOICES}
    each = max(
        (_number(name, raw) or 1 for name, raw in said.items() if raw is not None), default=1
    )
    chosen = _number("n", said["n"]) if said["n"] is not None else None
    prompts = request.choices // (chosen or 1) or 1
    return max(request.choices, prompts * each)


def _prompt_tokens(request: ModelRequest, body_bytes: int, prompt_bytes: int) -> int:
    # A surface in other words may say more to the engine than its client said.
    forwarded = sum([memoryview(raw).nbytes for raw in request.fields.values()])
    total = max(body_bytes, forwarded) + prompt_bytes + _TEMPLATE_TOKENS
    if request.operation != "chat":  # each is read on its own, a document with the query before it
        query = request.fields.get("query") if request.operation == "rerank" else None
        again = len(bytes(query)) + _PAIR_TOKENS if query is not None else _ALONE_TOKENS
        total += again * len(request.messages)
    for message in request.messages:
        if not isinstance(message.content, list):
            continue
        for part in message.content:
            if part.get("type") not in _TEXT_PARTS:
                total += _PART_TOKENS - _embedded_bytes(part)
    return total


def _embedded_bytes(part: dict[str, Any]) -> int:
    """The size of an image inside the body: no part of what is read as text."""
    image = part.get("image_url") if part.get("type") == "image_url" else None
    url = image.get("url") if isinstance(image, dict) else image
    return len(url) if isinstance(url, str) and url.startswith("data:image/") else 0
