"""The tree of a parsed expression, before names are checked and closures made."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, text, true, false or null."""

    position: int
    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """A variable at the top, or one that a macro binds."""

    position: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`; `test` is `has(operand.field)`."""

    position: int  # of the field
    operand: "Node"
    field: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """`operand[key]`."""

    position: int
    operand: "Node"
    key: "Node"


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    position: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{'a': b}`."""

    position: int
    entries: tuple[tuple["Node", "Node"], ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`!x` or `-x`."""

    position: int
    operator: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, a comparison or `in`."""

    position: int
    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Logic:
    """`a && b && c` or `a || b || c`, flat."""

    position: int
    operator: str
    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Ternary:
    """`condition ? then : otherwise`."""

    position: int
    condition: "Node"
    then: "Node"
    otherwise: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    """A function; a method's target is its first argument."""

    position: int
    function: str
    arguments: tuple["Node", ...]
    method: bool


@dataclass(frozen=True, slots=True)
class Macro:
    """`target.all(variable, body)` and its kin; `condition` only for the three-part `map`."""

    position: int
    macro: str
    target: "Node"
    variable: str
    body: "Node"
    condition: "Node | None" = None


Node = (
    Literal
    | Name
    | Select
    | Index
    | ListOf
    | MapOf
    | Unary
    | Binary
    | Logic
    | Ternary
    | Call
    | Macro
)
