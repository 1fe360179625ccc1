"""From what was found to what a file should say: names, order by size, a route of two steps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pointsman.discovery.evidence import ENGINES, TITLES, WITHOUT_LOGPROBS
from pointsman.discovery.looking import Found
from pointsman.discovery.naming import deployment_name, free_name
from pointsman.discovery.providers import Provider
from pointsman.discovery.sizes import Size, size_of
from pointsman.domain.portfolio import Engine

MOST_DEPLOYMENTS = 32


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """One deployment to write down."""

    name: str
    model: str
    base_url: str
    engine: Engine
    remark: str
    variable: str | None = None  # the name of the variable that holds its key
    logprobs: bool = True
    hosted: bool = False
    size: Size | None = None


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a file should say."""

    deployments: tuple[Proposed, ...]
    route: str = ""  # its name; empty: no route
    steps: tuple[str, ...] = ()  # the smallest, then the largest
    by_logprobs: bool = False  # the first step's engine gives them, so a gate can read them
    left_out: tuple[str, ...] = ()  # models that are not for chat, or too many
    private: bool = False  # hosted deployments are there, and in no route


def propose(
    found: Sequence[Found], providers: Sequence[Provider], *, hosted_steps: bool
) -> Proposal:
    """The deployments in order of size, and a route over two of them where sizes tell an order.

    Args: hosted_steps: whether a route may send requests to a hosted service. Where nothing
        local was found it is all there is, so it may.
    """
    local, left_out = _local(found)
    hosted = [_hosted(each) for each in providers]
    deployments = _named([*sorted(local, key=_by_size), *hosted])
    kept, over = deployments[:MOST_DEPLOYMENTS], deployments[MOST_DEPLOYMENTS:]
    candidates = [each for each in kept if hosted_steps or not local or not each.hosted]
    steps = _two_steps(candidates)
    names = {each.name for each in kept}
    return Proposal(
        deployments=tuple(kept),
        route=free_name("thrifty", names) if steps else "",
        steps=tuple(each.name for each in steps),
        by_logprobs=bool(steps) and steps[0].logprobs,
        left_out=(*left_out, *(each.model for each in over)),
        private=bool(local and hosted) and not hosted_steps,
    )


def _local(found: Sequence[Found]) -> tuple[list[Proposed], list[str]]:
    deployments: list[Proposed] = []
    left_out: list[str] = []
    for each in found:
        if each.kind == "pointsman" or each.locked:
            continue
        for model in each.models:
            if not model.chats:
                left_out.append(model.id)
                continue
            told = [TITLES[each.kind], f"({each.because})"]
            told += [str(model.size)] if model.size else []
            told += [f"reads {model.context} tokens"] if model.context else []
            deployments.append(
                Proposed(
                    name=deployment_name(model.id),
                    model=model.id,
                    base_url=each.base_url,
                    engine=ENGINES[each.kind],
                    remark=" · ".join([f"{told[0]} {told[1]}", *told[2:]]),
                    variable=each.key_variable,
                    logprobs=each.kind not in WITHOUT_LOGPROBS,
                    size=model.size,
                )
            )
    return deployments, left_out


def _hosted(each: Provider) -> Proposed:
    return Proposed(
        name=each.name,
        model=each.model,
        base_url=each.base_url,
        engine=each.engine,
        remark=f"hosted: requests to it leave this machine. {each.model} is a suggestion",
        variable=each.variable,
        hosted=True,
        size=size_of(each.model),
    )


def _named(deployments: Sequence[Proposed]) -> list[Proposed]:
    taken: set[str] = set()
    named = []
    for each in deployments:
        name = free_name(each.name, taken)
        taken.add(name)
        named.append(replace(each, name=name))
    return named


def _by_size(each: Proposed) -> tuple[bool, float, float, str]:
    """Smallest first; what tells no size, last."""
    size = each.size or Size(0.0, 0.0)
    return each.size is None, size.total_b, size.active_b, each.model


def _two_steps(candidates: Sequence[Proposed]) -> tuple[Proposed, ...]:
    """The smallest and the largest; nothing where fewer than two sizes are known."""
    sized = sorted((each for each in candidates if each.size is not None), key=_by_size)
    if len(sized) < 2 or sized[0].size == sized[-1].size:
        return ()
    return sized[0], sized[-1]
