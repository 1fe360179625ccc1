"""Text of one YAML file to nodes with positions, refusing what a reader could take two ways."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from pointsman.config.nodes import Entry, ListNode, MapNode, Node, Scalar
from pointsman.config.problems import Mark, Problems, Source
from pointsman.config.variables import Replaced, replace_variables

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 40

_TAB = re.compile(r" *\t[ \t]*[^\s#]")
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, AssertionError, NotImplementedError)


class _Stop(Exception):
    """Reading cannot go on; the problem is already kept."""


def read_bounded(path: Path) -> bytes:
    """The bytes of a file, at most one more than `decode` takes. Raises: OSError."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def decode(data: bytes, source: Source, problems: Problems) -> str | None:
    """The text of a file's bytes; None once a problem was kept."""
    if len(data) > MAX_BYTES:
        problems.add(Mark(source, 1, 1), f"larger than {MAX_BYTES // 2**20} MB")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = error.start - before.rfind(b"\n")
        problems.add(Mark(source, before.count(b"\n") + 1, column), "not UTF-8")
        return None


def read(
    text: str, source: Source, env: Mapping[str, str] | None, problems: Problems
) -> MapNode | None:
    """The mapping at the top of a file; None once a problem was kept that stopped the reading.

    Args: env is what `${NAME}` reads; None: the file knows no variables, `${` is text.
    """
    reader = _Reader(text, source, env, problems)
    try:
        root = reader.document()
    except _Stop:
        return None
    if not isinstance(root, MapNode):
        problems.add(Mark(source, 1, 1), "an empty file" if root is None else "wants a mapping")
        return None
    return root


class _Reader:
    def __init__(
        self, text: str, source: Source, env: Mapping[str, str] | None, problems: Problems
    ) -> None:
        self._text = text
        self._source = source
        self._env = env
        self._problems = problems
        self._last = Mark(source, 1, 1)
        self._events = self._parsed()
        self._inside_text: set[int] = set()  # lines that belong to a scalar begun above them

    def document(self) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                self._refuse_directives(event)
                if documents > 1:
                    self._stop(event, "a second document: one file is one document")
            elif isinstance(
                event, ScalarEvent | MappingStartEvent | SequenceStartEvent | AliasEvent
            ):
                root = self._node(event, 0)
        self._refuse_tabs()
        empty = isinstance(root, Scalar) and root.plain and not root.text
        return None if empty else root

    def _parsed(self) -> Iterator[Any]:
        """The events of the parser, its errors kept as problems."""
        try:
            for event in YAML(typ="safe", pure=True).parse(self._text):
                self._last = self._mark(event.start_mark)
                yield event
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = self._mark(mark) if mark else self._last
            self._problems.add(where, _plainly(str(error.problem or error.context or "")))
        except ReaderError as error:
            before = self._text[: max(error.position, 0)]
            where = Mark(self._source, before.count("\n") + 1, len(before) - before.rfind("\n"))
            self._problems.add(where, "a control character: write it as an escape in quotes")
        except (YAMLError, *_BROKEN):
            self._problems.add(self._last, "not YAML from here on")
        else:
            return
        raise _Stop

    def _node(self, event: Any, depth: int) -> Node:
        mark = self._mark(event.start_mark)
        if depth > MAX_DEPTH:
            self._stop(event, f"more than {MAX_DEPTH} levels deep")
        self._refuse_extras(event, mark)
        if isinstance(event, SequenceStartEvent):
            items = []
            while not isinstance(inner := next(self._events), SequenceEndEvent):
                items.append(self._node(inner, depth + 1))
            return ListNode(mark, tuple(items))
        if isinstance(event, MappingStartEvent):
            return MapNode(mark, self._entries(depth))
        if isinstance(event, AliasEvent):
            return Scalar(mark, "", plain=True, broken=True)
        return self._scalar(event, mark)

    def _entries(self, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            mark = self._mark(event.start_mark)
            key = self._key(event, mark, depth)
            node = self._node(next(self._events), depth + 1)
            if key is None:
                continue
            if key in entries:
                first = entries[key].key_mark.line
                self._problems.add(mark, f"{key[:64]!r} is doubled: line {first} has it already")
                continue
            entries[key] = Entry(mark, _under(mark, node))
        return entries

    def _key(self, event: Any, mark: Mark, depth: int) -> str | None:
        if not isinstance(event, ScalarEvent):
            self._node(event, depth + 1)
            self._problems.add(mark, "a key is a name, not a list, mapping or alias")
            return None
        self._refuse_extras(event, mark)
        plain = event.style is None
        if plain and event.value in ("<<", ""):
            merge = "merge keys are not taken: write the fields out"
            self._problems.add(mark, merge if event.value else "no name before the colon")
            return None
        if not _is_unicode(event.value):
            self._problems.add(mark, "half of a surrogate pair is no character")
            return None
        return str(event.value)

    def _scalar(self, event: Any, mark: Mark) -> Scalar:
        start, end = event.start_mark, event.end_mark
        self._inside_text.update(range(start.line + 1, end.line + (1 if end.column else 0)))
        block = event.style in ("|", ">")
        broken = event.tag is not None

        def report(position: int, what: str) -> None:
            nonlocal broken
            broken = True
            lines = event.value[:position].count("\n") + 1 if block else 0
            place = Mark(self._source, mark.line + lines, 1) if lines else mark
            self._problems.add(place, what)

        replaced = (
            Replaced(event.value, None, ())
            if self._env is None
            else replace_variables(event.value, self._env, report)
        )
        if not _is_unicode(replaced.text):
            broken = True
            self._problems.add(mark, "half of a surrogate pair is no character")
        quotes = 0 if event.style is None else 1
        first = start.index + quotes
        verbatim = not block and self._text[first : first + len(event.value)] == replaced.text
        return Scalar(
            mark,
            replaced.text,
            plain=event.style is None,
            variables=replaced.variables,
            placeholder=replaced.placeholder,
            broken=broken,
            text_mark=Mark(self._source, mark.line, mark.column + quotes) if verbatim else None,
        )

    def _refuse_extras(self, event: Any, mark: Mark) -> None:
        if isinstance(event, AliasEvent):
            self._problems.add(mark, "aliases are not taken: write the value out")
        elif event.anchor is not None:
            self._problems.add(mark, "anchors are not taken: write the value out where it is used")
        if getattr(event, "tag", None) is not None:
            self._problems.add(mark, "tags are not taken: quote what is text")

    def _refuse_directives(self, event: Any) -> None:
        if event.tags or (event.version and tuple(event.version) != (1, 2)):
            self._stop(event, "directives are not taken; the file is YAML 1.2")

    def _refuse_tabs(self) -> None:
        for number, line in enumerate(self._text.split("\n")):
            if number not in self._inside_text and _TAB.match(line):
                mark = Mark(self._source, number + 1, line.index("\t") + 1)
                self._problems.add(mark, "a tab in the indentation: use spaces")

    def _mark(self, mark: Any) -> Mark:
        return Mark(self._source, mark.line + 1, mark.column + 1)

    def _stop(self, event: Any, what: str) -> NoReturn:
        self._problems.add(self._mark(event.start_mark), what)
        raise _Stop


def _under(key_mark: Mark, node: Node) -> Node:
    """A value that starts below its key, or nowhere, stands where its key does."""
    nothing = isinstance(node, Scalar) and node.plain and not node.text
    below = not isinstance(node, Scalar) and node.mark.line > key_mark.line
    return replace(node, mark=key_mark) if nothing or below else node


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plainly(problem: str) -> str:
    if "\\t" in problem:
        return "a tab where YAML wants spaces"
    if "mapping values are not allowed" in problem:
        return "a colon where none can stand: check the indentation, or quote the text"
    if "could not find expected ':'" in problem:
        return "a key without its colon"
    if "<block end>" in problem:
        return "this does not line up with what is above: check the indentation"
    problem = problem.replace("'<stream end>'", "the end of the file").replace("\n", " ")
    return problem[:200] or "not YAML from here on"
