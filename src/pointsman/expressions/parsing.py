"""Tokens to a tree, by recursive descent with stated bounds on depth and size."""

from collections.abc import Callable
from typing import NoReturn, TypeVar

from pointsman.expressions.errors import ExpressionError, nearest
from pointsman.expressions.functions import FUNCTIONS, METHODS
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
from pointsman.expressions.tokens import Token, tokenize

MAX_NODES = 2_000
MAX_DEPTH = 32  # of nesting, and of operators that lean on each other: a + b + c is two deep
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

MACROS = {"all": (2,), "exists": (2,), "exists_one": (2,), "filter": (2,), "map": (2, 3)}
_CONSTANTS = {"true": True, "false": False, "null": None}
_LOOPS = ("break", "continue", "for", "loop", "while")
_RESERVED = frozenset(
    ("as", "const", "else", "function", "if", "import", "in", "let", "namespace", "package")
).union(_LOOPS, ("return", "var", "void"))
_RELATIONS = frozenset(("==", "!=", "<", "<=", ">", ">=", "in"))
_SUMS = frozenset("+-")
_PRODUCTS = frozenset("*/%")
_N = TypeVar("_N", bound=Node)


def parse(text: str) -> Node:
    """The tree of one expression.

    Raises: ExpressionError with the position of the first thing that does not fit.
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._next = 0
        self._depth = 0
        self._nodes = 0

    def whole(self) -> Node:
        if self._peek.kind == "end":
            self._fail("an empty expression", self._peek)
        node = self._expression()
        if self._peek.kind != "end":
            self._unexpected("an operator or the end")
        return node

    # Grammar, loosest binding first.

    def _expression(self) -> Node:
        self._deeper(self._peek)
        condition = self._logic("||", lambda: self._logic("&&", self._relation))
        question = self._accept("?")
        if question:
            then = self._logic("||", lambda: self._logic("&&", self._relation))
            self._expect(":")
            otherwise = self._expression()
            condition = self._made(Ternary(question.position, condition, then, otherwise))
        self._depth -= 1
        return condition

    def _logic(self, operator: str, inner: Callable[[], Node]) -> Node:
        first = inner()
        token = self._peek
        operands = [first]
        while self._accept(operator):
            operands.append(inner())
        if len(operands) == 1:
            return first
        return self._made(Logic(token.position, operator, tuple(operands)))

    def _relation(self) -> Node:
        return self._binary(_RELATIONS, lambda: self._binary(_SUMS, self._product))

    def _product(self) -> Node:
        return self._binary(_PRODUCTS, self._unary)

    def _binary(self, operators: frozenset[str], inner: Callable[[], Node]) -> Node:
        node = inner()
        chained = 0
        while self._peek.text in operators and self._peek.kind in ("op", "name"):
            token = self._take()
            self._deeper(token)
            chained += 1
            node = self._made(Binary(token.position, token.text, node, inner()))
        self._depth -= chained
        return node

    def _unary(self) -> Node:
        token = self._peek
        if token.kind != "op" or token.text not in ("!", "-"):
            return self._member()
        signs = []
        while self._accept(token.text):
            signs.append(token)
            self._deeper(token)
        self._depth -= len(signs)
        if token.text == "-" and self._peek.kind in ("int", "float"):
            signs.pop()
            node = self._postfix(self._literal(negative=True))
        else:
            node = self._member()
        for sign in signs:
            node = self._made(Unary(sign.position, sign.text, node))
        return node

    def _member(self) -> Node:
        return self._postfix(self._primary())

    def _postfix(self, node: Node) -> Node:
        links = 0
        while self._peek.kind == "op" and self._peek.text in (".", "["):
            token = self._take()
            self._deeper(token)
            links += 1
            if token.text == "[":
                node = self._made(Index(token.position, node, self._expression()))
                self._expect("]")
            else:
                node = self._selection(node)
        self._depth -= links
        return node

    def _selection(self, operand: Node) -> Node:
        token = self._take()
        if token.kind != "name" or token.text in _CONSTANTS or token.text == "in":
            self._fail("a field name must follow the dot", token)
        if not self._accept("("):
            return self._made(Select(token.position, operand, token.text))
        if token.text in MACROS:
            return self._macro(token, operand)
        arguments = self._items(")")
        return self._call(token, (operand, *arguments), method=True)

    def _primary(self) -> Node:
        token = self._peek
        if token.kind in ("int", "float"):
            return self._literal(negative=False)
        self._take()
        if token.kind == "string":
            return self._made(Literal(token.position, token.value))
        if token.kind == "name":
            return self._named(token)
        if token.kind == "op" and token.text == "(":
            node = self._expression()
            self._expect(")")
            return node
        if token.kind == "op" and token.text == "[":
            return self._made(ListOf(token.position, self._items("]")))
        if token.kind == "op" and token.text == "{":
            return self._map(token)
        self._next -= token.kind != "end"
        self._unexpected("a value")

    def _named(self, token: Token) -> Node:
        if token.text in _CONSTANTS:
            return self._made(Literal(token.position, _CONSTANTS[token.text]))
        if token.text in _RESERVED:
            self._fail(f"{token.text!r} is a reserved word", token)
        if not self._accept("("):
            return self._made(Name(token.position, token.text))
        if token.text in MACROS:
            self._fail(f"write it after a list: `list.{token.text}(x, ...)`", token)
        arguments = self._items(")")
        if token.text == "has":
            return self._has(token, arguments)
        return self._call(token, arguments, method=False)

    def _literal(self, *, negative: bool) -> Node:
        token = self._take()
        value = -token.value if negative else token.value
        if token.kind == "int" and not INT_MIN <= value <= INT_MAX:
            self._fail("an integer beyond 64 bits", token)
        if token.kind == "float" and abs(value) == float("inf"):
            self._fail("a double out of range", token)
        return self._made(Literal(token.position, value))

    def _map(self, token: Token) -> Node:
        entries: list[tuple[Node, Node]] = []
        while not self._accept("}"):
            key = self._expression()
            if isinstance(key, Literal) and not isinstance(key.value, str):
                raise ExpressionError("the keys of a map are strings", key.position, self._text)
            self._expect(":")
            entries.append((key, self._expression()))
            if not self._accept(","):
                self._expect("}")
                break
        return self._made(MapOf(token.position, tuple(entries)))

    def _items(self, closing: str) -> tuple[Node, ...]:
        """Comma-separated expressions up to the closing bracket; a list may end in a comma."""
        items: list[Node] = []
        while not self._accept(closing):
            items.append(self._expression())
            if not self._accept(","):
                self._expect(closing)
                break
            if closing == ")" and self._peek.text == ")":
                self._unexpected("a value")
        return tuple(items)

    def _has(self, token: Token, arguments: tuple[Node, ...]) -> Node:
        if len(arguments) != 1 or not isinstance(arguments[0], Select) or arguments[0].test:
            self._fail("has() takes one field, as in `has(a.b)`", token)
        chosen = arguments[0]
        return self._made(Select(chosen.position, chosen.operand, chosen.field, test=True))

    def _macro(self, token: Token, target: Node) -> Node:
        arguments = self._items(")")
        if len(arguments) not in MACROS[token.text]:
            self._fail(f"write `{token.text}(x, ...)`: a name, then an expression over it", token)
        variable = arguments[0]
        if not isinstance(variable, Name):
            raise ExpressionError(
                f"the first argument of {token.text}() is a name", variable.position, self._text
            )
        condition = arguments[1] if len(arguments) == 3 else None
        return self._made(
            Macro(token.position, token.text, target, variable.name, arguments[-1], condition)
        )

    def _call(self, token: Token, arguments: tuple[Node, ...], *, method: bool) -> Node:
        table = METHODS if method else FUNCTIONS
        if token.text not in table:
            kind = "method" if method else "function"
            known = [*table, *(MACROS if method else ("has",))]
            self._fail(f"no {kind} {token.text!r}{nearest(token.text, known)}", token)
        wanted = table[token.text]
        if len(arguments) != wanted:
            shown = wanted - method
            self._fail(f"{token.text}() takes {shown} argument{'s' * (shown != 1)}", token)
        return self._made(Call(token.position, token.text, arguments, method))

    # Bounds and errors.

    def _made(self, node: _N) -> _N:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionError(f"more than {MAX_NODES} parts", node.position, self._text)
        return node

    def _deeper(self, token: Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} levels deep", token)

    @property
    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _accept(self, text: str) -> Token | None:
        token = self._peek
        if token.kind == "op" and token.text == text:
            self._next += 1
            return token
        return None

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            self._unexpected(f"`{text}`")

    def _unexpected(self, wanted: str) -> NoReturn:
        token = self._peek
        found = "the text ends" if token.kind == "end" else f"found `{token.text[:20]}`"
        self._fail(f"expected {wanted}, but {found}", token)

    def _fail(self, message: str, token: Token) -> NoReturn:
        raise ExpressionError(message, token.position, self._text)
