"""The command line: one module per noun, loaded when it is named."""

import importlib
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

import click

from pointsman import __version__
from pointsman.cli.interrupting import interruptible
from pointsman.cli.output import report_error
from pointsman.domain.errors import PointsmanError

_EXAMPLES = """\b
Examples:
  pointsman demo                            the whole loop on three small models of its own
  pointsman init                            a configuration for what runs on this machine
  pointsman serve --config pointsman.yaml   one OpenAI-compatible endpoint for your portfolio
"""

# name -> (module, what it is for); the order is that of the help page.
_COMMANDS = {
    "demo": ("demo", "Run the main job on embedded models, and report what it cost."),
    "init": ("init", "Write a configuration for what runs on this machine."),
    "check": ("check", "Say whether a configuration holds and its deployments answer."),
    "doctor": ("doctor", "Look at this machine: what is well, what to do about the rest."),
    "serve": ("serve", "Serve the OpenAI-compatible endpoint."),
    "ask": ("ask", "Ask a running gateway."),
    "report": ("report", "Accepted rate and cost per accepted output."),
    "drift": ("drift", "What has changed, since when, and what else did."),
    "trace": ("trace", "What happened in one request."),
    "feedback": ("feedback", "Tell what became of an answer."),
    "config": ("config", "The configuration, resolved."),
    "import": ("importing", "Turn another gateway's configuration into one of ours."),
    "keys": ("keys", "Virtual keys of clients: make, rotate, take back."),
    "budgets": ("budgets", "How the budgets of keys, teams and tenants stand."),
    "portfolio": ("portfolio", "Deployments, prices and how they did."),
    "route": ("route", "Routers: learned from outcomes, used on prompts, scored."),
    "eval": ("eval", "Suites of cases: run, list, show, hold against a gate."),
    "policy": ("policy", "Rules on what may be said, and the detectors they ask."),
    "evidence": ("evidence", "What documents, tables, images and logs say, and where."),
    "suite": ("suite", "Suites of cases; cases from traffic, de-identified."),
    "judge": ("judge", "Models as judges: their cards against people."),
    "label": ("label", "Label traffic: draw, look, agree; what corrects a judge."),
    "held": ("held", "Answers that wait for people: read, approve, edit, reject."),
    "stats": ("stats", "Statistics on files of your own: rates, costs, drift, slices."),
    "journal": ("journal", "The record of everything: verify, keep, erase, back up."),
    "audit": ("audit", "Proof that the journal is what it was: checkpoints, receipts."),
}


class _Nouns(click.Group):
    """Imports a noun's module only when the noun is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        with interruptible():
            module = importlib.import_module(f"pointsman.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `| head` has seen enough, which is no error
            with suppress(OSError, ValueError):  # nor is what is flushed at the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)

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


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code its errors name."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a letter shows `?`
            stream.reconfigure(errors="replace")
    raise SystemExit(_exit_code(args))


def _exit_code(args: Sequence[str] | None) -> int:
    try:
        # click hands the code of its own exits (--help, --version) back
        code = cli.main(args=list(args) if args is not None else None, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        return interrupted()
    except click.ClickException as error:
        error.show()
        return 2
    except PointsmanError as error:
        report_error(error)
        return error.exit_code
    except OSError as error:
        report_error(_of_the_system(error))
        return 1


def interrupted() -> int:
    """Tell of it; the exit code.

    CPython takes a KeyboardInterrupt that passed through an `exec` of text for one that nobody
    caught, and kills itself at the exit: dataclasses are made in such. The next `exec` that ends
    well takes that back.
    """
    exec("")  # noqa: S102
    click.echo("interrupted", err=True)
    return 130


def _of_the_system(error: OSError) -> PointsmanError:
    """A file or disk that refused."""
    name = f": {error.filename}" if error.filename is not None else ""
    return PointsmanError(
        f"{error.strerror or error}{name}",
        next="check the path and its permissions; journal.path names where facts are kept",
    )
