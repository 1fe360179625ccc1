"""`include:` globs: several files read as one, with every name said once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from glob import has_magic, iglob
from itertools import islice
from pathlib import Path

from pointsman.config.nodes import Entry, ListNode, MapNode, Node, Scalar
from pointsman.config.problems import Mark, Problems, Source
from pointsman.config.reading import decode, read, read_bounded

MAX_DEPTH = 8
MAX_FILES = 256
MERGED = frozenset(
    ("deployments", "prompts", "tasks", "routes", "aliases", "keys", "server", "journal")
)


@dataclass
class Reading:
    """What all files of one configuration share while they are read."""

    env: Mapping[str, str]
    problems: Problems
    seen: dict[Path, Mark] = field(default_factory=dict)


def read_with_includes(
    text: str, source: Source, reading: Reading, *, path: Path | None = None
) -> MapNode | None:
    """The root of a file with everything it includes merged in; None once it cannot be read."""
    above = () if path is None else (path.resolve(),)
    return _read(text, source, reading, above)


def _read(text: str, source: Source, reading: Reading, above: tuple[Path, ...]) -> MapNode | None:
    root = read(text, source, reading.env, reading.problems)
    if root is None or "include" not in root.entries:
        return root
    include = root.entries["include"].node
    entries = {key: entry for key, entry in root.entries.items() if key != "include"}
    for pattern in _patterns(include, reading.problems):
        for path in _matches(pattern, source, reading):
            other = _included(path, pattern.mark, source, reading, above)
            if other is not None:
                _merge(entries, other, reading.problems)
    return MapNode(root.mark, entries)


def _patterns(node: Node, problems: Problems) -> list[Scalar]:
    items = node.items if isinstance(node, ListNode) else (node,)
    patterns = [item for item in items if isinstance(item, Scalar) and item.text]
    if len(patterns) < len(items):
        problems.add(node.mark, "include: wants a list of paths, as in [tasks/*.yaml]")
    return patterns


def _matches(pattern: Scalar, source: Source, reading: Reading) -> list[Path]:
    """The files a pattern names, sorted. A pattern that names none is a problem."""
    if source.folder is None:
        reading.problems.add(pattern.mark, "include: this text has no folder to look in")
        return []
    try:
        found = iglob(pattern.text, root_dir=source.folder, recursive=True)
        paths = [source.folder / name for name in islice(found, MAX_FILES + 1)]
    except (OSError, ValueError):
        paths = []
    paths = sorted(path for path in paths if path.is_file())
    if not paths:
        what = "no file matches" if has_magic(pattern.text) else "no such file"
        reading.problems.add(pattern.mark, f"include: {what}")
    return paths


def _included(
    path: Path, mark: Mark, parent: Source, reading: Reading, above: tuple[Path, ...]
) -> MapNode | None:
    real = path.resolve()
    name = _shown(path, parent)
    what = _refusal(name, real, reading, above)
    if what is not None:
        reading.problems.add(mark, what)
        return None
    reading.seen[real] = mark
    reading.problems.looked_at |= {path, path.parent}
    source = Source(name, path.parent)
    try:
        data = read_bounded(path)
    except OSError as error:
        reading.problems.add(mark, f"include: {name}: {error.strerror or 'cannot be read'}")
        return None
    text = decode(data, source, reading.problems)
    return None if text is None else _read(text, source, reading, (*above, real))


def _shown(path: Path, parent: Source) -> str:
    """A file's name as seen from where the including file's name is seen from."""
    if parent.folder is None or not path.is_relative_to(parent.folder):
        return str(path)
    return str(Path(parent.name).parent / path.relative_to(parent.folder))


def _refusal(name: str, real: Path, reading: Reading, above: tuple[Path, ...]) -> str | None:
    if real in above:
        return f"include: {name} includes itself"
    if real in reading.seen:
        return f"include: {name} is included already at {reading.seen[real]}"
    if len(above) > MAX_DEPTH:
        return f"include: more than {MAX_DEPTH} levels deep"
    if len(reading.seen) >= MAX_FILES:
        return f"include: more than {MAX_FILES} files"
    return None


def _merge(entries: dict[str, Entry], other: MapNode, problems: Problems) -> None:
    """Add another file's entries: sections by name, everything else once."""
    for key, entry in other.entries.items():
        mine = entries.get(key)
        if mine is None or key == "version":
            entries.setdefault(key, entry)
        elif key in MERGED and isinstance(mine.node, MapNode) and isinstance(entry.node, MapNode):
            merged = dict(mine.node.entries)
            for name, value in entry.node.entries.items():
                if name in merged:
                    first = merged[name].key_mark
                    problems.add(value.key_mark, f"{key}.{name} is doubled: {first} has it already")
                else:
                    merged[name] = value
            entries[key] = Entry(mine.key_mark, MapNode(mine.node.mark, merged))
        else:
            problems.add(entry.key_mark, f"{key!r} is doubled: {mine.key_mark} has it already")
