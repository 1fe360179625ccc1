"""`pointsman check`: does a configuration hold, and what would it do."""

from pathlib import Path

import click

from pointsman.cli.output import config_option, json_option, load_config, note, print_json
from pointsman.domain.task import Configuration

_HELP = """Read the configuration, resolve every reference, compile every expression and schema.

\b
The smallest file that works:
  deployments:
    local:
      model: qwen3-8b
      base_url: http://127.0.0.1:8000/v1

\b
Examples:
  pointsman check
  pointsman check -c portfolio.yaml --json
"""


@click.command(help=_HELP)
@config_option
@json_option
def command(config_path: Path, as_json: bool) -> None:
    """Exit 0 when it holds, 3 with file, line and the nearest match where it does not."""
    from pointsman.answering.targets import Targets
    from pointsman.gateway.auth import check_exposure

    config = load_config(config_path)
    names = Targets(config).names()  # compiles gates, rules and verifiers
    check_exposure(config.keys, config.server)
    remarks = warnings(config)
    if as_json:
        print_json({"ok": True, "digest": config.digest, "models": names, "warnings": remarks})
        return
    click.echo(f"{config_path} holds · configuration {config.digest}")
    click.echo(f"can be asked: {', '.join(names)}")
    for remark in remarks:
        note(f"warning: {remark}")


def warnings(config: Configuration) -> list[str]:
    """What works and will still surprise."""
    remarks = [
        f"deployments.{item.name} has no price: its answers count as free"
        for item in config.deployments.values()
        if item.price is None
    ]
    gated = {name for route in config.routes.values() if route.gate for name in route.steps[:-1]}
    remarks += [
        f"deployments.{name} gives no logprobs, but a gate that may need them stands behind it"
        for name in sorted(gated)
        if not config.deployments[name].logprobs
    ]
    return remarks
