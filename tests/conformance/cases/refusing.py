"""Requests that cannot be answered: status, the form of the error, and no harm done."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from tests.conformance.bench import Bench, Case, check_good, read
from tests.conformance.engine import JsonObject
from tests.conformance.matching import Absent, check
from tests.conformance.surfaces import BY_NAME, SURFACES, Surface, check_error

_CHAT: Final = BY_NAME["chat"]
# Bodies that are no request of any surface.
_NO_REQUEST: Final[dict[str, bytes]] = {
    "bad-json": b'{"model": "conformance", ',
    "no-body": b"",
    "array": b"[]",
    "text": b'"conformance"',
    "not-utf-8": b'{"model": "conf\xff", "messages": [], "prompt": "", "input": "", "query": ""}',
    "lone-brace": b"}",
    "two-objects": b"{}{}",
    "nested-deeply": b'{"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no-model": b"{}",
    "model-number": b'{"model": 17}',
}
# What a surface needs, each left out or of another type.
_FIELDS: Final[dict[str, tuple[tuple[str, Any], ...]]] = {
    "chat": (("messages", None), ("messages", "hello"), ("messages", []), ("stream", "yes"),
             ("n", 0), ("n", "two")),
    "completions": (("stream", "yes"),),
    "responses": (("stream", "yes"),),
    "messages": (("messages", None), ("messages", "hello"), ("max_tokens", None),
                 ("stream", "yes")),
    "embeddings": (("input", None),),
    "rerank": (("query", None), ("documents", None), ("documents", "a")),
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Bodies, fields, models and keys on every surface; sizes and methods at the door."""
    for surface in SURFACES:
        for shape in _NO_REQUEST:
            run = partial(_no_request, surface=surface, body=_NO_REQUEST[shape])
            yield Case(group="refusing", shape=shape, surface=surface.name, run=run)
        for name, value in _FIELDS[surface.name]:
            run = partial(_bad_field, surface=surface, field=name, value=value)
            said = "none" if value is None else str(value).replace("[]", "empty")
            yield Case(group="refusing", shape=f"{name}-{said}", surface=surface.name, run=run)
        run = partial(_unknown_model, surface=surface)
        yield Case(group="refusing", shape="unknown-model", surface=surface.name, run=run)
        for shape in _KEYS:
            run = partial(_wrong_key, surface=surface, shape=shape)
            yield Case(group="refusing", shape=shape, surface=surface.name, run=run)
        run = partial(_other_method, surface=surface)
        yield Case(group="refusing", shape="other-methods", surface=surface.name, run=run)
    key = partial(_key_header, surface=BY_NAME["messages"])
    yield Case(group="refusing", shape="x-api-key-is-a-key", surface="messages", run=key)
    for shape, asked in (
        ("body-too-large", _too_large), ("body-too-large-announced", _announced),
        ("body-too-large-chunked", _too_large_chunked), ("unknown-path", _unknown_path),
        ("options", _options), ("head-too-large", _large_head),
    ):  # fmt: skip
        yield Case(group="refusing", shape=shape, surface="door", run=asked)


def _path(bench: Bench, surface: Surface) -> str:
    return bench.root + surface.path


def _no_request(bench: Bench, *, surface: Surface, body: bytes) -> None:
    """400, and the gateway goes on."""
    answer = bench.request("POST", _path(bench, surface), body, surface.headers)
    error = check_error(surface.name, answer, 400, 422)
    check(error["type"] == "invalid_request_error", "another type",
          expected="invalid_request_error", got=answer.raw)  # fmt: skip
    check_good(bench, None, surface)


def _bad_field(bench: Bench, *, surface: Surface, field: str, value: Any) -> None:
    """400 that names the field; nothing is asked of the upstream."""
    asking = bench.asking(surface)
    body: JsonObject = json.loads(asking.body)
    if value is None:
        del body[field]
    else:
        body[field] = value
    asking = replace(asking, body=json.dumps(body).encode())
    answer = bench.ask(asking)
    error = check_error(surface.name, answer, 400, 422)
    check(error["type"] == "invalid_request_error", "another type",
          expected="invalid_request_error", got=answer.raw)  # fmt: skip
    named = field in error["message"] or error.get("param") == field
    check(named, "the field is not named", expected=field, got=answer.raw)
    check(not bench.seen(asking), "the upstream was asked")


def _unknown_model(bench: Bench, *, surface: Surface) -> None:
    """404; the code by which clients know it."""
    answer = bench.ask(bench.asking(surface, model="no-such-model"))
    error = check_error(surface.name, answer, 404)
    if surface.name == "messages":
        check(error["type"] == "not_found_error", "another type", got=answer.raw)
    else:
        check(error["code"] == "model_not_found", "another code",
              expected="model_not_found", got=answer.raw)  # fmt: skip


def _variants(key: str) -> dict[str, dict[str, str]]:
    return {
        "no-key": {},
        "empty-key": {"authorization": "Bearer "},
        "wrong-key": {"authorization": "Bearer sk-wrong"},
        "key-cut": {"authorization": f"Bearer {key[:-1]}"},
        "key-longer": {"authorization": f"Bearer {key}x"},
        "key-in-capitals": {"authorization": f"Bearer {key.upper()}"},
        "basic": {"authorization": f"Basic {key}"},
    }


_KEYS: Final = tuple(_variants("sk-k"))


def _wrong_key(bench: Bench, *, surface: Surface, shape: str) -> None:
    """401, and nothing is asked of the upstream."""
    if bench.key is None:
        raise Absent("the gateway asks for no key (--key)")
    asking = bench.asking(surface)
    open_door = replace(bench, key=None)
    answer = open_door.ask(asking, _variants(bench.key)[shape])
    error = check_error(surface.name, answer, 401)
    check(bench.key not in error["message"], "the key is repeated", got=answer.raw)
    check(not bench.seen(asking), "the upstream was asked")


def _key_header(bench: Bench, *, surface: Surface) -> None:
    """The header in which clients of the Messages API send their key."""
    if bench.key is None:
        raise Absent("the gateway asks for no key (--key)")
    open_door = replace(bench, key=None)
    answer = open_door.ask(bench.asking(surface), {"x-api-key": bench.key})
    check(answer.status == 200, "another status", expected=200, got=answer.raw)


def _other_method(bench: Bench, *, surface: Surface) -> None:
    """405 and the methods there are."""
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        body = None if method in ("GET", "DELETE") else b"{}"
        answer = bench.request(method, _path(bench, surface), body, surface.headers)
        check_error(surface.name, answer, 405)
        allowed = (answer.header("allow") or "").upper()
        check("POST" in allowed, "Allow does not name POST", expected="allow: POST", got=answer.raw)


def _large(bench: Bench) -> bytes:
    asked: JsonObject = json.loads(bench.asking(_CHAT).body)
    asked["messages"][0]["content"] += "x" * (bench.names.max_body_bytes + 1)
    return json.dumps(asked).encode()


def _too_large(bench: Bench) -> None:
    """413 for a body over the bound, sent all the same."""
    answer = bench.request("POST", _path(bench, _CHAT), _large(bench))
    check_error("chat", answer, 413)
    check_good(bench, None, _CHAT)


def _too_large_chunked(bench: Bench) -> None:
    """413 where no length was announced."""
    body = _large(bench)
    head = bench.render("POST", _path(bench, _CHAT), None, {"transfer-encoding": "chunked"})
    with bench.line() as line:
        try:
            line.send(head)
            for at in range(0, len(body), 65536):
                piece = body[at : at + 65536]
                line.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            line.send(b"0\r\n\r\n")
        except OSError:
            pass  # it closed in the middle, having said why
        check_error("chat", read(line), 413)


def _announced(bench: Bench) -> None:
    """413 at once where the length says so, without waiting for the body."""
    more = {"content-length": str(bench.names.max_body_bytes * 100)}
    head = bench.render("POST", _path(bench, _CHAT), None, more)
    with bench.line() as line:
        line.send(head + b"{")
        check_error("chat", read(line), 413)


def _large_head(bench: Bench) -> None:
    """A head without end is refused, not kept."""
    with bench.line() as line:
        try:
            line.send(f"GET {bench.root}/models HTTP/1.1\r\nhost: {line.host}\r\n".encode())
            for at in range(4000):
                line.send(b"x-%d: %b\r\n" % (at, b"a" * 1000))
        except OSError:
            pass  # it closed in the middle
        answer = read(line)
    check(answer.status in (400, 413, 431), "another status", expected=431, got=answer.raw)


def _unknown_path(bench: Bench) -> None:
    """404 in the form of an error."""
    for method in ("GET", "POST"):
        body = None if method == "GET" else b"{}"
        answer = bench.request(method, f"{bench.root}/no/such/path", body)
        check_error("chat", answer, 404)


def _options(bench: Bench) -> None:
    """OPTIONS asks nothing of the upstream, and is no way around the key."""
    asking = bench.asking(_CHAT)
    answer = bench.request("OPTIONS", _path(bench, _CHAT), asking.body)
    statuses = (200, 204, 401, 403, 404, 405)
    check(answer.status in statuses, "another status", expected=statuses, got=answer.raw)
    check(not bench.seen(asking), "the upstream was asked")
