"""Rules of the user's own, in the table form that gitleaks reads: `[[rules]]` with id and regex."""

import re
from collections.abc import Mapping
from typing import Any

from pointsman.policy.detectors.secrets.vendors import SecretRule

_GROUP = re.compile(r"(?<!\\)\((?!\?)|(?<!\\)\(\?P?<")


class RuleRefused(ValueError):
    """A rule of the file cannot be used; says which and why."""


def rules_of(table: Mapping[str, Any]) -> tuple[SecretRule, ...]:
    """The rules of a parsed file; rules of paths alone are passed over, allow lists not read.

    Raises: RuleRefused for a rule without id or regex, or a pattern that RE2 does not take.
    """
    rows = table.get("rules")
    if not isinstance(rows, list) or not rows:
        raise RuleRefused("there is no list `rules`")
    return tuple(
        _rule(row, place)
        for place, row in enumerate(rows, 1)
        if "regex" in row or not row.get("path")
    )


def _rule(row: Mapping[str, Any], place: int) -> SecretRule:
    name = row.get("id")
    regex = row.get("regex")
    if not isinstance(name, str) or not isinstance(regex, str):
        raise RuleRefused(f"rule {place} has no `id` or no `regex`")
    try:
        rule = SecretRule(
            id=name,
            pattern=regex,
            entropy=float(row.get("entropy") or 0.0),
            keywords=tuple(str(word).lower() for word in row.get("keywords") or ()),
            group=int(row.get("secretGroup") or (1 if _GROUP.search(regex) else 0)),
        )
        _ = rule.compiled
    except (UnicodeEncodeError, TypeError, ValueError) as error:
        raise RuleRefused(f"rule {name}: {error}") from error
    except Exception as error:  # re2.error has no base of its own
        raise RuleRefused(f"rule {name}: RE2 does not take the pattern: {error}") from error
    return rule
