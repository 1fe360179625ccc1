"""What cannot run refuses to start, at its place; detectors that are alike look once."""

from textwrap import dedent

import pytest
from tests.policy.policies import a_registry

from pointsman.config.policies import parse_policy
from pointsman.domain.errors import ConfigurationError
from pointsman.policy.compiling import compile_policies
from pointsman.policy.registry import Registry

RULE = "rules: [{{id: a, stages: [{}], verdict: block, detectors: [d]}}]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("detectors:\n  d: {use: secret}\n" + RULE.format("request"),
         "policy.yaml:3:12: detectors.d: no detector 'secret' (did you mean 'secrets'?)"),
        ("detectors:\n  d: {regex: '(?<=a)b'}\n" + RULE.format("request"),
         "policy.yaml:3:14: detectors.d: not an RE2 pattern"),
        ("detectors:\n  d: {regex: 'a*'}\n" + RULE.format("request"), "matches the empty text"),
        ("detectors:\n  d: {regex: 'a(b)', group: 2}\n" + RULE.format("request"), "no 2"),
        ("detectors:\n  d: {regex: 'ab'}\n" + RULE.format("cache_hit"),
         "nothing here has a stage 'cache_hit' so far"),
        ("scope: {surfaces: [embeddings]}\ndetectors:\n  d: {regex: 'ab'}\n"
         + RULE.format("response"),
         "policy.yaml:2:19: rules[a]: embeddings has no stage 'response'; it runs on chat"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_at_its_place(text, said):
    with pytest.raises(ConfigurationError) as caught:
        compile_policies([parse_policy("id: x\n" + text)], Registry())
    assert said in caught.value.why
    assert caught.value.problems


def test_detectors_that_say_the_same_look_once():
    text = dedent("""
        id: {}
        detectors:
          one: {{use: finds}}
          two: {{regex: "ab", kind: k}}
        rules: [{{id: a, stages: [request], verdict: block, detectors: [one, two]}}]
    """)
    both = [parse_policy(text.format(name)) for name in ("first", "second")]
    first, second = compile_policies(both, a_registry())
    assert [each.key for each in first.rules[0].detectors] == [
        each.key for each in second.rules[0].detectors
    ]
    assert first.rules[0].detectors[1].detector is second.rules[0].detectors[1].detector
