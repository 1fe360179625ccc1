"""Tool calls: the right functions, with the right arguments, in the right order."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from pointsman.domain.messages import ToolCall
from pointsman.evals.case import ScorerSpec
from pointsman.evals.scoring.scorer import Looking, Options, Said, Scorer, Seen, wanted
from pointsman.verifiers.answer import Found, Unjudged, parse_json

MAX_CALLS = 200


class ToolCallsOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model called the expected tools: a list of `{name, arguments}`."""

    order: Literal["any", "same"] = "any"
    arguments: Literal["equal", "contain", "ignore"] = "equal"
    extra: Literal["forbid", "allow"] = "forbid"
    absolute: Annotated[float, Meta(ge=0)] = 0.0


def tool_calls(spec: ScorerSpec, options: ToolCallsOptions) -> Scorer:
    """The share of expected calls that were made; a call beyond them counts as a missing one.

    `arguments: contain` wants those expected and lets others stand; an expected call without
    arguments agrees with any. An empty list expects that nothing is called.
    """

    def look(said: Said, expected: Any) -> Seen:
        right = [_expected(each) for each in _listed(wanted(expected))]
        made = [_made(call) for call in said.reply.tool_calls]
        if len(right) > MAX_CALLS or len(made) > MAX_CALLS:
            raise Unjudged(f"more than {MAX_CALLS} calls")
        hits = (
            _in_order(right, made, options)
            if options.order == "same"
            else _matched(right, made, options)
        )
        more = 0 if options.extra == "allow" else len(made) - hits
        missing = len(right) - hits
        total = hits + max(missing, more)
        value = 1.0 if total == 0 else hits / total
        return Seen(value, _told(right, made, missing, more))

    return Looking(spec, look)


_Call = tuple[str, Any]


def _listed(expected: Any) -> list[Any]:
    calls = [expected] if isinstance(expected, Mapping) else expected
    if not isinstance(calls, list):
        raise Unjudged("what is expected is no list of calls")
    return calls


def _expected(call: Any) -> _Call:
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        raise Unjudged("an expected call has no name")
    return call["name"], call.get("arguments")


def _made(call: ToolCall) -> _Call:
    try:
        return call.name, parse_json(call.arguments) if call.arguments.strip() else {}
    except (Found, Unjudged):
        return call.name, _Unreadable


class _Unreadable:
    """Arguments that are no JSON: equal to nothing."""


def _in_order(right: list[_Call], made: list[_Call], options: ToolCallsOptions) -> int:
    """The most expected calls that were made in that order (longest common subsequence)."""
    row = [0] * (len(made) + 1)
    for call in right:
        before = row
        row = [0]
        for index, each in enumerate(made, 1):
            fits = before[index - 1] + 1 if _agree(call, each, options) else 0
            row.append(max(row[-1], before[index], fits))
    return row[-1]


def _matched(right: list[_Call], made: list[_Call], options: ToolCallsOptions) -> int:
    """The most pairs of an expected call and one that was made, each used once.

    By augmenting paths: which of two alike calls an expected one takes must not decide.
    """
    fits = [[i for i, each in enumerate(made) if _agree(call, each, options)] for call in right]
    owner: dict[int, int] = {}

    def place(call: int, tried: set[int]) -> bool:
        for index in fits[call]:
            if index in tried:
                continue
            tried.add(index)
            if index not in owner or place(owner[index], tried):
                owner[index] = call
                return True
        return False

    return sum(place(call, set()) for call in range(len(right)))


def _agree(right: _Call, made: _Call, options: ToolCallsOptions) -> bool:
    if right[0] != made[0]:
        return False
    if options.arguments == "ignore" or right[1] is None:
        return True
    return _holds(right[1], made[1], options)


def _holds(right: Any, given: Any, options: ToolCallsOptions) -> bool:
    if isinstance(right, Mapping) and isinstance(given, Mapping):
        keys = right.keys() <= given.keys() if options.arguments == "contain" else (
            right.keys() == given.keys())  # fmt: skip
        return keys and all(_holds(value, given[key], options) for key, value in right.items())
    if isinstance(right, list) and isinstance(given, list):
        return len(right) == len(given) and all(
            _holds(one, other, options) for one, other in zip(right, given, strict=True)
        )
    if isinstance(right, bool) or isinstance(given, bool):
        return right is given
    if isinstance(right, int | float) and isinstance(given, int | float):
        return abs(right - given) <= options.absolute
    return type(right) is type(given) and bool(right == given)


def _told(right: list[_Call], made: list[_Call], missing: int, more: int) -> str:
    if not missing and not more:
        return ""
    names = ", ".join(name[:64] for name, _ in made[:6]) or "nothing"
    return f"{missing} of {len(right)} expected calls missing, {more} beyond them; called: {names}"
