"""Sends the cases over HTTP with the official OpenAI client, every way on every case."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pointsman.domain.errors import ExtraMissing, UpstreamError
from pointsman.embedded.cases import Case, accepted

if TYPE_CHECKING:
    from openai import OpenAI

_AT_ONCE = 4  # as many as the embedded engines have places


@dataclass(frozen=True, slots=True)
class Way:
    """One way of answering a task: its name, and what follows `task:NAME` in the model."""

    name: str
    suffix: str


WAYS = (
    Way("small", "@small"),
    Way("large", "@large"),
    Way("cascade", "@cascade"),
    Way("portfolio", ""),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What one way said to one case, scored against a reference that no gate has seen."""

    case: Case
    way: str
    trace: str
    accepted: bool


def client(url: str) -> "OpenAI":
    """The official client. Raises: ExtraMissing where it is not installed."""
    try:
        from openai import OpenAI
    except ImportError:
        raise ExtraMissing(
            "the demonstration asks with the official OpenAI client, which is not installed",
            next='pip install "pointsman[local]"',
        ) from None
    return OpenAI(base_url=url, api_key="unused-on-this-machine", timeout=120, max_retries=0)


def ask_all(
    url: str, cases: Sequence[Case], *, progress: Callable[[int], None], stop: threading.Event
) -> Iterator[Result]:
    """Every case by every way; every second case streamed. Order does not matter to the results.

    Raises: UpstreamError for an answer that did not come; `stop` ends it early.
    """
    openai = client(url)
    jobs = [(case, way, i % 2 == 1) for i, case in enumerate(cases) for way in WAYS]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = [pool.submit(_ask, openai, *job, stop) for job in jobs]
        try:
            for done, future in enumerate(as_completed(running), 1):
                yield future.result()
                progress(done)
        finally:
            stop.set()
            for future in running:
                future.cancel()


def _ask(openai: "OpenAI", case: Case, way: Way, streamed: bool, stop: threading.Event) -> Result:
    if stop.is_set():
        raise UpstreamError("stopped before every case was asked")
    request: dict[str, Any] = {
        "model": f"task:{case.task}{way.suffix}",
        "messages": [{"role": "user", "content": case.user}],
        "temperature": 0,
        "max_tokens": 96,
    }
    if streamed:
        raw = openai.chat.completions.with_raw_response.create(**request, stream=True)
        chunks = raw.parse()
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    else:
        raw = openai.chat.completions.with_raw_response.create(**request)
        text = raw.parse().choices[0].message.content or ""
    trace = raw.headers["x-pointsman-trace"]
    right = accepted(case, text)
    openai.post(
        "/feedback",
        cast_to=object,
        body={"trace": trace, "kind": "accepted" if right else "rejected", "key": trace},
    )
    return Result(case, way.name, trace, right)
