"""`pointsman eval schema`: the form of a suite file, for editors."""

import click

from pointsman.cli.output import print_json

_HELP = """Print the JSON Schema of a suite file, for editors.

\b
Examples:
  pointsman eval schema > suite.schema.json
  pointsman eval schema | jq '."$defs".scorer.properties | keys'

With the language server for YAML, the first line of the file names it:
`# yaml-language-server: $schema=suite.schema.json`.
"""


@click.command(help=_HELP)
def command() -> None:
    """JSON, with or without anyone asking for it."""
    from pointsman.evaluating.suite_files import suite_json_schema

    print_json(suite_json_schema())
