# ruff: noqa: E501
"""Checks of an answer's form: JSON that must fit a schema, citations that must point at sources."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pointsman.policy.detectors.made import judged, unjudged
from pointsman.policy.finding import Channel, Finding, Judgement

_CITED = re.compile(
    r"\[(?:source |doc(?:ument)? |ref\.? )?(\d{1,4})\]|【(\d{1,4})[^】]{0,40}】", re.I
)
_QUOTED = re.compile(r"[\"“]([^\"“”\n]{24,400})[\"”]")


class Schema:
    """Judges whether the text is JSON of a schema. Raises: jsonschema.SchemaError for a wrong one."""

    name = "schema"

    def __init__(self, schema: Mapping[str, Any], *, version: str = "1") -> None:
        from jsonschema import Draft202012Validator

        Draft202012Validator.check_schema(schema)
        self._validator = Draft202012Validator(schema)
        self.version = f"schema-{version}"

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """One finding a breach, at most 20, each over the whole text: JSON has no places."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return judged(self.name, self.version, [self._finding("no-json", text)])
        breaches = sorted({f"{error.validator}" for error in self._validator.iter_errors(value)})
        return judged(
            self.name, self.version, [self._finding(rule, text) for rule in breaches[:20]]
        )

    def _finding(self, rule: str, text: str) -> Finding:
        return Finding(detector=self.name, rule=rule, kind="schema", start=0, end=len(text))


class Citations:
    """Judges whether what is cited exists, and what is quoted stands in a source.

    Args: sources by the number they are cited with.
    """

    name = "citations"
    version = "citations-1"

    def __init__(self, sources: Mapping[int, str], *, required: bool = False) -> None:
        self._sources = dict(sources)
        self._plain = [_plain(text) for text in sources.values()]
        self._required = required

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """`unjudged` where there are no sources: then nothing can be said of a citation."""
        if not self._sources:
            return unjudged(self.name, self.version, "there are no sources to check against")
        cited = list(_CITED.finditer(text))
        findings = [
            self._finding("no-such-source", m.start(), m.end())
            for m in cited
            if int(m[1] or m[2]) not in self._sources
        ]
        for quote in _QUOTED.finditer(text):
            if not any(_plain(quote[1]) in source for source in self._plain):
                findings.append(self._finding("quoted-from-nowhere", quote.start(1), quote.end(1)))
        if self._required and not cited and text.strip():
            findings.append(self._finding("nothing-cited", 0, len(text)))
        return judged(self.name, self.version, findings)

    def _finding(self, rule: str, start: int, end: int) -> Finding:
        return Finding(detector=self.name, rule=rule, kind="citation", start=start, end=end)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
