"""`pointsman doctor`: is this machine fit to serve this configuration."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec

from pointsman.backends.embedded_engine import EmbeddedEngine
from pointsman.backends.embedded_making import hub, placed
from pointsman.cli.measuring import bound, machine_lines
from pointsman.cli.output import (
    config_option,
    json_option,
    load_config,
    print_json,
    printable,
    table,
)
from pointsman.cli.probing import model_file, probe
from pointsman.discovery.evidence import TITLES
from pointsman.discovery.host import Line, State, port_line
from pointsman.discovery.looking import look
from pointsman.discovery.places import LOOPBACK, Place
from pointsman.discovery.reaching import Reached
from pointsman.domain.errors import CheckFailed, PointsmanError
from pointsman.domain.portfolio import Deployment
from pointsman.domain.task import Configuration

_HELP = """Look at the configuration, Python, open files, disk, clock, port, journal, engines and
deployments; say of each whether it is well, and what to do where it is not. Exit 4 if something
is bad. Changes nothing; a small file is written beside the journal and removed.

\b
Examples:
  pointsman doctor
  pointsman doctor -c portfolio.yaml --offline --json
"""
_STATES: dict[str, State] = {"ok": "ok", "remark": "warn", "wrong": "bad", "unreachable": "bad"}
_QUICK_BYTES = 256 * 10**6  # of a journal that is walked here: about two seconds
_START_S = 60.0


@click.command(help=_HELP)
@config_option
@click.option(
    "--probe/--offline", "probes", default=True, show_default=True, help="Ask the deployments."
)
@json_option
def command(config_path: Path, probes: bool, as_json: bool) -> None:
    """Exit 0 when nothing is bad."""
    config, first = _configuration(config_path)
    lines = [first, *machine_lines(config)]
    if config is not None:
        lines += _of_configuration(config, probes=probes)
    bad = [line for line in lines if line.state == "bad"]
    if as_json:
        print_json({"ok": not bad, "lines": msgspec.to_builtins(lines)})
    else:
        click.echo(printable(_table(lines)))
    if bad:
        subject = bad[0].what if len(bad) == 1 else f"{len(bad)} things"
        raise CheckFailed(f"{subject} must be put right before this serves", next=bad[0].next)


def _configuration(path: Path) -> tuple[Configuration | None, Line]:
    try:
        config = load_config(path)
    except PointsmanError as error:
        said = error.what + (f": {error.why.splitlines()[0].strip()}" if error.why else "")
        return None, Line(what="configuration", state="bad", said=said, next=error.next)
    said = f"{path} holds · configuration {config.digest}"
    return config, Line(what="configuration", state="ok", said=said)


def _of_configuration(config: Configuration, *, probes: bool) -> Iterator[Line]:
    ports = [asyncio.run(_port(host, config.server.port)) for host in hosts_of(config)]
    yield from (line for line, _ in ports)
    yield _journal(config)
    embedded = [each for each in config.deployments.values() if each.embedded]
    for each in embedded:
        yield _engine(config, each, serves=any(ours for _, ours in ports))
    if not probes:
        return
    names = {each.name for each in embedded}
    for reached in probe(config):
        if reached.deployment not in names:
            yield _deployment(reached)


def hosts_of(config: Configuration) -> tuple[str, ...]:
    """Every address that the gateway listens on."""
    host: str | tuple[str, ...] = config.server.host
    return (host,) if isinstance(host, str) else tuple(host)


async def _port(host: str, port: int) -> tuple[Line, bool]:
    """Whether we could listen, and whether a gateway of ours does already."""
    from pointsman.cli.fetching import fetching

    why = bound(host, port)
    if why is None or port == 0:
        return port_line(host, port, answers=None, why=None), False
    if why != "taken":
        return port_line(host, port, answers=None, why=why), False
    reach = LOOPBACK if host in ("0.0.0.0", "::", "localhost") else host  # noqa: S104
    async with fetching(connect_s=0.5, total_s=2.0) as fetch:
        found = await look(Place(reach, port, "vllm"), fetch, env={})
    locked = found is not None and found.locked
    title = "a server that wants a key" if locked else "another program"
    title = TITLES[found.kind] if found is not None and not locked else title
    return port_line(host, port, answers=title, why=None), title == TITLES["pointsman"]


def _journal(config: Configuration) -> Line:
    """The record, walked where that is quick."""
    from pointsman.journal import verify

    root = Path(config.journal_path)
    size = sum(each.stat().st_size for each in root.rglob("*") if each.is_file())
    if not (root / "journal").is_dir():
        return Line(what="journal", state="ok", said=f"none yet at {root}")
    if size > _QUICK_BYTES:
        said = f"{size / 1e6:.0f} MB at {root}: not walked here"
        return Line(what="journal", state="ok", said=said, next="pointsman journal verify")
    try:
        report = verify(root)
    except (PointsmanError, OSError) as error:
        return Line(what="journal", state="bad", said=str(error).splitlines()[0],
                    next="pointsman journal verify")  # fmt: skip
    if report.fault is not None:
        said, next = f"not whole: {report.fault}", "compare it with a backup; change nothing"
        return Line(what="journal", state="bad", said=said, next=next)
    return Line(what="journal", state="ok", said=f"{report.records} records, whole")


def _engine(config: Configuration, deployment: Deployment, *, serves: bool) -> Line:
    """Whether an embedded engine starts; not tried where it runs already, or must download."""
    what = f"engine {deployment.name}"
    file = model_file(placed(config, deployment))
    if file.state != "ok" or serves:
        said = file.said + ("; runs in the gateway" if serves and file.state == "ok" else "")
        return Line(what=what, state=_STATES[file.state], said=said, next=file.next)
    engine = EmbeddedEngine(placed(config, deployment), hub=hub(os.environ))
    try:
        asyncio.run(_started(engine))
    except PointsmanError as error:
        said = f"{error.what}: {error.why}"
        return Line(what=what, state="bad", said=said, next=error.next)
    facts = engine.facts
    took = f" in {facts.start_ms} ms" if facts else ""
    return Line(what=what, state="ok", said=f"{file.said}; starts{took}")


async def _started(engine: EmbeddedEngine) -> None:
    try:
        await engine.start(_START_S)
    finally:
        await engine.stop()


def _deployment(reached: Reached) -> Line:
    return Line(
        what=f"deployment {reached.deployment}",
        state=_STATES[reached.state],
        said=reached.said,
        next=reached.next if reached.state != "ok" else "",
    )


def _table(lines: Sequence[Line]) -> str:
    rows = [[each.state, each.what, each.said + (f" → {each.next}" if each.next else "")]
            for each in lines]  # fmt: skip
    return table(["", "what", ""], rows).split("\n", 1)[1]
