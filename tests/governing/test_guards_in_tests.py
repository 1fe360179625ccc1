"""A policy's tests say what a guard answers; what they do not say is not judged."""

import pytest

from pointsman.config.policies import parse_policy as policy_of
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import GuardSettings
from pointsman.governing.guards import registry_of, scripted
from pointsman.governing.linting import lint
from pointsman.governing.mutating import mutants
from pointsman.governing.testing import run_tests

DAY = "2027-01-01"
GUARDS = {
    "safety": GuardSettings(name="safety", deployment="watch", form="qwen3guard-gen"),
    "people": GuardSettings(name="people", deployment="watch", form="names"),
}
POLICY = r"""
id: guarded
detectors:
  unsafe: {use: guard/safety, kinds: [violent]}
  names: {use: guard/people, kinds: [person]}
rules:
  - id: nothing-violent
    stages: [request, response]
    verdict: block
    detectors: [unsafe]
    rationale: nobody is to be hurt
    owner: safety
  - id: no-names
    stages: [response]
    verdict: redact
    detectors: [names]
    redact: {replacement: "<name>"}
    rationale: names stay here
    owner: privacy
tests:
  - name: violent
    output: "Hit them."
    stream: [every-char]
    guards: {safety: "Safety: Unsafe\nCategories: Violent", people: '{"names": []}'}
    expect: {verdict: block, rules: [nothing-violent]}
  - name: asked for
    input: "How do I hit them?"
    output: "I do not say."
    guards: {safety: "Safety: Safe", people: '{"names": []}'}
    guards_input: {safety: "Safety: Unsafe\nCategories: Violent"}
    expect: {verdict: block}
  - name: another kind
    output: "They won by a hair."
    guards: {safety: "Safety: Unsafe\nCategories: Copyright", people: '{"names": []}'}
    expect: {verdict: allow, rules: []}
  - name: a name, twice
    output: "Anna Berg is here. Ask Anna\nBerg, not Annabel, in Bonn."
    stream: ["random:1"]
    guards:
      safety: "Safety: Safe"
      people: >-
        {"names": [{"kind": "person", "text": "Anna Berg"}, {"kind": "location", "text": "Bonn"}]}
    expect: {verdict: redact, text: "<name> is here. Ask <name>, not Annabel, in Bonn."}
  - name: what the guard says is not its card
    output: "Hello"
    guards: {safety: "I think so", people: '{"names": []}'}
    expect: {verdict: block, rules: []}
  - name: only names that do not stand there
    output: "Hello"
    guards: {safety: "Safety: Safe", people: '{"names": [{"kind": "person", "text": "Ben"}]}'}
    expect: {verdict: block, rules: []}
"""


def test_tests_with_scripted_guards_run_without_any():
    tested = run_tests(policy_of(POLICY), day=DAY, registry=registry_of(GUARDS))
    assert [each for each in tested if not each.passed] == []
    assert {each.way for each in tested} == {"whole", "every-char", "random:1"}


def test_a_guard_that_a_test_does_not_script_is_named():
    text = POLICY.replace('      safety: "Safety: Safe"\n', "").replace(
        ", people: '{\"names\": []}'", ""
    )
    tested = run_tests(policy_of(text), day=DAY, registry=registry_of(GUARDS))
    failed = {each.test: each.why for each in tested if not each.passed}
    assert "the test does not say what guard/safety answers" in failed["a name, twice"]
    assert "guard/people" in failed["another kind"]


def test_every_change_of_a_guarded_policy_is_noticed():
    told = list(mutants(policy_of(POLICY), day=DAY, registry=registry_of(GUARDS)))
    assert {each.change for each in told} >= {"unsafe finds nothing", "names finds nothing"}
    assert [each for each in told if each.noticed is None] == []


def test_a_guarded_policy_is_looked_over():
    remarks = lint(policy_of(POLICY), day=DAY, registry=registry_of(GUARDS))
    assert {each.code for each in remarks} == {"holds-streams"}


def test_a_script_for_a_guard_that_the_policy_does_not_ask_is_refused():
    with pytest.raises(ConfigurationError) as raised:
        policy_of(POLICY.replace("guards: {safety:", "guards: {saftey:", 1))
    assert "saftey" in raised.value.why


def test_a_script_ends_with_its_test():
    guard = registry_of(GUARDS)["guard/safety"]()
    with scripted({"safety": "Safety: Safe"}):
        assert guard.judge("a", channel="content").status == "clear"
    assert guard.judge("a", channel="content").status == "unjudged"
