"""Answers in the shapes that engines give, and what is in each; the bytes are in `engines/`.

Shortened by hand: one whole answer (.json) and one stream (.sse) each. Every one of them answers
"12 °C, 晴 🌤" or calls get_weather for Paris, and reports 11 prompt and 5 completion tokens.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).parent / "engines"
TEXT = "12 °C, 晴 🌤"
THOUGHT = "Let me see."


@dataclass(frozen=True, kw_only=True)
class EngineAnswer:
    """What is in the two files of that name."""

    name: str
    content: str = TEXT
    reasoning: str = ""
    arguments: tuple[str, ...] = ()  # of tool calls
    finish_reason: str = "stop"
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    logprobs: int = 0  # tokens that have one

    @cached_property
    def whole(self) -> bytes:
        return (FOLDER / f"{self.name}.json").read_bytes()

    @cached_property
    def stream(self) -> bytes:
        return (FOLDER / f"{self.name}.sse").read_bytes()

    @cached_property
    def frames(self) -> list[bytes]:
        """The JSON objects of the stream."""
        lines = self.stream.split(b"\n")
        return [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: {")]


ANSWERS = {
    answer.name: answer
    for answer in (
        # usage and other nulls in every chunk; thinking under both names; prompt_token_ids
        EngineAnswer(name="vllm", reasoning=THOUGHT),
        # a new id in a delta that goes on with the same call, as versions of 2024 sent it
        EngineAnswer(
            name="vllm-tools",
            content="",
            arguments=('{"city": "Paris"}',) * 2,
            finish_reason="tool_calls",
        ),
        # reasoning_tokens beside the other counts; logprobs
        EngineAnswer(
            name="sglang", reasoning=THOUGHT, reasoning_tokens=3, cached_tokens=8, logprobs=2
        ),
        # content null first, `delta: {}` last, timings
        EngineAnswer(name="llamacpp"),
        # two calls of the same index, each in one delta; arguments as an object in the whole one
        EngineAnswer(
            name="ollama",
            content="",
            reasoning=THOUGHT,
            arguments=('{"city":"Paris"}',) * 2,
            finish_reason="tool_calls",
        ),
        # an empty id; the finish in the last content; logprobs
        EngineAnswer(name="tgi", logprobs=2),
        # usage beside choices, growing; a comment; content null while it thinks
        EngineAnswer(name="dashscope", reasoning=THOUGHT, reasoning_tokens=3),
    )
}
ERRORS = {
    "vllm": b'{"error":{"message":"no such thing","type":"BadRequestError","code":400}}',
    "vllm of old": b'{"object":"error","message":"no such thing","type":"BadRequestError"}',
    "sglang": b'{"object":"error","message":"no such thing","type":"BadRequest","param":null}',
    "llamacpp": b'{"error":{"code":400,"message":"no such thing","type":"invalid_request_error"}}',
    "ollama": b'{"error":{"message":"no such thing","type":"api_error","param":null,"code":null}}',
    "tgi": b'{"error":"no such thing","error_type":"validation"}',
    "dashscope": b'{"error":{"code":"x","message":"no such thing","type":"x"},"request_id":"1"}',
    "a web framework": b'{"detail":"no such thing"}',
    "a proxy": b"<html>no such thing</html>",
}
