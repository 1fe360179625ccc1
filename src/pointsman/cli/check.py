"""`pointsman check`: does a configuration hold, do its deployments answer, what would surprise."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pointsman.cli.output import (
    config_option,
    json_option,
    load_config_placed,
    note,
    print_json,
    printable,
    table,
)
from pointsman.domain.errors import ConfigurationError, PointsmanError, Problem, UpstreamError

if TYPE_CHECKING:
    from pointsman.config.loading import Loaded
    from pointsman.discovery.reaching import Reached
    from pointsman.domain.task import Configuration

_HELP = """Read the configuration, resolve every reference, compile every expression and schema.
Then ask each deployment which models it serves, and look at each model file; no model is called.

\b
The smallest file that works:
  deployments:
    local:
      model: qwen3-8b
      base_url: http://127.0.0.1:8000/v1

\b
Examples:
  pointsman check
  pointsman check -c portfolio.yaml --offline --json
"""
_KINDS = 20  # that are looked at, the most frequent first
_MARKS = {"ok": "ok", "remark": "ok, but", "wrong": "wrong", "unreachable": "silent"}


@click.command(help=_HELP)
@config_option
@click.option(
    "--probe/--offline", "probes", default=True, show_default=True, help="Ask the deployments."
)
@json_option
def command(config_path: Path, probes: bool, as_json: bool) -> None:
    """Exit 0 when it holds; 3 with file, line and the nearest match where it does not, or where
    a deployment does not serve what the file names; 5 where one cannot be reached."""
    try:
        loaded, names, told = _read(config_path)
    except ConfigurationError as error:
        if as_json:
            print_json(_refused(config_path, error))
        raise
    config = loaded.config
    found = _probed(loaded) if probes else []
    if as_json:
        fine = not any(each.state in ("wrong", "unreachable") for each in found)
        document: dict[str, Any] = {"ok": fine, "digest": config.digest, "models": names}
        probed = msgspec.to_builtins(found) if probes else None
        print_json({**document, "warnings": told, "deployments": probed, "problems": []})
    else:
        click.echo(f"{config_path} holds · configuration {config.digest}")
        click.echo(f"can be asked: {', '.join(names)}")
        if found:
            click.echo(printable(_table(found)))
        for remark in told:
            note(f"warning: {remark}")
    _raise_if_any(found)


def _read(path: Path) -> "tuple[Loaded, list[str], list[str]]":
    """The file, the names that can be asked for, and remarks. Raises: ConfigurationError."""
    from pointsman.answering.targets import Targets
    from pointsman.app import governor_of
    from pointsman.gateway.serving import checked_wire

    loaded = load_config_placed(path)
    names = Targets(loaded.config).names()  # compiles gates, rules and verifiers
    governor_of(loaded.config)  # compiles policies, and makes their detectors
    told = [*checked_wire(loaded.config, os.environ), *warnings(loaded), *_unheard(loaded.config)]
    told += _unsound_policies(loaded.config)
    return loaded, names, told


def _refused(path: Path, error: ConfigurationError) -> dict[str, Any]:
    """The document of a file that does not hold; what has no place in it stands at line 0."""
    problems = error.problems or (Problem(str(path), 0, 0, error.sentence),)
    return {
        "ok": False, "digest": None, "models": [], "warnings": [], "deployments": None,
        "problems": [each._asdict() for each in problems],
    }  # fmt: skip


def warnings(loaded: "Loaded") -> list[str]:
    """What works and will still surprise."""
    from pointsman.backends.dialects import ENGINES
    from pointsman.config.remarks import remarks

    silent = {name for name, dialect in ENGINES.items() if not dialect.logprobs}
    able = {name: dialect.operations for name, dialect in ENGINES.items()}
    unbounded = {name for name, dialect in ENGINES.items() if dialect.thinking_tokens is None}
    told = remarks(
        loaded.config, without_logprobs=silent, operations=able, without_bounds=unbounded
    )
    return [*told, *_open_secrets(loaded)]


def _unheard(config: "Configuration") -> list[str]:
    """Kinds of outcomes in the journal that decide nothing: often a word that was misspelt."""
    from pointsman.analytics.explaining import known_kinds
    from pointsman.journal import JournalReader

    known = known_kinds(config.acceptance_rules)
    if known is None or not Path(config.journal_path).exists():
        return []
    try:
        with JournalReader(config.journal_path) as reader:
            rows = reader.query("outcome_kinds", {"limit": _KINDS})
    except (PointsmanError, OSError) as error:
        return [f"the journal could not be asked which outcomes it holds: {error}"]
    return [
        f"{row['outcomes']} outcomes of kind {row['outcome']!r} decide nothing: no task's "
        "acceptance rule mentions it"
        for row in rows
        if row["outcome"] not in known
    ]


def _unsound_policies(config: "Configuration") -> list[str]:
    """What `pointsman policy lint` calls an error: it runs, and does not do what it says."""
    from datetime import UTC, datetime

    from pointsman.governing.guards import registry_of
    from pointsman.governing.linting import lint

    day, registry = datetime.now(UTC).date().isoformat(), registry_of(config.guards)
    specs = {spec.id: spec for each in config.policies for spec in each.policies}
    return [
        f"{remark.file}:{remark.line}: {remark.what}"
        for spec in specs.values()
        for remark in lint(spec, day=day, registry=registry)
        if remark.level == "error"
    ]


def _open_secrets(loaded: "Loaded") -> list[str]:
    """Secrets that stand in a file which every user of this machine may read."""
    from pointsman.config.origins import literal_secrets

    found = []
    for place, name in literal_secrets(loaded):
        try:
            mode = os.stat(name).st_mode
        except OSError:
            continue
        if mode & stat.S_IROTH:
            found.append(
                f"{place} is a secret that stands in {name}, which everyone here may read: "
                f"write ${{NAME}}, or `chmod 600 {name}`"
            )
    return found


def _probed(loaded: "Loaded") -> "list[Reached]":
    from pointsman.cli.probing import probe

    return probe(loaded.config)


def _table(found: "Sequence[Reached]") -> str:
    rows = []
    for each in found:
        context = "-" if each.context is None else str(each.context)
        latency = "-" if each.latency_ms is None else f"{each.latency_ms:.0f}"
        said = each.said + (f"; {each.next}" if each.next and each.state != "ok" else "")
        if each.running is not None:
            said += f"; {each.running} running, {each.waiting or 0} waiting"
        rows.append([each.deployment, _MARKS[each.state], context, latency, said])
    return table(["deployment", "state", "context", "ms", ""], rows)


def _raise_if_any(found: "Sequence[Reached]") -> None:
    """Raises: ConfigurationError, or UpstreamError, that names the deployments."""
    for state, kind, what in (
        ("wrong", ConfigurationError, "does not serve what the file says"),
        ("unreachable", UpstreamError, "cannot be reached"),
    ):
        bad = [each for each in found if each.state == state]
        if bad:
            why = "\n        ".join(f"{each.deployment}: {each.said}" for each in bad)
            count = f"{len(bad)} of {len(found)} deployments"
            subject = bad[0].deployment if len(bad) == 1 else count
            offline = "`pointsman check --offline` looks at the file alone"
            raise kind(f"{subject} {what}", why=why, next=bad[0].next or offline)
