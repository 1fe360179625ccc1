"""A log to its templates, in one pass over its lines; memory grows with what differs in them.

Nothing is set for a system: the heading is learned from the first lines, values are told from words
by their form and by how many there are.
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import msgspec

from pointsman.evidence.logs.grouping import templates
from pointsman.evidence.logs.heading import Heading, learn_heading
from pointsman.evidence.logs.masking import mask, numbers_out

LEARNED_FROM = 2000  # lines
_MOST_CHARS = 4000  # of a line that are looked at
_MOST_MASKS = 50_000  # different ones; later new ones are told by their first words
_MOST_FORMS = 200_000  # lines without numbers whose mask is remembered
_FIRST_WORDS = 4


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of line."""

    id: str  # E1 is the first that was seen
    text: str  # `<*>` for what varies
    count: int
    first_line: int  # from 1
    last_line: int


class Mined(msgspec.Struct, frozen=True, kw_only=True):
    """A log by its templates; `kinds[i]` is the position in `templates` of line i + 1's."""

    heading: Heading
    templates: tuple[Template, ...]
    kinds: "array[int]"
    lines: int


class Miner:
    """Takes lines as they are, headings included, and gives their templates at the end."""

    def __init__(self) -> None:
        self.heading = Heading()
        self._read: re.Pattern[str] | None = None
        self._forms: dict[str, int] = {}
        self._masks: dict[str, int] = {}
        self._kinds = array("I")

    def mine(self, lines: Iterable[str]) -> Mined:
        """Every line of a log. Blank lines are of a kind of their own."""
        rest = iter(lines)
        first = list(islice(rest, LEARNED_FROM))
        self.heading = learn_heading(first)
        self._read = re.compile(self.heading.pattern) if self.heading.pattern else None
        self._take(chain(first, rest))
        return self._mined()

    def content(self, line: str) -> str:
        """A line without its heading; the whole line where it has another, or none."""
        found = self._read.match(line) if self._read is not None else None
        return line[found.end() :] if found is not None else line

    def _take(self, lines: Iterable[str]) -> None:
        forms, read, add = self._forms, self._read, self._kinds.append
        for line in lines:
            if read is not None:
                found = read.match(line)
                if found is not None:
                    line = line[found.end() :]
            form = numbers_out(line[:_MOST_CHARS])
            kind = forms.get(form)
            if kind is None:
                kind = self._kind(form)
            add(kind)

    def _kind(self, form: str) -> int:
        said = mask(form)
        masks = self._masks
        if said not in masks and len(masks) >= _MOST_MASKS:
            said = " ".join(said.split(" ")[:_FIRST_WORDS]) + " ..."
        kind = masks.setdefault(said, len(masks))
        if len(self._forms) >= _MOST_FORMS:
            self._forms.clear()
        self._forms[form] = kind
        return kind

    def _mined(self) -> Mined:
        names = list(self._masks)
        counted = Counter(self._kinds)
        made = templates({name: counted[at] for at, name in enumerate(names)})
        where: dict[str, int] = {}
        to = array("I", [0] * len(names))
        for at, name in enumerate(names):
            to[at] = where.setdefault(made[name], len(where))
        kinds = array("I", (to[kind] for kind in self._kinds))
        firsts, lasts = [0] * len(where), [0] * len(where)
        counts = [0] * len(where)
        for line, kind in enumerate(kinds, 1):
            if not counts[kind]:
                firsts[kind] = line
            lasts[kind] = line
            counts[kind] += 1
        return Mined(
            heading=self.heading,
            templates=tuple(
                Template(
                    id=f"E{at + 1}",
                    text=text,
                    count=counts[at],
                    first_line=firsts[at],
                    last_line=lasts[at],
                )
                for text, at in where.items()
            ),
            kinds=kinds,
            lines=len(kinds),
        )


def mine(lines: Iterable[str]) -> Mined:
    """The templates of a log's lines."""
    return Miner().mine(lines)


def rows(mined: Mined) -> Iterator[tuple[int, str, str]]:
    """Number of the line from 1, id and text of its template."""
    for line, kind in enumerate(mined.kinds, 1):
        template = mined.templates[kind]
        yield line, template.id, template.text
