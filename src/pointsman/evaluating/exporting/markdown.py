"""A page for a pull request: the numbers, the gate, the comparison, and what did not pass."""

import re

from pointsman.evaluating.exporting.bundle import Bundle, why
from pointsman.evaluating.exporting.figures import Figure, compared, figures, measures, percent

_MOST_ROWS = 50
_MOST_TEXT = 200
# What Markdown, or the HTML within it, would take for more than text.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>&@:$])")


def markdown(bundle: Bundle) -> bytes:
    """GitHub's dialect; what models wrote stands there as text."""
    run = bundle.run
    lines = [f"## {_text(run.suite)} on {_text(run.subject.name)}", ""]
    if bundle.verdict is not None and bundle.verdict.checks:
        word = "passed" if bundle.verdict.passed else "**not passed**"
        lines += [f"Gate: {word}", ""]
        lines += [f"- {'✅' if each.passed else '❌'} {_text(each.says)}"
                  for each in bundle.verdict.checks]  # fmt: skip
        lines.append("")
    rows = [
        [_text(each.name) + (" (required)" if each.required else ""), percent(each.estimate),
         str(each.unknown)]
        for each in measures(bundle)
    ]  # fmt: skip
    lines += _table(["measure", "value, 95 %", "without a score"], rows)
    lines += _figures(figures(bundle))
    if bundle.comparison is not None:
        lines += ["### Compared", "", *_figures(compared(bundle.comparison))]
        if bundle.comparison.slices:
            said = [[_text(each.where), str(each.n), f"{100 * (1 - each.rate):.1f} %"]
                    for each in bundle.comparison.slices]  # fmt: skip
            lines += _table(["where losses gather", "cases", "lost"], said)
    lines += _failed(bundle)
    lines.append(f"<sub>{_text(run.id)} · suite {_text(run.suite_digest)} · "
                 f"Pointsman {_text(run.version)}</sub>")  # fmt: skip
    return ("\n".join(lines) + "\n").encode()


def _failed(bundle: Bundle) -> list[str]:
    failed = [each for each in bundle.samples if bundle.word(each) != "accepted"]
    if not failed:
        return []
    rows = [
        [_text(each.case), bundle.word(each), _text(why(each)), _text(each.answer)]
        for each in failed[:_MOST_ROWS]
    ]
    lines = [f"<details><summary>{len(failed)} samples were not accepted</summary>", ""]
    lines += _table(["case", "outcome", "why", "answer"], rows)
    if len(failed) > _MOST_ROWS:
        lines += [f"and {len(failed) - _MOST_ROWS} more", ""]
    return [*lines, "</details>", ""]


def _figures(said: list[Figure]) -> list[str]:
    rows = [[_text(each.name), _text(each.says), _text(each.remark)] for each in said]
    return _table(["", "", ""], rows)


def _table(headings: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _text(text: str) -> str:
    """One line on which nothing is markup."""
    line = " ".join(text.split())
    short = line if len(line) <= _MOST_TEXT else line[: _MOST_TEXT - 1] + "…"
    return _SPECIAL.sub(r"\\\1", short).replace("\\<", "&lt;").replace("\\>", "&gt;").replace(
        "\\&", "&amp;"
    ).replace("\\@", "@\u200b")  # fmt: skip
