"""What the upstream does where no shape says otherwise: it behaves."""

import json
from collections.abc import Callable

from pointsman.testing import Play, Received, Script, event_stream, status_answer
from tests.conformance import engine


def plain(received: Received) -> Play:
    """The ordinary answer of an engine on any of its paths."""
    return _script(received)(received)


def good(received: Received) -> Play:
    """The ordinary answer to a chat or a completion, whole or streamed."""
    if engine.wants_stream(received):
        return event_stream([*engine.encoded(engine.frames(received)), b"[DONE]"])(received)
    return answer(engine.whole(received))(received)


def answer(body: object) -> Script:
    """200 and this JSON, in UTF-8 as engines write it."""
    return status_answer(200, json.dumps(body, ensure_ascii=False).encode())


def first_only(fault: Callable[[Received], Play]) -> Callable[[Received], Play]:
    """The fault for the deployment called `first`, the ordinary answer for every other."""

    def script(received: Received) -> Play:
        return fault(received) if b'"first"' in received.body else plain(received)

    return script


def _script(received: Received) -> Script:
    path = received.target.split("?")[0]
    if received.method == "GET":
        return answer(engine.models() if path.endswith("/models") else {"status": "ok"})
    try:
        if path.endswith("/embeddings"):
            return answer(engine.embeddings(received))
        if path.endswith("/rerank"):
            return answer(engine.reranking(received))
        if path.endswith("/completions"):
            return good
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        return status_answer(400, {"error": {"message": repr(error), "type": "BadRequestError"}})
    return status_answer(404, {"detail": "Not Found"})
