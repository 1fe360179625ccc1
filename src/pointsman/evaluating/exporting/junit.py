"""JUnit's XML, which every CI server reads: a test for each sample, and one for each bound."""

import re
from xml.sax.saxutils import escape, quoteattr

from pointsman.evals.sample import Sample
from pointsman.evaluating.exporting.bundle import Bundle, why

# What XML 1.0 has no way to write, whatever it is escaped as.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST_TEXT = 20_000  # characters of one answer


def junit(bundle: Bundle) -> bytes:
    """A rejected sample is a failure, a missing one an error, what nobody could judge skipped."""
    tests = [_test(bundle, sample) for sample in bundle.samples]
    gate = _gate(bundle)
    words = [bundle.word(sample) for sample in bundle.samples]
    seconds = sum(sample.latency_ms for sample in bundle.samples) / 1000
    counts = (
        f'tests="{len(words)}" failures="{words.count("rejected")}" '
        f'errors="{words.count("missing")}" skipped="{words.count("unknown")}"'
    )
    suite = _attribute(f"{bundle.run.suite} on {bundle.run.subject.name}")
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites name={_attribute(bundle.run.suite)}>",
        f'<testsuite name={suite} {counts} time="{seconds:.3f}">',
        f'<properties><property name="run" value={_attribute(bundle.run.id)}/></properties>',
        *tests,
        "</testsuite>",
        *gate,
        "</testsuites>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _test(bundle: Bundle, sample: Sample) -> str:
    name = sample.case if bundle.run.epochs == 1 else f"{sample.case} #{sample.epoch + 1}"
    classname = _attribute(f"{bundle.run.suite}.{bundle.run.subject.name}")
    took = f'time="{sample.latency_ms / 1000:.3f}"'
    head = f"<testcase name={_attribute(name)} classname={classname} {took}"
    word, reason = bundle.word(sample), _attribute(why(sample))
    answer = _text(sample.answer)
    if word == "rejected":
        return f"{head}><failure message={reason}>{answer}</failure></testcase>"
    if word == "missing":
        kind = _attribute(sample.failure.kind if sample.failure else "missing")
        return f"{head}><error message={reason} type={kind}/></testcase>"
    if word == "unknown":
        return f"{head}><skipped message={reason}/></testcase>"
    return f"{head}/>"


def _gate(bundle: Bundle) -> list[str]:
    if bundle.verdict is None or not bundle.verdict.checks:
        return []
    failed = sum(1 for check in bundle.verdict.checks if not check.passed)
    lines = [f'<testsuite name="gate" tests="{len(bundle.verdict.checks)}" failures="{failed}">']
    for check in bundle.verdict.checks:
        head = f'<testcase name={_attribute(check.bound)} classname="gate"'
        if check.passed:
            lines.append(f"{head}/>")
        else:
            lines.append(f"{head}><failure message={_attribute(check.says)}/></testcase>")
    return [*lines, "</testsuite>"]


def _attribute(text: str) -> str:
    return quoteattr(_UNWRITABLE.sub("\ufffd", text[:_MOST_TEXT]))


def _text(text: str) -> str:
    return escape(_UNWRITABLE.sub("\ufffd", text[:_MOST_TEXT]))
