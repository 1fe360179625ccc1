"""Policy files: every mistake at its line, what is extended by its digest, whose they are."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from pointsman.config import load, parse, show
from pointsman.config.json_schema import policy_json_schema
from pointsman.config.policies import load_policies, parse_policy
from pointsman.config.policy_descriptions import POLICY_DESCRIPTIONS
from pointsman.config.policy_schema import RAW_POLICY_STRUCTS
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.policies import PolicyApproval

WHOLE = """id: whole
version: pointsman/policy.v1
mode: canary
canary: {percent: 5, seed: s}
scope: {tenants: ["clinic-*"], surfaces: [chat, messages]}
stages:
  response: {channels: [content, refusal], on_unjudged: hold, max_hold_chars: 4096}
detectors:
  badge: {regex: "EMP-([0-9]{6})", group: 1, kind: badge}
  words: {literal: [Falcon, Osprey], ignore_case: true}
  keys: {use: secrets, kinds: [aws], threshold: 0.5}
rules:
  - id: no-badge
    stages: [response, request]
    verdict: redact
    when: "badge.hit && principal.team != 'hr'"
    redact: {replacement: "[badge]"}
    obligations: {notify: security}
    owner: security
    review_by: 2027-06-30
    controls: ["owasp:LLM02"]
  - id: no-words
    stages: [response]
    verdict: block
    detectors: [words, keys]
exceptions:
  - {rule: no-badge, when: "tenant == 'clinic-1'", approved_by: [anna], expires: 2027-01-31}
tests:
  - {name: one, output: "EMP-123456", stream: [every-char, "random:7"],
     expect: {verdict: redact, rules: [no-badge], text: "EMP-[badge]"}}
"""
PLACED = re.compile(r"^\S+:[0-9]+:[0-9]+: \S")


def refused(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_policy(text)
    return caught.value.why


def test_a_whole_file():
    policy = parse_policy(WHOLE)
    assert [rule.id for rule in policy.rules] == ["no-badge", "no-words"]
    assert policy.rules[0].detectors == ("badge",)
    assert policy.marks["rules[no-badge].when"] == (16, 11)
    assert len(policy.digest) == 64


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("stages: [response]", "stages: [respons]", "23:14: rules[1].stages[0]: 'respons'"),
        ("badge.hit", "badge.hti", "16:18: rules[0].when: badge has no 'hti' (did you"),
        ("[words, keys]", "[word]", "25:17: rules[1].detectors[0]: no detector 'word' (did you"),
        ("rule: no-badge", "rule: no-bagde", "27:12: exceptions[0].rule: no rule 'no-bagde'"),
        ("2027-01-31", "2027-02-30", "27:82: exceptions[0].expires: wants a day"),
        ("canary: {percent: 5, seed: s}\n", "", "3:7: mode: `mode: canary` and"),
        ("on_unjudged: hold", "on_unjudged: fail_open", "needs `fail_open: {reason, expires}`"),
        ("use: secrets", "regex: a, use: secrets", "needs exactly one of use, regex and literal"),
        ("verdict: redact\n", "verdict: rewrite\n", "`verdict: rewrite` and `rewrite: {text"),
        ("every-char", "every-word", "wants whole, every-char or random:SEED"),
        ("approved_by: [anna]", "approved_by: []", "exceptions[0].approved_by: needs at least one"),
        ("id: no-words", "id: no-badge", "22:9: rules[1].id: a second rule 'no-badge'"),
    ],
)  # fmt: skip
def test_each_mistake_stands_at_its_place(before, after, said):
    assert before in WHOLE
    assert said in refused(WHOLE.replace(before, after, 1))


def test_an_approval_is_of_what_stands_there():
    def approved(*approvals, text=WHOLE):
        said = ", ".join(f"{{principal: {who}, digest: '{digest}'}}" for who, digest in approvals)
        return text.replace("expires: 2027-01-31}", f"expires: 2027-01-31, approvals: [{said}]}}")

    wrong = refused(approved(("login#7", "0" * 16)))
    now = re.search("what stands here is ([0-9a-f]{16})", wrong)[1]
    policy = parse_policy(approved(("login#7", now)))
    assert policy.exceptions[0].approvals == (PolicyApproval(principal="login#7", digest=now),)
    assert parse_policy(approved(("login#7", now), text=WHOLE.replace("owner: security", "")))
    for before, after in (("clinic-1'", "clinic-2'"), ("EMP-", "EMQ-"), ("redact\n", "block\n"),
                          ("2027-01-31", "2028-01-31")):  # fmt: skip
        assert before in WHOLE
        changed = approved(("login#7", now)).replace(before, after)
        assert "allowed something else" in refused(changed), before
    two = WHOLE.replace("approved_by: [anna]", "approved_by: [anna, ben]")
    assert "fewer have approved" in refused(approved(("login#7", now), ("login#7", now), text=two))
    assert parse_policy(approved(("login#7", now), ("login#8", now), text=two))


def test_a_rule_without_a_condition_or_detector_is_refused():
    assert "would fire on everything" in refused(
        "id: x\nrules: [{id: a, stages: [request], verdict: block}]"
    )


def test_the_digest_is_of_the_meaning_not_of_the_form():
    one = parse_policy(WHOLE)
    moved = parse_policy("# words\n" + WHOLE.replace("rules: [no-badge], ", ""), name="other.yaml")
    assert moved.digest == one.digest
    assert parse_policy(WHOLE.replace("percent: 5", "percent: 6")).digest != one.digest


BASE = """id: base-secrets
base: true
detectors:
  keys: {use: secrets}
rules:
  - {id: no-keys, stages: [response], verdict: redact, detectors: [keys]}
"""


def folder_with(tmp_path, child: str):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "child.yaml").write_text(child)
    return [tmp_path / "child.yaml", tmp_path / "base.yaml"]


def test_what_is_extended_is_named_by_its_digest(tmp_path):
    digest = parse_policy(BASE).digest
    child = f"""id: child
extends: ["base-secrets@sha256:{digest[:16]}"]
rules:
  - {{id: more, stages: [response], verdict: block, when: "keys.count > 3"}}
"""
    policies = load_policies(folder_with(tmp_path, child))
    by_id = {each.id: each for each in policies}
    assert [rule.id for rule in by_id["child"].rules] == ["no-keys", "more"]
    assert by_id["child"].extends == (f"base-secrets@sha256:{digest}",)
    assert by_id["base-secrets"].base


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("base-secrets@sha256:0123456789abcdef", "base-secrets is another by now"),
        ("base-secrets", "base-secrets is another by now"),
        ("base", "no policy 'base' among the files that are read: base-secrets, child"),
        ("child@sha256:0123456789abcdef", "child extends itself"),
    ],
)
def test_what_is_extended_and_changed_is_refused(tmp_path, reference, said):
    with pytest.raises(ConfigurationError) as caught:
        load_policies(folder_with(tmp_path, f'id: child\nextends: ["{reference}"]\n'))
    assert said in caught.value.why
    assert "child.yaml:2:" in caught.value.why


CONFIG = """
deployments:
  local: {model: m, base_url: "http://127.0.0.1:1/v1"}
tasks:
  triage: {}
policies:
  all:
    files: ["policies/*.yaml"]
    tasks: [triage]
    tenants: ["clinic-*"]
"""


def test_a_configuration_names_policies_and_whose_they_are(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "whole.yaml").write_text(WHOLE)
    path = tmp_path / "pointsman.yaml"
    path.write_text(CONFIG)
    config = load(path, env={})
    [binding] = config.policies
    assert (binding.name, binding.tasks, binding.tenants) == ("all", ("triage",), ("clinic-*",))
    assert [policy.id for policy in binding.policies] == ["whole"]
    assert str(tmp_path / "policies" / "whole.yaml") in config.files
    again = parse(show(config, with_defaults=False), base=tmp_path)
    assert again.digest == config.digest
    (tmp_path / "policies" / "whole.yaml").write_text(WHOLE.replace("percent: 5", "percent: 6"))
    assert load(path, env={}).digest != config.digest


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("policies/*.yaml", "policy/*.yaml", ":8:13: policies.all.files[0]: no file matches"),
        ("[triage]", "[traige]", ":9:13: policies.all.tasks[0]: no task 'traige' (did you mean"),
    ],
)
def test_a_configuration_that_names_none_is_refused(tmp_path, before, after, said):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "whole.yaml").write_text(WHOLE)
    path = tmp_path / "pointsman.yaml"
    path.write_text(CONFIG.replace(before, after))
    with pytest.raises(ConfigurationError) as caught:
        load(path, env={})
    assert said in caught.value.why


def test_no_word_of_a_list_and_no_test_is_written_into_the_journal(tmp_path):
    from pointsman.config import as_json

    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "whole.yaml").write_text(WHOLE)
    (tmp_path / "pointsman.yaml").write_text(CONFIG)
    told = str(as_json(load(tmp_path / "pointsman.yaml", env={})))
    assert "no-badge" in told
    assert "Falcon" not in told
    assert "EMP-123456" not in told


ODD = st.sampled_from(["", " ", "\t", ":", "-", "[", "{", "}", "'", '"', "#", "\n", "é", "x", "0"])


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 4), ODD)
@settings(max_examples=150)
def test_a_changed_character_loads_or_is_placed(at, removed, added):
    try:
        parse_policy(WHOLE[:at] + added + WHOLE[at + removed :])
    except ConfigurationError as error:
        lines = error.why.split("\n        ")
        assert all(PLACED.match(line) for line in lines if not line.startswith("and "))


SCHEMA = policy_json_schema()


def test_the_schema_takes_what_the_loader_takes():
    document = YAML(typ="safe", pure=True).load(WHOLE)
    document["rules"][0]["review_by"] = "2027-06-30"  # other readers make dates of days
    document["exceptions"][0]["expires"] = "2027-01-31"
    assert list(Draft202012Validator(SCHEMA).iter_errors(document)) == []
    document["rules"][0]["verdct"] = "block"
    assert not Draft202012Validator(SCHEMA).is_valid(document)


@pytest.mark.parametrize("struct", RAW_POLICY_STRUCTS)
def test_every_key_says_what_it_is_for(struct):
    assert set(POLICY_DESCRIPTIONS[struct.__name__]) == set(struct.__struct_fields__)
