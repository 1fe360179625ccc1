"""Facts and judgements to a verdict: scope, conditions, modes, exceptions, what was not judged."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.policies import Finds, a_policy

from pointsman.domain.verdict import Seen, Subject
from pointsman.policy.evaluating import Decided, decide, redactions
from pointsman.policy.facts import Facts, enforced
from pointsman.policy.verdicts import redacted

RESPONSE = Subject(stages=("response",))
BASIC = """
id: basic
detectors:
  word: {use: finds}
rules:
  - id: no-word
    stages: [response]
    verdict: block
    detectors: [word]
"""


def judged(policy, text="bad", subject=RESPONSE, **facts):
    judgements = {
        bound.key: bound.detector.judge(text, channel=subject.channel)
        for rule in policy.rules
        for bound in rule.detectors
    }
    seen = [Seen(subject=subject, chars=len(text), judgements=judgements)]
    return decide([policy], Facts(**facts), seen)


def test_a_rule_fires_where_its_detector_hits():
    policy = a_policy(BASIC)
    assert judged(policy).verdict == "block"
    assert judged(policy, "good").verdict == "allow"
    assert judged(policy).why == "basic: no-word"


def test_a_rule_looks_at_its_own_stages_only():
    assert judged(a_policy(BASIC), subject=Subject(stages=("request",))).verdict == "allow"


def test_every_channel_is_looked_at_unless_said_otherwise():
    policy = a_policy(BASIC)
    for channel in ("content", "reasoning", "tool_args", "refusal"):
        subject = Subject(stages=("response",), channel=channel)
        assert judged(policy, subject=subject).verdict == "block"
    narrow = a_policy(
        BASIC.replace("detectors: [word]", "detectors: [word]\n    channels: [content]")
    )
    assert (
        judged(narrow, subject=Subject(stages=("response",), channel="reasoning")).verdict
        == "allow"
    )


def test_a_condition_reads_detectors_and_facts():
    policy = a_policy(BASIC.replace(
        "detectors: [word]",
        "when: \"word.hit && word.score >= 0.5 && 'word' in word.kinds && tenant != 'trusted'\"",
    ))  # fmt: skip
    assert judged(policy).verdict == "block"
    assert judged(policy, tenant="trusted").verdict == "allow"


def test_what_could_not_be_looked_at_blocks_by_default():
    said = judged(a_policy(BASIC), "???")
    assert said.verdict == "block"
    assert said.unjudged[0].reason == "question marks"


@pytest.mark.parametrize(("day", "verdict"), [("2026-12-31", "allow"), ("2027-01-01", "block")])
def test_it_passes_only_until_the_day_that_was_said(day, verdict):
    policy = a_policy(BASIC + """
stages:
  response: {on_unjudged: fail_open, fail_open: {reason: new detector, expires: 2027-01-01}}
""")  # fmt: skip
    assert judged(policy, "???", day=day).verdict == verdict
    assert judged(policy, "bad", day=day).verdict == "block"


def test_what_another_part_of_the_condition_decides_needs_no_look():
    policy = a_policy(BASIC.replace("detectors: [word]", "when: \"word.hit && tenant == 'x'\""))
    assert judged(policy, "???", tenant="y").verdict == "allow"
    assert judged(policy, "???", tenant="x").verdict == "block"


def test_a_rule_may_ask_whether_it_could_look():
    policy = a_policy(BASIC.replace("detectors: [word]", "when: word.unjudged"))
    assert [each.rule for each in judged(policy, "???").fired] == ["no-word"]
    assert judged(policy, "bad").verdict == "allow"


def test_shadow_is_told_and_changes_nothing():
    said = judged(a_policy("mode: shadow\n" + BASIC))
    assert said.verdict == "allow"
    assert [(each.rule, each.how) for each in said.fired] == [("no-word", "shadow")]


def test_a_rule_has_its_own_mode():
    own = BASIC.replace("verdict: block", "verdict: block\n    mode: enforce")
    assert judged(a_policy("mode: shadow\n" + own)).verdict == "block"


@given(st.text(max_size=20), st.floats(0, 100), st.floats(0, 100))
def test_a_canary_only_grows_and_is_the_same_each_time(unit, one, other):
    text = "mode: canary\ncanary: {{percent: {}, seed: s}}\n" + BASIC.replace("{", "{{").replace(
        "}", "}}"
    )
    small = a_policy(text.format(f"{min(one, other):.3f}")).spec.mode
    large = a_policy(text.format(f"{max(one, other):.3f}")).spec.mode
    assert enforced(small, unit) <= enforced(large, unit)
    assert enforced(small, unit) == enforced(small, unit)


def test_a_canary_is_for_its_share():
    mode = a_policy("mode: canary\ncanary: {percent: 20, seed: s}\n" + BASIC).spec.mode
    share = sum(enforced(mode, f"unit-{at}") for at in range(4000)) / 4000
    assert 0.17 < share < 0.23  # 0.2 with a standard error of 0.0063


EXCEPTED = (
    BASIC
    + """
exceptions:
  - rule: no-word
    when: "principal.name == 'pharmacy'"
    approved_by: [anna]
    expires: 2027-01-31
"""
)


@pytest.mark.parametrize(
    ("who", "day", "verdict"),
    [("pharmacy", "2027-01-30", "allow"), ("pharmacy", "2027-01-31", "block"),
     ("other", "2027-01-30", "block")],
)  # fmt: skip
def test_an_exception_is_for_whom_it_says_and_ends(who, day, verdict):
    said = judged(a_policy(EXCEPTED), principal=who, day=day)
    assert said.verdict == verdict
    assert said.fired[0].how == ("excepted" if verdict == "allow" else "enforced")


def test_a_policy_is_for_whom_its_scope_says():
    policy = a_policy("scope: {tenants: ['clinic-*'], tasks: [triage]}\n" + BASIC)
    assert judged(policy, tenant="clinic-a", task="triage").verdict == "block"
    assert judged(policy, tenant="clinic-a", task="other").verdict == "allow"
    assert judged(policy, tenant="bank", task="triage").verdict == "allow"


def test_obligations_are_a_union_and_an_unknown_one_blocks():
    known = "verdict: annotate\n    obligations: {notify: ops}"
    said = judged(a_policy(BASIC.replace("verdict: block", known)))
    assert (said.verdict, said.obligations) == ("annotate", {"notify": ("ops",)})
    odd = "verdict: annotate\n    obligations: {notify: ops, sing: loudly}"
    said = judged(a_policy(BASIC.replace("verdict: block", odd)))
    assert (said.verdict, said.not_known) == ("block", ("sing",))
    assert "sing" in said.why


def test_redactions_of_several_rules_are_one_union():
    policy = a_policy("""
id: two
detectors:
  a: {regex: "[0-9]{4}"}
  b: {literal: ["42 is"]}
rules:
  - {id: a, stages: [response], verdict: redact, detectors: [a], redact: {replacement: "<n>"}}
  - {id: b, stages: [response], verdict: redact, detectors: [b]}
""")
    text = "é 1942 is it"
    said = judged(policy, text)
    assert redacted(text, redactions([policy], said, RESPONSE)) == "é <n> it"


def test_thresholds_and_kinds_narrow_what_counts():
    strict = BASIC.replace("{use: finds}", "{use: finds, threshold: 0.9}")
    assert judged(a_policy(strict, Finds(score=0.8))).verdict == "allow"
    assert judged(a_policy(strict, Finds(score=0.95))).verdict == "block"
    other = BASIC.replace("{use: finds}", "{use: finds, kinds: [number]}")
    assert judged(a_policy(other)).verdict == "allow"


@given(st.sampled_from(["bad", "good", "???", "so bad"]), st.sampled_from(["pharmacy", "x"]))
def test_the_same_inputs_give_the_same_verdict_from_what_was_written_down(text, who):
    policy = a_policy(EXCEPTED)
    said = judged(policy, text, principal=who, day="2026-11-24")
    judgements = {
        bound.key: bound.detector.judge(text, channel="content")
        for rule in policy.rules for bound in rule.detectors
    }  # fmt: skip
    seen = Seen(subject=RESPONSE, chars=len(text), judgements=judgements)
    again = msgspec.json.decode(msgspec.json.encode(seen), type=Seen)
    facts = msgspec.json.decode(
        msgspec.json.encode(Facts(principal=who, day="2026-11-24")), type=Facts
    )
    assert decide([policy], facts, [again]) == said
    assert msgspec.json.decode(msgspec.json.encode(said), type=Decided) == said
