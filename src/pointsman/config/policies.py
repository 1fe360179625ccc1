"""`policies:` of a configuration: the files it names, what they extend, whose they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import has_magic, iglob
from itertools import islice
from pathlib import Path

from pointsman.config.policy_files import extended, policy_of
from pointsman.config.problems import Mark, Problems, Source
from pointsman.config.reading import decode, read_bounded
from pointsman.config.schema import RawPolicies
from pointsman.config.scope import Place, Scope
from pointsman.domain.policies import PolicyBinding, PolicySpec

MAX_FILES = 256
_LEAST_DIGEST = 16  # hex digits of a digest that a reference needs


@dataclass(frozen=True)
class _File:
    text: str
    source: Source
    id: str
    extends: tuple[str, ...]


def resolve_policies(
    raw: Mapping[str, RawPolicies], scope: Scope, *, tasks: Sequence[str], routes: Sequence[str]
) -> tuple[PolicyBinding, ...]:
    """The bindings by name, their files read, every problem kept."""
    found = {name: tuple(_files(name, each, scope)) for name, each in raw.items()}
    files = {file.source.name: file for each in found.values() for file in each}
    specs = resolve_files(tuple(files.values()), scope.problems)
    bindings = []
    for name, each in raw.items():
        for kind, words, known in (("tasks", each.tasks, tasks), ("routes", each.routes, routes)):
            for index, word in enumerate(words):
                if not has_magic(word):
                    place: Place = ("policies", name, kind, index)
                    scope.reference(place, kind.removesuffix("s"), word, known)
        bindings.append(
            PolicyBinding(
                name=name,
                files=tuple(each.files),
                tenants=tuple(each.tenants),
                tasks=tuple(each.tasks),
                routes=tuple(each.routes),
                policies=tuple(
                    specs[file.source.name] for file in found[name] if file.source.name in specs
                ),
            )
        )
    return tuple(bindings)


def load_policies(paths: Sequence[Path]) -> tuple[PolicySpec, ...]:
    """The policies of these files, which may extend each other; for those who only read them.

    Raises: ConfigurationError with every problem, each as `file:line:column: what`.
    """
    problems = Problems(Source(str(paths[0]) if paths else "no file", None))
    files = []
    for path in paths:
        source = Source(str(path), path.parent)
        try:
            text = decode(read_bounded(path), source, problems)
        except OSError as error:
            problems.add(Mark(source, 1, 1), error.strerror or "cannot be read")
            continue
        if text is not None:
            files.append(_File(text, source, *extended(text, source)))
    specs = resolve_files(files, problems)
    problems.raise_if_any()
    return tuple(specs.values())


def parse_policy(text: str, *, name: str = "policy.yaml") -> PolicySpec:
    """The policy of one text, which extends nothing. Raises: ConfigurationError."""
    source = Source(name, None)
    problems = Problems(source)
    specs = resolve_files([_File(text, source, *extended(text, source))], problems)
    problems.raise_if_any()
    return specs[name]


def resolve_files(files: Sequence[_File], problems: Problems) -> dict[str, PolicySpec]:
    """The policies by file name; each after what it extends. Problems are kept."""
    return dict(_Extending(files, problems).specs())


class _Extending:
    def __init__(self, files: Sequence[_File], problems: Problems) -> None:
        self._files = files
        self._problems = problems
        self._by_id: dict[str, _File] = {}
        self._made: dict[str, PolicySpec | None] = {}
        self._making: list[str] = []

    def specs(self) -> Iterator[tuple[str, PolicySpec]]:
        for file in self._files:
            if file.id and self._by_id.setdefault(file.id, file) is not file:
                first = self._by_id[file.id].source.name
                self._problems.add(
                    Mark(file.source, 1, 1), f"{first} has a policy {file.id!r} already"
                )
        for file in self._files:
            spec = self._spec(file)
            if spec is not None:
                yield file.source.name, spec

    def _spec(self, file: _File) -> PolicySpec | None:
        name = file.source.name
        if name not in self._made:
            self._making.append(name)
            self._made[name] = policy_of(file.text, file.source, self._problems, base=self._base)
            self._making.pop()
        return self._made[name]

    def _base(self, reference: str) -> PolicySpec | str:
        """What `id@sha256:DIGEST` names, or why it names nothing."""
        id, at, digest = reference.partition("@sha256:")
        file = self._by_id.get(id)
        if file is None:
            known = ", ".join(sorted(self._by_id))
            return f"no policy {id[:64]!r} among the files that are read: {known}"
        if file.source.name in self._making:
            return f"{id} extends itself"
        spec = self._spec(file)
        if spec is None:
            return f"{id} does not say what it must"
        if not at or len(digest) < _LEAST_DIGEST or not spec.digest.startswith(digest):
            return f"{id} is another by now: review it, and write {id}@sha256:{spec.digest[:32]}"
        return spec


def _files(name: str, raw: RawPolicies, scope: Scope) -> Iterator[_File]:
    for index, pattern in enumerate(raw.files):
        place: Place = ("policies", name, "files", index)
        folder = scope.root.mark_of(*place).source.folder
        if folder is None:
            scope.problem(place, "this text has no folder to look in")
            continue
        paths = _matches(folder, pattern)
        if not paths:
            scope.problem(place, "no file matches" if has_magic(pattern) else "no such file")
        for path in paths:
            scope.problems.looked_at |= {path, path.parent}
            source = Source(_shown(path, scope.root.mark_of(*place).source), path.parent)
            try:
                text = decode(read_bounded(path), source, scope.problems)
            except OSError as error:
                scope.problem(place, f"{source.name}: {error.strerror or 'cannot be read'}")
                continue
            if text is not None:
                yield _File(text, source, *extended(text, source))


def _matches(folder: Path, pattern: str) -> list[Path]:
    try:
        names = islice(iglob(pattern, root_dir=folder, recursive=True), MAX_FILES)
        return sorted(path for name in names if (path := folder / name).is_file())
    except (OSError, ValueError):
        return []


def _shown(path: Path, named_in: Source) -> str:
    """A file's name as seen from where the configuration's is."""
    if named_in.folder is None or not path.is_relative_to(named_in.folder):
        return str(path)
    return str(Path(named_in.name).parent / path.relative_to(named_in.folder))
