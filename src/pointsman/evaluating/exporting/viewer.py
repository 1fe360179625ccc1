"""One HTML page that shows a run: no other file, no request, readable without its script.

Everything that a model, a case or a person wrote is text there. Should that ever fail, the page's
own policy still lets nothing run but the script whose digest it names, and nothing be fetched.
"""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from importlib.resources import files

from pointsman.domain.money import usd
from pointsman.evals.sample import Sample, Score
from pointsman.evaluating.exporting.bundle import Bundle, plain, question, text_of, why
from pointsman.evaluating.exporting.figures import Figure, compared, figures, measures, percent

_PARTS = files(__package__)
STYLE = _PARTS.joinpath("viewer.css").read_text(encoding="utf-8")
SCRIPT = _PARTS.joinpath("viewer.js").read_text(encoding="utf-8")
MOST_ROWS = 5000  # a browser shows no more of a table with ease
_MOST_TEXT = 20_000  # characters of one text
_SNIPPET = 160
_UNSEEN = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # would turn text around
_TURNED = dict.fromkeys(map(ord, _UNSEEN), "\ufffd")


def viewer(bundle: Bundle) -> bytes:
    """Rejected and missing samples come first where a run has more than fit on a page."""
    run, shown = bundle.run, _chosen(bundle)
    title = f"{run.suite} on {run.subject.name}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body><main>",
        f"<h1>{_text(title)}</h1>",
        f'<p class="soft">{_text(run.id)} · {run.status} · suite {_text(run.suite_digest)} · '
        f"Pointsman {_text(run.version)}</p>",
        *([f"<p>{_text(run.note)}</p>"] if run.note else []),
        *_gate(bundle),
        _figures(figures(bundle)),
        *_measures(bundle),
        *_compared(bundle),
        *_samples(bundle, shown),
        f"</main><script>{SCRIPT}</script></body></html>",
    ]
    return "\n".join(parts).encode("utf-8", "replace")


def _policy() -> str:
    script, style = (b64encode(sha256(each.encode()).digest()).decode() for each in (SCRIPT, STYLE))
    return (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _chosen(bundle: Bundle) -> list[Sample]:
    samples = list(bundle.samples)
    if len(samples) > MOST_ROWS:
        samples.sort(key=lambda each: bundle.word(each) == "accepted")
    return samples[:MOST_ROWS]


def _gate(bundle: Bundle) -> Iterable[str]:
    if bundle.verdict is None or not bundle.verdict.checks:
        return
    passed = bundle.verdict.passed
    word = "passed" if passed else "failed"
    yield f'<h2>Gate: <span class="{word}">{"passed" if passed else "not passed"}</span></h2><ul>'
    for check in bundle.verdict.checks:
        word = "passed" if check.passed else "failed"
        yield f'<li><span class="{word}">{word}</span> {_text(check.says)}</li>'
    yield "</ul>"


def _figures(said: list[Figure]) -> str:
    boxes = [
        f"<div><dt>{_text(each.name)}</dt><dd>{_text(each.says)}"
        f'<div class="remark">{_text(each.remark)}</div></dd></div>'
        for each in said
    ]
    return f'<dl class="figures">{"".join(boxes)}</dl>'


def _measures(bundle: Bundle) -> Iterable[str]:
    rows = [
        [each.name + (" (required)" if each.required else ""), percent(each.estimate),
         str(each.unknown)]
        for each in measures(bundle)
    ]  # fmt: skip
    yield from _table(["measure", "value", "without a score"], rows, "Measures, 95 % intervals")


def _compared(bundle: Bundle) -> Iterable[str]:
    said = bundle.comparison
    if said is None:
        return
    yield "<h2>Compared</h2>"
    yield _figures(compared(said))
    for remark in said.remarks:
        yield f'<p class="soft">{_text(remark)}</p>'
    slices = [[each.where, str(each.n), f"{100 * (1 - each.rate):.1f} %"] for each in said.slices]
    yield from _table(["slice", "cases", "lost"], slices, "Where losses gather")
    flips = [
        [flip.case, f"{flip.a:.3g}", f"{flip.b:.3g}", "lost" if flip.b < flip.a else "gained"]
        for flip in (*said.lost, *said.gained)
    ]
    if flips:
        yield f"<details><summary>{len(flips)} cases that changed</summary>"
        yield from _table(["case", "old", "new", ""], flips, "Largest differences first")
        yield "</details>"


def _table(headings: list[str], rows: list[list[str]], caption: str) -> Iterable[str]:
    if not rows:
        return
    head = "".join(f'<th scope="col">{_text(each)}</th>' for each in headings)
    yield f'<div class="wide"><table><caption>{_text(caption)}</caption>'
    yield f"<thead><tr>{head}</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"


def _samples(bundle: Bundle, shown: list[Sample]) -> Iterable[str]:
    words = ("accepted", "rejected", "missing", "unknown")
    options = "".join(f'<option value="{word}">{word}</option>' for word in words)
    yield "<h2>Samples</h2>"
    if len(shown) < len(bundle.samples):
        yield f'<p class="soft">{len(shown)} of {len(bundle.samples)}: those not accepted first</p>'
    yield (
        '<div class="tools" hidden><input id="search" type="search" aria-label="Search samples" '
        'placeholder="Search"><select id="outcome" aria-label="Outcome"><option value="">every '
        f'outcome</option>{options}</select><span id="told" aria-live="polite"></span>'
        '<span class="soft"><kbd>/</kbd> search <kbd>j</kbd> <kbd>k</kbd> move '
        "<kbd>Enter</kbd> open</span></div>"
    )
    headings = ["case", "outcome", *bundle.scorers, "USD", "ms", "answer"]
    head = "".join(f'<th scope="col">{_text(each)}</th>' for each in headings)
    yield '<div class="wide"><table id="samples"><caption>Samples, and all that is known of each'
    yield f"</caption><thead><tr>{head}</tr></thead><tbody>"
    for sample in shown:
        yield _row(bundle, sample)
    yield "</tbody></table></div>"


def _row(bundle: Bundle, sample: Sample) -> str:
    word = bundle.word(sample)
    name = sample.case if bundle.run.epochs == 1 else f"{sample.case} #{sample.epoch + 1}"
    by_name = {score.name: score for score in sample.scores}
    scores = "".join(_score(by_name.get(each)) for each in bundle.scorers)
    cost = usd(sample.total_cost_usd_picos)
    return (
        f'<tr data-outcome="{word}"><td>{_text(name)}</td><td class="{word}">{word}</td>{scores}'
        f'<td data-value="{cost!r}">{cost:.3g}</td>'
        f'<td data-value="{sample.latency_ms!r}">{sample.latency_ms:.0f}</td>'
        f'<td class="answer">{_details(bundle, sample)}</td></tr>'
    )


def _score(score: Score | None) -> str:
    if score is None:
        return "<td></td>"
    if score.status != "scored":
        return f'<td class="unjudged">{score.status}</td>'
    if score.passed is None:
        value = 0.0 if score.value is None else score.value
        return f'<td data-value="{value!r}">{value:.3g}</td>'
    word = "passed" if score.passed else "failed"
    return f'<td class="{word}">{word}</td>'


def _details(bundle: Bundle, sample: Sample) -> str:
    line = " ".join((sample.answer or sample.refusal or why(sample)).split())
    case = bundle.cases.get(sample.case)
    parts = [("question", question(case))]
    if case is not None and case.expected is not None:
        parts.append(("expected", plain(case.expected)))
    parts.append(("answer", sample.answer))
    if sample.transcript:
        said = (f"{each.get('role', '?')}: {text_of(each)}" for each in sample.transcript)
        parts.append(("transcript", "\n".join(said)))
    calls = "\n".join(f"{call.name} {call.arguments}" for call in sample.tool_calls)
    scores = "\n".join(
        f"{score.name}: {score.status} {score.passed} {score.detail}".rstrip()
        for score in sample.scores
    )
    parts += [("tool calls", calls), ("refusal", sample.refusal), ("scores", scores),
              ("why there is no answer", sample.reason), ("traces", " ".join(sample.traces)),
              ("deployments", " ".join(sample.deployments)),
              ("tags", ", ".join(f"{k} = {v}" for k, v in sample.tags.items()))]  # fmt: skip
    inside = "".join(
        f'<div class="soft">{name}</div><pre>{_text(text)}</pre>' for name, text in parts if text
    )
    short = line if len(line) <= _SNIPPET else line[: _SNIPPET - 1] + "…"
    return f"<details><summary>{_text(short) or '(empty)'}</summary>{inside}</details>"


def _text(text: str) -> str:
    """As text between tags or in a quoted attribute, bounded, in the order it was written."""
    left = len(text) - _MOST_TEXT
    cut = text if left <= 0 else f"{text[:_MOST_TEXT]}… ({left} more characters)"
    return escape(cut.translate(_TURNED).replace("\0", "\ufffd"))
