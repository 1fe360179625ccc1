"""A tree to nested closures, and the compiled expression that callers hold."""

from collections.abc import Collection, Mapping
from typing import Any

from pointsman.expressions import values
from pointsman.expressions.errors import EvaluationError, ExpressionError
from pointsman.expressions.functions import (
    IMPLEMENTATIONS,
    compile_pattern,
    search,
)
from pointsman.expressions.macros import MACRO_RUNS, Closure, logic
from pointsman.expressions.names import references
from pointsman.expressions.parsing import parse
from pointsman.expressions.syntax import (
    Binary,
    Call,
    Index,
    ListOf,
    Literal,
    Logic,
    Macro,
    MapOf,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
)
from pointsman.expressions.values import Frame, type_name

_ARITHMETIC = {
    "+": values.add,
    "-": values.subtract,
    "*": values.multiply,
    "/": values.divide,
    "%": values.remainder,
    "in": values.contains,
}


def compile_expression(
    text: str, *, variables: Mapping[str, Collection[str] | None]
) -> "Expression":
    """An expression ready to evaluate.

    Args: variables maps the names allowed at the top to the fields allowed under them: None
        allows any, an empty collection none, a mapping names fields and what is under each.
    Raises: ExpressionError with position and nearest match.
    """
    try:
        tree = parse(text)
        read = references(tree, variables, text)
        compiler = _Compiler(text)
        return Expression(text, read, compiler.closure(tree, {}), compiler.slots)
    except RecursionError:  # the caller's own stack was nearly full
        raise ExpressionError("too deep", 0, text) from None


class Expression:
    """A compiled expression; the same values always give the same result."""

    __slots__ = ("_run", "_slots", "references", "text")

    def __init__(self, text: str, read: frozenset[str], run: Closure, slots: int) -> None:
        self.text = text
        self.references = read
        self._run = run
        self._slots = slots

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def evaluate(self, env: Mapping[str, Any]) -> Any:
        """Its value, from dicts, structs, lists and scalars. Raises: EvaluationError."""
        try:
            return self._run(Frame(env, self._slots))
        except RecursionError:
            raise EvaluationError("values nested too deep") from None

    def test(self, env: Mapping[str, Any]) -> bool:
        """Its value where that is true or false. Raises: EvaluationError where it is neither."""
        value = self.evaluate(env)
        if value is True or value is False:
            return bool(value)
        raise EvaluationError(f"wants true or false, but this is a {type_name(value)}")


class _Compiler:
    """Turns each node into a closure; macro variables get numbered slots of the frame."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.slots = 0

    def closure(self, node: Node, bound: Mapping[str, int]) -> Closure:
        match node:
            case Literal(value=value):
                return lambda frame: value
            case Name(name=name):
                return _name(name, bound)
            case Select(operand=operand, field=field, test=test):
                return _select(self.closure(operand, bound), field, test=test)
            case Index(operand=operand, key=key):
                return _index(self.closure(operand, bound), self.closure(key, bound))
            case ListOf(items=items):
                parts = [self.closure(item, bound) for item in items]
                return lambda frame: [part(frame) for part in parts]
            case MapOf(entries=entries):
                return _map([(self.closure(k, bound), self.closure(v, bound)) for k, v in entries])
            case Unary(operator=operator, operand=operand):
                return _unary(operator, self.closure(operand, bound))
            case Binary(operator=operator, left=left, right=right):
                return _binary(operator, self.closure(left, bound), self.closure(right, bound))
            case Logic(operator=operator, operands=operands):
                return logic(operator, [self.closure(part, bound) for part in operands])
            case Ternary(condition=condition, then=then, otherwise=otherwise):
                return _ternary(
                    self.closure(condition, bound),
                    self.closure(then, bound),
                    self.closure(otherwise, bound),
                )
            case Call():
                return self._call(node, bound)
            case Macro():
                return self._macro(node, bound)

    def _call(self, node: Call, bound: Mapping[str, int]) -> Closure:
        pattern = node.arguments[-1]
        arguments = [self.closure(argument, bound) for argument in node.arguments]
        if node.function == "matches" and isinstance(pattern, Literal):
            return self._matches(arguments[0], pattern)
        function = IMPLEMENTATIONS[node.function]
        if len(arguments) == 1:
            only = arguments[0]
            return lambda frame: function(frame, only(frame))
        first, second = arguments
        return lambda frame: function(frame, first(frame), second(frame))

    def _matches(self, subject: Closure, pattern: Literal) -> Closure:
        """A pattern that is written out is compiled once, and refused at load."""
        try:
            compiled = compile_pattern(pattern.value)
        except (TypeError, ValueError) as error:
            raise ExpressionError(f"not a pattern: {error}", pattern.position, self._text) from None

        def run(frame: Frame) -> bool:
            text = subject(frame)
            if type(text) is not str:
                raise EvaluationError(f"no matches() for {type_name(text)}")
            frame.charge_text(text)
            return search(compiled, text)

        return run

    def _macro(self, node: Macro, bound: Mapping[str, int]) -> Closure:
        slot = self.slots
        self.slots += 1
        inside = {**bound, node.variable: slot}
        condition = None if node.condition is None else self.closure(node.condition, inside)
        return MACRO_RUNS[node.macro](
            self.closure(node.target, bound), slot, self.closure(node.body, inside), condition
        )


def _name(name: str, bound: Mapping[str, int]) -> Closure:
    if name in bound:
        slot = bound[name]
        return lambda frame: frame.slots[slot]

    def run(frame: Frame) -> Any:
        try:
            return frame.env[name]
        except KeyError:
            raise EvaluationError(f"no value for {name!r}") from None

    return run


def _select(operand: Closure, field: str, *, test: bool) -> Closure:
    if test:
        return lambda frame: values.has_field(operand(frame), field)

    def run(frame: Frame) -> Any:
        value = operand(frame)
        if type(value) is dict and field in value:
            return value[field]
        return values.field_of(value, field)

    return run


def _index(operand: Closure, key: Closure) -> Closure:
    return lambda frame: values.element_of(operand(frame), key(frame))


def _map(entries: list[tuple[Closure, Closure]]) -> Closure:
    def run(frame: Frame) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in entries:
            name = key(frame)
            if type(name) is not str:
                raise EvaluationError(f"the keys of a map are strings, not {type_name(name)}")
            if name in made:
                raise EvaluationError("a doubled key in a map")
            made[name] = value(frame)
        return made

    return run


def _unary(operator: str, operand: Closure) -> Closure:
    if operator == "-":
        return lambda frame: values.negate(operand(frame))

    def run(frame: Frame) -> bool:
        value = operand(frame)
        if value is True or value is False:
            return not value
        raise EvaluationError(f"no `!` for {type_name(value)}")

    return run


def _binary(operator: str, left: Closure, right: Closure) -> Closure:
    if operator == "==":
        return lambda frame: values.equal(frame, left(frame), right(frame))
    if operator == "!=":
        return lambda frame: not values.equal(frame, left(frame), right(frame))
    if operator in _ARITHMETIC:
        function = _ARITHMETIC[operator]
        return lambda frame: function(frame, left(frame), right(frame))
    return lambda frame: values.compare(operator, left(frame), right(frame))


def _ternary(condition: Closure, then: Closure, otherwise: Closure) -> Closure:
    def run(frame: Frame) -> Any:
        chosen = condition(frame)
        if chosen is True:
            return then(frame)
        if chosen is False:
            return otherwise(frame)
        raise EvaluationError(f"the condition of `?:` is a {type_name(chosen)}")

    return run
