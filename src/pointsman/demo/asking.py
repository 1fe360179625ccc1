"""Sends the cases over HTTP with the official OpenAI client, every way on every case."""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from queue import Empty, SimpleQueue
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


def require_extra() -> None:
    """Raises: ExtraMissing unless the engine and the official client are installed."""
    missing = [name for name in ("xllamacpp", "openai") if find_spec(name) is None]
    if missing:
        raise ExtraMissing(
            "the demonstration runs models of its own and asks them with the official client",
            why=f"not installed: {', '.join(missing)}",
            next='pip install "pointsman[local]"',
        )


def ask_all(
    url: str,
    cases: Sequence[Case],
    *,
    ways: Sequence[Way] = WAYS,
    progress: Callable[[int], None],
) -> Generator[Result, None, None]:
    """Every case by every way; every second case streamed. Order does not matter to the results.

    Raises: UpstreamError for an answer that did not come. Closing it early asks nothing more.
    """
    from openai import OpenAI

    openai = OpenAI(base_url=url, api_key="unused-on-this-machine", timeout=120, max_retries=0)
    jobs = [(case, way, i % 2 == 1) for i, case in enumerate(cases) for way in ways]
    asking = _Asking(openai, iter(jobs))
    try:
        asking.start()
        for done in range(1, len(jobs) + 1):
            ended = asking.ended.get()
            if isinstance(ended, BaseException):
                raise ended
            yield ended
            progress(done)
    finally:
        asking.stopped = True  # those on their way end with the gateway


class _Asking:
    """Threads that take jobs until they are stopped or none is left.

    Not an executor: Ctrl-C in its Python-written locks can leave one taken for ever, and then the
    process waits for its threads at the exit. A SimpleQueue is one call into C, and daemons are
    not waited for.
    """

    def __init__(self, openai: "OpenAI", jobs: Iterator[tuple[Case, Way, bool]]) -> None:
        self._openai = openai
        self._jobs: SimpleQueue[tuple[Case, Way, bool]] = SimpleQueue()
        for job in jobs:
            self._jobs.put(job)
        self.ended: SimpleQueue[Result | BaseException] = SimpleQueue()
        self.stopped = False

    def start(self) -> None:
        for _ in range(_AT_ONCE):
            threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            while not self.stopped:
                self.ended.put(_ask(self._openai, *self._jobs.get_nowait()))
        except Empty:
            pass
        except BaseException as error:
            self.ended.put(error)


def _ask(openai: "OpenAI", case: Case, way: Way, streamed: bool) -> Result:
    from openai import OpenAIError

    request: dict[str, Any] = {
        "model": f"task:{case.task}{way.suffix}",
        "messages": [{"role": "user", "content": case.user}],
        "temperature": 0,
        "max_tokens": 96,
    }
    try:
        trace, text = _answer(openai, request, streamed)
        right = accepted(case, text)
        openai.post(
            "/feedback",
            cast_to=object,
            body={"trace": trace, "kind": "accepted" if right else "rejected", "key": trace},
        )
    except OpenAIError as error:
        raise UpstreamError(
            f"{request['model']} did not answer",
            why=str(error),
            next="`pointsman trace list` names what was tried",
        ) from error
    return Result(case, way.name, trace, right)


def _answer(openai: "OpenAI", request: dict[str, Any], streamed: bool) -> tuple[str, str]:
    """The trace and the text of one answer."""
    create = openai.chat.completions.with_raw_response.create
    if streamed:
        raw = create(**request, stream=True)
        chunks = raw.parse()
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    else:
        raw = create(**request)
        text = raw.parse().choices[0].message.content or ""
    return raw.headers["x-pointsman-trace"], text
