"""Two runs of one suite, made up: what each case scored, cost and took."""

import random

from pointsman.domain.evaluations import Subject
from pointsman.evals.case import Case, ScorerSpec
from pointsman.evals.comparing import Arm
from pointsman.evals.pairing import overlap
from pointsman.evals.sample import Run, Sample, Score


def a_case(at, **over):
    given = {"id": f"c{at:04d}", "messages": ({"role": "user", "content": f"question {at}"},)}
    return Case(**{**given, **over})


def a_run(name, *, epochs=1, cases=0, scorers=("exact",), **over):
    specs = tuple(ScorerSpec(kind="exact", name=each) for each in scorers)
    return Run(**{
        "id": f"run_{name:0>26}", "suite": "demo", "suite_digest": "d" * 16,
        "subject": Subject(kind="deployment", name=name), "version": "0", "scorers": specs,
        "scorer_digests": {each.name: each.digest for each in specs}, "required": tuple(scorers),
        "epochs": epochs, "cases": cases, "planned": cases * epochs, "status": "complete",
        "samples": cases * epochs, **over,
    })  # fmt: skip


def a_sample(at, passed, *, epoch=0, cost=1_000_000, latency=100.0, scores=None, **over):
    """Args: passed None: missing."""
    given = {
        "case": f"c{at:04d}", "epoch": epoch, "cost_usd_picos": cost, "latency_ms": latency,
        "status": "missing" if passed is None else "answered", "answer": "said",
        "scores": scores if scores is not None
        else () if passed is None
        else (Score(name="exact", value=float(passed), passed=bool(passed)),),
    }  # fmt: skip
    return Sample(**{**given, **over})


def an_arm(name, outcomes, *, epochs=1, **over):
    """Args: outcomes of each case, a list of them where there are several epochs."""
    samples = []
    for at, each in enumerate(outcomes):
        for epoch, passed in enumerate(each if isinstance(each, list) else [each]):
            samples.append(a_sample(at, passed, epoch=epoch, **over))
    return Arm(run=a_run(name, epochs=epochs, cases=len(outcomes)), samples=tuple(samples))


def shared(n):
    cases = [a_case(at) for at in range(n)]
    return overlap(cases, cases)


def two_models(n, rate_a, rate_b, *, seed=1, agreement=0.7):
    """Outcomes of two models on the same cases, alike on a share of them."""
    dice, a, b = random.Random(seed), [], []
    for _ in range(n):
        one = dice.random()
        other = one if dice.random() < agreement else dice.random()
        a.append(one < rate_a)
        b.append(other < rate_b)
    return a, b
