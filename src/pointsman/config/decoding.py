"""Nodes to the structs of the schema, driven by their types, with every problem kept."""

import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from pointsman.config import scalars
from pointsman.config.nodes import ListNode, MapNode, Node, Scalar
from pointsman.config.problems import Problems

INVALID: Any = object()  # stands for a value whose problem is kept
MAX_INT = 2**63 - 1

_S = TypeVar("_S", bound=msgspec.Struct)


def decode(node: Node, type: type[_S], problems: Problems) -> _S | None:
    """The node as the struct, unsound entries of its mappings left out; None if there is none.

    Every key that is no field, value of a wrong type or out of range, and missing field is kept as
    a problem at its place.
    """
    found = _Decoder(problems).value(node, _type_info(type), "")
    return None if found is INVALID else found


@cache
def _type_info(type: Any) -> inspect.Type:
    return inspect.type_info(type)


class _Decoder:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def value(self, node: Node, info: inspect.Type, where: str) -> Any:
        if isinstance(node, Scalar) and node.broken:
            return INVALID
        if isinstance(info, inspect.Metadata):
            info = info.type
        return _DECODERS[type(info)](self, node, info, where)

    def _refuse(self, node: Node, where: str, what: str) -> Any:
        self._problems.add(node.mark, f"{where}: {what}" if where else what)
        return INVALID

    def struct(self, node: Node, info: inspect.StructType, where: str) -> Any:
        fields = {field.encode_name: field for field in info.fields}
        if not isinstance(node, MapNode):
            shown = ", ".join(list(fields)[:6])
            return self._refuse(node, where, f"wants a mapping of {shown}, not {_kind(node)}")
        values: dict[str, Any] = {}
        for key, entry in node.entries.items():
            inside = f"{where}.{key}" if where else key
            if key not in fields:
                prefix = f"{where}: " if where else ""
                what = f"{prefix}unknown key {key[:64]!r}"
                self._problems.add_unknown(entry.key_mark, what, key, fields)
                continue
            values[key] = self.value(entry.node, fields[key].type, inside)
        for field in info.fields:
            if field.required and field.encode_name not in values:
                return self._refuse(node, where, f"needs {field.encode_name!r}")
        if any(value is INVALID for value in values.values()):
            return INVALID
        return info.cls(**values)

    def mapping(self, node: Node, info: inspect.DictType, where: str) -> Any:
        if not isinstance(node, MapNode):
            return self._refuse(node, where, f"wants a mapping of names, not {_kind(node)}")
        if len(node.entries) < (info.min_length or 0):
            return self._refuse(node, where, "needs at least one")
        values = {}
        for key, entry in node.entries.items():
            what = _misnamed(key, info.key_type)
            if what is not None:
                self._problems.add(entry.key_mark, f"{where}: {what}")
                continue
            value = self.value(entry.node, info.value_type, f"{where}.{key}")
            if value is not INVALID:
                values[key] = value
        return values

    def list(self, node: Node, info: inspect.ListType, where: str) -> Any:
        if not isinstance(node, ListNode):
            return self._refuse(node, where, f"wants a list, as in [a, b], not {_kind(node)}")
        if len(node.items) < (info.min_length or 0):
            return self._refuse(node, where, "needs at least one")
        if info.max_length is not None and len(node.items) > info.max_length:
            return self._refuse(node, where, f"takes at most {info.max_length}")
        values = [
            self.value(item, info.item_type, f"{where}[{index}]")
            for index, item in enumerate(node.items)
        ]
        return INVALID if any(value is INVALID for value in values) else values

    def union(self, node: Node, info: inspect.UnionType, where: str) -> Any:
        """`X | None`: an explicit null is None. `X | list`: a list is read as one."""
        parts = [part for part in info.types if not isinstance(part, inspect.NoneType)]
        lists = [part for part in parts if isinstance(part, inspect.ListType)]
        inner = lists[0] if lists and isinstance(node, ListNode) else parts[0]
        nullable = len(parts) < len(info.types)
        if (
            nullable
            and isinstance(node, Scalar)
            and node.plain
            and node.text
            and _core(node) is None
        ):
            return None
        return self.value(node, inner, where)

    def any(self, node: Node, info: inspect.Type, where: str) -> Any:
        if isinstance(node, MapNode):
            made = {
                key: self.any(entry.node, info, f"{where}.{key[:64]}")
                for key, entry in node.entries.items()
            }
            return INVALID if any(value is INVALID for value in made.values()) else made
        if isinstance(node, ListNode):
            items = [self.any(item, info, f"{where}[]") for item in node.items]
            return INVALID if any(value is INVALID for value in items) else items
        if node.broken:
            return INVALID
        if not node.plain or node.from_variables:
            return node.text
        why = scalars.surprise(node.text)
        if why is not None:
            return self._refuse(node, where, f"unquoted, this is {why}: quote it")
        found = scalars.core(node.text)
        if isinstance(found, int) and abs(found) > MAX_INT:
            return self._refuse(node, where, "a whole number beyond 64 bits")
        return found

    def text(self, node: Node, info: inspect.StrType, where: str) -> Any:
        if not isinstance(node, Scalar):
            return self._refuse(node, where, f"wants text, not {_kind(node)}")
        if node.plain and not node.from_variables:
            what = _not_text(node.text)
            if what is not None:
                return self._refuse(node, where, what)
        if len(node.text) < (info.min_length or 0):
            return self._refuse(node, where, "may not be empty")
        if info.pattern is not None and not re.fullmatch(info.pattern, node.text):
            return self._refuse(node, where, f"not a name that is taken here: {NAME_RULE}")
        return node.text

    def literal(self, node: Node, info: inspect.LiteralType, where: str) -> Any:
        known = ", ".join(map(str, info.values))
        if not isinstance(node, Scalar):
            return self._refuse(node, where, f"wants one of {known}, not {_kind(node)}")
        if node.text in info.values:
            return node.text
        word = "" if node.from_variables else node.text
        what = (
            f"{where}: {word[:64]!r} is not one of {known}" if word else f"{where}: wants {known}"
        )
        self._problems.add_unknown(node.mark, what, word, map(str, info.values))
        return INVALID

    def boolean(self, node: Node, info: inspect.Type, where: str) -> Any:
        found = _core(node)
        if isinstance(found, bool):
            return found
        return self._refuse(node, where, f"write true or false, not {_kind(node)}")

    def integer(self, node: Node, info: inspect.IntType, where: str) -> Any:
        if isinstance(node, Scalar) and node.plain and scalars.surprise(node.text):
            return self._refuse(
                node, where, f"unquoted, this is {scalars.surprise(node.text)}: write it plainly"
            )
        found = _core(node)
        if isinstance(found, bool) or not isinstance(found, int) or abs(found) > MAX_INT:
            return self._refuse(node, where, f"wants a whole number, not {_kind(node)}")
        return self._in_range(found, node, info, where)

    def real(self, node: Node, info: inspect.FloatType, where: str) -> Any:
        found = _core(node)
        surprising = isinstance(node, Scalar) and scalars.surprise(node.text) is not None
        if isinstance(found, bool) or not isinstance(found, int | float) or surprising:
            return self._refuse(node, where, f"wants a number, not {_kind(node)}")
        if abs(found) > 1e300 or not math.isfinite(found):
            return self._refuse(node, where, "a number out of range")
        return self._in_range(float(found), node, info, where)

    def decimal(self, node: Node, info: inspect.Type, where: str) -> Any:
        readable = isinstance(node, Scalar) and (node.plain or node.from_variables)
        found = scalars.decimal(node.text) if readable and isinstance(node, Scalar) else None
        if found is None:
            return self._refuse(node, where, f"wants a decimal number, not {_kind(node)}")
        return found

    def _in_range(
        self, value: Any, node: Node, info: inspect.IntType | inspect.FloatType, where: str
    ) -> Any:
        if info.gt is not None and value <= info.gt:
            return self._refuse(node, where, f"wants more than {info.gt}")
        if info.ge is not None and value < info.ge:
            return self._refuse(node, where, f"wants at least {info.ge}")
        if info.le is not None and value > info.le:
            return self._refuse(node, where, f"wants at most {info.le}")
        return value


NAME_RULE = "a-z, 0-9, dot, dash and underscore, at most 64 characters"

_DECODERS: Mapping[type[inspect.Type], Callable[..., Any]] = {
    inspect.StructType: _Decoder.struct,
    inspect.DictType: _Decoder.mapping,
    inspect.ListType: _Decoder.list,
    inspect.UnionType: _Decoder.union,
    inspect.AnyType: _Decoder.any,
    inspect.StrType: _Decoder.text,
    inspect.LiteralType: _Decoder.literal,
    inspect.BoolType: _Decoder.boolean,
    inspect.IntType: _Decoder.integer,
    inspect.FloatType: _Decoder.real,
    inspect.DecimalType: _Decoder.decimal,
}


def _core(node: Node) -> Any:
    """What a scalar is where a number or boolean is wanted: unquoted, or from a variable."""
    if isinstance(node, Scalar) and (node.plain or node.from_variables):
        return scalars.core(node.text)
    return ""


def _misnamed(key: str, info: inspect.Type) -> str | None:
    description = NAME_RULE
    if isinstance(info, inspect.Metadata):
        description = (info.extra_json_schema or {}).get("description", NAME_RULE)
        info = info.type
    pattern = info.pattern if isinstance(info, inspect.StrType) else None
    if pattern is None or re.fullmatch(pattern, key):
        return None
    return f"{key[:64]!r} is no name: {description}"


def _not_text(text: str) -> str | None:
    """Why an unquoted scalar is not text, or None."""
    if not text:
        return "wants text, but nothing follows the colon"
    why = scalars.surprise(text)
    if why is not None:
        return f"unquoted, this is {why}: quote it"
    found = scalars.core(text)
    if isinstance(found, str):
        return None
    kind = "null" if found is None else "a boolean" if isinstance(found, bool) else "a number"
    return f"wants text, and unquoted this is {kind}: quote it"


def _kind(node: Node) -> str:
    """What a node is, for errors; never its value."""
    if isinstance(node, MapNode):
        return "a mapping"
    if isinstance(node, ListNode):
        return "a list"
    if not node.text:
        return "nothing"
    if node.from_variables:
        return "what the variable holds"
    if not node.plain:
        return "quoted text"
    found = scalars.core(node.text)
    if found is None:
        return "null"
    names = {bool: "a boolean", int: "a whole number", float: "a number"}
    return names.get(type(found), "text")
