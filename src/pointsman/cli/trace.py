"""`pointsman trace`: what happened in one request."""

import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.analytics.tables import filled
from pointsman.cli.output import (
    config_option,
    folded,
    json_option,
    note,
    open_workspace,
    print_json,
    print_lines,
    printable,
    since_us,
    table,
    warn_of_faults,
    width,
)
from pointsman.domain.errors import CheckFailed, UsageError
from pointsman.domain.money import usd

if TYPE_CHECKING:
    from pointsman.analytics.explaining import Explained

_EXAMPLES = """\b
Examples:
  pointsman trace list --limit 5
  pointsman trace show tr_01J...
"""


_LIST = """The latest requests, newest first.

\b
Examples:
  pointsman trace list --limit 5
  pointsman trace list --task ticket --hours 24 --escalated --json
"""
_SHOW = """One request: the decision, every attempt with its gate, the outcomes.

\b
Examples:
  pointsman trace show tr_01J...
  pointsman trace show chatcmpl-71 --no-body

REFERENCE is a trace id or the answer's own id.
"""
_REPLAY = """Take the decision of a request again, from its record alone. Exit 4 if it differs.

\b
Examples:
  pointsman trace replay tr_01J...
  pointsman trace replay chatcmpl-71 --json

`erased` where the features it read are gone with the body: it is never taken on anything else.
"""
_HEADINGS = ("trace", "at (UTC)", "status", "asked", "answered by", "tries", "ms", "cost")
_SHOWN_SPANS = 6
_SHOWN_LINES, _SHOWN_CHARACTERS = 40, 4000  # of a body, for people; --json has all of it

_SERVED = {
    "weights": "weights",
    "weights_sha256": "weights' sha256",
    "revision": "revision",
    "quantisation": "quantisation",
    "engine_version": "engine",
    "chat_template_sha256": "template's sha256",
}


@click.group(help="What happened in one request.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("list", help=_LIST)
@config_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--task", help="Only this task.")
@click.option("--hours", type=float, help="Only the last so many hours.")
@click.option("--escalated", is_flag=True, help="Only requests with more than one attempt.")
@json_option
def list_traces(
    config_path: Path, limit: int, task: str | None, hours: float | None, escalated: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """As a table, or as JSON lines."""
    workspace = open_workspace(config_path)
    rows = workspace.traces(
        limit=limit if not escalated else 100_000, task=task, since_us=since_us(hours)
    )
    if escalated:
        rows = [row for row in rows if (row["attempt_count"] or 0) > 1][:limit]
    warn_of_faults(workspace)
    if not rows and task is not None and task not in workspace.config.tasks:
        known = ", ".join(workspace.config.tasks) or "none"
        raise UsageError(f"no task {task!r}, and no request of one", next=f"tasks: {known}")
    if as_json:
        print_lines([{**row, "attempts": json.loads(row["attempts"] or "[]")} for row in rows])
        return
    if not rows and (task is not None or hours is not None or escalated):
        note("no requests like that; `pointsman trace list` without options lists them all")
        return
    if not rows:
        note("no requests yet; `pointsman serve` takes them, `pointsman ask` sends one")
        return
    click.echo(printable(_listed([_row(row) for row in rows])))


@command.command("show", help=_SHOW)
@config_option
@click.argument("reference")
@click.option("--body/--no-body", default=True, help="Show what was asked and answered.")
@json_option
def show_trace(config_path: Path, reference: str, body: bool, as_json: bool) -> None:
    """As a story, or as JSON."""
    workspace = open_workspace(config_path)
    found = workspace.trace(reference)
    warn_of_faults(workspace)
    if not body:
        found = {k: v for k, v in found.items() if not k.endswith(("_body", "_kept"))}
    if as_json:
        print_json(found)
    else:
        click.echo(printable("\n".join(_story(found))))


@command.command("replay", help=_REPLAY)
@config_option
@click.argument("reference")
@json_option
def replay_trace(config_path: Path, reference: str, as_json: bool) -> None:
    """Is it the same."""
    found = open_workspace(config_path).replay(reference)
    if as_json:
        print_json(found)
    else:
        click.echo(printable(f"{found.trace}: {found.status}"))
        note(f"recorded: {found.recorded.route}: {found.recorded.reason}")
    if found.status == "different":
        raise CheckFailed(
            "the decision taken again is another one",
            why=f"now: {found.recomputed.reason if found.recomputed else '-'}",
            next="the version that took it is in the configuration's record",
        )


def _listed(rows: list[list[str]]) -> str:
    """A line a request; two where one is wider than the terminal."""
    lines = table(_HEADINGS, rows)
    if max(map(len, lines.split("\n"))) <= width():
        return lines
    heads = table(_HEADINGS[:3], [row[:3] for row in rows]).split("\n")
    for number, (_, _, _, asked, by, tries, ms, cost) in enumerate(rows, 1):
        words = [f"{asked} → {by}", f"{tries} tries", f"{ms} ms", cost]
        heads[number] += "".join(f"\n  {line}" for line in filled(words, width=width() - 2))
    return "\n".join(heads)


def _row(row: dict[str, Any]) -> list[str]:
    cost = row["cost_usd_picos"]
    return [
        row["trace"], _time(row["at_us"]), row["status"], row["asked"], row["deployment"] or "-",
        str(row["attempt_count"] or 0),
        "-" if row["total_ms"] is None else str(row["total_ms"]),
        "-" if cost is None else f"${usd(cost):.3g}",
    ]  # fmt: skip


def _story(found: dict[str, Any]) -> list[str]:
    admission, end = found["admission"], found["end"]
    decision = admission["decision"]
    steps = " → ".join(
        (step.get("arm") or step["deployment"])
        + (" (fallback)" if step.get("role") == "fallback" else "")
        for step in decision["plan"]["steps"]
    )
    steps = steps or "nobody was asked"
    lines = [
        f"{found['trace']} · {_time(admission['at_us'])} UTC",
        f"  asked     {admission['asked']}" + (" · streamed" if admission.get("stream") else "")
        + f" · by {admission['principal']} of {admission['tenant']}",
        f"  task      {admission.get('task') or '-'} · prompt {admission.get('prompt') or '-'}"
        f" · configuration {admission.get('config')}",
        f"  route     {decision['route']}: {decision['reason']}",
        f"  plan      {steps}" + (" · held" if decision["plan"].get("held") else ""),
    ]  # fmt: skip
    lines += _policy(admission.get("policy"), "request")
    for number, attempt in enumerate((end or {}).get("attempts", ()), 1):
        lines += _attempt(number, attempt)
        if not attempt.get("failure"):
            lines += _served(found["served"].get(attempt["deployment"]))
    lines.append(_ending(end, found["status"]))
    lines += [
        f"  review    {review['action']} by {review['by']}, {_time(review['at_us'])} UTC:"
        f" {review['status']}"
        for review in found["reviews"]
    ]
    told = Counter(
        f"  outcome   {each['outcome']} {json.dumps(each.get('value'))}"
        f" from {each.get('source', 'api')}"
        for each in found["outcomes"]
    )
    lines += [line + (f" · {count} times" if count > 1 else "") for line, count in told.items()]
    lines.append(_acceptance(found["acceptance"]))
    lines = folded(lines, hang=12)
    for name in ("request", "response"):
        text = found.get(f"{name}_body")
        if found.get(f"{name}_kept") == "erased":
            lines.append(f"  {name:<9} erased")
        if text is not None:
            body = [f"    {line}" for line in _shown(_said(text) or text)]
            lines += [f"  {name}", *folded(body, hang=4)]
    return lines


def _acceptance(said: "Explained") -> str:
    words = {"accepted": "yes", "rejected": "no", "unknown": "not known"}
    if said.acceptance == "unknown" and said.until_us > time.time() * 1e6:
        return f"  accepted  not yet known: {said.why} · until {_time(said.until_us)} UTC"
    return f"  accepted  {words[said.acceptance]}: {said.why}"


def _said(body: str) -> str:
    """The words of a chat request or answer, streamed or not; empty where it is something else."""
    try:
        documents = [json.loads(line) for line in body.split("\n")]
        if len(documents) == 1 and "messages" in documents[0]:
            return "\n".join(
                f"{message['role']}: {_text(message.get('content'))}"
                for message in documents[0]["messages"]
            )
        choices = [choice for each in documents for choice in each.get("choices", ())]
        first = [each for each in choices if each.get("index", 0) == 0]
        return "".join(
            _text((each.get("message") or each.get("delta") or {}).get("content")) for each in first
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content) if content else ""


def _shown(body: str) -> list[str]:
    lines = body[:_SHOWN_CHARACTERS].split("\n")[:_SHOWN_LINES]
    left = len(body) - len("\n".join(lines))
    return lines if not left else [*lines, f"… {left} more characters; --json shows everything"]


def _attempt(number: int, attempt: dict[str, Any]) -> list[str]:
    failure, gate = attempt.get("failure"), attempt.get("gate")
    usage = attempt.get("usage")
    tokens = (
        f" · {usage.get('prompt_tokens', 0)}+{usage.get('completion_tokens', 0)} tokens"
        if usage
        else ""
    )
    waited = f" · waited {attempt['queued_ms']} ms" if attempt.get("queued_ms") else ""
    lines = [
        f"  try {number}     {_asked(attempt)} · {attempt.get('total_ms', 0)} ms{waited}"
        f"{tokens}"
        f" · ${usd(attempt.get('cost_usd_picos', 0)):.3g}"
    ]
    if failure:
        lines.append(f"            failed: {failure['kind']} {failure.get('detail', '')}".rstrip())
    if gate:
        low = gate.get("logprob_min")
        said = "" if low is None else f" · lowest logprob {low:.3f}"
        lines.append(f"            gate: {gate['verdict']}, {gate['reason']}{said}")
    return lines + _policy(attempt.get("policy"), "answer")


def _served(said: dict[str, Any] | None) -> list[str]:
    """What gave the answer, as far as it is known, each with who says so."""
    if said is None:
        return []
    words = []
    for name, title in _SERVED.items():
        value = said.get(name)
        if value is not None:
            short = f"{value[:12]}…" if name.endswith("sha256") else value
            words.append(f"{title} {short} ({said['sources'][name]})")
    unknown = [title for name, title in _SERVED.items() if said.get(name) is None]
    lines = ["            served " + ", ".join(words or [said["engine"]])]
    if unknown:
        lines.append("            unknown: " + ", ".join(unknown))
    lines += [
        f"            the configuration states {_SERVED[name]} {stated}: not what was found"
        for name, stated in said.get("contradicted", {}).items()
    ]
    return lines


def _policy(said: dict[str, Any] | None, of: str) -> list[str]:
    """What the policies made of a request or an answer; offsets, never text."""
    if said is None:
        return []
    verdict, why = said.get("verdict", "allow"), said.get("why", "")
    held = f" · held {said['held_chars']} characters" if said.get("held_chars") else ""
    lines = [f"            {of} by policy: {verdict}" + (f", {why}" if why else "") + held]
    for fired in said.get("fired", ()):
        spans = [f"{one['kind']} {one['start']}-{one['end']}" for one in fired.get("findings", ())]
        how = fired.get("how", "enforced")
        where = fired["subject"].get("channel", "content")
        lines.append(
            f"            {fired['policy']}: {fired['rule']} ({how}) in {where}: "
            + (", ".join(spans[:_SHOWN_SPANS]) or "no span")
            + (f" and {len(spans) - _SHOWN_SPANS} more" if len(spans) > _SHOWN_SPANS else "")
        )
    lines += [
        f"            {one['policy']}: {one['rule']} could not look: {one['reason']}"
        for one in said.get("unjudged", ())
    ]
    asked = ", ".join((*said.get("policies", ()), *said.get("detectors", ())))
    return [*lines, f"            asked: {asked}"]


def _asked(attempt: dict[str, Any]) -> str:
    arm, deployment = attempt.get("arm"), attempt["deployment"]
    return deployment if arm is None else f"{arm} ({deployment})"


def _ending(end: dict[str, Any] | None, status: str) -> str:
    if end is None and status == "running":
        return "  end       still running"
    if end is None:
        return "  end       lost: the process that answered it died before it ended"
    held = f" · held {end['held_ms']} ms" if end.get("held_ms") is not None else ""
    first = end.get("first_byte_ms")
    return (
        f"  end       {status} ({end['http_status']}) after {end.get('total_ms', 0)} ms"
        + ("" if first is None else f" · first byte {first} ms")
        + held
        + f" · overhead {end.get('overhead_us', 0)} µs · ${usd(end.get('cost_usd_picos', 0)):.3g}"
    )


def _time(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
