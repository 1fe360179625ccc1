"""`pointsman suite`: files of cases; cases from traffic."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.output import (
    config_option,
    fitted,
    json_option,
    note,
    open_workspace,
    print_json,
    printable,
)
from pointsman.domain.errors import CheckFailed

if TYPE_CHECKING:
    from pointsman.evals.case import Suite

_HELP = """Suites: files of cases that a person can read and review.

\b
Examples:
  pointsman suite add --from-trace tr_01J... support.yaml
  pointsman suite lint support.yaml
"""
_SHOW = """What a suite holds: cases by tag, scorers, gate, and the digest that names its version.

\b
Examples:
  pointsman suite show support.yaml
"""
_LINT = """What will disappoint about a suite: what its file says wrong, cases alike, persons in it.

Exit code 3 for a file that is no suite, 4 where something should be mended.

\b
Examples:
  pointsman suite lint support.yaml --json
"""
_ADD = """Make a case of a request, de-identified, and put it into a suite's file.

What is expected is the answer as a reviewer or rater edited it, else the answer that was accepted.
Personal data and secrets that have a form (addresses, numbers, keys) become words like `[email 1]`,
from which nothing leads back. Names and places have no form: read the case before you share it.
What stands in the file stays, comments too; a case that is there already is left as it is.

\b
Examples:
  pointsman suite add --from-trace tr_01J... support.yaml
  pointsman suite add --from-trace tr_01J... --from-trace tr_01K... support.yaml
  pointsman suite add --from-trace tr_01J... --print
"""


@click.group(help=_HELP)
def command() -> None:
    """The noun."""


@command.command("add", help=_ADD)
@config_option
@click.option("--from-trace", "traces", multiple=True, required=True, help="A request; repeatable.")
@click.option(
    "--without-expected", is_flag=True,
    help="Also where nobody accepted or edited the answer; nothing is expected then.",
)  # fmt: skip
@click.option("--print", "prints", is_flag=True, help="Show the case, and change no file.")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@json_option
def add(
    config_path: Path,
    traces: tuple[str, ...],
    without_expected: bool,
    prints: bool,
    file: Path | None,
    as_json: bool,
) -> None:
    """From traffic."""
    from pointsman.evaluating.suite_adding import add_case, as_yaml

    if not prints and file is None:
        raise click.UsageError("name the suite's FILE, or give --print")
    with open_workspace(config_path) as workspace:
        made = [
            workspace.case_from_trace(trace, needs_expected=not without_expected)
            for trace in dict.fromkeys(traces)
        ]
    if prints or file is None:
        for each in made:
            click.echo(printable(as_yaml(each.case)), nl=False)
        return
    told = []
    for each in made:
        task = each.case.get("tags", {}).get("task")
        done = add_case(file, each.case, subject=f"task:{task}" if task else None)
        told.append(
            {"case": each.case["id"], "file": str(file), "done": done,
             "expected": each.expected_from, "taken_out": each.taken}
        )  # fmt: skip
    if as_json:
        print_json(told)
        return
    for row in told:
        if row["done"] == "there":
            click.echo(f"{row['case']} is in {file} already")
            continue
        taken = ", ".join(f"{n} {kind}" for kind, n in dict(row["taken_out"]).items())
        click.echo(f"{row['case']} → {file} · expected: {row['expected']} · out: {taken or '-'}")
    if any(row["done"] != "there" for row in told):
        note("names and places have no form and were not looked for: read the cases")


@command.command("show", help=_SHOW)
@config_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def show(config_path: Path, file: Path, as_json: bool) -> None:
    """What is in it."""
    suite = _loaded(config_path, file)
    tags: dict[str, dict[str, int]] = {}
    for case in suite.cases:
        for name, value in case.tags.items():
            tags.setdefault(name, {})[value] = tags.setdefault(name, {}).get(value, 0) + 1
    told: dict[str, Any] = {
        "name": suite.name, "digest": suite.digest, "subject": suite.subject,
        "cases": len(suite.cases), "clusters": len({case.group for case in suite.cases}),
        "epochs": suite.epochs,
        "from_traffic": sum(bool(c.origin) or c.id.startswith("tr_") for c in suite.cases),
        "tags": tags,
        "scorers": [{"name": s.name, "kind": s.kind, "required": s.required}
                    for s in suite.scorers],
        "gate": suite.gate,
    }  # fmt: skip
    if as_json:
        print_json(told)
        return
    click.echo(f"{suite.name} · {suite.digest} · {suite.subject or 'no subject'}")
    click.echo(f"{told['cases']} cases in {told['clusters']} clusters, {suite.epochs} times each, "
               f"{told['from_traffic']} from traffic")  # fmt: skip
    for name, values in sorted(tags.items()):
        most = sorted(values.items(), key=lambda each: (-each[1], each[0]))[:8]
        click.echo(printable(f"  {name}: " + ", ".join(f"{v} {n}" for v, n in most)))
    rows = [[s.name, s.kind, "required" if s.required else "told"] for s in suite.scorers]
    click.echo("\n" + fitted(["scorer", "kind", "for acceptance"], rows))


@command.command("lint", help=_LINT)
@config_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def lint(config_path: Path, file: Path, as_json: bool) -> None:
    """What to mend."""
    from pointsman.evals.linting import remarks_on
    from pointsman.policy.detectors.table import detector

    suite = _loaded(config_path, file)
    found = remarks_on(suite, [detector("pii"), detector("secrets")])
    if as_json:
        print_json(found)
    else:
        for each in found:
            place = f"{each.case}: " if each.case else ""
            click.echo(printable(f"{each.level}: {place}{each.what}"))
    problems = sum(each.level == "problem" for each in found)
    if problems:
        raise CheckFailed(f"{problems} of {file.name} should be mended",
                          next="`pointsman suite show` says what it holds")  # fmt: skip
    if not as_json and not found:
        click.echo(f"{len(suite.cases)} cases, nothing to mend")


def _loaded(config_path: Path, file: Path) -> "Suite":
    """The suite, with judges and traffic of the configuration where there is one."""
    from pointsman.cli.output import load_config
    from pointsman.evaluating.suite_files import load_suite
    from pointsman.evaluator import Evaluator

    if not config_path.exists():
        return load_suite(file)
    return Evaluator(load_config(config_path)).load(file)
