"""One answer scored, without a gateway."""

import asyncio

from pointsman.domain.messages import Reply, ToolCall
from pointsman.evals.case import Case, ScorerSpec
from pointsman.evals.scoring.scorer import Said
from pointsman.evals.scoring.table import compile_scorer


class NoMeans:
    """For scorers that need nothing."""

    async def run_code(self, files, command, *, limits):
        raise AssertionError("no code is run here")

    async def embed(self, texts, *, model):
        raise AssertionError("nothing is embedded here")

    async def ask(self, request, *, session):
        raise AssertionError("nobody is asked here")

    def judge_by_policy(self, texts, *, policy):
        raise AssertionError("no policy is asked here")


def call(name, arguments="{}", index=0):
    return ToolCall(index=index, name=name, arguments=arguments)


def score(kind, answer, expected=None, *, calls=(), means=None, verdict=None, case=None,
          reply=None, threshold=None, expects=None, **options):  # fmt: skip
    spec = ScorerSpec(kind=kind, name=kind, spec=options, threshold=threshold, expects=expects)
    scorer = compile_scorer(spec)
    said = Said(
        case=case or Case(id="c", expected=expected),
        reply=reply or Reply(content=answer, tool_calls=tuple(calls)),
        verdict=verdict,
    )
    return asyncio.run(scorer.score(said, means or NoMeans()))
