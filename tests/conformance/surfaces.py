"""The surfaces of a gateway: requests to them, and the form of answers and errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.conformance.engine import JsonObject
from tests.conformance.matching import Mismatch, check
from tests.conformance.streams import (
    Stream,
    chat_stream,
    completions_stream,
    messages_stream,
    responses_stream,
)
from tests.conformance.wire import Answer


@dataclass(frozen=True, kw_only=True)
class Surface:
    """One path that answers prompts."""

    name: str
    path: str  # after the base URL
    body: Callable[[str], JsonObject]  # of a prompt, without the model
    said: Callable[[Any], str]  # the text of a whole answer
    stream: Callable[[Answer], Stream] | None = None  # reads and checks the form of a stream
    translated: bool = False  # its upstream is asked for chat completions
    headers: Mapping[str, str] = field(default_factory=dict)

    def label(self, *, stream: bool) -> str:
        """How a report names it."""
        return f"{self.name} stream" if stream else self.name


def check_error(surface: str, answer: Answer, *statuses: int) -> JsonObject:
    """The error object of an answer that must be one. Raises: Mismatch."""
    check(answer.status in statuses, "another status", expected=statuses, got=answer.raw)
    check(answer.whole, "the answer's framing is cut", got=answer.raw)
    kind = (answer.header("content-type") or "").split(";")[0].strip()
    check(kind == "application/json", "an error that is not JSON", got=answer.raw)
    try:
        return error_object(surface, answer.json)
    except ValueError:
        raise Mismatch("an error that is not JSON", got=answer.raw) from None


def error_object(surface: str, said: Any) -> JsonObject:
    """The `error` of an error's JSON, its form checked. Raises: Mismatch."""
    expected: JsonObject = {"error": {"message": "…", "type": "…", "param": None, "code": "…"}}
    error = said.get("error") if isinstance(said, dict) else None
    check(isinstance(error, dict), "not the form of an error", expected=expected, got=said)
    assert isinstance(error, dict)
    for name in ("message", "type"):
        filled = isinstance(error.get(name), str) and error[name]
        check(filled, f"error.{name} is no text", expected=expected, got=said)
    if surface == "messages":
        check(said.get("type") == "error", "type is not `error`", got=said)
        check(error["type"] in MESSAGES_ERRORS, "an error type that the API does not have",
              expected=sorted(MESSAGES_ERRORS), got=said)  # fmt: skip
        return error
    for name in ("param", "code"):
        worded = name in error and (error[name] is None or isinstance(error[name], str))
        check(worded, f"error.{name} is neither text nor null", expected=expected, got=said)
    return error


def _responses_text(said: Any) -> str:
    check(said.get("object") == "response", "object is not `response`", got=said)
    check(said.get("status") in ("completed", "incomplete"), "no status", got=said)
    parts = [
        part["text"]
        for item in said["output"] if item["type"] == "message"
        for part in item["content"] if part["type"] == "output_text"
    ]  # fmt: skip
    return "".join(parts)


def _messages_text(said: Any) -> str:
    check(said.get("type") == "message", "type is not `message`", got=said)
    check(said.get("role") == "assistant", "role is not `assistant`", got=said)
    return "".join(block["text"] for block in said["content"] if block["type"] == "text")


def _user(prompt: str) -> JsonObject:
    return {"messages": [{"role": "user", "content": prompt}]}


MESSAGES_ERRORS: Final = frozenset(
    {
        "invalid_request_error", "authentication_error", "permission_error", "not_found_error",
        "request_too_large", "rate_limit_error", "api_error", "overloaded_error", "timeout_error",
        "billing_error",
    }
)  # fmt: skip
SURFACES: Final[tuple[Surface, ...]] = (
    Surface(
        name="chat", path="/chat/completions", body=_user,
        said=lambda said: str(said["choices"][0]["message"]["content"]), stream=chat_stream,
    ),
    Surface(
        name="completions", path="/completions", body=lambda prompt: {"prompt": prompt},
        said=lambda said: str(said["choices"][0]["text"]), stream=completions_stream,
    ),
    Surface(
        name="responses", path="/responses", body=lambda prompt: {"input": prompt},
        said=_responses_text, stream=responses_stream, translated=True,
    ),
    Surface(
        name="messages", path="/messages",
        body=lambda prompt: {"max_tokens": 64, **_user(prompt)},
        said=_messages_text, stream=messages_stream, translated=True,
        headers={"anthropic-version": "2023-06-01"},
    ),
    Surface(
        name="embeddings", path="/embeddings", body=lambda prompt: {"input": prompt},
        said=lambda said: str(said["data"][0]["embedding"]),
    ),
    Surface(
        name="rerank", path="/rerank",
        body=lambda prompt: {"query": prompt, "documents": ["a", "b", "c"]},
        said=lambda said: str([each["index"] for each in said["results"]]),
    ),
)  # fmt: skip
BY_NAME: Final[Mapping[str, Surface]] = {surface.name: surface for surface in SURFACES}
