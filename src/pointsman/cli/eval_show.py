"""`pointsman eval show`: a run's numbers, computed anew from its samples, and the samples."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pointsman.cli.eval_common import against_option, config_option, open_store, runs_option, tell
from pointsman.cli.output import cut, fitted, json_option, note, print_json, print_lines, printable
from pointsman.domain.errors import NotFound

if TYPE_CHECKING:
    from pointsman.evals.case import Case
    from pointsman.evals.sample import Run, Sample
    from pointsman.evaluating.store import RunStore

_HELP = """What a run showed: everything is computed anew from its samples, whose digests are held
against the run's seal first. Exit 4 where they are not what they were, or the gate says no.

\b
Examples:
  pointsman eval show latest
  pointsman eval show run_01J --samples failed
  pointsman eval show latest --case ticket-7-0001 --json
"""


@click.command(help=_HELP)
@click.argument("run", default="latest")
@config_option
@runs_option
@against_option
@click.option("--samples", "which", type=click.Choice(["failed", "missing", "unknown", "all"]),
              help="List samples instead.")  # fmt: skip
@click.option("--case", "case_id", help="Show one case: what was asked, said and scored.")
@json_option
def command(
    run: str,
    config_path: Path,
    runs: Path | None,
    against: str | None,
    which: str | None,
    case_id: str | None,
    as_json: bool,
) -> None:
    """Exit 0; 4 where the run was changed, or its gate is not passed."""
    store = open_store(runs, config_path)
    found = store.read(run)
    if found.sealed:
        store.verify(found.id)
    else:
        note(f"{found.id} is not finished: pointsman eval run --resume {found.id}")
    if case_id is not None:
        return _show_case(store, found, case_id, as_json=as_json)
    if which is not None:
        return _list_samples(found, _chosen(store, found, which), as_json=as_json)
    return tell(store, found, against, as_json=as_json)


def _chosen(store: "RunStore", run: "Run", which: str) -> "Iterator[Sample]":
    for sample in store.samples(run.id):
        passed = sample.accepted(run.required)
        wanted = {
            "failed": passed is False,
            "missing": sample.status == "missing",
            "unknown": passed is None,
            "all": True,
        }
        if wanted[which]:
            yield sample


def _list_samples(run: "Run", samples: "Iterator[Sample]", *, as_json: bool) -> None:
    if as_json:
        for sample in samples:
            print_lines([msgspec.to_builtins(sample)])
        return
    words = {True: "accepted", False: "failed", None: "unknown"}
    rows = [
        [
            sample.case,
            str(sample.epoch),
            "missing" if sample.status == "missing" else words[sample.accepted(run.required)],
            ", ".join(score.name for score in sample.scores if score.passed is False),
            " ".join((sample.reason or sample.answer).split())[:200],
        ]
        for sample in samples
    ]
    headings = ["case", "epoch", "outcome", "failed scorers", "answer or reason"]
    click.echo(printable(fitted(headings, rows, elastic=(4,))))


def _show_case(store: "RunStore", run: "Run", case_id: str, *, as_json: bool) -> None:
    case = next((each for each in store.cases(run.id) if each.id == case_id), None)
    if case is None:
        raise NotFound(
            f"{run.id} has no case {case_id[:80]!r}",
            next=f"pointsman eval show {run.id} --samples all",
        )
    samples = [each for each in store.samples(run.id) if each.case == case_id]
    if as_json:
        document: dict[str, Any] = {"case": case, "samples": samples}
        return print_json(msgspec.to_builtins(document))
    click.echo(printable("\n".join(_lines(case, samples, run))))
    return None


def _lines(case: "Case", samples: "list[Sample]", run: "Run") -> Iterator[str]:
    for message in case.first_messages:
        yield f"{message.get('role', '?')}: {_text(message.get('content'))}"
    yield f"expected: {_text(case.expected)}"
    for sample in samples:
        yield ""
        known = {True: "accepted", False: "not accepted", None: "not known"}
        word = known[sample.accepted(run.required)]
        head = f"epoch {sample.epoch}: {sample.status}, {word}"
        yield head + (" · from an earlier run" if sample.cached else "")
        for message in sample.transcript:
            yield f"  {message.get('role', '?')}: {_text(message.get('content'))}"
        if sample.answer and not sample.transcript:
            yield f"  answer: {sample.answer}"
        if sample.refusal:
            yield f"  refusal: {sample.refusal}"
        for call in sample.tool_calls:
            yield f"  call: {call.name} {call.arguments}"
        if sample.reason:
            yield f"  reason: {sample.reason}"
        for score in sample.scores:
            passed = {True: "passed", False: "failed", None: score.status}[score.passed]
            value = "" if score.value is None else f" {score.value:g}"
            yield f"  {score.name}: {passed}{value} {score.detail}".rstrip()
        if sample.traces:
            yield f"  traces: {', '.join(sample.traces)} · {', '.join(sample.deployments)}"


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return cut(msgspec.json.encode(value).decode(), 2000)
