"""Runs against a scripted answerer, without a gateway."""

import asyncio
import itertools
from collections import Counter

from pointsman.domain.evaluations import Answered, Subject
from pointsman.domain.ids import run_id
from pointsman.domain.messages import Reply
from pointsman.domain.money import Usage
from pointsman.domain.records import Failure
from pointsman.evals.case import Case, ScorerSpec
from pointsman.evals.sample import Run
from pointsman.evaluating.earlier import Earlier
from pointsman.evaluating.means import OwnMeans
from pointsman.evaluating.running import Runner, Settings
from pointsman.evaluating.store import RunStore

SUBJECT = Subject(kind="task", name="sum", asks="task:sum", digest="s1", config="c1")
COST = 1000


class Scripted:
    """Implements `Answerer`: what `says` gives for the last message, a Failure, or an error."""

    def __init__(self, says=lambda text, nth: text, *, cost=COST, slow_s=0.0):
        self.says, self.cost, self.slow_s = says, cost, slow_s
        self.asked = Counter()
        self.requests = []
        self.now = self.most = 0

    async def ask(self, request, subject, *, session, timeout_s):
        text = request["messages"][-1].get("content")
        nth = self.asked[text]
        self.asked[text] += 1
        self.requests.append({**request, "session": session})
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.slow_s)
            said = self.says(text, nth)
        finally:
            self.now -= 1
        if isinstance(said, Exception):
            raise said
        failed = isinstance(said, Failure)
        reply = None if failed else said if isinstance(said, Reply) else Reply(content=said)
        return Answered(
            reply=reply, failure=said if failed else None, trace=f"tr_{len(self.requests)}",
            deployments=("small",), usage=Usage(prompt_tokens=3, completion_tokens=2),
            cost_usd_picos=self.cost, latency_ms=2.0, overhead_us=100,
            retry_after_s=said.retry_after_s if failed else None,
        )  # fmt: skip

    async def embed(self, texts, *, model, timeout_s):
        return [[1.0, float(len(text))] for text in texts]


def cases(n, **more):
    return [
        Case(id=f"c{i}", messages=({"role": "user", "content": f"q{i}"},), expected=f"q{i}", **more)
        for i in range(n)
    ]


_ids = itertools.count(1)


def begin(store, some, *, epochs=1, scorers=None, subject=SUBJECT, **more):
    scorers = scorers or (ScorerSpec(kind="exact", name="exact"),)
    run = Run(
        id=run_id(next(_ids), bytes(10)), suite="s", suite_digest="d", subject=subject, version="0",
        scorers=scorers, required=tuple(each.name for each in scorers if each.required),
        epochs=epochs, cases=len(some), planned=len(some) * epochs, **more,
    )  # fmt: skip
    store.begin(run, some).close()
    return run


def finish(store, run, answerer, *, earlier=True, progress=lambda standing: None, **settings):
    async def go():
        writer, had = store.resume(run.id)
        try:
            runner = Runner(
                writer, list(store.cases(run.id)), answerer=answerer,
                means=OwnMeans(answerer, day="2026-11-24"),
                monotonic=asyncio.get_running_loop().time, now_us=lambda: 7,
                settings=Settings(**settings), had=had, progress=progress,
                earlier=Earlier(store, run.subject, but=run.id) if earlier else None,
            )  # fmt: skip
            await runner.finish()
        finally:
            writer.close()

    asyncio.run(go())
    return list(store.samples(run.id))


def a_store(tmp_path):
    return RunStore(tmp_path / "evals")
