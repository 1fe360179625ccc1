"""One verdict of two runs: paired, clustered, corrected; missing answers are bounded."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.evals.two_runs import a_case, a_run, a_sample, an_arm, shared, two_models

from pointsman.domain.errors import UsageError
from pointsman.evals.case import ScorerSpec
from pointsman.evals.comparing import Arm, compare_runs
from pointsman.evals.pairing import overlap
from pointsman.evals.sample import Score


def compared(a, b, *, margin=0.02, n=None, **more):
    n = n or len({sample.case for sample in a.samples})
    return compare_runs(a, b, margin=margin, shared=shared(n), **more)


@pytest.mark.parametrize(
    ("rates", "margin", "verdict"),
    [((0.6, 0.75), 0.02, "better"), ((0.8, 0.65), 0.02, "worse")],
)
def test_a_clear_difference(rates, margin, verdict):
    a, b = two_models(400, *rates)
    said = compared(an_arm("A", a), an_arm("B", b), margin=margin)
    assert said.verdict == verdict
    assert said.primary.measure == "accepted"
    assert said.primary.mcnemar_p < 0.01
    assert said.primary.difference.n == said.cases == 400


def test_the_same_within_a_margin():
    a, b = two_models(2000, 0.8, 0.8, agreement=0.95)
    said = compared(an_arm("A", a), an_arm("B", b), margin=0.03)
    assert (said.verdict, said.not_worse) == ("same", True)


def test_too_few_cases_say_how_many_more():
    a, b = two_models(60, 0.8, 0.82)
    said = compared(an_arm("A", a), an_arm("B", b))
    assert said.verdict == "not enough data"
    assert said.primary.more_for_same > said.primary.more > 60
    assert "both a difference that matters" in said.primary.lacking
    assert not said.not_worse


def test_identical_answers_of_few_cases_are_not_called_the_same():
    said = compared(an_arm("A", [True] * 20), an_arm("B", [True] * 20))
    assert said.verdict == "not enough data"


def test_what_is_missing_bounds_the_difference():
    a, b = two_models(500, 0.8, 0.8, agreement=0.97)
    whole = compared(an_arm("A", a), an_arm("B", b), margin=0.03)
    assert (whole.verdict, whole.primary.bounds) == ("same", None)
    holed = compared(an_arm("A", a), an_arm("B", [None] * 40 + b[40:]), margin=0.03)
    assert holed.primary.unknown_b == 40
    assert holed.cases == 500
    assert holed.primary.difference.n == 460
    assert holed.primary.bounds.low < -0.05 < holed.primary.difference.low
    assert holed.verdict == "not enough data"
    assert "40 missing" in holed.primary.lacking


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(0, 30))
def test_nothing_that_the_missing_could_say_lies_outside_the_bounds(seed, missing):
    a, b = two_models(60, 0.7, 0.6, seed=seed)
    dice = random.Random(seed)
    holes = set(dice.sample(range(60), missing))
    said = compared(an_arm("A", a), an_arm("B", [None if at in holes else each
                                                 for at, each in enumerate(b)]))  # fmt: skip
    guessed = [dice.random() < 0.5 if at in holes else each for at, each in enumerate(b)]
    truth = compared(an_arm("A", a), an_arm("B", guessed)).primary.difference
    bounds = said.primary.bounds or said.primary.difference
    assert bounds.low - 0.02 <= truth.value <= bounds.high + 0.02


def test_epochs_count_once_a_case():
    dice = random.Random(3)
    a = [[dice.random() < 0.5 for _ in range(4)] for _ in range(150)]
    b = [[dice.random() < 0.5 for _ in range(4)] for _ in range(150)]
    said = compared(an_arm("A", a, epochs=4), an_arm("B", b, epochs=4))
    assert said.primary.difference.n == 150
    assert said.primary.mcnemar_p is None
    assert said.epochs == (4, 4)


def test_clusters_widen():
    a, b = two_models(300, 0.6, 0.7)
    alone = compared(an_arm("A", a), an_arm("B", b))
    arms = [
        Arm(run=arm.run, samples=tuple(
            replace(sample, cluster=f"s{int(sample.case[1:]) // 10}") for sample in arm.samples))
        for arm in (an_arm("A", a), an_arm("B", [b[at // 10 * 10] for at in range(300)]))
    ]  # fmt: skip
    said = compared(*arms)
    assert (said.clusters, said.primary.difference.n) == (30, 30)
    width = said.primary.difference.high - said.primary.difference.low
    assert width > alone.primary.difference.high - alone.primary.difference.low
    assert said.primary.mcnemar_p is None


def test_many_measures_are_corrected_among_themselves():
    names = [f"s{at}" for at in range(10)]
    wrong = 0
    for seed in range(60):
        dice = random.Random(seed)
        arms = []
        for name in "AB":
            samples = tuple(
                a_sample(at, True, scores=tuple(
                    Score(name=each, passed=dice.random() < 0.5) for each in names))
                for at in range(60)
            )  # fmt: skip
            run = a_run(name, scorers=tuple(names), cases=60)
            arms.append(Arm(run=run, samples=samples))
        said = compared(*arms, measure="s0")
        assert len(said.others) == 10  # the other nine, and accepted
        wrong += any(each.verdict in ("better", "worse") for each in said.others)
        assert all(each.p_adjusted >= each.p_value for each in said.others)
    assert wrong <= 9  # 3 are expected; 24 without correction


def test_a_scorer_that_is_not_for_a_case_leaves_it_out():
    spec = ScorerSpec(kind="exact", name="code", only={"kind": "code"}, required=False)
    arms = []
    for name in "AB":
        run = replace(a_run(name, cases=40), scorers=(spec,), required=("exact",),
                      scorer_digests={"exact": "1", "code": "2"})  # fmt: skip
        samples = []
        for at in range(40):
            code = at % 2 == 0
            scores = (Score(name="exact", passed=True),)
            if code:
                scores += (Score(name="code", passed=True),)
            samples.append(
                a_sample(at, True, scores=scores, tags={"kind": "code" if code else "t"})
            )
        arms.append(Arm(run=run, samples=tuple(samples)))
    code = next(each for each in compared(*arms).others if each.measure == "code")
    assert (code.difference.n, code.unknown_a, code.bounds) == (20, 0, None)


def test_flips_and_the_slice_where_losses_gather():
    dice, a, b = random.Random(5), [], []
    for at in range(600):
        tags = {"language": "de" if at % 5 == 0 else "en", "tier": dice.choice(["x", "y"])}
        good = dice.random() < 0.9
        a.append(a_sample(at, good, tags=tags))
        b.append(a_sample(at, good and not (tags["language"] == "de" and dice.random() < 0.6),
                          tags=tags))  # fmt: skip
    arms = [
        Arm(run=a_run(name, cases=600), samples=tuple(its)) for name, its in (("A", a), ("B", b))
    ]
    said = compared(*arms, cases={f"c{at:04d}": a_case(at) for at in range(600)})
    assert said.verdict == "worse"
    assert said.primary.lost == len(said.lost) > 40
    assert not said.gained
    assert all(flip.tags["language"] == "de" for flip in said.lost)
    assert said.slices[0].where == "language = de"


def test_cost_and_time_are_compared_on_the_same_cases():
    dice = random.Random(6)
    a, b = two_models(400, 0.8, 0.8)
    costs = [int(dice.lognormvariate(14, 0.6)) for _ in a]
    arm_a = Arm(run=a_run("A", cases=400), samples=tuple(
        a_sample(at, ok, cost=cost, latency=100 * dice.lognormvariate(0, 0.3))
        for at, (ok, cost) in enumerate(zip(a, costs, strict=True))))  # fmt: skip
    arm_b = Arm(run=a_run("B", cases=400), samples=tuple(
        a_sample(at, ok, cost=cost // 2, latency=150 * dice.lognormvariate(0, 0.3))
        for at, (ok, cost) in enumerate(zip(b, costs, strict=True))))  # fmt: skip
    said = compared(arm_a, arm_b).resources
    assert said.cost_per_accepted_ratio.high < 0.6
    assert 1.3 < said.latency_ratio.low < said.latency_ratio.high < 1.75
    assert said.latency_ms_p95[1].value > said.latency_ms_p95[0].value
    assert said.cost_usd[1] == pytest.approx(said.cost_usd[0] / 2, rel=0.01)


def test_changed_cases_are_left_out_and_told():
    arm_a, arm_b = (an_arm(name, [True, False] * 30) for name in "AB")
    before = [a_case(at) for at in range(60)]
    after = [a_case(at, expected="new" if at < 10 else None) for at in range(5, 62)]
    said = compare_runs(arm_a, arm_b, margin=0.02, shared=overlap(before, after))
    assert said.cases == 50
    assert "5 cases were changed" in said.remarks[0]
    assert "5 cases were asked in run_" in said.remarks[1]


def test_tags_and_clusters_do_not_change_a_case():
    assert overlap([a_case(1)], [a_case(1, tags={"a": "b"}, cluster="c")]).whole


def test_runs_that_judge_differently_are_not_compared():
    arm_a, arm_b = (an_arm(name, [True, False] * 10) for name in "AB")
    stricter = replace(arm_b.run, scorer_digests={"exact": "other"})
    with pytest.raises(UsageError, match="not measured in both") as refused:
        compared(arm_a, Arm(run=stricter, samples=arm_b.samples))
    assert refused.value.next == "compare runs of one suite, or of suites that judge alike"
    unnamed = replace(arm_b.run, scorer_digests={})
    assert compared(arm_a, Arm(run=unnamed, samples=arm_b.samples)).primary.measure == "accepted"
    with pytest.raises(UsageError, match="no case in common"):
        compare_runs(arm_a, arm_b, margin=0.02, shared=overlap([a_case(1)], [a_case(2)]))


def test_several_candidates_share_one_chance_of_error():
    a, b = two_models(300, 0.7, 0.75)
    one = compared(an_arm("A", a), an_arm("B", b))
    of_four = compared(an_arm("A", a), an_arm("B", b), candidates=4)
    assert of_four.primary.difference.low < one.primary.difference.low
    assert of_four.primary.a == one.primary.a


def test_no_difference_is_seldom_called_one():
    wrong = 0
    for seed in range(200):
        a, b = two_models(120, 0.7, 0.7, seed=seed)
        wrong += compared(an_arm("A", a), an_arm("B", b)).verdict in ("better", "worse")
    assert wrong / 200 <= 0.09
