"""What one decision of a route costs: as it stands, learned from outcomes, and with a router.

    python benchmarks/deciding.py [--decisions 4000] [--bytes 1024] [--arms 4]

CPU microseconds of one thread for a request of so many bytes: the decision (beliefs, estimates,
plan) and, for routes that learn, what its end and outcome teach. Kinds are interleaved, so that a
busy machine shows in all of them; p50 and p99 over decisions, and the range of p50 over five parts.
"""

import argparse
import json
import platform
import random
import statistics
import tempfile
import time
from pathlib import Path

from pointsman.answering.asked import Asked
from pointsman.answering.learning import Learner
from pointsman.answering.routers import FittedRouter
from pointsman.answering.targets import Targets
from pointsman.config import parse
from pointsman.domain.records import Admission, Attempt, BodyRef, End, OutcomeRecord
from pointsman.learning.choosing import Goal
from pointsman.learning.fitting import fit
from pointsman.learning.outcomes import read_outcomes
from pointsman.learning.router import Router
from pointsman.routing.features import features_of
from pointsman.routing.planner import decide
from pointsman.surfaces.chat import parse_chat

_DICE = random.Random(0)
WORDS = ["".join(_DICE.choices("etaoinshrdlucmfw", k=_DICE.randint(2, 9))) for _ in range(4000)]

TASKS = ("plain", "outcomes", "router")


def configuration(arms: int) -> str:
    names = [f"arm{number}" for number in range(arms)]
    lines = ["deployments:"]
    for number, name in enumerate(names, 1):
        price = f"{{input_usd_per_mtok: {number}, output_usd_per_mtok: {3 * number}}}"
        lines.append(f'  {name}: {{model: m, base_url: "http://127.0.0.1:1/v1", price: {price}}}')
    steps = ", ".join(names)
    lines += ["routes:", f"  plain: {{steps: [{steps}]}}"]
    for name in ("outcomes", "router"):
        lines.append(f"  {name}: {{steps: [{steps}], objective: {{value_usd: 0.001}}, "
                     "learn: {explore: {share: 0.05}}}")  # fmt: skip
    lines.append("tasks:")
    lines += [f"  {name}: {{route: {name}}}" for name in TASKS]
    return "\n".join(lines)


def fitted(arms: int, folder: Path) -> FittedRouter:
    """A router over prompts of made-up words: what its words are costs the same as real ones."""
    dice = random.Random(1)
    path = folder / "outcomes.jsonl"
    with path.open("w") as out:
        for row in range(1500):
            prompt = " ".join(dice.choices(WORDS, k=60))
            for arm in range(arms):
                right = dice.random() < 0.5 + 0.1 * arm
                out.write(json.dumps({
                    "prompt_id": str(row), "prompt": prompt, "task": TASKS[row % len(TASKS)],
                    "model": f"arm{arm}", "sample_idx": 0, "score": float(right),
                    "accepted": right, "input_tokens": 200, "output_tokens": 60,
                    "cost_usd": 1e-4 * (arm + 1), "split": "train",
                }) + "\n")  # fmt: skip
    fit(read_outcomes(path, replies=False), Goal("quality", 0.99)).save(folder / "router")
    return FittedRouter(Router.load(folder / "router"))


class Kind:
    """One way of deciding, with its request."""

    def __init__(self, name: str, targets: Targets, learner: Learner, body: bytes) -> None:
        self.name, self.learner = name, learner
        self.target = targets.resolve(f"task:{name}")
        request = parse_chat(body)
        self.asked = Asked(request=request, body=body, target=self.target, tenant="t",
                           principal="p", surface="chat", arrived=0.0, bounds=None)  # fmt: skip
        self.dice, self.at_us = random.Random(3), 1_800_000_000_000_000
        self.decision_us: list[float] = []
        self.teaching_us: list[float] = []

    def once(self, number: int) -> None:
        self.at_us += 1_000_000
        begun = time.thread_time_ns()
        features = features_of(self.asked.request, task=self.name, tenant="t")
        learns = self.target.route.route.learn is not None
        thought = None
        if learns:
            thought = self.learner.think(self.asked, features, now_us=self.at_us)
        decision = decide(self.target.route, features, task=self.target.task, state={},
                          draw=self.dice.random(),
                          learned=thought.learned if thought else None)  # fmt: skip
        decided = time.thread_time_ns()
        self.decision_us.append((decided - begun) / 1000)
        if thought is None:
            return
        trace = f"tr_{number}"
        self.learner.decided(trace, thought, decision, now_us=self.at_us)
        step = decision.plan.steps[0]
        admission = Admission(trace=trace, at_us=self.at_us, tenant="t", principal="p",
                              surface="chat", asked=self.target.name, task=self.name,
                              decision=decision, request=BodyRef(digest="", size=0))  # fmt: skip
        attempt = Attempt(step=0, deployment=step.deployment, cost_usd_picos=10**6)
        end = End(trace=trace, at_us=self.at_us, status="delivered", http_status=200,
                  attempts=(attempt,), delivered=0)  # fmt: skip
        fact = OutcomeRecord(id="o", at_us=self.at_us, trace=trace, outcome="accepted"
                             if self.dice.random() < 0.7 else "rejected")  # fmt: skip
        begun = time.thread_time_ns()
        self.learner.ended(admission, end, None)
        self.learner.told(fact)
        self.teaching_us.append((time.thread_time_ns() - begun) / 1000)


def told(name: str, seen: list[float]) -> str:
    part = max(1, len(seen) // 5)
    mids = [statistics.median(seen[at : at + part]) for at in range(0, part * 5, part)]
    p99 = sorted(seen)[int(0.99 * len(seen))]
    return (f"{name:<28} p50 {statistics.median(seen):7.1f} µs  "
            f"[{min(mids):.1f}, {max(mids):.1f}]   p99 {p99:7.1f} µs")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--decisions", type=int, default=4000)
    parser.add_argument("--bytes", type=int, default=1024)
    parser.add_argument("--arms", type=int, default=4)
    options = parser.parse_args()
    text = " ".join(random.Random(2).choices(WORDS, k=options.bytes))[: options.bytes]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    config = parse(configuration(options.arms))
    with tempfile.TemporaryDirectory() as folder:
        router = fitted(options.arms, Path(folder))
    learner, targets = Learner(), Targets(config)
    learner.change(config, {"router": router})
    kinds = [Kind(name, targets, learner, body) for name in TASKS]
    for number in range(options.decisions):
        for kind in kinds:
            kind.once(number)
    print(f"{options.decisions} decisions of each kind, {options.bytes} bytes, "
          f"{options.arms} arms; {platform.processor() or platform.machine()}, "
          f"Python {platform.python_version()}")  # fmt: skip
    for kind in kinds:
        warm = len(kind.decision_us) // 10
        print(told(f"decision, {kind.name}", kind.decision_us[warm:]))
        if kind.teaching_us:
            print(told("  its end and outcome", kind.teaching_us[warm:]))


if __name__ == "__main__":
    main()
