"""Plain data to YAML that reads back to the same data, and that a person can read."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pointsman.config import scalars
from pointsman.config.variables import escape

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@-]+)*")
_INDENT = "  "


class Verbatim(str):
    """Text that goes out as it is, `${NAME}` with its meaning kept."""

    __slots__ = ()


def emit(data: dict[str, Any]) -> str:
    """A YAML document: mappings in blocks, short lists in one line, long texts as literals."""
    return "\n".join(_mapping(data, "")) + "\n"


def _mapping(data: dict[str, Any], indent: str) -> Iterator[str]:
    for key, value in data.items():
        yield from _entry(f"{indent}{_quoted_if_needed(str(key))}:", value, indent + _INDENT)


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    """One key or list item with its value, on its line or below it."""
    if isinstance(value, dict) and value:
        yield head
        yield from _mapping(value, indent)
    elif isinstance(value, list | tuple) and value and not all(map(_is_scalar, value)):
        yield head
        for item in value:
            yield from _item(item, indent)
    elif isinstance(value, str) and _reads_as_literal(value):
        yield f"{head} {'|' if value.endswith(chr(10)) else '|-'}"
        lines = escape(value).removesuffix("\n").split("\n")
        yield from (indent + line if line else "" for line in lines)
    else:
        yield f"{head} {_flow(value)}"


def _item(value: Any, indent: str) -> Iterator[str]:
    """One list item; a mapping starts on the line of its dash."""
    if not (isinstance(value, dict) and value):
        yield from _entry(f"{indent}-", value, indent + _INDENT)
        return
    lines = _mapping(value, indent + _INDENT)
    first = next(lines)
    yield f"{indent}- {first[len(indent) + len(_INDENT) :]}"
    yield from lines


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list | tuple) or not value


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, Verbatim):
        return str(value)
    if isinstance(value, str):
        return _quoted_if_needed(escape(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value)  # null, true, 1 and 1.5 are the same in both languages


def _quoted_if_needed(text: str) -> str:
    sound = _PLAIN.fullmatch(text) and len(text) < 200 and isinstance(scalars.core(text), str)
    if sound and scalars.surprise(text) is None:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return {"\n": "\\n", "\t": "\\t"}.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _reads_as_literal(text: str) -> bool:
    """Whether a literal block gives back exactly this text."""
    lines = text.removesuffix("\n").split("\n")
    return (
        len(lines) > 1
        and bool(lines[0])
        and bool(lines[-1])
        and not lines[0].startswith(" ")
        and all(line.isprintable() and (not line or bool(line.strip())) for line in lines)
    )
