"""`pointsman policy explain` and `replay`: policies over requests, those that were and may be."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pointsman.cli.output import (
    Progress,
    folded,
    json_option,
    note,
    open_workspace,
    print_json,
    printable,
    since_us,
    table,
)
from pointsman.cli.output import config_option as workspace_option
from pointsman.cli.policy_files import config_option, files_argument, registry_for, specs_of, today
from pointsman.domain.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from pointsman.domain.verdict import Screening

_EXPLAIN = """Which policies are for a request, or what they made of one.

\b
Examples:
  pointsman policy explain --task triage --tenant clinic-a
  pointsman policy explain --text "call me at 555-0100" --stage response
  pointsman policy explain tr_01J...

\b
Without REFERENCE: the policies and rules for a request of these facts, what each looks at, and
what its stream must be kept back for; with --text (`-` reads stdin) also what the detectors say of
it and what follows. With a trace, or an answer's own id: what was found and decided then, and
whether the same verdict follows from the record with the policies of today. Exit 4 where not.
"""
_REPLAY = """Run policies over journalled traffic, and report what they would have done.

\b
Examples:
  pointsman policy replay policies/health.yaml --hours 24
  pointsman policy replay --limit 1000 --task triage --json

\b
FILES are policy files; without any, those that the configuration binds. Every rule counts,
whatever its mode, so that a policy can be tried before it is enforced. Bodies that were erased or
never kept cannot be looked at, and are counted as such. What a policy redacted or rewrote then is
looked at as it was kept, after that: it does not count as whole, nor as coming to less now.
"""


@click.command("explain", help=_EXPLAIN)
@click.argument("reference", required=False)
@config_option
@click.option("--tenant", default="default", show_default=True)
@click.option("--principal", default="", help="The name of a key.")
@click.option("--team", default="")
@click.option("--task", default="")
@click.option("--route", default="")
@click.option("--model", default="", help="As a client would name it.")
@click.option("--surface", default="chat", show_default=True)
@click.option("--stream/--whole", default=True, show_default=True)
@click.option("--text", help="A text to look at; `-` reads it from stdin.")
@click.option(
    "--stage", default="response", show_default=True,
    type=click.Choice(["request", "tool_result", "response", "tool_call"]),
)  # fmt: skip
@click.option("--day", default=None, metavar="YYYY-MM-DD", help="Stands for today.")
@json_option
def explain(
    reference: str | None, config_path: Path, text: str | None, stage: str, day: str | None,
    as_json: bool, **said: Any,
) -> None:  # fmt: skip
    """What is for whom, and why."""
    if reference is not None:
        _of_a_trace(reference, config_path, as_json)
        return
    from pointsman.cli.output import load_config
    from pointsman.governing.explaining import explained
    from pointsman.governing.governor import Governor
    from pointsman.governing.guards import registry_of
    from pointsman.policy.facts import Facts

    config = load_config(config_path)
    if not config.policies:
        raise UsageError(f"{config_path} binds no policies", next="add `policies:` to it")
    facts = Facts(**said, day=today(day), unit="explain")
    read = sys.stdin.read() if text == "-" else text
    told = explained(
        Governor(config.policies, registry_of(config.guards)), facts, text=read, stage=stage
    )
    if as_json:
        print_json(told)
        return
    rows = [
        [rule.policy, rule.rule, rule.verdict, rule.how, ", ".join(rule.stages),
         ", ".join(rule.channels),
         ", ".join(rule.detectors) + (f" · {rule.when}" if rule.when else "")]
        for rule in told.rules
    ]  # fmt: skip
    heads = ["policy", "rule", "verdict", "mode", "stages", "channels", "looks for"]
    click.echo(printable(table(heads, rows)) if rows else "no policy is for such a request")
    if told.kept_back:
        click.echo(printable(f"its stream is kept back until its end: {told.kept_back}"))
    elif rows:
        click.echo("its stream goes on as it comes, but for what may begin a span")
    for line in told.said:
        click.echo(printable(line))
    if told.verdict is not None:
        click.echo(f"verdict: {told.verdict}")


def _of_a_trace(reference: str, config_path: Path, as_json: bool) -> None:
    from pointsman.domain.records import Admission, End
    from pointsman.governing.explaining import again
    from pointsman.governing.governor import Governor
    from pointsman.governing.guards import registry_of
    from pointsman.governing.replaying import facts_of

    workspace = open_workspace(config_path)
    found = workspace.trace(reference)
    admission = msgspec.convert(found["admission"], Admission)
    end = msgspec.convert(found["end"], End) if found["end"] else None
    facts = facts_of(admission)
    said: list[tuple[str, Screening | None]] = [("request", admission.policy)]
    said += [
        (f"answer {at + 1}", attempt.policy)
        for at, attempt in enumerate(end.attempts if end else ())
    ]
    governor = Governor(workspace.config.policies, registry_of(workspace.config.guards))
    told = [
        (name, again(governor, facts, one, inbound=name == "request"), one)
        for name, one in said
        if one is not None
    ]
    if as_json:
        looked = [{"of": name, "again": how, "screening": one} for name, how, one in told]
        print_json({"trace": admission.trace, "looked": looked})
    else:
        lines = []
        for name, how, one in told:
            lines += [f"{name}: {line}" for line in _lines(one)]
            lines.append(f"{name}: taken again: {how}")
        text = "\n".join(folded(lines, hang=4)) or "no policy was asked of this request"
        click.echo(printable(text))
    if any(how == "different" for _, how, _ in told):
        raise CheckFailed(
            "the verdict taken again is another one",
            next="the policies changed since: `policies` of the record names those of then",
        )


def _lines(said: "Screening") -> list[str]:
    """One screening for people: offsets, never text."""
    lines = [f"{said.verdict}" + (f" by {said.why}" if said.why else "")]
    for fired in said.fired:
        spans = ", ".join(
            f"{one.kind} {one.start}-{one.end}" for one in fired.findings[:8]
        ) or "no span"  # fmt: skip
        where = f"{fired.subject.channel} of part {fired.subject.part}"
        lines.append(
            f"{fired.policy}: {fired.rule} ({fired.verdict}, {fired.how}) {where}: {spans}"
        )
    lines += [
        f"{one.policy}: {one.rule} could not look ({one.how}): {one.reason}"
        for one in said.unjudged
    ]
    return [*lines, f"by {', '.join(said.policies)} · {', '.join(said.detectors)}"]


@click.command("replay", help=_REPLAY)
@files_argument
@workspace_option
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--task", help="Only this task.")
@click.option("--hours", type=float, help="Only the last so many hours.")
@json_option
def replay(
    files: tuple[Path, ...], config_path: Path, limit: int, task: str | None,
    hours: float | None, as_json: bool,
) -> None:  # fmt: skip
    """What would have followed, by rule."""
    from pointsman.governing.replaying import summed
    from pointsman.governing.testing import governor_of

    specs = specs_of(files, config_path)
    governor = governor_of(specs, registry_for(specs, config_path))
    workspace = open_workspace(config_path)
    rows = workspace.traces(limit=limit, task=task, since_us=since_us(hours))
    progress = Progress(len(rows), "requests")
    replayed = []
    for done, row in enumerate(rows, 1):
        replayed.append(_replayed(workspace, governor, row["trace"]))
        progress.update(done)
    progress.close()
    said = summed(replayed)
    if as_json:
        print_json({"policies": [spec.reference for spec in specs], **msgspec.to_builtins(said)})
        return
    counts = [f"{said.requests} requests", f"{said.looked} looked at, {said.whole} of them whole"]
    counts += [f"{count} {verdict}" for verdict, count in sorted(said.verdicts.items())]
    click.echo(" · ".join(counts))
    click.echo(f"{said.stricter} would have come to more, {said.milder} to less than they did")
    if said.rules:
        rows_ = [[rule, str(count), ", ".join(said.examples[rule])]
                 for rule, count in said.rules.items()]  # fmt: skip
        click.echo(printable(table(["rule", "requests", "such as"], rows_)))
    if said.unjudged:
        note(f"{said.unjudged} requests held what a detector could not look at")


def _replayed(workspace: Any, governor: Any, trace: str) -> Any:
    from pointsman.domain.records import Admission, End
    from pointsman.governing.replaying import replay as replay_one

    found = workspace.trace(trace)
    bodies = [found["request_body"], found["response_body"]]
    request, response = (None if body is None else body.encode() for body in bodies)
    return replay_one(
        governor,
        msgspec.convert(found["admission"], Admission),
        msgspec.convert(found["end"], End) if found["end"] else None,
        request=request,
        response=response,
    )
