"""A judge as a scorer of a suite: its verdict, its cost, its silence, and what it is shown."""

import json
import re
from pathlib import Path

import pytest
from scoring_kit import NoMeans, call, score
from test_judging import sections

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.evaluations import Answered
from pointsman.domain.judges import JudgeSpec
from pointsman.domain.messages import Reply
from pointsman.evals.case import Case
from pointsman.evals.scoring.judge import written_out
from pointsman.evaluating.suite_files import parse_suite

RUBRIC = {"model": "large", "rubric": "It is right."}
SUITE = """\
name: s
cases: [{id: a, input: hi, expected: hello}]
scorers:
  - judge: {use: polite, repeats: 3}
"""


class Asked(NoMeans):
    def __init__(self, answer):
        self.answer, self.requests, self.sessions = answer, [], []

    async def ask(self, request, *, session):
        self.requests.append(request)
        self.sessions.append(session)
        said = self.answer(sections(request)[1]) if callable(self.answer) else self.answer
        return Answered(reply=Reply(content=said), cost_usd_picos=50, trace="tr_j")


def test_a_verdict_is_a_score_with_its_cost():
    means = Asked('{"reason": "it is", "verdict": "pass"}')
    found = score("judge", "42", "42", means=means, case=None, **RUBRIC)
    assert (found.value, found.passed, found.status, found.label) == (1.0, True, "scored", "pass")
    assert (found.cost_usd_picos, found.trace, found.detail) == (50, "tr_j", "it is")
    assert sections(means.requests[0])[1]["REFERENCE"] == "42"
    assert means.sessions == ["judge:judge:c"]


def test_a_judge_out_of_form_is_unjudged_and_still_costs():
    found = score("judge", "42", means=Asked("I like it."), **RUBRIC)
    assert (found.value, found.passed, found.status) == (None, None, "unjudged")
    assert found.cost_usd_picos == 50


def test_grades_repeats_and_thresholds():
    means = Asked('{"grade": 4}')
    found = score("judge", "x", means=means, scale=[1, 5], repeats=3, **RUBRIC)
    assert (found.value, found.passed, found.variance) == (0.75, True, 0.0)
    assert found.cost_usd_picos == 150
    assert score("judge", "x", means=means, scale=[1, 5], threshold=0.8, **RUBRIC).passed is False


@pytest.mark.parametrize(
    ("answer", "value", "passed", "label"),
    [
        (lambda parts: "first" if parts["FIRST"] == "mine" else "second", 1.0, True, "better"),
        (lambda parts: "second" if parts["FIRST"] == "mine" else "first", 0.0, False, "worse"),
        (lambda parts: "first", 0.5, True, "orders disagree"),
        (lambda parts: "tie", 0.5, True, "tie"),
    ],
)
def test_pairwise_holds_the_answer_against_the_expected(answer, value, passed, label):
    means = Asked(lambda parts: json.dumps({"better": answer(parts)}))
    found = score("judge", "mine", "theirs", means=means, model="large", pairwise=True)
    assert (found.value, found.passed, found.label) == (value, passed, label)
    assert len(means.requests) == 2


def test_what_the_judge_is_shown():
    case = Case(id="c", messages=({"role": "user", "content": "add"},), expected="secret")
    means = Asked('{"verdict": "fail"}')
    score("judge", "", case=case, means=means, calls=[call("plus", '{"a": 1}')],
          reference=False, **RUBRIC)  # fmt: skip
    shown = sections(means.requests[0])[1]
    assert shown["CONVERSATION"] == "[user]\nadd"
    assert 'calls plus {"a": 1}' in shown["ANSWER"]
    assert "REFERENCE" not in shown
    assert score("judge", "", case=case, means=means, **RUBRIC).status == "unjudged"


@pytest.mark.parametrize(
    "options",
    [
        {}, {"model": "m"}, {"use": "nobody"}, {**RUBRIC, "scale": [5, 1]},
        {**RUBRIC, "pass_at": 3}, {**RUBRIC, "pairwise": True, "scale": [1, 5]},
    ],
)  # fmt: skip
def test_options_that_make_no_judge_are_refused(options):
    with pytest.raises(ConfigurationError):
        score("judge", "x", means=Asked(""), **options)


def test_a_suite_uses_a_judge_of_the_configuration_and_its_digest_knows_it():
    polite = JudgeSpec(name="polite", model="large", rubric="kind", scale=(1, 5), tie=False)
    suite = parse_suite(SUITE, judges={"polite": polite})
    (scorer,) = suite.scorers
    assert scorer.spec["rubric"] == "kind"
    assert (scorer.spec["scale"], scorer.spec["repeats"], scorer.spec["tie"]) == ([1, 5], 3, False)
    other = JudgeSpec(name="polite", model="large", rubric="kinder", scale=(1, 5), tie=False)
    assert parse_suite(SUITE, judges={"polite": other}).digest != suite.digest
    with pytest.raises(ConfigurationError, match=r"suite\.yaml") as caught:
        parse_suite(SUITE)
    assert "no judge 'polite'" in str(caught.value)


def test_what_a_suite_says_beside_use_stands():
    polite = JudgeSpec(name="polite", model="large", rubric="kind", repeats=5)
    made = written_out({"use": "polite", "repeats": 2, "rubric": None}, {"polite": polite})
    assert (made["repeats"], made["rubric"], made["model"]) == (2, "kind", "large")
    assert "use" not in made


def test_the_suite_of_the_how_to_page_holds():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "judge-with-a-model.md"
    [text] = re.findall(r"```yaml suite\n(.*?)```", page.read_text(), re.DOTALL)
    suite = parse_suite(text)
    assert [scorer.name for scorer in suite.scorers] == ["judge", "as-good"]
