"""`pointsman policy test` and `lint`: policy files, run through their own tests and looked over."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pointsman.cli.output import (
    Progress,
    folded,
    json_option,
    load_config,
    note,
    print_json,
    printable,
)
from pointsman.domain.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from pointsman.domain.policies import PolicySpec
    from pointsman.policy.registry import Registry

_TEST = """Run the tests that policy files hold, whole and in every split they name.

\b
Examples:
  pointsman policy test policies/*.yaml
  pointsman policy test policies/health.yaml --mutate --json

\b
FILES are policy files; without any, those that the configuration binds. A test goes through what
a request goes through; modes do not count, since it is of what the rules mean. With --mutate each
rule is changed in turn (taken out, its condition turned round, its verdict another, its detector
blind), and some test must fail by it. Exit 4 where a test fails or a change goes unnoticed.
"""
_LINT = """Say what is unsound in policy files, or will surprise.

\b
Examples:
  pointsman policy lint policies/*.yaml
  pointsman policy lint policies/health.yaml --json

\b
Dead rules, rules without a test, channels left out, obligations that nobody can do, exceptions
and reviews whose day has come, rules that keep whole streams back. FILES are policy files; without
any, those that the configuration binds. Exit 4 where there is an error among the remarks.
"""
day_option = click.option(
    "--day", help="Stands for today, as in 2027-06-30.", default=None, metavar="YYYY-MM-DD"
)
files_argument = click.argument(
    "files", nargs=-1, type=click.Path(dir_okay=False, exists=True, path_type=Path)
)
config_option = click.option(
    "--config", "-c", "config_path", envvar="POINTSMAN_CONFIG", default="pointsman.yaml",
    show_default=True, type=click.Path(dir_okay=False, path_type=Path),
    help="Whose policies are meant where no file is named; it declares the guards they ask.",
)  # fmt: skip


def specs_of(files: tuple[Path, ...], config_path: Path) -> "tuple[PolicySpec, ...]":
    """The policies of these files, else those that the configuration binds."""
    from pointsman.config.policies import load_policies

    if files:
        return load_policies(files)
    config = load_config(config_path)
    found = {spec.id: spec for binding in config.policies for spec in binding.policies}
    if not found:
        raise UsageError(
            f"{config_path} binds no policies", next="name policy files, or add `policies:` to it"
        )
    return tuple(found.values())


def registry_for(specs: "tuple[PolicySpec, ...]", config_path: Path) -> "Registry":
    """The detectors that these may use: guards are declared in the configuration."""
    from pointsman.governing.guards import PREFIX, registry_of

    asked = any(each.use.startswith(PREFIX) for spec in specs for each in spec.detectors)
    if not asked:
        return registry_of({})
    if not config_path.exists():
        raise UsageError(
            f"a policy asks a guard, and there is no {config_path} that declares it",
            next="name the configuration with its `guards:`: --config pointsman.yaml",
        )
    return registry_of(load_config(config_path).guards)


def today(day: str | None) -> str:
    """The day that was said, else today's. Raises: UsageError."""
    if day is None:
        return datetime.now(UTC).date().isoformat()
    try:
        return datetime.strptime(day, "%Y-%m-%d").date().isoformat()  # a day
    except ValueError:
        raise UsageError(f"--day {day!r} is no day", next="as in --day 2027-06-30") from None


@click.command("test", help=_TEST)
@files_argument
@config_option
@click.option("--mutate", is_flag=True, help="Change each rule in turn: some test must fail.")
@day_option
@json_option
def test(
    files: tuple[Path, ...], config_path: Path, mutate: bool, day: str | None, as_json: bool
) -> None:
    """Exit 0 where every test passes, 4 where one does not."""
    from pointsman.governing.mutating import mutants
    from pointsman.governing.testing import run_tests

    specs, day = specs_of(files, config_path), today(day)
    registry = registry_for(specs, config_path)
    tested = [each for spec in specs for each in run_tests(spec, day=day, registry=registry)]
    changed = []
    if mutate:
        progress = Progress(sum(len(spec.rules) for spec in specs), "rules changed")
        for spec in specs:
            rules: dict[str, None] = {}
            for mutant in mutants(spec, day=day, registry=registry):
                changed.append(mutant)
                rules[mutant.rule] = None
                progress.update(len(rules))
        progress.close(f"· {len(changed)} changes")
    failed = [each for each in tested if not each.passed]
    survived = [each for each in changed if each.noticed is None]
    if as_json:
        print_json({"passed": not failed, "tests": tested, "mutants": changed})
    else:
        for each in failed:
            line = f"{each.policy}: {each.test} ({each.way}): {each.why}"
            click.echo(printable("\n".join(folded([line], hang=2))))
        for one in survived:
            click.echo(f"{one.policy}: {one.rule}: nobody notices: {one.change}")
        told = f"{len(tested) - len(failed)} of {len(tested)} pass"
        if mutate:
            told += f" · {len(changed) - len(survived)} of {len(changed)} changes noticed"
        click.echo(told)
    if not tested:
        note("no tests: write some under `tests:`; `pointsman policy lint` says what lacks one")
    if failed or survived:
        what = f"{len(failed)} tests fail" if failed else f"{len(survived)} changes go unnoticed"
        raise CheckFailed(what, next="correct the policy, or what its tests expect")


@click.command("lint", help=_LINT)
@files_argument
@config_option
@day_option
@json_option
def lint(files: tuple[Path, ...], config_path: Path, day: str | None, as_json: bool) -> None:
    """Exit 0 where nothing is an error, 4 where something is."""
    from pointsman.domain.policies import exception_digests
    from pointsman.governing import linting

    specs, day = specs_of(files, config_path), today(day)
    registry = registry_for(specs, config_path)
    remarks = [each for spec in specs for each in linting.lint(spec, day=day, registry=registry)]
    errors = sum(each.level == "error" for each in remarks)
    if as_json:
        digests = {spec.id: f"sha256:{spec.digest}" for spec in specs}
        print_json({"sound": not errors, "digests": digests, "remarks": remarks})
    else:
        lines = [
            f"{each.file}:{each.line}:{each.column}: {each.level}: {each.what} [{each.code}]"
            for each in remarks
        ]
        click.echo(printable("\n".join(folded(lines, hang=4))) if lines else "nothing to remark")
        for spec in specs:
            note(f"{spec.id}@sha256:{spec.digest}")
            for at, digest in enumerate(exception_digests(spec)):
                bound = "" if spec.exceptions[at].approvals else ", which nobody has approved"
                note(f"  exceptions[{at}] is {digest}{bound}")
    if errors:
        raise CheckFailed(
            "1 error" if errors == 1 else f"{errors} errors",
            next="correct them; remarks and warnings may stand",
        )


@click.command("schema", help="Print the JSON Schema of policy files, for editors.")
def schema() -> None:
    """Always JSON."""
    from pointsman.config.json_schema import policy_json_schema

    print_json(policy_json_schema())
