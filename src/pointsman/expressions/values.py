"""What the operators of CEL mean on our values: equality, order, arithmetic, fields."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pointsman.expressions.errors import CostExceeded, EvaluationError

MAX_STEPS = 1_000_000  # of one evaluation: elements visited, and text touched in units of 64
_TEXT_UNIT = 64
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_NAMES = {bool: "bool", int: "int", float: "double", str: "string", type(None): "null"}


class Frame:
    """One evaluation: what was given, what macros bound, and how much work is left."""

    __slots__ = ("env", "slots", "steps")

    def __init__(self, env: Mapping[str, Any], slots: int) -> None:
        self.env = env
        self.slots: list[Any] = [None] * slots
        self.steps = MAX_STEPS

    def charge(self, steps: int) -> None:
        """Take steps from what is left. Raises: CostExceeded once nothing is."""
        self.steps -= steps
        if self.steps < 0:
            raise CostExceeded(f"more than {MAX_STEPS} steps of work")

    def charge_text(self, *texts: str) -> None:
        """Charge for reading texts; short ones cost nothing."""
        for text in texts:
            if len(text) >= _TEXT_UNIT:
                self.charge(len(text) // _TEXT_UNIT)


def type_name(value: Any) -> str:
    """What CEL calls the type of a value."""
    if type(value) in _NAMES:
        return _NAMES[type(value)]
    if isinstance(value, list | tuple):
        return "list"
    return "map" if isinstance(value, Mapping) else type(value).__name__


def is_number(value: Any) -> bool:
    """An int or a double; true and false are neither."""
    return type(value) is int or type(value) is float


def equal(frame: Frame, left: Any, right: Any) -> bool:
    """CEL equality: across numeric types by value, across other types false."""
    kind = type(left)
    if kind is str or type(right) is str:
        if kind is type(right):
            frame.charge_text(left)
        return bool(left == right)
    if is_number(left):
        return is_number(right) and left == right
    if isinstance(left, list | tuple):
        if not isinstance(right, list | tuple) or len(left) != len(right):
            return False
        frame.charge(len(left))
        return all(equal(frame, a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, Mapping):
        if not isinstance(right, Mapping) or left.keys() != right.keys():
            return False
        frame.charge(len(left))
        return all(equal(frame, value, right[key]) for key, value in left.items())
    return kind is type(right) and bool(left == right)


def compare(operator: str, left: Any, right: Any) -> bool:
    """Order of numbers (across int and double), strings and bools."""
    alike = type(left) is type(right) and type(left) in (str, bool)
    if not alike and not (is_number(left) and is_number(right)):
        raise no_overload(operator, left, right)
    if operator == "<":
        return bool(left < right)
    if operator == "<=":
        return bool(left <= right)
    return bool(left > right) if operator == ">" else bool(left >= right)


def contains(frame: Frame, item: Any, container: Any) -> bool:
    """`item in container`: an element of a list, or a key of a map."""
    if isinstance(container, list | tuple):
        frame.charge(len(container))
        return any(equal(frame, item, element) for element in container)
    if isinstance(container, Mapping):
        return type(item) is str and item in container
    raise EvaluationError(f"`in` looks into a list or a map, not a {type_name(container)}")


def add(frame: Frame, left: Any, right: Any) -> Any:
    """Sum of like numbers; strings and lists joined."""
    kind = type(left)
    if kind is int and type(right) is int:
        return _in_range(left + right)
    if kind is float and type(right) is float:
        return left + right
    if kind is str and type(right) is str:
        frame.charge_text(left, right)
        return left + right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        frame.charge(len(left) + len(right))
        return [*left, *right]
    raise no_overload("+", left, right)


def subtract(frame: Frame, left: Any, right: Any) -> Any:
    """Difference of like numbers."""
    return _in_range(left - right) if _both_int("-", left, right) else left - right


def multiply(frame: Frame, left: Any, right: Any) -> Any:
    """Product of like numbers."""
    return _in_range(left * right) if _both_int("*", left, right) else left * right


def divide(frame: Frame, left: Any, right: Any) -> Any:
    """Quotient of like numbers; of ints truncated toward zero, of doubles as IEEE 754 has it."""
    if not _both_int("/", left, right):
        return left / right if right else _over_zero(left, right)
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return _in_range(quotient if (left < 0) == (right < 0) else -quotient)


def remainder(frame: Frame, left: Any, right: Any) -> Any:
    """Remainder of ints, with the sign of the dividend."""
    if type(left) is not int or type(right) is not int:
        raise no_overload("%", left, right)
    if right == 0:
        raise EvaluationError("remainder of a division by zero")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def negate(value: Any) -> Any:
    """`-value`."""
    if type(value) is int:
        return _in_range(-value)
    if type(value) is float:
        return -value
    raise EvaluationError(f"no `-` for {type_name(value)}")


def field_of(value: Any, name: str) -> Any:
    """`value.name`. Raises: EvaluationError where there is no such field."""
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
    elif isinstance(value, msgspec.Struct):
        if name in value.__struct_fields__:
            return getattr(value, name)
    else:
        raise EvaluationError(f"a {type_name(value)} has no fields, so no {name!r}")
    raise EvaluationError(f"no field {name!r}")


def has_field(value: Any, name: str) -> bool:
    """`has(value.name)`: a key of a map; a field of a struct that is not None."""
    if isinstance(value, Mapping):
        return name in value
    if isinstance(value, msgspec.Struct):
        return name in value.__struct_fields__ and getattr(value, name) is not None
    raise EvaluationError(f"a {type_name(value)} has no fields, so no {name!r}")


def element_of(value: Any, key: Any) -> Any:
    """`value[key]` of a list by position or of a map by key."""
    if isinstance(value, list | tuple):
        if type(key) is not int:
            raise EvaluationError(f"a list is indexed by int, not {type_name(key)}")
        if not 0 <= key < len(value):
            raise EvaluationError("index out of the list's range")
        return value[key]
    if type(key) is str and isinstance(value, Mapping | msgspec.Struct):
        return field_of(value, key)
    raise EvaluationError(f"no index of type {type_name(key)} for {type_name(value)}")


def no_overload(operator: str, left: Any, right: Any) -> EvaluationError:
    """The error for an operator between types it does not take."""
    kinds = (type_name(left), type_name(right))
    hint = "; write double(x)" if set(kinds) == {"int", "double"} and operator != "%" else ""
    return EvaluationError(f"no `{operator}` for {kinds[0]} and {kinds[1]}{hint}")


def _both_int(operator: str, left: Any, right: Any) -> bool:
    if type(left) is int and type(right) is int:
        return True
    if type(left) is float and type(right) is float:
        return False
    raise no_overload(operator, left, right)


def _in_range(value: int) -> int:
    if not _INT_MIN <= value <= _INT_MAX:
        raise EvaluationError("an int beyond 64 bits")
    return value


def _over_zero(left: float, right: float) -> float:
    if left == 0 or left != left:
        return float("nan")
    same_sign = (left > 0) == (str(right)[0] != "-")
    return float("inf") if same_sign else float("-inf")
