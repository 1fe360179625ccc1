"""The packs of rules that come with us: sound, tested, and every rule missed if it were gone."""

import pytest
from click.testing import CliRunner

from pointsman.cli import cli
from pointsman.cli.policy_pack import packs
from pointsman.config.policies import load_policies, parse_policy
from pointsman.governing.linting import lint
from pointsman.governing.mutating import mutants
from pointsman.governing.testing import run_tests

DAY = "2026-11-24"
DOMAINS = {"customer-support", "finance", "health", "legal", "hr", "code"}


def test_there_is_one_for_each_domain():
    assert set(packs()) == DOMAINS


@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_a_pack_is_sound_and_its_tests_pass(name):
    spec = parse_policy(packs()[name], name=f"{name}.yaml")
    assert [each for each in lint(spec, day=DAY) if each.level == "error"] == []
    untested = [each for each in lint(spec, day=DAY) if each.code == "untested"]
    assert untested == []
    assert [each for each in run_tests(spec, day=DAY) if not each.passed] == []
    for rule in spec.rules:
        assert rule.rationale, rule.id
        assert rule.owner, rule.id
        assert rule.controls, rule.id
        assert DAY < rule.review_by <= "2027-12-31", rule.id


@pytest.mark.deep
@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_some_test_fails_whichever_rule_is_changed(name):
    spec = parse_policy(packs()[name], name=f"{name}.yaml")
    changed = list(mutants(spec, day=DAY))
    assert len(changed) > 2 * len(spec.rules)
    assert [each for each in changed if each.noticed is None] == []


def test_the_verbs(tmp_path):
    run = CliRunner().invoke
    assert "finance" in run(cli, ["policy", "pack", "list"]).stdout
    words = ["policy", "pack", "copy", "finance", "health", "--to", str(tmp_path / "policies")]
    assert run(cli, words).exit_code == 0
    copies = sorted((tmp_path / "policies").glob("*.yaml"))
    assert [spec.id for spec in load_policies(copies)] == ["finance", "health"]
    shown = run(cli, ["policy", "pack", "show", "finance"]).stdout
    assert shown == copies[0].read_text()
    assert "is there already" in str(run(cli, words).exception)
    assert "no pack" in str(run(cli, ["policy", "pack", "show", "x"]).exception)
