"""Writes docs/reference from the code: errors, settings, commands, records, queries, engines.

python docs/generate.py            rewrite
python docs/generate.py --check    exit 1 if a page is not what the code says
"""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
from configuration import configuration_page, policy_page

from pointsman.backends.dialects import ENGINES, FAMILIES, PATHS, Dialect
from pointsman.cli import cli
from pointsman.domain import errors
from pointsman.domain.records import (
    AcknowledgementRecord,
    Admission,
    AlarmRecord,
    AlertRecord,
    Attempt,
    BodyRef,
    ConfigRecord,
    End,
    ErasureRecord,
    Moved,
    OutcomeRecord,
)
from pointsman.journal.queries import QUERIES
from pointsman.telemetry import table
from pointsman.telemetry.text import label_name

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- written by docs/generate.py; edit the code instead -->\n\n"


def error_page() -> str:
    """Every code with its status and exit code."""
    # a class without a code of its own is never raised: it holds others together
    own = {kind for kind in _below(errors.PointsmanError) if "code" in vars(kind)}
    kinds = sorted(own, key=lambda kind: (kind.http_status, kind.code))
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
    "held_not_found": "no held answer of this tenant has that id, or it was erased",
    "already_approved": "the same person approved the held answer before",
    "answer_changed": "somebody put another text in the place of the answer that was read",
    "already_decided": "the held answer was approved, edited or rejected, or ran out",
    "role_missing": "the key or person has no role that may do that at the admin's door",
    "invalid_token": "a token of the identity provider that opens nothing here",
    "url_refused": "a file that the request names by URL is not taken, or cannot be had",
    "empty_messages": "`messages` is empty",
    "unsupported": "a part of the request that this surface cannot honour",
    "empty_prompt": "`prompt` is empty",
    "empty_input": "`input` of embeddings is empty",
    "empty_documents": "`documents` of a ranking is empty",
    "too_many_prompts": "`prompt` holds more prompts than one request may",
    "too_many_inputs": "`input` holds more inputs than one request may",
    "too_many_documents": "`documents` holds more than one request may",
    "operation_not_supported": "the model does not answer this kind of request; see `operations`",
    "context_length_exceeded": "the engine says that the prompt is too long; its words are kept",
    "model_not_found": "no task, route, deployment or alias of that name",
    "model_not_allowed": "the key is bound to other tasks",
    "output_unbounded": "the key has a budget, and nothing says how long the answer may be",
    "too_many_at_once": "the key, its team or tenant has as many requests running as it may",
    "budget_reserved": "what is left of a budget is reserved by requests that run; try again",
    "budget_unavailable": "where budgets are counted does not answer: nothing is spent unseen",
    "team_not_known": "the team of a virtual key is not in the configuration any more",
    "key_not_found": "no virtual key of that name",
    "missing_api_key": "keys are defined and none was sent",
    "host_not_allowed": "without keys: the Host header is not this machine",
    "origin_not_allowed": "a page of another origin sent the request",
    "trace_not_found": "feedback for a trace or answer that is not known, or is another tenant's",
    "invalid_kind": "feedback whose kind is not a short word",
    "batches_disabled": "files and batches are turned off here",
    "file_not_found": "no file of that id, or it is another tenant's, or over",
    "file_content_missing": "a file whose bytes lie in another gateway's folder, or are gone",
    "file_in_use": "the file is read by a batch that is not over",
    "file_quota_exceeded": "the tenant has as many files, or bytes of them, as it may",
    "file_too_large": "the file is over `batches.max_file_mb`",
    "empty_file": "the file has no bytes",
    "missing_part": "an upload without `file` or `purpose`",
    "invalid_multipart": "an upload that is not multipart/form-data as RFC 7578 has it",
    "purpose_not_supported": "files are taken for the purpose `batch` alone",
    "batch_not_found": "no batch of that id, or it is another tenant's",
    "batch_over": "a batch that is over, or whose files are being written, is not cancelled",
    "stream_in_batch": "a line of a batch that wants a stream",
    "invalid_json_line": "in a batch's `errors`: a line of its input is not JSON",
    "missing_required_parameter": "in `errors`: a line lacks a field, or it has another type",
    "invalid_custom_id": "in `errors`: a `custom_id` that is empty or too long",
    "duplicate_custom_id": "in `errors`: a `custom_id` stands in an earlier line as well",
    "invalid_method": "in `errors`: a line's `method` is not POST",
    "mismatched_endpoint": "in `errors`: a line's `url` is not the endpoint of the batch",
    "line_too_large": "in `errors`: a line, or its body, is over 10 MiB",
    "too_many_lines": "in `errors`: the input is over `batches.max_lines`",
    "batch_expired": "in an error file: the window was over before the line was asked",
    "key_not_valid": "in `errors` and an error file: the key that made the batch opens nothing now",
    "too_many_batches": "the tenant has as many batches waiting or running as it may",
    "unknown_path": "no such path",
    "text_gone": "the words of a request that were never kept, or are erased",
    "no_answer": "a request that was not answered, where an answer is looked at",
    "no_conversation": "a request that is no conversation, where one is looked at",
    "nothing_expected": "a case of a request whose answer nobody accepted or edited",
    "not_deidentified": "a case of a request part of which nobody can look at",
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
    for kind in (Admission, End, Attempt, BodyRef, OutcomeRecord, ConfigRecord, ErasureRecord,
                 AlarmRecord, Moved, AcknowledgementRecord, AlertRecord):  # fmt: skip
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
        context = click.Context(command)
        for verb in command.commands or command.list_commands(context):
            child = command.get_command(context, verb)
            assert child is not None, verb
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


def metric_page() -> str:
    """Every metric with its labels, and every attribute of a span."""
    parts = ["# Metrics and spans\n\n`GET /metrics` gives them in Prometheus' text format, over "
             "all workers. Histograms have `_bucket`, `_count` and `_sum`. The names of "
             f"OpenTelemetry are those of its conventions `{table.CONVENTIONS}`.\n\n"
             "| metric | kind | unit | labels | meaning | in OpenTelemetry |\n"
             "|---|---|---|---|---|---|"]  # fmt: skip
    for each in table.FAMILIES.values():
        name = each.name + "_total" if each.kind == "counter" else each.name
        labels = ", ".join(f"`{label_name(label)}`" for label in each.labels)
        parts.append(f"| `{name}` | {each.kind} | `{each.unit}` | {labels} | {each.meaning} | "
                     f"`{each.otel}` |")  # fmt: skip
    parts.append("\n## Labels\n\nNo label grows without bound: what has no place says `other`.\n\n"
                 "| label | values | meaning |\n|---|---|---|")  # fmt: skip
    for label, said in table.LABELS.items():
        closed = ", ".join(f"`{value}`" for value in sorted(said.values or ()))
        values = closed or f"the first {said.most}, then `{table.OTHER}`"
        parts.append(f"| `{label_name(label)}` | {values} | {said.meaning} |")
    parts.append("\n## Buckets\n\n| metric | upper bounds |\n|---|---|")
    for each in table.FAMILIES.values():
        if each.bounds:
            bounds = ", ".join(f"{bound / each.per_unit:g}" for bound in each.bounds)
            parts.append(f"| `{each.name}` | {bounds} |")
    parts.append("\n## Spans\n\nSent by OTLP where an endpoint is given: one span for a "
                 "request, of kind server, and under it one for each attempt, of kind client. No "
                 "attribute holds what people or models wrote.\n\n"
                 "| attribute | on | meaning |\n|---|---|---|")  # fmt: skip
    for name, attribute in table.ATTRIBUTES.items():
        parts.append(f"| `{name}` | {attribute.on} | {attribute.meaning} |")
    return "\n".join(parts) + "\n"


THINKING = {
    "template": "`chat_template_kwargs`, by the family's name",
    "top_level": "`enable_thinking`",
    "effort": "`reasoning_effort`",
}
USAGE = {"asked": "when asked", "always": "always", "never": "never"}
FORM_FIELDS = {"gbnf": "`grammar`", "typed": "`response_format` with `type` and `value`"}


def engine_page() -> str:
    """What engines differ in, a table a subject."""
    parts = [
        "# Engines\n\nWhat `engine:` of a deployment changes. Clients see one surface: what stands "
        "here is added, read or translated on the way, and everything else is passed on as it "
        "came.\n"
    ]
    rows = {name: row for name, row in ENGINES.items()}
    parts += _engine_table("Paths", "Behind `base_url`; a dash: the engine has none.", rows, {
        name: lambda row, name=name: f"`{row.path(name)}`" if name in row.operations else "-"
        for name in PATHS
    })  # fmt: skip
    parts += _engine_table("Asking and reading", "Usage is asked for in every stream and handed on "
        "only to who asked; logprobs are asked for where a gate reads them. `stream_usage` of a "
        "deployment says that it does otherwise (some hosts refuse to be asked: `always`); "
        "`reasoning_field` gives its thinking one name, whichever it writes.", rows, {
        "usage in a stream": lambda row: USAGE[row.stream_usage],
        "logprobs": lambda row: _logprobs(row),
        "thinking is switched by": lambda row: THINKING[row.thinking],
        "and bounded by": lambda row: f"`{row.thinking_tokens}`" if row.thinking_tokens else "-",
        "thinking comes as": lambda row: _code(row.reasoning),
    })  # fmt: skip
    parts += _engine_table("The form of an answer", "`response_format` goes everywhere as it "
        "is, but for TGI, which reads it in another shape. "
        "`guided_json`, `guided_regex`, `guided_choice`, `guided_grammar`, `structured_outputs`, "
        "`json_schema`, `regex`, `ebnf` and `grammar` of a client go on, and beside them what the "
        "engine itself reads; a dash: it has no words for it.", rows, {
        kind: lambda row, kind=kind: _form_field(row, kind)
        for kind in ("json", "regex", "choice", "grammar")
    })  # fmt: skip
    parts += _engine_table("Refusals", "Words that make a refusal `context_length_exceeded`, "
        "whichever engine says them, and codes that are about your account there, so that the "
        "next deployment is asked.", rows, {
        "a prompt that is too long": lambda row: _code((*row.overflow, *row.overflow_5xx)),
        "an account": lambda row: _code(row.account),
    })  # fmt: skip
    parts += _engine_table("Load", "What `/metrics` of the engine calls it; `pointsman check` "
        "shows it.", {name: row for name, row in rows.items() if row.load}, {
        "running": lambda row: _code((row.load.running,)),
        "waiting": lambda row: _code((row.load.waiting,)),
        "KV cache in use": lambda row: _code((row.load.cache,) if row.load.cache else ()),
    })  # fmt: skip
    parts.append("\n## Families\n\n`family:` of a deployment says how its model's thinking is "
                 "switched.\n")  # fmt: skip
    parts.append("| `family:` | switch in the template | `off` as an effort |\n|---|---|---|")
    parts += [
        f"| `{name}` | {_code((kind.switch,) if kind.switch else ())} | `{kind.least_effort}` |"
        for name, kind in FAMILIES.items()
    ]
    return "\n".join(parts) + "\n"


def _engine_table(
    title: str,
    what: str,
    rows: dict[str, Dialect],
    columns: dict[str, Callable[[Any], str]],
) -> list[str]:
    head = ["engine", "`engine:`", *columns]
    lines = [f"\n## {title}\n\n{what}\n", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, row in rows.items():
        cells = [row.title, f"`{name}`", *(make(row) for make in columns.values())]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _code(words: tuple[str, ...]) -> str:
    """Words as code; some hold a backtick themselves."""
    return ", ".join(f"`` {word} ``" if "`" in word else f"`{word}`" for word in words) or "-"


def _logprobs(row: Dialect) -> str:
    known = {"chat": row.logprobs, "completions": row.text_logprobs}
    return ", ".join(name for name, given in known.items() if given) or "-"


def _form_field(row: Dialect, kind: str) -> str:
    field = row.forms.get(kind)
    if field is None:
        return "as it came" if not row.known else "-"
    return FORM_FIELDS.get(field, f"`{field}`")


PAGES = {
    "configuration.md": configuration_page,
    "policies.md": policy_page,
    "metrics.md": metric_page,
    "errors.md": error_page,
    "records.md": record_page,
    "queries.md": query_page,
    "commands.md": command_page,
    "engines.md": engine_page,
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
