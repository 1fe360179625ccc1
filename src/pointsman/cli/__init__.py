"""The command line: one module per noun, loaded when it is named."""

import importlib
from collections.abc import Sequence
from typing import Any

import click

from pointsman import __version__
from pointsman.cli.output import report_error
from pointsman.domain.errors import PointsmanError

_EXAMPLES = """\b
Examples:
  pointsman demo                            the whole loop on three small models of its own
  pointsman serve --config pointsman.yaml   one OpenAI-compatible endpoint for your portfolio
"""

# name -> (module, what it is for); the order is that of the help page.
_COMMANDS = {
    "demo": ("demo", "Run the main job on embedded models, and report what it cost."),
    "check": ("check", "Say whether a configuration holds, and what it would do."),
    "serve": ("serve", "Serve the OpenAI-compatible endpoint."),
    "ask": ("ask", "Ask a running gateway."),
    "report": ("report", "Accepted rate and cost per accepted output."),
    "trace": ("trace", "What happened in one request."),
    "feedback": ("feedback", "Tell what became of an answer."),
    "config": ("config", "The configuration, resolved."),
    "portfolio": ("portfolio", "Deployments, prices and how they did."),
    "journal": ("journal", "The record of everything: verify it, seal it."),
}


class _Nouns(click.Group):
    """Imports a noun's module only when the noun is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"pointsman.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Nouns,
    help="Pointsman: the cheapest way to an accepted answer from a portfolio of open models.\n\n"
    + _EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="pointsman")
def cli() -> None:
    """The root of all commands."""


def main(args: Sequence[str] | None = None) -> Any:
    """Run the command line and exit with the code its errors name."""
    try:
        cli.main(args=list(args) if args is not None else None, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        raise SystemExit(130) from None
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        raise SystemExit(130) from None
    except click.exceptions.Exit as leave:
        raise SystemExit(leave.exit_code) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(2) from None
    except PointsmanError as error:
        report_error(error)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
