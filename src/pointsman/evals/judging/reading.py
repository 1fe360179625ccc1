"""What a judge said, read strictly: an answer that is not in form is unjudged, never a guess."""

import re

import msgspec

from pointsman.domain.judges import JudgeSpec
from pointsman.domain.messages import Reply
from pointsman.verifiers.answer import Found, Unjudged, parse_json

_FENCE = re.compile(r"\A```(?:json)?[ \t]*\n(.*)\n```\Z", re.DOTALL)
_MOST = 20_000  # characters of a judge's answer that are read
_REASON = 600  # characters kept of why


class Opinion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one request to a judge gave. Of a pair: 1 where the first shown is better, 0 the second,
    0.5 neither."""

    value: float | None = None  # in [0, 1]; None: it did not judge
    grade: int | None = None  # on its own scale
    why: str = ""  # its reason; why there is none, where it did not judge


def read_opinion(spec: JudgeSpec, reply: Reply) -> Opinion:
    """The opinion in a judge's reply; unjudged for anything but one object in the asked form."""
    if reply.refusal:
        return Opinion(why="the judge refused")
    if reply.finish_reason == "length":
        return Opinion(why="the judge's answer was cut off")
    text = reply.content.strip()
    if len(text) > _MOST:
        return Opinion(why="the judge's answer is far too long")
    whole = _FENCE.match(text)  # a whole answer in a fence leaves no doubt
    try:
        said = parse_json(whole.group(1).strip() if whole else text)
    except (Found, Unjudged) as wrong:
        return Opinion(why=f"the judge's answer is not in form: {wrong.detail}")
    key = "better" if spec.kind == "pairwise" else "verdict" if spec.scale is None else "grade"
    if not isinstance(said, dict) or key not in said or not said.keys() <= {"reason", key}:
        return Opinion(why=f"the judge's answer is not an object of `reason` and `{key}`")
    reason = said.get("reason", "")
    why = reason[:_REASON] if isinstance(reason, str) else ""
    return _valued(spec, said[key], why)


def _valued(spec: JudgeSpec, word: object, why: str) -> Opinion:
    if spec.kind == "pairwise":
        values = {"first": 1.0, "second": 0.0, **({"tie": 0.5} if spec.tie else {})}
        if isinstance(word, str) and word in values:
            return Opinion(value=values[word], why=why)
        return Opinion(why="the judge named neither answer")
    if spec.scale is None:
        if isinstance(word, str) and word in ("pass", "fail"):
            return Opinion(value=float(word == "pass"), why=why)
        return Opinion(why="the judge said neither pass nor fail")
    low, high = spec.scale
    if isinstance(word, bool) or not isinstance(word, int) or not low <= word <= high:
        return Opinion(why=f"the judge gave no whole grade from {low} to {high}")
    return Opinion(value=(word - low) / (high - low), grade=word, why=why)
