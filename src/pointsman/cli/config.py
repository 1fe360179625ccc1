"""`pointsman config`: the configuration as it is understood."""

from pathlib import Path

import click

from pointsman.cli.output import config_option, json_option, load_config, print_json

_EXAMPLES = """\b
Examples:
  pointsman config show
  pointsman config show --with-defaults --json
"""


_SHOW = """Print what is in force, secrets left out.

\b
Examples:
  pointsman config show
  pointsman config show --with-defaults --json
"""


@click.group(help="The configuration, resolved.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("show", help=_SHOW)
@config_option
@click.option("--with-defaults", is_flag=True, help="Also what the file leaves unsaid.")
@json_option
def show_config(config_path: Path, with_defaults: bool, as_json: bool) -> None:
    """As YAML, or as JSON."""
    from pointsman.config import as_json as to_json
    from pointsman.config import show

    config = load_config(config_path)
    if as_json:
        print_json({"digest": config.digest, **to_json(config)})
    else:
        click.echo(show(config, with_defaults=with_defaults), nl=False)
