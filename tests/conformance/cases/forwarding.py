"""What a client sends arrives at the engine as it was sent, and nothing is made up."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from tests.conformance.bench import Asking, Bench, Case
from tests.conformance.engine import JsonObject
from tests.conformance.matching import check, same
from tests.conformance.surfaces import BY_NAME, SURFACES, Surface

# As text, so that `1.50` can be told from `1.5`. No gateway knows these names.
_UNKNOWN: Final = (
    '"x_number":1.50,"x_big":123456789012345678901234567890,"x_small":1e-7,"x_null":null,'
    '"x_text":"é \\u00e9 \\ud83d\\udc4b","x_nested":{"a":[1,null,{"b":[]}],"":0}'
)
_SETTINGS: Final = (
    '"temperature":0.0,"top_p":1,"stop":["\\n\\n"],"seed":-1,"top_k":20,"min_p":0.05,'
    '"repetition_penalty":1.05,"guided_json":{"type":"object"},"logit_bias":{"5":-100},'
    '"chat_template_kwargs":{"custom":true}'
)
# What a gateway may add of its own: it counts tokens in streams.
_ADDED: Final = {"stream_options"}


def cases() -> Iterator[Case]:
    """Fields of every surface, headers, and what translations make of their settings."""
    for surface in SURFACES:
        for stream in (False, True) if surface.stream else (False,):
            label = surface.label(stream=stream)
            if not surface.translated:
                for shape, fields in (("unknown-fields", _UNKNOWN), ("settings", _SETTINGS)):
                    run = partial(_fields, surface=surface, stream=stream, fields=fields)
                    yield Case(group="forwarding", shape=shape, surface=label, run=run)
            run = partial(_nothing_made_up, surface=surface, stream=stream)
            yield Case(group="forwarding", shape="nothing-made-up", surface=label, run=run)
        run = partial(_key_stays, surface=surface)
        yield Case(group="forwarding", shape="key-stays", surface=surface.name, run=run)
    run = partial(_translated, surface="responses", fields=_RESPONSES)
    yield Case(group="forwarding", shape="settings", surface="responses", run=run)
    run = partial(_translated, surface="messages", fields=_MESSAGES)
    yield Case(group="forwarding", shape="settings", surface="messages", run=run)
    for name in ("embeddings", "rerank"):
        run = partial(_members_back, surface=BY_NAME[name])
        yield Case(group="forwarding", shape="answer-members", surface=name, run=run)
    yield Case(group="forwarding", shape="many-inputs", surface="embeddings", run=_many_inputs)
    yield Case(group="forwarding", shape="token-inputs", surface="embeddings", run=_token_inputs)
    yield Case(group="forwarding", shape="base64", surface="embeddings", run=_base64)
    yield Case(group="forwarding", shape="top-n", surface="rerank", run=_top_n)


def _exact(data: bytes) -> Any:
    """JSON with its numbers as they were written."""
    return json.loads(data, parse_float=lambda text: f"float {text}",
                      parse_int=lambda text: f"int {text}")  # fmt: skip


def _sent(bench: Bench, asking: Asking) -> Any:
    """What the upstream was sent for a request that must be answered."""
    answer = bench.ask(asking)
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    [received] = bench.seen(asking)
    return _exact(received.body)


def _fields(bench: Bench, *, surface: Surface, stream: bool, fields: str) -> None:
    """Every field arrives with the value that was written."""
    asking = bench.asking(surface, stream=stream)
    body = asking.body[:-1] + b"," + fields.encode() + b"}"
    sent = _sent(bench, replace(asking, body=body))
    asked = _exact(body)
    for name, value in asked.items():
        if name == "model":
            continue
        check(name in sent, f"{name} does not arrive", expected={name: value}, got=sent)
        if name in _ADDED and isinstance(value, dict):
            value, sent[name] = value, {key: sent[name].get(key) for key in value}
        check(sent[name] == value, f"{name} arrives changed", expected=value, got=sent[name])
    made_up = set(sent) - set(asked) - _ADDED
    check(not made_up, "fields were made up", expected=sorted(asked), got=sorted(sent))


def _nothing_made_up(bench: Bench, *, surface: Surface, stream: bool) -> None:
    """The least request stays one: no null, and no field that nobody asked for."""
    sent = _sent(bench, bench.asking(surface, stream=stream))
    nulls = [name for name, value in sent.items() if value is None]
    check(not nulls, "nulls were made up", got=sent)
    known = {"model", "stream", "messages", "prompt", "input", "query", "documents"} | _ADDED
    if surface.translated:
        known |= {"max_tokens", "max_completion_tokens"}
    made_up = set(sent) - known
    check(not made_up, "fields were made up", expected=sorted(known), got=sent)
    if not stream:
        check("stream_options" not in sent, "stream_options without a stream", got=sent)


def _key_stays(bench: Bench, *, surface: Surface) -> None:
    """The client's key, cookies and addresses are the gateway's business alone."""
    asking = bench.asking(surface)
    headers = {"cookie": "session=of-the-client", "x-api-key": bench.key or "sk-of-the-client"}
    bench.ask(asking, headers)
    [received] = bench.seen(asking)
    text = json.dumps(received.headers)
    for secret in (bench.key or "sk-of-the-client", "of-the-client"):
        check(secret not in text, "the upstream is told a secret of the client's",
              got=received.headers)  # fmt: skip


_RESPONSES: Final[JsonObject] = {
    "instructions": "Be brief.", "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 32,
    "tools": [{"type": "function", "name": "weather", "description": "d", "strict": False,
               "parameters": {"type": "object", "properties": {}}}],
}  # fmt: skip
_MESSAGES: Final[JsonObject] = {
    "system": "Be brief.", "temperature": 0.5, "top_p": 0.9, "max_tokens": 32,
    "stop_sequences": ["END"],
    "tools": [{"name": "weather", "description": "d",
               "input_schema": {"type": "object", "properties": {}}}],
}  # fmt: skip


def _translated(bench: Bench, *, surface: str, fields: JsonObject) -> None:
    """Settings arrive under the names that chat completions have for them."""
    asking = bench.asking(BY_NAME[surface], **fields)
    answer = bench.ask(asking)
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    [received] = bench.seen(asking)
    sent = received.json
    check(received.target.endswith("/chat/completions"), "another path", got=received.target)
    bound = sent.get("max_completion_tokens", sent.get("max_tokens"))
    told = {name: sent.get(name) for name in ("temperature", "top_p")} | {"bound": bound}
    check(told == {"temperature": 0.5, "top_p": 0.9, "bound": 32}, "settings are lost", got=sent)
    first = sent["messages"][0]
    check(first["role"] in ("system", "developer"), "the instructions are lost", got=sent)
    check("Be brief." in json.dumps(first), "the instructions are lost", got=sent)
    [tool] = sent["tools"]
    check(tool["type"] == "function", "another form of tool", got=sent)
    named = (tool["function"]["name"], tool["function"]["parameters"])
    check(named == ("weather", {"type": "object", "properties": {}}), "another tool", got=sent)
    if surface == "messages":
        check(sent.get("stop") in (["END"], "END"), "stop_sequences are lost", got=sent)


def _members_back(bench: Bench, *, surface: Surface) -> None:
    """The engine's answer, member by member."""
    said = bench.ask(bench.asking(surface)).json
    if surface.name == "embeddings":
        data = [{"object": "embedding", "index": 0, "embedding": [1.0, 0.5]}]
        same({"object": "list", "data": data,
              "usage": {"prompt_tokens": 3, "total_tokens": 3}}, said)  # fmt: skip
    else:
        results = [{"index": 2, "relevance_score": 0.75}, {"index": 1, "relevance_score": 0.5},
                   {"index": 0, "relevance_score": 0.25}]  # fmt: skip
        got = [{name: each[name] for name in ("index", "relevance_score")}
               for each in said["results"]]  # fmt: skip
        same(results, got)


def _many_inputs(bench: Bench) -> None:
    """As many vectors as inputs, in their order."""
    asking = bench.asking(BY_NAME["embeddings"])
    prompt = json.loads(asking.body)["input"]
    body = {**json.loads(asking.body), "input": [prompt, "b", "c"]}
    said = bench.ask(replace(asking, body=json.dumps(body).encode())).json
    indexes = [each["index"] for each in said["data"]]
    check(indexes == [0, 1, 2], "other vectors", expected=[0, 1, 2], got=said)


def _token_inputs(bench: Bench) -> None:
    """Inputs that are tokens already."""
    asking = bench.asking(BY_NAME["embeddings"])
    asked = json.loads(asking.body)
    body = {**asked, "input": [[1, 2, 3], [4]], "user": asked["input"]}
    asking = replace(asking, body=json.dumps(body).encode())
    sent = _sent(bench, asking)
    expected = [["int 1", "int 2", "int 3"], ["int 4"]]
    check(sent["input"] == expected, "the tokens arrive changed", expected=expected, got=sent)


def _base64(bench: Bench) -> None:
    """The format that the official client asks for, unchanged in both directions."""
    said = bench.ask(bench.asking(BY_NAME["embeddings"], encoding_format="base64")).json
    [vector] = said["data"]
    check(vector["embedding"] == "AACAPwAAAD8=", "another vector",
          expected="AACAPwAAAD8=", got=said)  # fmt: skip


def _top_n(bench: Bench) -> None:
    """As many results as were asked for, the best first, documents where they were sent."""
    said = bench.ask(bench.asking(BY_NAME["rerank"], top_n=2, return_documents=True)).json
    indexes = [each["index"] for each in said["results"]]
    check(indexes == [2, 1], "other results", expected=[2, 1], got=said)
