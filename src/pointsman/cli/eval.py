"""`pointsman eval`: suites of cases on what a configuration holds, and what came of them."""

import importlib

import click

_VERBS = {
    "run": ("eval_run", "Ask every case of a suite and score the answers."),
    "list": ("eval_list", "The runs that there are, newest first."),
    "show": ("eval_show", "What a run showed, computed anew from its samples."),
    "compare": ("eval_compare", "One verdict of two runs, or of several against the first."),
    "score": ("eval_score", "Answers of a run, scored by the scorers as they are now."),
    "export": ("eval_export", "A run as a file for others, or as one page to look at."),
    "import": ("eval_import", "Another harness's log as a run of ours."),
    "baseline": ("eval_baseline", "Mark the run that later ones are held against."),
    "schema": ("eval_schema", "The form of a suite file as JSON Schema, for editors."),
}


class _Verbs(click.Group):
    """Imports a verb's module only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"pointsman.cli.{_VERBS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _VERBS.items()])


@click.group(cls=_Verbs)
def command() -> None:
    """Suites of cases, run on a task, a route, a deployment or a prompt version.

    \b
    Examples:
      pointsman eval run suite.yaml --subject task:ticket@small
      pointsman eval show latest
      pointsman eval list --json
    """
