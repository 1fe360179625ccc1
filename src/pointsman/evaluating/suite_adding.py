"""A case put into a suite's file: what stands there, comments too, stays as it is."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from pointsman.domain.errors import UsageError

_MOST_BYTES = 32 * 1024 * 1024
_NEW = """\
# Cases from traffic. How answers are judged is yours to say: see `pointsman eval schema`.
name: {name}
{subject}scorers:
  - exact: {{}}
cases:
"""


def add_case(
    path: Path, case: Mapping[str, Any], *, subject: str | None = None
) -> Literal["added", "there", "created"]:
    """Put a case at the end of the suite's `cases`; a file that is not there is made.

    Returns: `there` where the file has a case of that id, and is left as it is.
    Raises: UsageError for a file that is no suite; OSError.
    """
    if not path.exists():
        said = f"subject: {subject}\n" if subject else ""
        head = _NEW.format(name=_name_of(path), subject=said)
        _write(path, head + _item(case, 2))
        return "created"
    if path.stat().st_size > _MOST_BYTES:
        raise UsageError(f"{path} is over {_MOST_BYTES >> 20} MB", next="start another suite")
    text = path.read_bytes().decode("utf-8-sig")
    before = _loaded(text, path)
    cases = before.get("cases")
    if not isinstance(cases, list):
        raise UsageError(
            f"{path} has no list of `cases`", next="`pointsman suite lint` says what is wrong"
        )
    if any(isinstance(each, dict) and each.get("id") == case["id"] for each in cases):
        return "there"
    wanted = {**before, "cases": [*cases, _plain(case)]}
    after = _inserted(text, case)
    if after is None or _try(after) != wanted:
        after = _dumped(text, case)
    if _try(after) != wanted:
        raise UsageError(
            f"{path} cannot be added to without changing what it says",
            next="put the case into it by hand: `--print` shows it",
        )
    _write(path, after)
    return "added"


def as_yaml(case: Mapping[str, Any]) -> str:
    """The case as an item of `cases`."""
    return _item(case, 0)


def _inserted(text: str, case: Mapping[str, Any]) -> str | None:
    """The text with the case after the last one; None where its cases are no block."""
    node = YAML(typ="rt").compose(io.StringIO(text))
    cases = _value(node, "cases") if isinstance(node, MappingNode) else None
    if not isinstance(cases, SequenceNode) or cases.flow_style or not cases.value:
        return None
    dash = cases.value[-1].start_mark
    lines = text.splitlines(keepends=True)
    indent = lines[dash.line].find("-")
    end = _end_line(cases.value[-1])
    while end > dash.line + 1 and not lines[end - 1].strip():
        end -= 1
    if end and not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    return "".join([*lines[:end], _item(case, max(0, indent)), *lines[end:]])


def _value(node: MappingNode, name: str) -> Node | None:
    found: list[Node] = [value for key, value in node.value if key.value == name]
    return found[0] if found else None


def _end_line(node: Node) -> int:
    """The line after the last one of a node's own text."""
    if isinstance(node, MappingNode) and node.value and not node.flow_style:
        return _end_line(node.value[-1][1])
    if isinstance(node, SequenceNode) and node.value and not node.flow_style:
        return _end_line(node.value[-1])
    mark = node.end_mark
    return int(mark.line) + (1 if mark.column > 0 else 0)


def _dumped(text: str, case: Mapping[str, Any]) -> str:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 1 << 16
    data = yaml.load(text)
    data["cases"].append(_plain(case))
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def _item(case: Mapping[str, Any], indent: int) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 1 << 16
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.representer.add_representer(str, _text)
    out = io.StringIO()
    yaml.dump([_plain(case)], out)
    lines = out.getvalue().splitlines(keepends=True)
    return "".join(" " * indent + line if line.strip() else line for line in lines)


def _text(representer: Any, text: str) -> Any:
    """Texts of several lines as they read; `|` cannot hold every one."""
    plain = text.isprintable() or all(c == "\n" or c.isprintable() for c in text)
    lines = text.split("\n")
    simple = plain and not any(line != line.rstrip() for line in lines) and text[:1] not in " \n"
    style = "|" if len(lines) > 1 and simple else None
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _loaded(text: str, path: Path) -> dict[str, Any]:
    found = _try(text)
    if not isinstance(found, dict):
        raise UsageError(
            f"{path} is no suite", why="it is not YAML with a mapping at its top",
            next="`pointsman suite lint` says where",
        )  # fmt: skip
    return found


def _try(text: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError):
        return None


def _name_of(path: Path) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in path.stem)
    return (kept.lstrip("._-") or "suite")[:64]


def _write(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with new.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            new.chmod(path.stat().st_mode & 0o777)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
