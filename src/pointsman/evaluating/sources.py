"""Cases from elsewhere: rows of JSON lines, CSV or Parquet, and requests of the journal."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from pointsman.domain.errors import ConfigurationError
from pointsman.evals.case import Case, SimulatedTool
from pointsman.evaluating.rows import Row, rows_of
from pointsman.evaluating.suite_schema import MAX_CASES, RawJournal


class JournalCases(Protocol):
    """What turns requests that were answered into cases."""

    def __call__(self, query: RawJournal, *, limit: int) -> Sequence[Case]:
        """The latest first. Raises: ConfigurationError where the journal cannot be asked."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSource:
    """Where cases come from, and which columns say what."""

    path: Path | None = None
    query: RawJournal | None = None
    id: str | None = None
    input: str | None = None
    expected: str | None = None
    cluster: str | None = None
    tags: tuple[str, ...] = ()
    system: str | None = None
    template: str | None = None
    limit: int | None = None
    seed: int | None = None
    tools: tuple[SimulatedTool, ...] = ()
    turns: tuple[str, ...] = ()
    max_turns: int = 8


def cases_of(source: CaseSource, *, journal: JournalCases | None) -> list[Case]:
    """The cases of a source, at most its limit. Raises: ConfigurationError that names the row."""
    if source.query is not None:
        if journal is None:
            raise ConfigurationError(
                "the journal cannot be asked here", next="run it with --config"
            )
        most = MAX_CASES if source.seed is not None else source.limit or MAX_CASES
        made = list(journal(source.query, limit=most))
    else:
        assert source.path is not None, "a source has a path or a query"
        made = list(_from_file(source, source.path))
    if source.limit is not None and len(made) > source.limit:
        if source.seed is not None:
            drawn = random.Random(source.seed).sample(range(len(made)), source.limit)  # noqa: S311
            made = [made[index] for index in sorted(drawn)]
        made = made[: source.limit]
    if not made:
        raise ConfigurationError("no case came of it", next="look at the file or the query")
    return made


def _from_file(source: CaseSource, path: Path) -> Iterator[Case]:
    whole = source.limit if source.seed is None else None
    for row in rows_of(path, limit=whole or MAX_CASES):
        yield _case(source, row, path)


def _case(source: CaseSource, row: Row, path: Path) -> Case:
    """A row as a case: by the columns that are named, else by those of a case's own names."""

    def value(named: str | None, own: str) -> Any:
        if named is not None and named not in row.values:
            known = ", ".join(list(row.values)[:12])
            raise row.refused(f"no column {named!r}: it has {known}")
        return row.values.get(named or own)

    request, messages = row.values.get("request"), row.values.get("messages")
    if source.template is not None:
        messages = [_user(_filled(source.template, row))]
        request = None
    elif source.input is not None or (request is None and messages is None):
        text = value(source.input, "input")
        if not isinstance(text, str) or not text:
            raise row.refused(f"no text in the column {source.input or 'input'!r}")
        messages, request = [_user(text)], None
    if source.system is not None and messages is not None:
        messages = [{"role": "system", "content": source.system}, *messages]
    tags = {name: value(name, name) for name in source.tags} or row.values.get("tags") or {}
    cluster, identity = value(source.cluster, "cluster"), value(source.id, "id")
    made = {
        "id": str(identity) if identity is not None else f"{path.stem}-{row.number}",
        "messages": messages if request is None else (),
        "request": request,
        "expected": value(source.expected, "expected"),
        "tags": {name: each if isinstance(each, str) else _json(each) for name, each in tags.items()
                 if each is not None},
        "cluster": None if cluster is None else str(cluster),
        "tools": msgspec.to_builtins(source.tools) or row.values.get("tools") or (),
        "turns": source.turns or row.values.get("turns") or (),
        "max_turns": row.values.get("max_turns") or source.max_turns,
        "origin": row.values.get("origin"),
    }  # fmt: skip
    try:
        case = msgspec.convert(made, Case)
    except (msgspec.ValidationError, AttributeError) as error:
        raise row.refused(str(error)) from None
    if not case.first_messages:
        raise row.refused("no message to ask")
    return case


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _filled(template: str, row: Row) -> str:
    """`{column}` replaced, `{{` and `}}` as braces. Raises: ConfigurationError."""
    text, rest = "", template
    while rest:
        before, brace, after = rest.partition("{")
        text += before.replace("}}", "}")
        if not brace:
            break
        if after.startswith("{"):
            text, rest = text + "{", after[1:]
            continue
        name, closed, rest = after.partition("}")
        if not closed or name not in row.values:
            raise row.refused(f"the template names no column of it: {name[:64]!r}")
        found = row.values[name]
        text += found if isinstance(found, str) else "" if found is None else _json(found)
    return text


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
