"""Asks one deployment for its models and says how it fares; the judgement itself is pure."""

import asyncio
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

import msgspec

from pointsman.discovery.answers import Answer, Fetch, NoAnswer
from pointsman.discovery.evidence import ENGINES, MODELS, TITLES, recognise
from pointsman.discovery.listing import context_of, entries_of
from pointsman.domain.portfolio import Deployment, Engine

# ok · remark: works, with something to know · wrong: the file is · unreachable: nobody answers
State = Literal["ok", "remark", "wrong", "unreachable"]
# These refuse a name that they do not list. Others take any, or have names that they never list.
_STRICT: frozenset[Engine] = frozenset({"vllm", "sglang", "ollama"})
_AT_ONCE = 16
_VERSIONED = re.compile(r"/v\d")


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How one deployment fares."""

    deployment: str
    state: State
    said: str
    next: str = ""
    latency_ms: float | None = None
    context: int | None = None
    nearest: str | None = None  # the listed name closest to the one in the file
    running: int | None = None  # requests that the engine says it is answering
    waiting: int | None = None  # and those in its queue


class Told(NamedTuple):
    """The load that an engine told."""

    running: int | None
    waiting: int | None


# What an engine's /metrics says of its load; None for an engine that has no such page.
LoadOf = Callable[[Engine], Callable[[bytes], Told] | None]


async def reach_all(
    deployments: Iterable[Deployment],
    fetch_for: Callable[[Deployment], Fetch],
    *,
    clock: Callable[[], float],
    done: Callable[[], None] = lambda: None,
    load_of: LoadOf = lambda engine: None,
) -> list[Reached]:
    """Every deployment that has an address, a few at a time, in their order.

    Args: fetch_for gives what reaches one of them; clock gives monotonic seconds; done is called
        after each; load_of gives what reads an engine's load.
    """
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(deployment: Deployment) -> Reached:
        async with places:
            fetch = fetch_for(deployment)
            reached = await reach(deployment, fetch, clock=clock)
            read = load_of(deployment.engine)
            if read is not None and reached.state in ("ok", "remark"):
                reached = await _loaded(reached, deployment, fetch, read)
        done()
        return reached

    return await asyncio.gather(*(one(each) for each in deployments if each.base_url))


async def reach(deployment: Deployment, fetch: Fetch, *, clock: Callable[[], float]) -> Reached:
    """How one deployment fares; no model is called."""
    started = clock()
    try:
        answer = await fetch(f"{deployment.base_url}/models", key=deployment.api_key)
    except NoAnswer as error:
        return Reached(
            deployment=deployment.name,
            state="unreachable",
            said=str(error),
            next=f"start the engine at {deployment.base_url}, or correct base_url",
        )
    return judge(deployment, answer, latency_ms=round((clock() - started) * 1000, 1))


async def _loaded(
    reached: Reached, deployment: Deployment, fetch: Fetch, read: Callable[[bytes], Told]
) -> Reached:
    """With the load of its engine, where that is told: not every engine was started to."""
    base = (deployment.base_url or "").removesuffix("/v1")
    try:
        answer = await fetch(f"{base}/metrics", key=deployment.api_key)
    except NoAnswer:
        return reached
    if answer.status != 200:
        return reached
    running, waiting = read(answer.body)
    return msgspec.structs.replace(reached, running=running, waiting=waiting)


def judge(deployment: Deployment, answer: Answer, *, latency_ms: float) -> Reached:
    """What an answer to `/models` says of a deployment."""
    state, said, next = _judged(deployment, answer)
    entries = entries_of(answer) or []
    entry = _entry(entries, deployment)
    names = [str(each["id"]) for each in entries]
    near = get_close_matches(deployment.served_name, names, n=1, cutoff=0.5)
    return Reached(
        deployment=deployment.name,
        state=state,
        said=said,
        next=next,
        latency_ms=latency_ms,
        context=context_of(entry) if entry else None,
        nearest=near[0] if near and entry is None else None,
    )


def _judged(deployment: Deployment, answer: Answer) -> tuple[State, str, str]:
    name, status = deployment.served_name, answer.status
    if status in (401, 403):
        what = "the key is refused" if deployment.api_key else "it wants a key"
        return "wrong", f"{what} ({status})", "write api_key: ${NAME} and set the variable"
    if status >= 500 or status == 429:
        return "unreachable", f"it answers {status}", "look at the engine's own log"
    entries = entries_of(answer)
    if entries is None and status == 404 and not _VERSIONED.search(deployment.base_url or ""):
        return "wrong", "it has no /models (404)", "a base_url usually ends in /v1"
    if entries is None:
        return "remark", f"answers, and lists no models ({status})", ""
    if _entry(entries, deployment) is None:
        return _unlisted(deployment, [str(each["id"]) for each in entries])
    kind = recognise({MODELS: answer}).kind
    spoken = ENGINES.get(kind, deployment.engine)
    if deployment.engine == "openai" and spoken != "openai":
        remark = f"write engine: {spoken}, so that it is spoken to in its own way"
        return "remark", f"serves {name}; this is {TITLES[kind]}", remark
    return "ok", f"serves {name}", ""


def _unlisted(deployment: Deployment, names: list[str]) -> tuple[State, str, str]:
    """It does not list the name of the file; the nearest, or some of what it does list."""
    near = get_close_matches(deployment.served_name, names, n=1, cutoff=0.5)
    shown = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
    next = f"did you mean {near[0]!r}?" if near else f"it lists: {shown or 'nothing'}"
    state: State = "wrong" if deployment.engine in _STRICT else "remark"
    return state, f"does not list {deployment.served_name!r}", next


def _entry(entries: list[dict[str, Any]], deployment: Deployment) -> dict[str, Any] | None:
    """The entry of the deployment's model; Ollama adds `:latest` to a name without a tag."""
    names = {deployment.served_name}
    if deployment.engine in ("ollama", "openai") and ":" not in deployment.served_name:
        names.add(f"{deployment.served_name}:latest")
    return next((each for each in entries if each["id"] in names), None)
