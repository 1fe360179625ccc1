"""Writes docs/reference from the code: errors, settings, commands, records, queries.

python docs/generate.py            rewrite
python docs/generate.py --check    exit 1 if a page is not what the code says
"""

import inspect
import sys
from pathlib import Path

import click
import msgspec

from pointsman.cli import cli
from pointsman.domain import errors
from pointsman.domain.records import (
    Admission,
    Attempt,
    BodyRef,
    ConfigRecord,
    End,
    ErasureRecord,
    OutcomeRecord,
)
from pointsman.journal.queries import QUERIES

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- written by docs/generate.py; edit the code instead -->\n\n"


def error_page() -> str:
    """Every code with its status and exit code."""
    kinds = sorted(_below(errors.PointsmanError), key=lambda kind: (kind.http_status, kind.code))
    rows = [
        f"| `{kind.code}` | {kind.http_status} | `{kind.error_type}` | {kind.exit_code} | "
        f"{(kind.__doc__ or '').strip().splitlines()[0]} |"
        for kind in kinds
    ]
    head = "| code | HTTP | type | exit | meaning |\n|---|---|---|---|---|\n"
    more = "\n".join(f"| `{code}` | {text} |" for code, text in SPECIFIC.items())
    return (
        '# Errors\n\nThe body is OpenAI\'s: `{"error": {"message", "type", "param", "code"}}`. '
        "On the command line an error says what, why and what next, on stderr.\n\n"
        f"{head}" + "\n".join(rows) + "\n\nMore specific codes of the same classes:\n\n"
        f"| code | when |\n|---|---|\n{more}\n"
    )


SPECIFIC = {
    "invalid_json": "the body is not JSON, or is nested too deeply",
    "invalid_type": "a field has another type than the surface takes; `param` names it",
    "invalid_value": "a field is out of its range",
    "empty_messages": "`messages` is empty",
    "model_not_found": "no task, route, deployment or alias of that name",
    "model_not_allowed": "the key is bound to other tasks",
    "missing_api_key": "keys are defined and none was sent",
    "host_not_allowed": "without keys: the Host header is not this machine",
    "origin_not_allowed": "a page of another origin sent the request",
    "trace_not_found": "feedback for a trace or answer that is not known, or is another tenant's",
    "invalid_kind": "feedback whose kind is not a short word",
    "unknown_path": "no such path",
    "ambiguous_id": "feedback by an answer's id that several answers have",
    "key_reused": "feedback whose idempotency key was used for another fact",
    "invalid_key": "feedback whose idempotency key is too long or not a text",
    "invalid_time": "an imported outcome whose time cannot be one",
    "engine_down": "an embedded engine that does not start; the reason is the engine's own",
    "stream_interrupted": "in a stream, after its first byte: the answer broke off, no `[DONE]`",
}


def _below(kind: type[errors.PointsmanError]) -> set[type[errors.PointsmanError]]:
    found = {kind}
    for child in kind.__subclasses__():
        found |= _below(child)
    return found


def record_page() -> str:
    """Every record kind with its fields."""
    parts = ["# Records\n\nOne JSON object a record; fields at their default are left out.\n"]
    for kind in (Admission, End, Attempt, BodyRef, OutcomeRecord, ConfigRecord, ErasureRecord):
        tag = kind.__struct_config__.tag
        title = f"`{tag}`" if tag else f"{kind.__name__} (inside others)"
        parts.append(f"\n## {title}\n\n{(kind.__doc__ or '').strip().splitlines()[0]}\n")
        parts.append("| field | type | default |\n|---|---|---|")
        for field in msgspec.structs.fields(kind):
            default = "" if field.default is msgspec.NODEFAULT else f"`{field.default!r}`"
            parts.append(f"| `{field.encode_name}` | `{_type(field.type)}` | {default} |")
    return "\n".join(parts) + "\n"


def _type(kind: object) -> str:
    text = getattr(kind, "__name__", None) if isinstance(kind, type) else None
    shown = text or str(kind)
    for prefix in ("pointsman.domain.records.", "pointsman.domain.plan.", "typing.",
                   "pointsman.domain.money.", "pointsman.domain.verdict.",
                   "pointsman.domain.messages."):  # fmt: skip
        shown = shown.replace(prefix, "")
    return shown.replace("|", "\\|")


def query_page() -> str:
    """Every named query."""
    parts = ["# Named queries\n\nAsked through `Workspace` or the commands; times are microseconds "
             "since 1970 (UTC), costs pico-dollars.\n"]  # fmt: skip
    for name, query in QUERIES.items():
        params = ", ".join(
            f"`{param}`" + ("" if param not in query.required else " (needed)")
            for param in query.params
        )
        parts.append(
            f"\n## `{name}`\n\n{query.gives.capitalize()}. Parameters: {params or 'none'}.\n"
        )
        parts.append("| column | meaning |\n|---|---|")
        parts += [f"| `{column}` | {text} |" for column, text in query.columns.items()]
    return "\n".join(parts) + "\n"


def command_page() -> str:
    """Every command with its arguments and options."""
    parts = ["# Commands\n"]
    context = click.Context(cli, info_name="pointsman")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        _command(parts, command, f"pointsman {name}")
    return "\n".join(parts)


def _command(parts: list[str], command: click.Command, path: str) -> None:
    if isinstance(command, click.Group):
        for verb, child in command.commands.items():
            _command(parts, child, f"{path} {verb}")
        return
    arguments = [f" {p.name.upper()}" for p in command.params if isinstance(p, click.Argument)]
    help_text = inspect.cleandoc(command.help or "").replace("\b\n", "").split("Examples:")[0]
    parts.append(f"## `{path}{''.join(arguments)}`\n\n{help_text.strip()}\n")
    options = [p for p in command.params if isinstance(p, click.Option)]
    if options:
        parts.append("| option | what it does |\n|---|---|")
        parts += [f"| `{', '.join([*o.opts, *o.secondary_opts])}` | {o.help or ''} |"
                  for o in options]  # fmt: skip
        parts.append("")


PAGES = {
    "errors.md": error_page,
    "records.md": record_page,
    "queries.md": query_page,
    "commands.md": command_page,
}


def main() -> int:
    """Write the pages, or compare them."""
    FOLDER.mkdir(exist_ok=True)
    stale = []
    for name, make in PAGES.items():
        text, path = NOTE + make(), FOLDER / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(text)
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
