"""Files of recorded outcomes and of prompts, read into columns; nothing is learned here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from pointsman.domain.errors import UsageError

Floats = NDArray[np.float64]
Split = Literal["train", "test", "all"]

_READERS = {".parquet": "read_parquet", ".csv": "read_csv", ".jsonl": "read_json",
            ".ndjson": "read_json", ".json": "read_json"}  # fmt: skip
ACCEPTED_FROM = 0.5  # a score that counts as accepted where a file does not say what does


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts to be routed, in the order of the file; `tasks` holds "" where none is known."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    tasks: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What each of m models did on each of n prompts; nan or None where it was not asked.

    Costs are dollars of one call, tokens counts, scores in [0, 1], `accepted` 0 or 1.
    """

    prompt_ids: tuple[str, ...]
    prompts: tuple[str, ...]
    tasks: tuple[str, ...]  # "" where the file names none
    models: tuple[str, ...]
    split: tuple[str, ...]  # of each prompt; "" where the file has none
    score: Floats
    accepted: Floats
    cost_usd: Floats
    input_tokens: Floats
    output_tokens: Floats
    answers: NDArray[np.object_]
    responses: NDArray[np.object_]
    clashes: int = 0  # prompt_ids that stand for several texts in the file; the first one counts

    def __len__(self) -> int:
        return len(self.prompt_ids)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Which prompts have score and cost of every model: only they compare models fairly."""
        gaps = np.isnan(self.score) | np.isnan(self.cost_usd)
        return np.asarray(~gaps.any(axis=1), dtype=np.bool_)

    def rows(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> "Outcomes":
        """Some prompts: a mask or positions."""
        at = np.flatnonzero(which) if which.dtype == np.bool_ else which
        pick = [int(i) for i in at]
        return replace(
            self,
            prompt_ids=tuple(self.prompt_ids[i] for i in pick),
            prompts=tuple(self.prompts[i] for i in pick),
            tasks=tuple(self.tasks[i] for i in pick),
            split=tuple(self.split[i] for i in pick),
            **{name: getattr(self, name)[at] for name in _ARRAYS},
        )

    def arms(self, models: Sequence[str]) -> "Outcomes":
        """Some models, in the order given. Raises: UsageError naming the nearest known one."""
        at = np.array([_position(model, self.models) for model in models], dtype=np.intp)
        columns = {name: getattr(self, name)[:, at] for name in _ARRAYS}
        return replace(self, models=tuple(models), **columns)

    def as_prompts(self) -> Prompts:
        """The prompts alone."""
        return Prompts(ids=self.prompt_ids, texts=self.prompts, tasks=self.tasks)


_ARRAYS = ("score", "accepted", "cost_usd", "input_tokens", "output_tokens", "answers", "responses")


def read_outcomes(
    path: Path,
    *,
    models: Sequence[str] | None = None,
    split: Split = "train",
    replies: bool = True,
    scored: bool = True,
) -> Outcomes:
    """Recorded outcomes of a Parquet, CSV or JSON-lines file, one per prompt and model.

    Columns: prompt_id, prompt, model, cost_usd and score or accepted; also read where present:
    task, split, sample_idx, input_tokens, output_tokens, answer, response, hidden_reasoning.
    Where a model answered a prompt more than once, its first sample counts. Without `models`
    every model of the file whose cost is known is taken, by name. `replies` False leaves answers
    and responses out; `scored` False reads files that hold no scores (all nan then).
    A cost under hidden reasoning is not known: nan.
    A prompt_id with several texts keeps the first (`clashes`).
    Raises: UsageError for a file, column or model that is not there, or rows without a prompt.
    """
    source, columns = _opened(path)
    _require(path, columns, ["prompt_id", "prompt", "model", "cost_usd"])
    if scored and not columns & {"score", "accepted"}:
        raise UsageError(
            f"{path} says of no outcome whether it was good",
            why="it has neither a column 'score' (0 to 1) nor 'accepted' (true or false); its "
            f"columns: {', '.join(sorted(columns))}",
            next="add one of them; candidates without scores are for `route replay`",
        )
    where = _where(path, columns, split)
    rows = _columns(source, _selection(columns, replies), where)
    if not len(rows["prompt_id"]):
        if split == "all" or not len(_columns(source, ["1 AS one"], "true LIMIT 1")["one"]):
            raise _empty(path)
        raise UsageError(
            f"{path} holds no outcomes of split '{split}'",
            next="--split all takes every row",
        )
    found = sorted(set(rows["model"]))
    priced = {m for m, c in zip(rows["model"], rows["cost_usd"], strict=True) if not np.isnan(c)}
    for model in models or ():
        _position(model, found)
        if model not in priced:
            raise UsageError(
                f"no cost of {model} is known in {path}",
                why="cost_usd is null, or its reasoning is hidden, in all of its rows",
                next="leave the model out of --models, or fill in cost_usd",
            )
    kept = tuple(dict.fromkeys(models)) if models else tuple(m for m in found if m in priced)
    return _pivot(path, rows, kept)


def columns_of(path: Path) -> tuple[str, set[str]]:
    """How SQL reads a file of outcomes, and its columns. Raises: UsageError."""
    return _opened(path)


def has_split(path: Path) -> bool:
    """Whether a file says which rows are for fitting and which for testing. Raises: UsageError."""
    return "split" in _opened(path)[1]


def read_prompts(path: Path) -> Prompts:
    """Prompts to route, of a Parquet, CSV or JSON-lines file: prompt_id, prompt, perhaps task.

    A prompt_id that stands in several rows is taken once (a file of outcomes serves as well).
    Raises: UsageError for a file or column that is not there, or a prompt that is null.
    """
    source, columns = _opened(path)
    _require(path, columns, ["prompt_id", "prompt"])
    task = "task" if "task" in columns else "''"
    rows = _columns(source, ["prompt_id::VARCHAR AS prompt_id", "prompt::VARCHAR AS prompt",
                             f"coalesce({task}::VARCHAR, '') AS task"], "true")  # fmt: skip
    seen: dict[str, int] = {}
    for i, key in enumerate(rows["prompt_id"]):
        if key is None or rows["prompt"][i] is None:
            raise UsageError(f"row {i + 1} of {path} has no prompt_id or no prompt")
        seen.setdefault(key, i)
    if not seen:
        raise UsageError(f"{path} holds no prompts")
    at = list(seen.values())
    return Prompts(
        ids=tuple(seen),
        texts=tuple(rows["prompt"][i] for i in at),
        tasks=tuple(rows["task"][i] for i in at),
    )


def _selection(columns: set[str], replies: bool) -> list[str]:
    def column(name: str, kind: str, otherwise: str = "NULL") -> str:
        return f"{name if name in columns else otherwise}::{kind}"

    hidden = column("hidden_reasoning", "BOOLEAN", "false")
    score = column("score", "DOUBLE")
    # not a cast of a cast: DuckDB would have a CSV file's "True" read as a number
    accepted = f"CASE {column('accepted', 'BOOLEAN')} WHEN true THEN 1.0 WHEN false THEN 0.0 END"
    texts = columns if replies else set()
    return [
        "prompt_id::VARCHAR AS prompt_id",
        "prompt::VARCHAR AS prompt",
        "model::VARCHAR AS model",
        f"coalesce({column('task', 'VARCHAR')}, '') AS task",
        f"coalesce({column('split', 'VARCHAR')}, '') AS split",
        f"coalesce({score}, {accepted}) AS score",
        f"coalesce({accepted}, ({score} >= {ACCEPTED_FROM})::DOUBLE) AS accepted",
        f"CASE WHEN coalesce({hidden}, false) THEN NULL ELSE cost_usd::DOUBLE END AS cost_usd",
        f"{column('input_tokens', 'DOUBLE')} AS input_tokens",
        f"{column('output_tokens', 'DOUBLE')} AS output_tokens",
        f"coalesce({column('sample_idx', 'BIGINT')}, 0) AS sample_idx",
        f"{'answer' if 'answer' in texts else 'NULL'}::VARCHAR AS answer",
        f"{'response' if 'response' in texts else 'NULL'}::VARCHAR AS response",
    ]


def _opened(path: Path) -> tuple[str, set[str]]:
    """How SQL reads the file, and its columns."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            f"{path} is of no kind that is read here",
            why="the ending says the kind: .parquet, .csv, .jsonl, .ndjson or .json",
        )
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    if not path.stat().st_size:
        raise _empty(path)
    quoted = str(path).replace("'", "''")
    source = f"{reader}('{quoted}')"
    try:
        described = duckdb.connect().execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608
    except duckdb.Error as error:
        raise UsageError(f"{path} cannot be read", why=str(error).splitlines()[0]) from error
    return source, {str(row[0]) for row in described}


def _columns(source: str, wanted: Sequence[str], where: str) -> dict[str, NDArray[Any]]:
    sql = f"SELECT {', '.join(wanted)} FROM {source} WHERE {where}"  # noqa: S608 - our own words
    connection = duckdb.connect(config={"preserve_insertion_order": True})
    try:
        found = connection.execute(sql).fetchnumpy()
    except duckdb.Error as error:
        raise UsageError(
            f"a column of {source} holds what it should not", why=str(error).splitlines()[0]
        ) from error
    return {name: _plain(values) for name, values in found.items()}


def _plain(values: Any) -> NDArray[Any]:
    """Masked numbers as nan, masked words as None."""
    array: NDArray[Any] = np.ma.asarray(values)
    if array.dtype == object:
        kept: NDArray[Any] = np.ma.getdata(array).copy()
        kept[np.ma.getmaskarray(array)] = None
        return kept
    numbers: NDArray[Any] = np.ma.filled(np.ma.asarray(array, dtype=np.float64), np.nan)
    return numbers


def _where(path: Path, columns: set[str], split: Split) -> str:
    if split == "all":
        return "true"
    if "split" not in columns:
        raise UsageError(
            f"{path} has no column 'split'",
            why=f"which rows are for {split} cannot be known",
            next="--split all takes every row",
        )
    return f"split = '{split}'"


def _pivot(path: Path, rows: dict[str, NDArray[Any]], models: tuple[str, ...]) -> Outcomes:
    column = {model: j for j, model in enumerate(models)}
    first: dict[str, int] = {}
    prompts: list[int] = []
    clashing: set[str] = set()
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for i, (key, model) in enumerate(zip(rows["prompt_id"], rows["model"], strict=True)):
        if model not in column:
            continue
        if key is None or rows["prompt"][i] is None:
            raise UsageError(f"an outcome of {model} in {path} has no prompt_id or no prompt")
        at = first.get(key)
        if at is None:
            at = first[key] = len(prompts)
            prompts.append(i)
        elif rows["prompt"][i] != rows["prompt"][prompts[at]]:
            clashing.add(key)
        sample = (float(rows["sample_idx"][i]), i)
        if best.get((at, column[model]), sample) >= sample:
            best[at, column[model]] = sample
    shape = (len(prompts), len(models))
    arrays: dict[str, NDArray[Any]] = {
        name: np.full(shape, None, dtype=object)
        if name in ("answers", "responses")
        else np.full(shape, np.nan)
        for name in _ARRAYS
    }
    at_rows = np.array([a for a, _ in best], dtype=np.intp)
    at_models = np.array([j for _, j in best], dtype=np.intp)
    at_source = np.array([i for _, i in best.values()], dtype=np.intp)
    named = {"answers": "answer", "responses": "response"}
    for name, array in arrays.items():
        array[at_rows, at_models] = rows[named.get(name, name)][at_source]
    return Outcomes(
        prompt_ids=tuple(first),
        prompts=tuple(rows["prompt"][i] for i in prompts),
        tasks=tuple(rows["task"][i] for i in prompts),
        models=models,
        split=tuple(rows["split"][i] for i in prompts),
        clashes=len(clashing),
        **arrays,
    )


def _position(model: str, known: Sequence[str]) -> int:
    if model in known:
        return list(known).index(model)
    close = get_close_matches(model, known, n=1)
    raise UsageError(
        f"there is no model '{model}' in the outcomes",
        why=f"known: {', '.join(known)}",
        next=f"did you mean {close[0]}?" if close else "",
    )


def _empty(path: Path) -> UsageError:
    return UsageError(
        f"{path} holds no outcomes",
        why="it has no rows",
        next="write one row per prompt and model; `route export` writes those of the journal",
    )


def _require(path: Path, columns: set[str], names: Sequence[str]) -> None:
    for name in names:
        if name not in columns:
            raise _no_column(path, name, columns)


def _no_column(path: Path, name: str, columns: set[str]) -> UsageError:
    close = get_close_matches(name, columns, n=1)
    return UsageError(
        f"{path} has no column '{name}'",
        why=f"its columns: {', '.join(sorted(columns))}",
        next=f"is it '{close[0]}'?" if close else "",
    )
