"""Streams under policies, for every split: nothing protected comes out, the verdict is the same."""

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.governing.governed import bound

from pointsman.domain.ports import Chunk
from pointsman.domain.verdict import Judgement
from pointsman.governing.answers import texts_of_answer
from pointsman.governing.governor import Governor, delivered, judged
from pointsman.governing.outlook import outlook
from pointsman.governing.screen import Screen
from pointsman.policy.facts import Facts
from pointsman.policy.registry import Registry

POLICY = """
id: all
detectors:
  code: {regex: "EMP-[0-9]{4,6}"}
  key: {regex: "key: ([a-z]{3,8}[0-9])", group: 1}
  word: {literal: [Falcon-9, Falcon Heavy], ignore_case: true}
rules:
  - {id: code, stages: [response], verdict: redact, detectors: [code], redact: {replacement: <c>}}
  - {id: key, stages: [response], verdict: redact, detectors: [key], redact: {replacement: <k>}}
  - {id: word, stages: [stream, response], verdict: VERDICT, when: "word.hit && tenant != 'x'"}
"""
GOVERNORS = {
    verdict: Governor(bound(POLICY.replace("VERDICT", verdict)))
    for verdict in ("block", "redact", "escalate", "annotate")
}
FACTS = Facts(stream=True)
PIECES = st.sampled_from([
    "EMP-", "EMP-1234", "EMP-12345", "12", "9", "key: ", "key: abc1", "abc", "Falcon", "falcon-9",
    "-9", " Heavy", "Fal", " ", "\n", "é", "😀", "ok", "E", "EM", "\u200b", "К", "a" * 9,
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)
FIELDS = ("content", "reasoning_content", "refusal", "tool0", "tool1")


def delta(field: str, piece: str) -> dict:
    if not field.startswith("tool"):
        return {field: piece}
    return {"tool_calls": [{"index": int(field[4:]), "function": {"arguments": piece}}]}


def split(text: str, cuts: list[int]) -> list[str]:
    at = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in itertools.pairwise(at)]


@st.composite
def streams(draw):
    """Texts by choice and field, and their pieces in some interleaving."""
    choices = draw(st.integers(1, 2))
    texts = {
        (choice, field): draw(TEXTS)
        for choice in range(choices)
        for field in draw(st.sets(st.sampled_from(FIELDS), min_size=1, max_size=3))
    }
    queues = {
        key: split(text, draw(st.lists(st.integers(0, 40), max_size=30)))
        for key, text in texts.items()
    }
    order = draw(st.permutations([key for key, pieces in queues.items() for _ in pieces]))
    return texts, [(key, queues[key].pop(0)) for key in order], choices


def chunk(choice: int, said: dict, finish: str | None = None) -> Chunk:
    body = {"id": "c", "choices": [{"index": choice, "delta": said, "finish_reason": finish}]}
    return Chunk(data=msgspec.json.encode(body), content=bool(said))


def run(governor: Governor, pieces, choices, facts=FACTS):
    """What a client puts together, whether it was filtered, and the screen."""
    policies = governor.rules(facts).outbound
    screen = Screen(policies, facts, outlook(policies, facts), governor.compiled)
    out: list[Chunk] = []
    for (choice, field), piece in pieces:
        out += screen.push([chunk(choice, delta(field, piece))])
        if screen.stopped:
            break
    if not screen.stopped:
        out += screen.push([chunk(choice, {}, "stop") for choice in range(choices)])
    out += screen.end()
    return put_together(out), screen


def put_together(chunks):
    said: dict = {}
    finish = {}
    for one in chunks:
        for choice in msgspec.json.decode(one.data)["choices"]:
            at = choice["index"]
            if choice.get("finish_reason"):
                assert at not in finish, "a choice ends once"
                finish[at] = choice["finish_reason"]
            for field, value in (choice.get("delta") or {}).items():
                if field == "tool_calls":
                    for call in value:
                        key = (at, f"tool{call['index']}")
                        said[key] = said.get(key, "") + call["function"]["arguments"]
                else:
                    said[at, field] = said.get((at, field), "") + value
    return said, finish


def whole(governor: Governor, texts, choices):
    """The same answer, not streamed."""
    made = []
    for at in range(choices):
        message: dict = {"role": "assistant", "content": None}
        for (choice, field), text in texts.items():
            if choice == at and not field.startswith("tool"):
                message[field] = text
            elif choice == at:
                call = {"id": field, "function": {"arguments": text}}
                message.setdefault("tool_calls", []).append(call)
        made.append({"index": at, "message": message, "finish_reason": "stop"})
    body = msgspec.json.encode({"id": "c", "choices": made})
    policies = governor.rules(FACTS).outbound
    found = list(texts_of_answer(body, stream=True))
    _, decided = judged(policies, FACTS, found)
    return decided, msgspec.json.decode(delivered(policies, FACTS, decided, body, found))


def protected(governor: Governor, texts):
    """Spans of every enforced rule by text, each as a set of offsets."""
    policies = governor.rules(FACTS).outbound
    found = {}
    for key, text in texts.items():
        spans = [
            span
            for policy in policies
            for rule in policy.rules
            if rule.spec.verdict != "annotate"
            for each in rule.detectors
            for span in each.detector.judge(text, channel="content").findings
        ]
        found[key] = {at for span in spans for at in range(span.start, span.end)}
    return found


@given(streams(), st.sampled_from(["redact", "annotate"]))
@settings(max_examples=150)
def test_what_is_redacted_is_as_in_a_whole_answer_however_it_is_cut(stream, verdict):
    texts, pieces, choices = stream
    governor = GOVERNORS[verdict]
    (said, finish), screen = run(governor, pieces, choices)
    decided, body = whole(governor, texts, choices)
    assert screen.decided is not None
    assert screen.decided.verdict == decided.verdict
    assert set(finish.values()) == {"stop"}
    for choice in body["choices"]:
        message, at = choice["message"], choice["index"]
        calls = message.pop("tool_calls", [])
        for field, text in message.items():
            if field != "role" and text is not None:
                assert said.get((at, field), "") == text
        for call in calls:
            assert said.get((at, call["id"]), "") == call["function"]["arguments"]


@given(streams())
@settings(max_examples=150)
def test_a_blocked_stream_ends_before_any_protected_character(stream):
    texts, pieces, choices = stream
    governor = GOVERNORS["block"]
    (said, finish), screen = run(governor, pieces, choices)
    decided, _ = whole(governor, texts, choices)
    assert screen.decided is not None
    assert screen.decided.verdict == decided.verdict
    if decided.verdict == "block":
        assert set(finish.values()) == {"content_filter"}
    spans = protected(governor, texts)
    for key, text in said.items():
        left = text.replace("<c>", "").replace("<k>", "")
        free = "".join(c for at, c in enumerate(texts[key]) if at not in spans[key])
        assert free.startswith(left)


@given(streams())
@settings(max_examples=60)
def test_what_must_be_seen_whole_shows_nothing_before(stream):
    texts, pieces, choices = stream
    governor = GOVERNORS["escalate"]
    policies = governor.rules(FACTS).outbound
    ahead = outlook(policies, FACTS)
    assert ahead.whole.startswith("all: word: `escalate`")
    screen = Screen(policies, FACTS, ahead, governor.compiled)
    assert all(screen.push([chunk(c, delta(f, piece))]) == [] for (c, f), piece in pieces)
    (said, finish), screen = run(governor, pieces, choices)
    decided, _ = whole(governor, texts, choices)
    assert screen.decided is not None
    assert screen.decided.verdict == decided.verdict
    if decided.verdict == "escalate":
        assert said == {}
        assert set(finish.values()) == {"content_filter"}


def test_a_rule_that_is_not_for_a_request_keeps_nothing_back():
    facts = Facts(stream=True, tenant="x")
    policies = GOVERNORS["escalate"].rules(facts).outbound
    ahead = outlook(policies, facts)
    assert ahead.whole == ""
    assert {each.bound.name for each in ahead.guards["content"]} == {"code", "key"}


@given(st.text(alphabet="abc xyz.\n", max_size=60), st.lists(st.integers(0, 60)))
def test_benign_text_comes_out_as_it_went_in(text, cuts):
    pieces = [((0, "content"), piece) for piece in split(text, cuts)]
    (said, _), screen = run(GOVERNORS["block"], pieces, 1)
    assert said.get((0, "content"), "") == text
    assert screen.decided is not None
    assert screen.decided.verdict == "allow"


def test_chunks_that_hold_nothing_go_on_byte_for_byte():
    one = Chunk(
        data=b'{"id":"c","x":[1.50],"choices":[{"delta":{"content":"ok"},"logprobs":null}]}',
        content=True,
    )
    policies = GOVERNORS["block"].rules(FACTS).outbound
    screen = Screen(policies, FACTS, outlook(policies, FACTS), GOVERNORS["block"].compiled)
    assert screen.push([one]) == [one]


def test_what_cannot_be_read_waits_and_its_logprobs_never_come():
    policies = GOVERNORS["block"].rules(FACTS).outbound
    screen = Screen(policies, FACTS, outlook(policies, FACTS), GOVERNORS["block"].compiled)
    delta = {"content": "a", "audio": {"data": "AA"}}
    body = msgspec.json.encode({"choices": [{"index": 0, "delta": delta, "logprobs": {"c": 1}}]})
    [out] = screen.push([Chunk(data=body, content=True)])
    assert b'"a"' in out.data
    assert b"AA" not in out.data
    rest = screen.end()
    assert b"content_filter" in rest[0].data
    assert all(b"AA" not in each.data and b"logprobs" not in each.data for each in [out, *rest])


STANDARD = """
id: standard
detectors:
  it: {use: plain, kinds: [email, secret]}
rules:
  - {id: it, stages: [response], verdict: redact, detectors: [it], redact: {replacement: "*"}}
"""


PLAIN = Governor(bound(STANDARD))


@given(st.lists(st.integers(0, 90)))
def test_the_plain_forms_let_a_stream_go_on(cuts):
    text = "Ask anna@example.org, or +49 30 123456, with sk-abcdefghijklmnopqrstuvwx and so on."
    pieces = [((0, "content"), piece) for piece in split(text, cuts)]
    (said, _), screen = run(PLAIN, pieces, 1)
    assert not screen.whole
    assert said[0, "content"] == "Ask *, or +49 30 123456, with * and so on."


class Judges:
    """Says of a text as a whole that it is bad, from its third `!` on."""

    name, version, by_segment = "judges", "1", True

    def __init__(self):
        self.texts = []

    def judge(self, text, *, channel):
        self.texts.append(text)
        score = min(1.0, text.count("!") / 3)
        status = "found" if score == 1 else "clear"
        return Judgement(detector="judges", version="1", status=status, score=score)


SEGMENTS = """
id: judged
detectors:
  bad: {use: judges, threshold: 0.99}
  code: {regex: "EMP-[0-9]{4,6}"}
rules:
  - {id: bad, stages: [response], verdict: block, when: bad.score >= 0.99 && bad.hit}
  - {id: code, stages: [response], verdict: redact, detectors: [code], redact: {replacement: <c>}}
"""
SENTENCES = st.lists(
    st.sampled_from(["All is well here. ", "Oh no! ", "Ask EMP-12345 about it. ", "w " * 60]),
    max_size=14,
).map("".join)


@given(SENTENCES, st.lists(st.integers(0, 600), max_size=40))
@settings(max_examples=80)
def test_no_segment_goes_on_before_its_own_verdict(text, cuts):
    detector = Judges()
    governor = Governor(bound(SEGMENTS), Registry({"judges": lambda: detector}))
    policies = governor.rules(FACTS).outbound
    ahead = outlook(policies, FACTS)
    assert ahead.whole == ""
    assert "content" in ahead.segments
    screen = Screen(policies, FACTS, ahead, governor.compiled)
    said = ""
    for piece in split(text, cuts):
        out = screen.push([chunk(0, {"content": piece})])
        said += put_together(out)[0].get((0, "content"), "")
        if screen.stopped:
            break
        judged_to = max(map(len, detector.texts), default=0)
        assert len(said.replace("<c>", "EMP-12345")) <= judged_to
    if not screen.stopped:
        screen.push([chunk(0, {}, "stop")])
    rest = screen.end()
    bad = text.count("!") >= 3
    assert screen.decided is not None
    assert screen.decided.verdict == ("block" if bad else "redact" if "EMP" in text else "allow")
    assert (b"content_filter" in rest[0].data if rest else False) == bad


BOUNDED = """
id: bounded
detectors:
  long: {regex: "KEY-[a-z]{4,900};"}
stages:
  response: {max_hold_chars: 32}
rules:
  - {id: long, stages: [response], verdict: redact, detectors: [long]}
"""


def test_what_would_have_to_be_held_too_long_is_blocked_and_says_why():
    governor = Governor(bound(BOUNDED))
    pieces = [((0, "content"), piece) for piece in ["so KEY-", *(["abcdefgh"] * 6), ";"]]
    (said, finish), screen = run(governor, pieces, 1)
    assert said[0, "content"] == "so "
    assert finish == {0: "content_filter"}
    assert screen.decided is not None
    assert screen.decided.verdict == "block"
    assert "more than 32 characters" in screen.decided.why
    assert screen.screening(took_us=0).held_chars <= 32 + len("abcdefgh")
