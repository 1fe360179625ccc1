"""Rules by splits by channels by surfaces on the real gateway: no protected character arrives."""

import itertools
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.governing.governed import asked, governed

from pointsman.testing import ScriptedUpstream, event_stream, status_answer

# Protected parts are written in letters that stand nowhere else: Z, Q and X.
POLICY = """
id: keys
detectors:
  plain: {regex: "KEY-[ZQX]{6,12}"}
  inner: {regex: "token: ([ZQX]{4,30})", group: 1}
  word: {literal: [ZQXZQX, XXQ-ZZ], ignore_case: true}
rules:
  - {id: plain, stages: [response], verdict: VERDICT, detectors: [plain]}
  - {id: inner, stages: [stream, response], verdict: redact, detectors: [inner]}
  - {id: word, stages: [response], verdict: VERDICT, when: "word.hit && surface != 'none'"}
"""
SECRETS = [
    "KEY-ZQXZQZ",
    "KEY-XXXXXXXXXXXX",
    "token: ZZQQ",
    "token: XZXZXZXZXZXZXZ",
    "ZQXZQX",
    "XXQ-ZZ",
    "KEY-QQQQQQ",
    "KEY-Z\u200bQXZQZ",
    "ＺQXZQX",
]
# In arguments alone, where they mean the letter.
ESCAPED = [r"KEY-\u005aQXZQZ", r"\u004bEY-ZQ\u0058ZQZ", r"token: \u005aZQQ"]
BENIGN = ["hello ", "KEY-", "token: ", "é ", "😀", "\n", "key", "a b c ", "KEY-a", "tok"]
FIELDS = {"chat": ("content", "reasoning_content", "refusal", "tool"),
          "completions": ("text",),
          "responses": ("content", "reasoning_content", "tool"),
          "messages": ("content", "reasoning_content", "tool")}  # fmt: skip
SURFACES = tuple(FIELDS)
PROTECTED = re.compile("[ZQXＺ]")


@pytest.fixture(scope="module", params=["redact", "block", "escalate"])
def gateway(request, tmp_path_factory):
    with ScriptedUpstream() as upstream:
        policy = POLICY.replace("VERDICT", request.param)
        path = tmp_path_factory.mktemp("journal")
        with governed(path, [upstream], policy) as running:
            yield running, upstream


@st.composite
def answers(draw, *, surfaces=SURFACES, words=(*SECRETS, *BENIGN)):
    surface = draw(st.sampled_from(surfaces))
    field = draw(st.sampled_from(FIELDS[surface]))
    more = ESCAPED if field == "tool" and words != tuple(BENIGN) else ()
    text = "".join(draw(st.lists(st.sampled_from((*words, *more)), max_size=8))) or "ok"
    stream = draw(st.booleans())
    cuts = draw(st.lists(st.integers(1, len(text)), max_size=25))
    at = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    return surface, field, text, stream, [text[a:b] for a, b in itertools.pairwise(at)]


def said(field, piece, *, stream, first=True):
    """A delta or message that says this."""
    if field != "tool":
        return {field: piece}
    call = {"function": {"arguments": piece}}
    if first:
        call |= {"id": "c1", "type": "function", "function": {"name": "f", "arguments": piece}}
    return {"tool_calls": [{"index": 0, **call} if stream else call]}


def script(surface, field, text, stream, pieces):
    base = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
    end = {"index": 0, "finish_reason": "stop"}
    if surface == "completions":
        if not stream:
            return status_answer(200, base | {"choices": [{**end, "text": text}]})
        chunks = [{"index": 0, "text": each, "finish_reason": None} for each in pieces]
        chunks.append({**end, "text": ""})
    elif not stream:
        message = {"role": "assistant", "content": None, **said(field, text, stream=False)}
        return status_answer(200, base | {"choices": [{**end, "message": message}]})
    else:
        chunks = [{"index": 0, "delta": {"role": "assistant", "content": ""}}]
        chunks += [
            {"index": 0, "delta": said(field, each, stream=True, first=at == 0),
             "finish_reason": None, "logprobs": {"content": [{"token": each}]}}
            for at, each in enumerate(pieces)
        ]  # fmt: skip
        chunks.append({**end, "delta": {}})
    events = [json.dumps(base | {"choices": [each]}).encode() for each in chunks]
    return event_stream([*events, b"[DONE]"])


@given(answers())
@settings(max_examples=40)
def test_no_protected_character_arrives(gateway, answer):
    running, upstream = gateway
    surface, field, text, stream, pieces = answer
    upstream.then(script(surface, field, text, stream, pieces))
    got = running.request("POST", *asked(surface, stream=stream))
    assert got.status == 200
    assert got.whole
    shown = "".join(unpacked(got.body.decode()))
    found = PROTECTED.findall(shown)
    assert found == [], (answer, got.body)


@given(answers(surfaces=("chat",), words=tuple(BENIGN)))
@settings(max_examples=20)
def test_benign_text_arrives_as_it_was(gateway, answer):
    running, upstream = gateway
    surface, field, text, stream, pieces = answer
    upstream.then(script(surface, field, text, stream, pieces))
    got = running.request("POST", *asked(surface, stream=stream))
    if not stream:
        message = got.json["choices"][0]["message"]
        call = (message.get("tool_calls") or [{}])[0]
        assert (call["function"]["arguments"] if field == "tool" else message[field]) == text
        return
    deltas = [choice["delta"] for each in got.chunks for choice in each["choices"]]
    if field == "tool":
        parts = [call["function"].get("arguments") or "" for each in deltas
                 for call in each.get("tool_calls", ())]  # fmt: skip
    else:
        parts = [each.get(field) or "" for each in deltas]
    assert "".join(parts) == text


def unpacked(body):
    """What a client has of an answer, whole or event by event, with its JSON taken apart."""
    lines = [line.removeprefix("data: ") for line in body.splitlines() if line]
    for line in lines:
        if line.startswith("{"):
            yield from strings(json.loads(line))


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
