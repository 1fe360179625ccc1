"""`pointsman evidence tokens`: what files cost a model in tokens."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.output import json_option, note, print_json, table
from pointsman.domain.errors import PointsmanError, UsageError

if TYPE_CHECKING:
    from pointsman.evidence.images.qwen import ImageRule
    from pointsman.evidence.tokens.counting import TextCounter

_TOKENS = """How many tokens files cost a model, and how it is known.

\b
Examples:
  pointsman evidence tokens --model qwen3-8b app.log metrics.csv
  pointsman evidence tokens --model qwen3-vl-8b shot.png runbook.pdf
  pointsman evidence tokens --model other-7b --usage usage.jsonl app.log
  pointsman evidence tokens --model other-7b --tokenizer tokenizer.json app.log --json

exact: by the model's own tokenizer. That of Qwen up to Qwen3 comes with the extra `tokens`, any
other by --tokenizer. calibrated: from what engines counted, --usage with JSON lines of {text,
prompt_tokens, model, messages}; a handful is enough. estimated: from the text's kinds of letters
alone. Pictures cost what the published rule of their model says; --image-rule reads the model's
preprocessor_config.json. Documents are counted by their text.
"""
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_DOCUMENTS = (".pdf", ".docx", ".pptx", ".xlsx", ".eml")
_PIECE = 1 << 22  # bytes of a text that are counted together
_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("tokens", help=_TOKENS)
@click.option("--model", required=True, help="The model's name.")
@click.option("--tokenizer", type=_existing, help="Its tokenizer.json, or a qwen.tiktoken.")
@click.option("--usage", type=_existing, help="What engines counted, as JSON lines.")
@click.option("--image-rule", "preprocessor", type=_existing, help="Its preprocessor_config.json.")
@click.argument("paths", nargs=-1, required=True, type=_existing)
@json_option
def tokens(
    model: str, tokenizer: Path | None, usage: Path | None, preprocessor: Path | None,
    paths: tuple[Path, ...], as_json: bool,
) -> None:  # fmt: skip
    """Tokens."""
    from pointsman.evidence.tokens.counting import counter_for

    counter = counter_for(model, tokenizer=tokenizer, usage=usage)
    rule = _rule(model, preprocessor)
    found: list[dict[str, Any]] = []
    for path in paths:
        if path.suffix.lower() in _PICTURES:
            found.append(_picture(path, rule, model))
        else:
            count = _document(path, counter) if path.suffix.lower() in _DOCUMENTS else _text(
                path, counter)  # fmt: skip
            found.append({"file": str(path), "tokens": count, "how": counter.how})
    total = sum(each["tokens"] for each in found)
    if as_json:
        print_json({"model": model, "tokens": total, "files": found})
        return
    rows = [[each["file"], str(each["tokens"]), each["how"]] for each in found]
    click.echo(table(["file", "tokens", "how"], rows))
    note(f"{total} tokens for {model}")
    if counter.how == "estimated":
        note("estimated: give --tokenizer or --usage for more")


def _rule(model: str, preprocessor: Path | None) -> "ImageRule | None":
    import msgspec

    from pointsman.evidence.images.qwen import rule_from, rule_of

    if preprocessor is None:
        return rule_of(model)
    try:
        return rule_from(msgspec.json.decode(preprocessor.read_bytes(), type=dict[str, Any]),
                         model=model)  # fmt: skip
    except msgspec.DecodeError as error:
        raise UsageError(f"{preprocessor} is no preprocessor_config", why=str(error)) from error


def _picture(path: Path, rule: "ImageRule | None", model: str) -> dict[str, Any]:
    from pointsman.evidence.images.preparing import size_of

    if rule is None:
        raise UsageError(
            f"what {path} costs {model} is not known",
            why="the model's name tells no rule for pictures",
            next="give its preprocessor_config.json as --image-rule",
        )
    size = size_of(path)
    return {"file": str(path), "tokens": rule.tokens(*size, markers=True), "how": "exact",
            "width": size.width, "height": size.height}  # fmt: skip


def _document(path: Path, counter: "TextCounter") -> int:
    from pointsman.evidence.documents.document import plain_text
    from pointsman.evidence.documents.reading import read_document

    try:
        return counter.tokens(plain_text(read_document(path, want="text")))
    except PointsmanError as error:
        note(f"{path}: {error.what}")
        raise


def _text(path: Path, counter: "TextCounter") -> int:
    """A text of any size, in pieces that end with a line."""
    total = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            total += counter.tokens((piece + file.readline(_PIECE)).decode("utf-8", "replace"))
    return total
