"""Cascades on recorded replies, and a learner through a shift: what looking at replies is worth.

    python benchmarks/cascades.py [mmlu] [gym] [qwen] [shift] [--json FILE]

Needs the recorded outcomes (POINTSMAN_DATA, default ../shared/data). `mmlu` and `gym` are fitted on
split = train and replayed on split = test, each reply paid before it is looked at; `qwen` has no
test rows: two prompts of three are fitted on, the third is replayed. Printed are the chosen point
and the curve at shares of the best single model's cost, beside prompts alone. `shift` plays prompts
that other models find easy, then those they find hard, to a learner that is scored on what it
returned alone; four shuffles, with the worst mean difference over any 500 outcomes in a row.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import numpy as np

from pointsman.learning import cascade_choosing
from pointsman.learning.choosing import Goal
from pointsman.learning.fitting import fit
from pointsman.learning.online import Learner, Prior, Seen
from pointsman.learning.outcomes import Outcomes, read_outcomes
from pointsman.learning.replaying import replay
from pointsman.learning.router import Router
from pointsman.learning.scoring import hull, score_at

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data")) / "routing"
QWEN = ("Qwen2.5-3B-Instruct", "Qwen2.5-7B-Instruct", "Qwen2.5-32B-Instruct",
        "Qwen2.5-72B-Instruct")  # fmt: skip
MMLU = ("Qwen1.5-7B-Chat", "Qwen1.5-72B-Chat", "Meta-Llama-3.1-8B-Instruct",
        "Meta-Llama-3.1-70B-Instruct", "Phi-3-mini-4k-instruct", "gemini-1.5-flash-002",
        "gemini-1.5-pro-002")  # fmt: skip
GYM = ("mistral-small-3.1-24b-instruct", "gemma-3-27b-it", "llama-4-scout",
       "llama-3.3-70b-instruct", "llama-4-maverick", "claude-3.5-sonnet")  # fmt: skip
JUDGES = ("o3-mini", "deepseek-r1", "qwq-32b")  # what they find hard is hard
SHARES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
WINDOW = 500


def read(file: str, models: tuple[str, ...], split: str, tasks: tuple[str, ...] = ()) -> Outcomes:
    """The prompts that every model answered."""
    found = read_outcomes(DATA / f"{file}.parquet", models=models, split=split)  # type: ignore[arg-type]
    wanted = np.array([not tasks or task in tasks for task in found.tasks])
    return found.rows(found.complete & wanted)


def curve_of(router: Router, test: Outcomes) -> dict[str, tuple[float, float]]:
    """Cost and score of each operating point."""
    assert router.cascade is not None
    found = {}
    for name, rows in replay(router, test, router.cascade.names):
        cost = np.mean([test.cost_usd[i, calls].sum() for i, (_, calls) in enumerate(rows)])
        score = np.mean([test.score[i, back] for i, (back, _) in enumerate(rows)])
        found[name] = (float(cost), float(score))
    return found


def cascade(train: Outcomes, test: Outcomes, aim: Goal) -> dict[str, Any]:
    """Fit, replay, and set beside the best single model and beside prompts alone."""
    router = fit(train, aim)
    best = int(train.score.mean(axis=0).argmax())
    cost, score = float(test.cost_usd[:, best].mean()), float(test.score[:, best].mean())
    points = curve_of(router, test)
    estimates = router.estimate_many(test.prompts, test.tasks)
    rows = np.arange(len(test))
    alone = [
        (float(test.cost_usd[rows, at].mean()), float(test.score[rows, at].mean()))
        for at in (router.choose(estimates, point) for point in router.points)
    ]
    singles = list(zip(test.cost_usd.mean(axis=0), test.score.mean(axis=0), strict=True))

    def at_shares(found: list[tuple[float, float]]) -> dict[str, float | None]:
        line = hull([*found, *singles])
        return {f"x{share:g}": score_at(share * cost, line) for share in SHARES}

    assert router.cascade is not None
    return {
        "n": len(test), "best": test.models[best], "best_score": score,
        "chosen_of": "prompts" if router.cascade.chosen is None else "replies",
        "chosen_cost": points["chosen"][0] / cost, "chosen_score": points["chosen"][1],
        "replies": at_shares(list(points.values())), "prompts_alone": at_shares(alone),
        "oracle": float(test.score.max(axis=1).mean()),
    }  # fmt: skip


def mmlu() -> dict[str, Any]:
    """Goal: .720 at half of the best single model's cost."""
    parts = (read("mmlu_pro", MMLU, split) for split in ("train", "test"))
    return cascade(*parts, Goal("quality", 0.72 / 0.70))


def gym() -> dict[str, Any]:
    """Goal: the best single model's score at x0.80."""
    parts = (read("reasoning_gym_easy", GYM, split) for split in ("train", "test"))
    return cascade(*parts, Goal("quality", 1.0))


def qwen() -> dict[str, Any]:
    """Goal: 99 % of the best single model's score with 35 % saved."""
    whole = read("zeroeval_train", QWEN, "train", ("crux", "math-l5"))
    cascade_choosing.LEAST_PROMPTS = 0  # a cascade is not learned from so few; here it shows why
    third = np.array([crc32(prompt.encode()) % 3 == 0 for prompt in whole.prompts])
    return cascade(whole.rows(~third), whole.rows(third), Goal("quality", 0.99))


def shift() -> dict[str, Any]:
    """Goal: 40 % saved within 1,000 outcomes, no window of 500 more than a point below."""
    whole = read("reasoning_gym_easy", GYM[:5], "all")
    hard = difficulty(whole)
    parts = np.array([crc32(prompt.encode()) % 100 for prompt in whole.prompts])
    train = np.flatnonzero(~hard & (parts < 45))
    easy, late = np.flatnonzero(~hard & (parts >= 45)), np.flatnonzero(hard)
    router = fit(whole.rows(train), Goal("quality", 1.0))
    estimates = router.estimate_many(whole.prompts, whole.tasks)
    runs = [shifted(whole, router, estimates, easy, late, seed) for seed in range(4)]
    return {key: [run[key] for run in runs] for key in runs[0]}


def difficulty(whole: Outcomes) -> np.ndarray:
    """Whether a prompt is among the 42 % that the judges do worst on."""
    import duckdb

    names = ", ".join(f"'{name}'" for name in JUDGES)
    found = dict(duckdb.sql(
        f"SELECT prompt_id, avg(score) FROM '{DATA}/reasoning_gym_easy.parquet' "
        f"WHERE model IN ({names}) GROUP BY 1"
    ).fetchall())  # fmt: skip
    score = np.array([found.get(key, 0.5) for key in whole.prompt_ids])
    score += np.array([crc32(key.encode()) for key in whole.prompt_ids]) * 1e-13  # breaks ties
    return score < np.quantile(score, 0.42)


def shifted(
    whole: Outcomes, router: Router, estimates: Any, easy: Any, late: Any, seed: int
) -> dict[str, float]:
    """One run through both phases."""
    random = Random(seed)
    order = [*random.sample(list(easy), min(900, len(easy))), *random.sample(list(late), len(late))]
    cut = min(900, len(easy))
    unique = router.cascade.unique if router.cascade is not None else {}
    learner = Learner(whole.models, reference=int(router.mean_scores.argmax()))
    score, cost = np.zeros(len(order)), np.zeros(len(order))
    for at, i in enumerate(order):
        prior = Prior(tuple(estimates.score[i]), tuple(estimates.cost_usd[i]),
                      unique.get(whole.tasks[i], unique.get("", 0.85)))  # fmt: skip
        asking = learner.answer(whole.tasks[i], prior, random.random())
        call = next(asking)
        while True:
            cost[at] += whole.cost_usd[i, call]
            try:
                call = asking.send(Seen(whole.answers[i, call], whole.cost_usd[i, call]))
            except StopIteration as stop:
                back, pending = stop.value
                break
        score[at] = whole.score[i, back]
        learner.learn(pending, float(score[at]))
    best = int(whole.score[order].mean(axis=0).argmax())
    less = score - whole.score[order, best]
    sums = np.concatenate([[0.0], np.cumsum(less)])
    alone = whole.cost_usd[order, best]
    after = slice(cut, cut + 1000)
    return {
        "saved_before": 1 - cost[:cut].sum() / alone[:cut].sum(),
        "points_before": 100 * less[:cut].mean(),
        "saved_first_1000": 1 - cost[after].sum() / alone[after].sum(),
        "points_first_1000": 100 * less[after].mean(),
        "worst_500_points": 100 * ((sums[WINDOW:] - sums[:-WINDOW]) / WINDOW).min(),
    }


EXAMS: dict[str, Callable[[], dict[str, Any]]] = {
    "mmlu": mmlu, "gym": gym, "qwen": qwen, "shift": shift,
}  # fmt: skip


def main() -> None:
    """Run the exams named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exams", nargs="*", choices=[*EXAMS, []], default=[])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found = {}
    for name in asked.exams or EXAMS:
        found[name] = EXAMS[name]()
        print(f"{name}: {(EXAMS[name].__doc__ or '').splitlines()[0]}")
        for key, value in found[name].items():
            print(f"  {key:18} {_shown(value)}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{k} {_shown(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "  ".join(_shown(v) for v in value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
