"""`pointsman config`: the configuration as it is understood."""

from pathlib import Path

import click
import msgspec

from pointsman.cli.output import (
    config_option,
    json_option,
    load_config_placed,
    print_json,
    printable,
    table,
)

_EXAMPLES = """\b
Examples:
  pointsman config show --origins
  pointsman config schema > pointsman.schema.json
"""


_SHOW = """Print what is in force, secrets left out.

\b
Examples:
  pointsman config show --with-defaults
  pointsman config show --origins --json
"""
_SCHEMA = """Print the JSON Schema of the file, for editors.

\b
Examples:
  pointsman config schema > pointsman.schema.json
  pointsman config schema | jq '.properties | keys'

With the language server for YAML, the first line of the file names it:
`# yaml-language-server: $schema=pointsman.schema.json`.
"""
_WIDEST = 48  # of a value in the table of origins; --json has all of it


@click.group(help="The configuration, resolved.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("show", help=_SHOW)
@config_option
@click.option("--with-defaults", is_flag=True, help="Also what the file leaves unsaid.")
@click.option("--origins", is_flag=True, help="Each value with its line, variable, or `default`.")
@json_option
def show_config(config_path: Path, with_defaults: bool, origins: bool, as_json: bool) -> None:
    """As YAML, as a table of origins, or as JSON."""
    from pointsman.config import as_json as to_json
    from pointsman.config import show
    from pointsman.config.origins import origins as origins_of

    loaded = load_config_placed(config_path)
    config = loaded.config
    found = origins_of(loaded) if origins else ()
    if as_json:
        more = {"origins": msgspec.to_builtins(found)} if origins else {}
        print_json({"digest": config.digest, **to_json(config), **more})
    elif origins:
        rows = [[each.place, _short(each.value), str(each)] for each in found]
        click.echo(printable(table(["value", "in force", "from"], rows)))
    else:
        click.echo(show(config, with_defaults=with_defaults), nl=False)


@command.command("schema", help=_SCHEMA)
def print_schema() -> None:
    """JSON, with or without anyone asking for it."""
    from pointsman.config.json_schema import json_schema

    print_json(json_schema())


def _short(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
