"""Routers on recorded outcomes: what a rule chosen on training rows saves on rows kept apart.

    python benchmarks/routing.py [EXAM ...] [--repeats N] [--no-task] [--json FILE]

Needs the recorded outcomes (POINTSMAN_DATA, default ../shared/data). Each exam prints, beside its
goal, the score of the chosen point against the best single model and its cost against that model's
cost, then what prompt length and task mean would do at the same cost. `cv` exams have no test rows:
prompts are parted in five, each part routed by a router fitted on the other four (equal prompts
stay together), N times with other parts; the spread is over these times. `split` exams fit on
split = train and report on split = test, with a 95 % interval paired by prompt.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np

from pointsman.learning.choosing import Goal
from pointsman.learning.fitting import fit
from pointsman.learning.outcomes import Outcomes, read_outcomes
from pointsman.learning.report import Report
from pointsman.learning.router import Router
from pointsman.learning.scoring import hull, score_at

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data")) / "routing"
QWEN = ("Qwen2.5-3B-Instruct", "Qwen2.5-7B-Instruct", "Qwen2.5-32B-Instruct",
        "Qwen2.5-72B-Instruct")  # fmt: skip
PAID = ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "claude-3-5-sonnet-20241022")
MMLU = ("Qwen1.5-7B-Chat", "Qwen1.5-72B-Chat", "Meta-Llama-3.1-8B-Instruct",
        "Meta-Llama-3.1-70B-Instruct", "Phi-3-mini-4k-instruct", "gemini-1.5-flash-002",
        "gemini-1.5-pro-002")  # fmt: skip
GYM = ("claude-3.5-sonnet", "gemma-3-27b-it", "llama-3.3-70b-instruct", "llama-4-maverick",
       "llama-4-scout", "mistral-small-3.1-24b-instruct")  # fmt: skip
LLAMA = ("Meta-Llama-3.1-8B-Instruct", "Meta-Llama-3.1-70B-Instruct")
FOLDS = 5


@dataclass(frozen=True)
class Exam:
    """One line of the table."""

    name: str
    goal: str
    kind: str
    file: str
    models: tuple[str, ...]
    aim: Goal
    tasks: tuple[str, ...] = ()


EXAMS = (
    Exam("qwen", "score >= 99 % of best, >= 35 % saved", "cv", "zeroeval_train", QWEN,
         Goal("quality", 0.99), ("crux", "math-l5")),
    Exam("qwen-and-paid", "x0.25 cost, >= +1 point", "cv", "zeroeval_train", QWEN + PAID,
         Goal("quality", 1.0), ("crux", "math-l5")),
    Exam("mmlu", "(prompt alone) .70 at x0.57", "split", "mmlu_pro", MMLU, Goal("quality", 1.0)),
    Exam("gym", "equal score at x0.80", "split", "reasoning_gym_easy", GYM, Goal("quality", 1.0)),
)  # fmt: skip


def read(exam: Exam, split: str) -> Outcomes:
    """The prompts that every model of the exam answered."""
    path = DATA / f"{exam.file}.parquet"
    found = read_outcomes(path, models=exam.models, split=split, replies=False)  # type: ignore[arg-type]
    wanted = [not exam.tasks or task in exam.tasks for task in found.tasks]
    return found.rows(found.complete & np.array(wanted))


def routed(exam: Exam, with_task: bool, repeats: int) -> dict[str, object]:
    """Run one exam."""
    if exam.kind == "split":
        train, test = read(exam, "train"), read(exam, "test")
        router = fit(train, exam.aim, with_task=with_task)
        return account(exam, test, train, choices(router, test, with_task))
    whole = read(exam, "train")
    runs = [account(exam, whole, None, crossed(exam, whole, with_task, r)) for r in range(repeats)]
    keys = ("of_best", "points", "cost", "length_points", "task_points", "points_at_quarter")
    spread = {key: [run[key] for run in runs] for key in keys}
    return {"n": len(whole), **{k: statistics.mean(v) for k, v in spread.items()},
            "spread": {k: [min(v), max(v)] for k, v in spread.items()}}  # fmt: skip


def choices(router: Router, outcomes: Outcomes, with_task: bool) -> dict[str, list[str]]:
    """point -> a model for each prompt."""
    tasks = outcomes.tasks if with_task else ("",) * len(outcomes)
    estimates = router.estimate_many(outcomes.prompts, tasks)
    return {p.name: [router.models[j] for j in router.choose(estimates, p)] for p in router.points}


def crossed(exam: Exam, whole: Outcomes, with_task: bool, repeat: int) -> dict[str, list[str]]:
    """Choices by routers that had not seen the prompt, put together; points by their number."""
    folds = np.array([crc32(f"{repeat} {p}".encode()) % FOLDS for p in whole.prompts])
    found: dict[str, list[str]] = {}
    for fold in range(FOLDS):
        router = fit(whole.rows(folds != fold), exam.aim, with_task=with_task)
        at = np.flatnonzero(folds == fold)
        for i, named in enumerate(choices(router, whole.rows(at), with_task).values()):
            row = found.setdefault("chosen" if i == 0 else f"point {i}", [""] * len(whole))
            for position, model in zip(at, named, strict=True):
                row[position] = model
    return found


def account(
    exam: Exam, outcomes: Outcomes, train: Outcomes | None, chosen: dict[str, list[str]]
) -> dict[str, object]:
    """The figures of one run."""
    rows = {
        point: {k: (m, (m,)) for k, m in zip(outcomes.prompt_ids, models, strict=True)}
        for point, models in chosen.items()
    }
    report = Report(outcomes, rows, train)
    found, best = report.as_dict(), report.best.point
    cost, score = report.chosen.point
    line = hull([p.point for p in report.policies] + [report.cheapest.point])
    quarter = score_at(best[0] * 0.25, line)
    length, task = (score_at(cost, hull(curve.points)) for curve in report.curves)
    return {
        "n": len(outcomes),
        "of_best": score / best[1],
        "points": (score - best[1]) * 100,
        "interval": [100 * found["chosen"]["score_less_best_single"][k] for k in ("low", "high")],
        "cost": cost / best[0],
        "length_points": ((length or 0.0) - best[1]) * 100,
        "task_points": ((task or 0.0) - best[1]) * 100,
        "points_at_quarter": ((quarter or 0.0) - best[1]) * 100,
    }


def transfers(with_task: bool) -> list[dict[str, object]]:
    """Pairs out of domain: mean share of the gap closed over all shares of strong calls (APGR)."""
    zero = read_outcomes(DATA / "zeroeval_train.parquet", models=LLAMA, replies=False)
    mmlu = read_outcomes(DATA / "mmlu_pro.parquet", models=LLAMA, replies=False)
    subjects = sorted(set(mmlu.tasks))[::2]
    every = [
        ("mmlu -> zeroeval", mmlu, zero),
        ("zeroeval -> mmlu", zero, mmlu),
        ("mmlu: half of the subjects -> others", some(mmlu, subjects), some(mmlu, subjects, False)),
        *((f"zeroeval: others -> {t}", some(zero, [t], False), some(zero, [t]))
          for t in ("crux", "math-l5", "gsm")),
    ]  # fmt: skip
    lines = []
    for name, train, test in every:
        train, test = train.rows(train.complete), test.rows(test.complete)
        train, test = thinned(train, 2500), thinned(test, 2500)
        router = fit(train, Goal("quality", 1.0), with_task=with_task)
        tasks = test.tasks if with_task else ("",) * len(test)
        found = router.estimate_many(test.prompts, tasks).score
        length = np.array([len(p) for p in test.prompts], dtype=float)
        support = float(router.support(test.prompts, tasks).mean())
        lines.append({
            "name": name, "n": len(test), "support": support,
            "router": apgr(found[:, 1] - found[:, 0], test), "length": apgr(length, test),
        })  # fmt: skip
    return lines


def some(outcomes: Outcomes, tasks: Sequence[str], inside: bool = True) -> Outcomes:
    """The prompts of some tasks, or all others."""
    return outcomes.rows(np.array([(task in tasks) == inside for task in outcomes.tasks]))


def thinned(outcomes: Outcomes, most: int) -> Outcomes:
    """An even choice of at most so many prompts."""
    count = min(most, len(outcomes))
    return outcomes.rows(np.linspace(0, len(outcomes) - 1, count).astype(np.intp))


def apgr(order: np.ndarray, outcomes: Outcomes) -> float:
    """Area under the share of the gap between two models against the share of strong calls."""
    gain = (outcomes.score[:, 1] - outcomes.score[:, 0])[np.argsort(-order, kind="stable")]
    total = gain.sum()
    return float(np.cumsum(gain).mean() / total) if total else 0.5


def overhead() -> dict[str, float]:
    """CPU milliseconds of a decision at 1 KiB, and seconds to fit 100,000 rows."""
    exam = EXAMS[2]
    train = read(exam, "train")
    begun = time.process_time()
    router = fit(repeated(train, 100_000 // len(exam.models)), exam.aim)
    took = time.process_time() - begun
    prompts = [(p * (1 + 1024 // max(1, len(p))))[:1024] for p in train.prompts[:600]]
    times = []
    for prompt in prompts:
        at = time.process_time_ns()
        router.estimate(prompt, "")
        times.append((time.process_time_ns() - at) / 1e6)
    deciles = statistics.quantiles(times[100:], n=10)
    return {"fit_100000_rows_cpu_s": took, "decision_ms_p50": deciles[4],
            "decision_ms_p10": deciles[0], "decision_ms_p90": deciles[8]}  # fmt: skip


def repeated(outcomes: Outcomes, n: int) -> Outcomes:
    """So many prompts, the same ones again with another number at their end where they run out."""
    at = np.arange(n) % len(outcomes)
    found = outcomes.rows(at)
    texts = tuple(f"{p} {i // len(outcomes)}" for i, p in enumerate(found.prompts))
    return replace(found, prompts=texts)


ROOT = Path(__file__).parent.parent
# Rows of the table whose scripts are their own: they print what they found.
ELSEWHERE: dict[str, list[str]] = {
    "replay": ["benchmarks/cascades.py", "mmlu", "gym", "qwen"],
    "shift": ["benchmarks/cascades.py", "shift"],
    "certificate": ["benchmarks/routing_certificate.py"],
    "specialist": ["-m", "pytest", "-q", "-m", "deep", "tests/demo", "-k", "specialist"],
    "decision": ["benchmarks/deciding.py"],
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = [exam.name for exam in EXAMS] + ["transfers", "overhead", *ELSEWHERE]
    parser.add_argument("exams", nargs="*", default=names, metavar="EXAM", help=", ".join(names))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-task", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"the recorded outcomes are not at {DATA}: set POINTSMAN_DATA")
    if unknown := set(asked.exams) - set(names):
        sys.exit(f"no exam {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    said: dict[str, object] = {}
    runs: dict[str, Callable[[], object]] = {
        exam.name: lambda exam=exam: routed(exam, not asked.no_task, asked.repeats)  # type: ignore[misc]
        for exam in EXAMS
    } | {"transfers": lambda: transfers(not asked.no_task), "overhead": overhead}
    goals = {exam.name: exam.goal for exam in EXAMS}
    for name in asked.exams:
        if name in ELSEWHERE:
            print(f"{name}:", flush=True)
            subprocess.run([sys.executable, *ELSEWHERE[name]], check=True, cwd=ROOT)
            continue
        begun = time.perf_counter()
        said[name] = runs[name]()
        print(f"{name}: {goals.get(name, '')}  ({time.perf_counter() - begun:.0f} s)")
        for line in told(said[name]):
            print(f"  {line}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(said, indent=1))


def told(found: object) -> list[str]:
    """An exam's figures for people."""
    if isinstance(found, list):
        return [f"{e['name']:38} n {e['n']}  support {e['support']:.2f}  APGR router "
                f"{e['router']:.3f}  length {e['length']:.3f}" for e in found]  # fmt: skip
    assert isinstance(found, dict)
    if "of_best" not in found:
        return ["  ".join(f"{key} {value:.3g}" for key, value in found.items())]
    spread = found.get("spread", {})

    def number(key: str, digits: int) -> str:
        ends = spread.get(key) or (found["interval"] if key == "points" else None)
        more = f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]" if ends else ""
        return f"{found[key]:.{digits}f}{more}"

    return [
        f"n {found['n']}  score of best {number('of_best', 4)}  points {number('points', 2)}  "
        f"cost x{number('cost', 3)}",
        f"at that cost: length {number('length_points', 2)} points, task mean "
        f"{number('task_points', 2)}; at x0.25: router {number('points_at_quarter', 2)}",
    ]


if __name__ == "__main__":
    main()
