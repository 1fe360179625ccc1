"""The public rules of secret scanners in one gate: every way of cutting texts that match them."""

import json
import os
import random
import sys
from pathlib import Path

import pytest

from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.gating.ruleset import RuleSet

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("POINTSMAN_DATA", ROOT.parent / "shared" / "data"))
RULES = DATA / "safety" / "secrets_gitleaks_rules.jsonl"
sys.path.insert(0, str(ROOT / "benchmarks"))

if not RULES.exists():
    pytest.skip(f"needs {RULES}; set POINTSMAN_DATA", allow_module_level=True)

import stream_gate as exam  # noqa: E402


@pytest.fixture(scope="module")
def public() -> RuleSet:
    rows = map(json.loads, RULES.open())
    return RuleSet(
        SpanRule(
            id=row["id"], pattern=row["regex"], group=row["secretGroup"],
            keywords=tuple(row["keywords"] or ()), entropy=row["entropy"],
        )
        for row in rows
        if row["regex"]
    )  # fmt: skip


def test_none_is_refused_and_few_are_endless(public):
    assert not public.refused
    assert len(public.reports) == 221
    assert sum(report.mode == "endless" for report in public.reports) <= 13


def _examine(public: RuleSet, draw: random.Random, *, texts: int, cuts: int) -> int:
    protected = 0
    for rule in public.rules:
        for text in list(exam._adversarial(rule, draw))[:texts]:
            covered = {at for one in public.scan(text) for at in range(one.start, one.end)}
            protected += len(covered)
            expected = exam._kept_apart(exam._without(text, covered))
            every = list(exam._cuts(text, draw))
            for cut in draw.sample(every, min(cuts, len(every))):
                assert exam._kept_apart(exam._left(public, cut)) == expected, rule.id
            assert (
                exam._left(public, list(text), action="block")
                == text[: min(covered, default=len(text))]
            )
    return protected


def test_nothing_protected_leaves_at_some_splits_for_every_rule(public):
    assert _examine(public, random.Random(1), texts=1, cuts=4) > 5_000


@pytest.mark.deep
@pytest.mark.timeout(1_800)
def test_nothing_protected_leaves_at_any_split_for_any_rule(public):
    assert _examine(public, random.Random(2), texts=8, cuts=10**9) > 100_000
