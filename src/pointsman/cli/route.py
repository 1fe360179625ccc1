"""`pointsman route`: learn routers from recorded outcomes, choose with them, score choices."""

import importlib

import click

_VERBS = {
    "fit": ("route_fit", "Learn a router from recorded outcomes."),
    "choose": ("route_choose", "Choose a model for each prompt of a file."),
    "replay": ("route_replay", "Replay recorded replies through a cascade, paying before looking."),
    "learn": ("route_learn", "Learn while answering: JSON lines in, calls out, one score each."),
    "score": ("route_score", "Score choices beside every simple baseline."),
    "certify": ("route_certify", "Prove how far below always-strong a router can fall."),
    "show": ("route_show", "A router, its operating points and its certificates."),
    "export": ("route_export", "The journal's traffic as a file of outcomes."),
    "value": ("route_value", "What other choices would have got, by traffic that explored."),
    "explain": ("route_explain", "Why one request was answered as it was."),
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
    """Routers: fitted on outcomes, used on prompts, scored against every simple baseline.

    \b
    Examples:
      pointsman route fit --outcomes A.parquet --quality 0.99 --out my.router
      pointsman route choose --router my.router --prompts B.parquet --out choices.csv
      pointsman route explain tr_01J...
      pointsman route certify --router my.router --outcomes A.parquet --alpha 0.02
    """
