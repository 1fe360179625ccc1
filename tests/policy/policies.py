"""Policies for tests: a text to a compiled policy, and a detector that finds what it is told."""

from textwrap import dedent

from pointsman.config.policies import parse_policy
from pointsman.policy.compiling import Policy, compile_policies
from pointsman.policy.finding import Finding, Judgement
from pointsman.policy.registry import Registry


class Finds:
    """Finds a word; cannot look at a text that holds `???`."""

    version = "1"

    def __init__(self, name="finds", word="bad", score=1.0):
        self.name, self.word, self.score = name, word, score
        self.looked = 0

    def judge(self, text, *, channel):
        self.looked += 1
        if "???" in text:
            return Judgement(
                detector=self.name, version="1", status="unjudged", reason="question marks"
            )
        at = text.find(self.word)
        if at < 0:
            return Judgement(detector=self.name, version="1", status="clear")
        found = Finding(detector=self.name, rule=self.word, kind="word", start=at,
                        end=at + len(self.word), score=self.score)  # fmt: skip
        return Judgement(
            detector=self.name, version="1", status="found", findings=(found,), score=self.score
        )


def a_registry(*detectors):
    made = detectors or (Finds(),)
    return Registry({each.name: (lambda each=each: each) for each in made})


def a_policy(text: str, *detectors) -> Policy:
    [policy] = compile_policies([parse_policy(dedent(text))], a_registry(*detectors))
    return policy
