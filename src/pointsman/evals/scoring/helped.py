"""Scorers that need a hand: code that is run in a sandbox, texts compared by their embeddings."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from pointsman.domain.errors import PointsmanError
from pointsman.domain.ports import Means
from pointsman.evals.case import ScorerSpec
from pointsman.evals.sample import Score
from pointsman.evals.scoring.scorer import (
    Options,
    Said,
    Scorer,
    Seen,
    expected_of,
    judged,
    unknown,
)

_FENCE = re.compile(r"```[ \t]*([A-Za-z0-9_+-]*)[^\n]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
_MAX_CODE_CHARS = 256 * 1024
# What runs in the sandbox: the answer, then the tests, in one namespace. The word that it was given
# on its standard input comes back from a program that came to the end of its tests, and not from
# one that left early by accident. An answer that looks for the word in this process can say it too:
# tests in the process of what they test are no proof against an answer that means to cheat.
_DRIVER = """\
import sys
word = sys.stdin.readline()
space = {"__name__": "answer"}
for name in ("answer.py", "tests.py"):
    with open(name, encoding="utf-8") as file:
        exec(compile(file.read(), name, "exec"), space)
sys.stdout.write("\\n" + word)
sys.stdout.flush()
"""


class CodeOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer is a Python program; `expected` are the tests that run after it."""

    timeout_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    cpu_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    memory_mb: Annotated[int, Meta(ge=16, le=16384)] = 512
    output_kb: Annotated[int, Meta(ge=1, le=10240)] = 64
    processes: Annotated[int, Meta(ge=1, le=256)] = 16
    before: str = ""


def code(spec: ScorerSpec, options: CodeOptions) -> Scorer:
    """1 where the answer's code and then the case's tests run to their end without an exception.

    The code is the first fenced block of the answer, or all of it. It runs without network, in a
    folder of its own, under limits of time, memory, output and processes.
    """
    return _Code(spec, options)


@dataclass(frozen=True, slots=True)
class _Code:
    spec: ScorerSpec
    options: CodeOptions

    @property
    def name(self) -> str:
        return self.spec.name

    async def score(self, said: Said, means: Means) -> Score:
        tests = expected_of(self.spec, said.case)
        if not isinstance(tests, str):
            return unknown(self.spec, "unjudged", "the case has no tests, as text")
        program = code_in(said.text)
        if len(program) > _MAX_CODE_CHARS:
            return unknown(self.spec, "unjudged", f"more than {_MAX_CODE_CHARS} characters of code")
        options = self.options
        files = {
            "answer.py": f"{options.before}\n{program}\n" if options.before else program + "\n",
            "tests.py": tests,
            "driver.py": _DRIVER,
        }
        limits = {
            "wall_s": options.timeout_s,
            "cpu_s": options.cpu_s,
            "memory_mb": options.memory_mb,
            "output_kb": options.output_kb,
            "processes": options.processes,
        }
        try:
            ran = await means.run_code(files, ["python", "driver.py"], limits=limits)
        except PointsmanError as error:
            return unknown(self.spec, "failed", error.sentence)
        right = ran.exit_code == 0 and ran.finished
        why = "" if right else f"stopped: {ran.stopped}" if ran.stopped else _last_line(ran.output)
        return judged(self.spec, Seen(float(right), why or "it ended before its tests did"))


def code_in(text: str) -> str:
    """The first fenced block that is Python or unnamed; else the first; else all of the text."""
    blocks = _FENCE.findall(text)
    for language, body in blocks:
        if language.lower() in ("", "python", "py", "python3"):
            return str(body)
    return str(blocks[0][1]) if blocks else text


def _last_line(output: str) -> str:
    lines = [line for line in output.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


class SimilarityOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer means about the same as the expected text, by a model of embeddings."""

    model: str


def similarity(spec: ScorerSpec, options: SimilarityOptions) -> Scorer:
    """The cosine of the two embeddings, in [-1, 1]; the highest over a list of expected texts.

    It passes from .8 on where the file names no threshold: measure that on answers of your own.
    """
    return _Similarity(spec, options)


@dataclass(frozen=True, slots=True)
class _Similarity:
    spec: ScorerSpec
    options: SimilarityOptions

    @property
    def name(self) -> str:
        return self.spec.name

    async def score(self, said: Said, means: Means) -> Score:
        texts = _expected_texts(expected_of(self.spec, said.case))
        if not texts or not said.text:
            return unknown(self.spec, "unjudged", "no text to compare")
        try:
            own, *others = await means.embed([said.text, *texts], model=self.options.model)
        except PointsmanError as error:
            return unknown(self.spec, "failed", error.sentence)
        found = [each for other in others if (each := cosine(own, other)) is not None]
        if not found:
            return unknown(self.spec, "unjudged", "an embedding without a direction")
        return judged(self.spec, Seen(max(found)), full=0.8)


def cosine(one: Sequence[float], other: Sequence[float]) -> float | None:
    """The cosine of two vectors; None where one is zero or they are of unlike length."""
    size = math.sqrt(math.fsum(x * x for x in one) * math.fsum(y * y for y in other))
    if len(one) != len(other) or not size or not math.isfinite(size):
        return None
    return max(-1.0, min(1.0, math.fsum(x * y for x, y in zip(one, other, strict=True)) / size))


def _expected_texts(expected: Any) -> list[str]:
    found = expected if isinstance(expected, list) else [expected]
    return [each for each in found if isinstance(each, str) and each.strip()]
