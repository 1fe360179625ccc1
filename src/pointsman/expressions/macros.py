"""Logic that forgives an error when another part decides, and the loops over lists and maps."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pointsman.expressions.errors import CostExceeded, EvaluationError
from pointsman.expressions.values import Frame, type_name

Closure = Callable[[Frame], Any]


def logic(operator: str, operands: list[Closure]) -> Closure:
    """`&&` and `||`: false (true) decides, whatever error stands beside it, on either side."""
    decisive = operator == "||"

    def run(frame: Frame) -> bool:
        verdict = _Verdict(decisive)
        for operand in operands:
            if verdict.decided_by(operand, frame):
                return decisive
        return verdict.undecided()

    return run


class _Verdict:
    """Booleans joined by `&&` or `||`: an error counts only when nothing else decides."""

    __slots__ = ("_decisive", "_error")

    def __init__(self, decisive: bool) -> None:
        self._decisive = decisive
        self._error: EvaluationError | None = None

    def decided_by(self, part: Closure, frame: Frame) -> bool:
        """Whether this part settles it; an error or a value of another type is kept for later."""
        try:
            value = part(frame)
        except CostExceeded:
            raise
        except EvaluationError as error:
            self._error = self._error or error
            return False
        if value is True or value is False:
            return value is self._decisive
        self._error = self._error or EvaluationError(f"{type_name(value)} is not true or false")
        return False

    def undecided(self) -> bool:
        """The result where no part settled it. Raises: the first error kept."""
        if self._error is not None:
            raise self._error
        return not self._decisive


def _quantifier(decisive: bool) -> Callable[..., Closure]:
    def build(target: Closure, slot: int, body: Closure, condition: Closure | None) -> Closure:
        def run(frame: Frame) -> bool:
            verdict = _Verdict(decisive)
            for item in _elements(frame, target(frame)):
                frame.slots[slot] = item
                if verdict.decided_by(body, frame):
                    return decisive
            return verdict.undecided()

        return run

    return build


def _exists_one(target: Closure, slot: int, body: Closure, condition: Closure | None) -> Closure:
    def run(frame: Frame) -> bool:
        return sum(1 for _ in _kept(frame, target(frame), slot, body)) == 1

    return run


def _filter(target: Closure, slot: int, body: Closure, condition: Closure | None) -> Closure:
    return lambda frame: list(_kept(frame, target(frame), slot, body))


def _map(target: Closure, slot: int, body: Closure, condition: Closure | None) -> Closure:
    def run(frame: Frame) -> list[Any]:
        made = []
        items = target(frame)
        for item in (
            _elements(frame, items) if condition is None else _kept(frame, items, slot, condition)
        ):
            frame.slots[slot] = item
            made.append(body(frame))
        return made

    return run


def _kept(frame: Frame, items: Any, slot: int, condition: Closure) -> Iterable[Any]:
    """The elements for which the condition is true."""
    for item in _elements(frame, items):
        frame.slots[slot] = item
        chosen = condition(frame)
        if chosen is True:
            yield item
        elif chosen is not False:
            raise EvaluationError(f"{type_name(chosen)} is not true or false")


def _elements(frame: Frame, items: Any) -> Iterable[Any]:
    """What a macro visits: the elements of a list or the keys of a map, each at a price."""
    if not isinstance(items, list | tuple | Mapping):
        raise EvaluationError(f"no elements in a {type_name(items)}")
    for item in items:
        frame.charge(1)
        yield item


MACRO_RUNS: Mapping[str, Callable[..., Closure]] = {
    "all": _quantifier(False),
    "exists": _quantifier(True),
    "exists_one": _exists_one,
    "filter": _filter,
    "map": _map,
}
