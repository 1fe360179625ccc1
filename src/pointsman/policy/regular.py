"""Detectors whose findings are spans of regular rules: a gate takes the same out of a stream."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import re2

from pointsman.domain.policies import Channel
from pointsman.policy.finding import Finding, Judgement
from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.gating.ruleset import RuleSet

_MOST_MEMORY = 256 * 2**20  # of all patterns, compiled as one


class Regular:
    """Finds every span of its rules, in the text itself or as the text is compared.

    There is no text that it cannot look at.
    """

    def __init__(self, name: str, rules: Sequence[SpanRule]) -> None:
        """Raises: ValueError saying what is wrong with a pattern."""
        self.name = name
        self.span_rules = tuple(rules)
        if compiled("|".join(f"(?:{rule.pattern})" for rule in rules)).search("") is not None:
            raise ValueError("it matches the empty text, so it is found everywhere")
        self._rules = RuleSet(self.span_rules)
        if self._rules.refused:
            raise ValueError(self._rules.refused[0].why)

    @cached_property
    def version(self) -> str:
        return self._rules.digest.removeprefix("sha256:")[:12]

    @cached_property
    def _clear(self) -> Judgement:
        return Judgement(detector=self.name, version=self.version, status="clear")

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """Every span as a finding; in arguments of tools also under the escapes of JSON."""
        found = self._rules.scan(text, escapes=channel == "tool_args")
        if not found:
            return self._clear
        return Judgement(
            detector=self.name,
            version=self.version,
            status="found",
            findings=tuple(
                Finding(
                    detector=self.name, rule=one.rule, kind=one.kind, start=one.start, end=one.end
                )
                for one in found
            ),
            score=1.0,
        )


def compiled(pattern: str) -> Any:
    """The pattern as RE2 has it. Raises: ValueError saying what is wrong with it."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    try:
        return re2.compile(pattern, options=options)
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else "not a pattern"
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(words[:200]) from None
