"""Why an answer counts as accepted, not, or not yet known; and which kinds of outcomes decide."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from pointsman.analytics.acceptance import Acceptance, AcceptanceJudge, OutcomeRow
from pointsman.domain.task import AcceptanceRule

_US_PER_H = 3_600_000_000
_KIND = re.compile(r"outcome\.kind\s*(==|in\b)")
_WORD = re.compile(r"""['"]([A-Za-z0-9_-]{1,64})['"]""")


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an answer, why, and the rule that says so."""

    acceptance: Acceptance
    why: str
    rule: AcceptanceRule
    until_us: int  # the window's end: later outcomes decide nothing


def explain(
    rule: AcceptanceRule,
    outcomes: Sequence[OutcomeRow],
    *,
    status: str | None,
    delivered: int | None,
    at_us: int,
    now_us: int,
) -> Explained:
    """The same judgement as in reports, in words. Raises: as AcceptanceJudge."""
    judge = AcceptanceJudge(rule)
    known = {"status": status, "delivered": delivered, "at_us": at_us, "now_us": now_us}
    said = judge.judge_request(outcomes, **known)  # type: ignore[arg-type]
    until_us = at_us + round(rule.within_h * _US_PER_H)
    told = judge.judge(outcomes, at_us=at_us, now_us=min(now_us, until_us))
    if status is None:
        why = "it has not ended"
    elif status == "cancelled":
        why = "the client cancelled it, and gave no word on it that counts"
    elif status == "held":
        why = "people have not let it go, or its client has not fetched it"
    elif said == "rejected" and delivered is None:
        why = "nothing was delivered"
    elif told != "unknown":
        why = rule.accepted if told == "accepted" else rule.rejected
    elif now_us <= until_us:
        why = f"yes by {rule.accepted}; no by {rule.rejected}"
    else:
        why = f"no outcome of the rule came within {rule.within_h:g} h"
    return Explained(acceptance=said, why=why, rule=rule, until_us=until_us)


def known_kinds(rules: Iterable[AcceptanceRule]) -> frozenset[str] | None:
    """The kinds of outcomes that any of the rules compares with; None: a rule reads every kind.

    A rule reads every kind unless each part between `||` compares `outcome.kind` by == or `in`.
    """
    found: set[str] = set()
    for rule in rules:
        for text in (rule.accepted, rule.rejected):
            if text.strip() == "false":
                continue
            if "!" in text or "?" in text or not all(map(_KIND.search, text.split("||"))):
                return None
            found.update(_WORD.findall(text))
    return frozenset(found)
