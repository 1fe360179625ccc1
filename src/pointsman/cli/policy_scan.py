"""`pointsman policy scan`: what a detector says of the lines of a file."""

import base64
import binascii
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pointsman.cli.output import Progress, json_option, note, print_json
from pointsman.domain.errors import UsageError

if TYPE_CHECKING:
    from pointsman.policy.finding import Detector, Judgement

_SCAN = """Ask one detector of every line of a JSON Lines file.

\b
Examples:
  pointsman policy scan --detector pii --in answers.jsonl --out found.jsonl
  pointsman policy scan --detector secrets --rules my-rules.toml --in x.jsonl --out y.jsonl

\b
A line has `id`, and `text` or `text_b64` (base64 of UTF-8). A line of the output has `id`,
`score` in [0, 1], `flag` (found at the threshold the detector is shipped with) and `spans`:
`type`, `start` and `end` in characters of the text. The text itself is not written again.
A line that could not be judged has `unjudged` with the reason, score 1 and flag true.
"""


@click.command("scan", help=_SCAN)
@click.option("--detector", "name", required=True, help="Its name; `--list` names them all.")
@click.option("--in", "source", type=click.Path(dir_okay=False, path_type=Path), help="The file.")
@click.option("--out", "target", type=click.Path(dir_okay=False, path_type=Path), help="Written.")
@click.option(
    "--rules", type=click.Path(dir_okay=False, path_type=Path),
    help="More rules for `secrets`: TOML in the form gitleaks reads.",
)  # fmt: skip
@click.option(
    "--list", "listing", is_flag=True, is_eager=True, expose_value=False,
    callback=lambda ctx, _param, value: _listed(ctx) if value else None,
    help="The detectors there are.",
)  # fmt: skip
@json_option
def scan(
    name: str, source: Path | None, target: Path | None, rules: Path | None, as_json: bool
) -> None:
    """One line out for each line in; a summary to stderr, or as JSON."""
    if source is None or target is None:
        raise UsageError("scan needs --in and --out", next="`pointsman policy scan --help`")
    detector = made(name, rules)
    lines = list(lines_of(source))
    progress = Progress(len(lines), f"scan {name}")
    found = unjudged = 0
    with target.open("wb") as out:
        for done, line in enumerate(lines, 1):
            judgement = detector.judge(line["text"], channel="content")
            found += judgement.status == "found"
            unjudged += judgement.status == "unjudged"
            out.write(msgspec.json.encode(_row(line["id"], judgement)) + b"\n")
            progress.update(done)
    progress.close(f"· {found} found, {unjudged} unjudged")
    if as_json:
        print_json(
            {
                "detector": detector.name,
                "version": detector.version,
                "lines": len(lines),
                "found": found,
                "unjudged": unjudged,
            }
        )


def made(name: str, rules: Path | None = None) -> "Detector":
    """The detector of that name. Raises: UsageError for an unknown name or a rule refused."""
    from pointsman.policy.detectors.table import NAMES, detector

    if name not in NAMES:
        raise UsageError(f"there is no detector {name!r}", next=f"one of: {', '.join(NAMES)}")
    if rules is None:
        return detector(name)
    if name != "secrets":
        raise UsageError("--rules are for the detector `secrets`", next="leave --rules out")
    from pointsman.policy.detectors.secrets.detector import Secrets
    from pointsman.policy.detectors.secrets.rule_files import RuleRefused, rules_of

    try:
        return Secrets(rules=rules_of(tomllib.loads(rules.read_text("utf-8"))))
    except (RuleRefused, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{rules}: {error}", next="correct the rule, or leave it out") from error


def lines_of(path: Path) -> Iterator[dict[str, str]]:
    """`id` and `text` of every line. Raises: UsageError with the line's number."""
    for place, raw in enumerate(path.read_bytes().split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            row = msgspec.json.decode(raw, type=dict[str, Any])
            text = row["text"] if "text" in row else _decoded(row["text_b64"])
            if not isinstance(text, str):
                raise TypeError("`text` is no string")
            yield {"id": row["id"], "text": text}
        except (msgspec.MsgspecError, KeyError, TypeError, binascii.Error, ValueError) as error:
            raise UsageError(
                f"{path}, line {place}: {type(error).__name__}: {error}",
                next="a line is an object with `id`, and `text` or `text_b64`",
            ) from error


def _decoded(value: str) -> str:
    return base64.b64decode(value).decode("utf-8", "replace")


def _row(id: str, judgement: "Judgement") -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": id,
        "score": judgement.score,
        "flag": judgement.status == "found",
        "spans": [{"type": f.kind, "start": f.start, "end": f.end} for f in judgement.findings],
    }
    if judgement.status == "unjudged":  # what could not be looked at is never clear
        row |= {"score": 1.0, "flag": True, "unjudged": judgement.reason}
    return row


def _listed(ctx: click.Context) -> None:
    from pointsman.policy.detectors.table import NAMES, looks_for

    for name in NAMES:
        click.echo(f"{name:16}{looks_for(name)}")
    note("each is asked with `pointsman policy scan --detector NAME`")
    ctx.exit(0)
