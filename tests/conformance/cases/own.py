"""What a gateway answers by itself: models, request ids, liveness and readiness."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from tests.conformance.bench import Bench, Case
from tests.conformance.engine import JsonObject
from tests.conformance.matching import ANY, Absent, check, same
from tests.conformance.surfaces import BY_NAME, SURFACES, Surface, check_error
from tests.conformance.wire import Answer

_CHAT: Final = BY_NAME["chat"]
_SANE: Final = "req-7f3a.B_9~x"
_CARD: Final = {"id": ANY, "object": "model", "created": ANY, "owned_by": ANY}


def cases() -> Iterator[Case]:
    """Each a question with one answer."""
    for shape, run in (
        ("list", _list), ("one", _one), ("unknown", _unknown), ("head", _head),
        ("no-key", _no_key),
    ):  # fmt: skip
        yield Case(group="own", shape=f"models-{shape}", surface="models", run=run)
    for surface in SURFACES:
        for stream in (False, True) if surface.stream else (False,):
            run = partial(_echoed, surface=surface, stream=stream)
            label = surface.label(stream=stream)
            yield Case(group="own", shape="request-id-echoed", surface=label, run=run)
        run = partial(_echoed_errors, surface=surface)
        yield Case(group="own", shape="request-id-on-errors", surface=surface.name, run=run)
    yield Case(group="own", shape="request-id-minted", surface="chat", run=_minted)
    yield Case(group="own", shape="request-id-insane", surface="chat", run=_insane)
    for shape in ("live", "ready"):
        run = partial(_probe, which=shape)
        yield Case(group="own", shape=shape, surface="door", run=run)


def _get(bench: Bench, path: str, method: str = "GET") -> Answer:
    return bench.request(method, bench.root + path)


def _list(bench: Bench) -> None:
    """Every name that may be asked for, as cards."""
    answer = _get(bench, "/models")
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    said = answer.json
    same({"object": "list", "data": ANY}, said)
    for card in said["data"]:
        same(_CARD, _openai(card))
        check(isinstance(card["created"], int), "created is no time", got=card)
    names = [card["id"] for card in said["data"]]
    check(bench.names.model in names, "the model is not listed", expected="conformance", got=names)
    check(len(set(names)) == len(names), "a name twice", got=names)


def _one(bench: Bench) -> None:
    """The card of one name."""
    answer = _get(bench, f"/models/{bench.names.model}")
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    same({**_CARD, "id": bench.names.model}, _openai(answer.json))


def _openai(card: JsonObject) -> JsonObject:
    """A card without the kind that Anthropic's clients read in the same list."""
    return {name: value for name, value in card.items() if (name, value) != ("type", "model")}


def _unknown(bench: Bench) -> None:
    """404 with the code by which clients know it."""
    error = check_error("chat", _get(bench, "/models/no-such-model"), 404)
    check(error["code"] == "model_not_found", "another code",
          expected="model_not_found", got=error)  # fmt: skip


def _head(bench: Bench) -> None:
    """HEAD is GET without a body, or is not offered."""
    with bench.line() as line:
        line.send(bench.render("HEAD", f"{bench.root}/models"))
        answer = line.answer("HEAD")
        check(answer.status in (200, 405), "another status", expected=200, got=answer.raw)
        line.send(bench.render("GET", f"{bench.root}/models"))
        check(line.answer().status == 200, "a body after HEAD", got=line.unread)


def _no_key(bench: Bench) -> None:
    """What there is, is told to those with a key."""
    if bench.key is None:
        raise Absent("the gateway asks for no key (--key)")
    check_error("chat", _get(replace(bench, key=None), "/models"), 401)


def _echoed(bench: Bench, *, surface: Surface, stream: bool) -> None:
    """The client's own id comes back."""
    answer = bench.ask(bench.asking(surface, stream=stream), {"x-request-id": _SANE})
    got = [value for name, value in answer.headers if name == "x-request-id"]
    check(got == [_SANE], "another request id", expected=[_SANE], got=answer.raw[:1000])


def _echoed_errors(bench: Bench, *, surface: Surface) -> None:
    """Errors carry it as well: that is when somebody looks for it."""
    headers = {"x-request-id": _SANE, **surface.headers}
    path = bench.root + surface.path
    for answer in (
        bench.request("POST", path, b"{", headers),
        bench.ask(bench.asking(surface, model="no-such-model"), headers),
        bench.ask(bench.asking(surface, "500"), headers),
    ):
        got = [value for name, value in answer.headers if name == "x-request-id"]
        check(got == [_SANE], "another request id", expected=[_SANE], got=answer.raw[:1000])


def _minted(bench: Bench) -> None:
    """Where the client gave none, each request has one of its own."""
    found = [bench.ask(bench.asking(_CHAT)).header("x-request-id") for _ in range(2)]
    check(all(found), "no request id", got=found)
    check(found[0] != found[1], "one id for two requests", got=found)


def _insane(bench: Bench) -> None:
    """What is no id is not repeated."""
    for bad in ("x" * 5000, "a b\tc", 'a"b<script>', ""):
        answer = bench.ask(bench.asking(_CHAT), {"x-request-id": bad})
        if answer.status == 400:
            continue
        check(answer.status == 200, "another status", expected=200, got=answer.raw)
        got = answer.header("x-request-id")
        check(got and got != bad, "not an id, and repeated", expected="an id", got=answer.raw[:500])


def _probe(bench: Bench, *, which: str) -> None:
    """200 without a key, and no model is asked for it."""
    path = getattr(bench.names, which)
    before = bench.upstream.unmarked_posts
    for method in ("GET", "HEAD"):
        answer = replace(bench, key=None).request(method, path)
        if answer.status == 405 and method == "HEAD":
            continue
        check(answer.status == 200, "another status", expected=200, got=answer.raw)
    after = bench.upstream.unmarked_posts
    check(after == before, "the upstream was asked", expected=before, got=after)
