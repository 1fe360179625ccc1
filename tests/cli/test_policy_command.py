"""`pointsman policy test|lint|explain|replay`, and what `trace show` tells of policies."""

import json
import re
import subprocess
import sys

import pytest
from tests.governing.governed import REDACT, governed

from pointsman.config.emitting import emit
from pointsman.testing import ScriptedUpstream, chat_answer, chat_stream

SOUND = """id: codes
detectors:
  code: {regex: "EMP-[0-9]{6}"}
rules:
  - id: no-codes
    stages: [response, request]
    verdict: redact
    when: code.hit && tenant != 'hr'
    rationale: codes are personal
    owner: security
exceptions:
  - {rule: no-codes, when: "principal.name == 'payroll'", approved_by: [anna], expires: 2027-01-31}
tests:
  - {name: a code, output: "it is EMP-123456.", stream: [every-char, "random:3"],
     expect: {verdict: redact, rules: [no-codes], text: "it is [redacted]."}}
  - {name: asked, input: "EMP-123456", expect: {verdict: redact}}
  - {name: not a code, output: "EMP-12", expect: {verdict: allow, rules: []}}
  - {name: hr, output: "EMP-123456", facts: {tenant: hr}, expect: {verdict: allow}}
  - {name: payroll, output: "EMP-123456", facts: {principal: payroll, day: 2027-01-30},
     expect: {verdict: allow}}
  - {name: payroll later, output: "EMP-123456", facts: {principal: payroll, day: 2027-01-31},
     expect: {verdict: redact}}
"""


def policy(*args):
    """Exit code, stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "pointsman", "policy", *map(str, args)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def in_process(capsys):
    """The same without a process: exit code and the JSON on stdout."""
    from pointsman.cli import _exit_code

    def run(*args):
        code = _exit_code(["policy", *map(str, args)])
        out = capsys.readouterr()
        return code, json.loads(out.out)

    return run


def written(tmp_path, text=SOUND, name="codes.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_sound_tests_pass_and_notice_every_change(tmp_path, in_process):
    code, told = in_process("test", written(tmp_path), "--mutate", "--json")
    assert code == 0
    assert told["passed"]
    assert {each["way"] for each in told["tests"]} == {"whole", "every-char", "random:3"}
    assert len(told["mutants"]) == 5
    assert all(each["noticed"] for each in told["mutants"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[0-9]{6}", "[0-9]{7}"),
        ("tenant != 'hr'", "tenant == 'hr'"),
        ("expires: 2027-01-31", "expires: 2027-01-30"),
        ("verdict: redact\n", "verdict: block\n"),
        ("stages: [response, request]", "stages: [response]"),
        ("stages: [response, request]", "stages: [request]"),
    ],
)
def test_a_flipped_rule_fails_some_test(tmp_path, in_process, before, after):
    assert before in SOUND
    code, told = in_process("test", written(tmp_path, SOUND.replace(before, after)), "--json")
    assert code == 4
    assert not told["passed"]


def test_tests_that_notice_nothing_are_told(tmp_path, in_process):
    lazy = SOUND[: SOUND.index("tests:")] + (
        "tests:\n  - {name: a, output: fine, expect: {verdict: allow}}\n"
    )
    code, told = in_process("test", written(tmp_path, lazy), "--mutate", "--json")
    assert code == 4
    assert {each["change"] for each in told["mutants"] if each["noticed"] is None} >= {
        "taken out", "code finds nothing", "block for redact",
    }  # fmt: skip


def test_a_sound_policy_gets_no_remark(tmp_path):
    code, out, err = policy("lint", written(tmp_path), "--day", "2026-11-24")
    assert (code, out) == (0, "nothing to remark\n")
    assert "codes@sha256:" in err
    digest = re.search(r"exceptions\[0\] is ([0-9a-f]{16}), which nobody has approved", err)[1]
    approved = SOUND.replace(
        "expires: 2027-01-31}",
        f"expires: 2027-01-31, approvals: [{{principal: anna, digest: '{digest}'}}]}}",
    )
    code, out, err = policy("lint", written(tmp_path, approved), "--day", "2026-11-24")
    assert (code, out) == (0, "nothing to remark\n")
    assert "nobody has approved" not in err


@pytest.mark.parametrize(
    ("before", "after", "code", "place"),
    [
        ("code.hit && tenant != 'hr'", "code.hit && false", "dead-rule", (8, 11)),
        ("code.hit && tenant != 'hr'", "code.hit || true", "always-fires", (8, 11)),
        ("code.hit && tenant != 'hr'", "code.count > 2", "holds-streams", (8, 11)),
        ("expires: 2027-01-31", "expires: 2026-11-24", "expired-exception", (12, 5)),
        ("owner: security", "owner: security\n    review_by: 2026-11-01", "review-due", (11, 16)),
        ("owner: security", "owner: security\n    obligations: {sing: x}",
         "unknown-obligation", (11, 18)),
        ("owner: security", "owner: security\n    channels: [content]",
         "omitted-channel", (11, 15)),
        ("    owner: security\n", "", "unowned", (5, 5)),
        ("detectors:\n", "detectors:\n  odd: {literal: [x]}\n", "unused-detector", (3, 8)),
        ("expect: {verdict: allow, rules: []}", "expect: {verdict: block}", "failing-test", None),
        (SOUND[SOUND.index("tests:"):], "", "untested", (5, 5)),
    ],
)  # fmt: skip
def test_what_is_unsound_is_told_at_its_place(tmp_path, in_process, before, after, code, place):
    assert before in SOUND
    path = written(tmp_path, SOUND.replace(before, after, 1))
    _, told = in_process("lint", path, "--day", "2026-11-24", "--json")
    found = [each for each in told["remarks"] if each["code"] == code]
    assert found, told["remarks"]
    if place is not None:
        assert (found[0]["line"], found[0]["column"]) == place


def test_of_two_alike_rules_the_second_is_dead(tmp_path, in_process):
    rule = "  - {{id: {}, stages: [response], verdict: {}, detectors: [code]}}\n"
    text = "id: x\ndetectors:\n  code: {literal: [abc]}\nrules:\n"
    text += rule.format("one", "block") + rule.format("two", "redact")
    code, told = in_process("lint", written(tmp_path, text), "--json")
    assert code == 4
    [dead] = [each for each in told["remarks"] if each["code"] == "dead-rule"]
    assert dead["what"] == "two changes nothing: one covers all of it"


SECRET = "EMP-123456"


@pytest.fixture(params=["shadow"])
def lived(tmp_path, request):
    """A configuration whose gateway has answered four requests, in shadow unless a test asks for
    another mode, and its traces."""
    shadow = f"mode: {request.param}\n" + REDACT.lstrip()
    with ScriptedUpstream() as upstream:
        upstream.then(
            chat_answer(f"it is {SECRET}"), chat_stream(["it is EMP-", "123456", " ok"]),
            chat_answer("fine"), chat_answer("fine"),
        )  # fmt: skip
        with governed(tmp_path / "journal", [upstream], shadow) as gateway:
            answers = [
                gateway.chat(), gateway.chat(stream=True), gateway.chat(),
                gateway.chat(f"I am {SECRET}"),
            ]  # fmt: skip
            traces = [each.headers["x-pointsman-trace"] for each in answers]
        (tmp_path / "p.yaml").write_text(shadow)
        config = tmp_path / "pointsman.yaml"
        config.write_text(emit({
            "deployments": {"small": {"model": "m", "base_url": upstream.base_url}},
            "tasks": {"work": {}},
            "journal": {"path": str(tmp_path / "journal")},
            "policies": {"all": {"files": ["p.yaml"]}},
        }))  # fmt: skip
        yield config, traces


def test_a_policy_runs_over_traffic_that_was(lived, in_process, tmp_path):
    config, traces = lived
    code, told = in_process("replay", "-c", config, "--json")
    assert code == 0
    assert (told["requests"], told["looked"]) == (4, 4)
    assert told["verdicts"] == {"redact": 2, "allow": 2}
    assert told["rules"] == {"codes: no-codes": 2}
    assert told["stricter"] == 2
    assert set(told["examples"]["codes: no-codes"]) == set(traces[:2])
    wider = written(tmp_path, SOUND, "wider.yaml")
    code, told = in_process("replay", wider, "-c", config, "--json")
    assert told["rules"] == {"codes: no-codes": 3}


@pytest.mark.parametrize("lived", ["enforce"], indirect=True)
def test_what_was_redacted_then_is_not_called_whole_nor_less(lived, in_process):
    config, _ = lived
    code, told = in_process("replay", "-c", config, "--json")
    assert code == 0
    assert (told["requests"], told["looked"], told["whole"]) == (4, 4, 2)
    assert (told["stricter"], told["milder"]) == (0, 0)


def test_a_verdict_is_taken_again_from_its_record(lived, in_process):
    config, traces = lived
    for trace in traces:
        code, told = in_process("explain", trace, "-c", config, "--json")
        assert code == 0
        assert [each["again"] for each in told["looked"]] == ["same"]
    (config.parent / "p.yaml").write_text(SOUND)
    _, told = in_process("explain", traces[0], "-c", config, "--json")
    assert [each["again"] for each in told["looked"]] == ["other policies"]


def test_what_is_for_a_request_is_explained(lived, in_process):
    config, _ = lived
    text = f"so {SECRET}"
    code, told = in_process("explain", "-c", config, "--task", "work", "--text", text, "--json")
    assert code == 0
    assert [(each["rule"], each["how"]) for each in told["rules"]] == [("no-codes", "shadow")]
    assert told["verdict"] == "allow"
    assert any("3-13" in line for line in told["said"])
    assert SECRET not in json.dumps(told)


def test_a_trace_tells_of_its_policies(lived, capsys):
    from pointsman.cli import _exit_code

    config, traces = lived
    assert _exit_code(["trace", "show", traces[0], "-c", str(config), "--no-body"]) == 0
    out = capsys.readouterr().out
    assert "answer by policy: allow" in out
    assert "codes: no-codes (shadow) in content: code 6-16" in out
    assert "codes@sha256:" in out


GUARDED = """id: guarded
detectors:
  unsafe: {use: guard/safety}
rules:
  - {id: safe, stages: [response], verdict: block, detectors: [unsafe], rationale: a, owner: b}
tests:
  - {name: bad, output: "a", stream: [every-char], guards: {safety: "Safety: Unsafe"},
     expect: {verdict: block}}
  - {name: good, output: "b", guards: {safety: "Safety: Safe"}, expect: {verdict: allow}}
"""
DECLARES = """
deployments: {watch: {model: m, base_url: "http://127.0.0.1:9/v1"}}
guards: {safety: {deployment: watch, form: qwen3guard-gen}}
policies: {all: {files: ["guarded.yaml"]}}
"""


def test_a_policy_that_asks_a_guard_is_tested_and_looked_over(tmp_path, in_process):
    path = written(tmp_path, GUARDED, "guarded.yaml")
    config = written(tmp_path, DECLARES, "pointsman.yaml")
    code, told = in_process("test", path, "--mutate", "--json", "-c", config)
    assert (code, told["passed"]) == (0, True)
    assert all(each["noticed"] for each in told["mutants"])
    code, told = in_process("lint", "--json", "-c", config)
    assert (code, [each["code"] for each in told["remarks"]]) == (0, ["holds-streams"])
    code, told = in_process("explain", "--text", "b", "--json", "-c", config)
    assert code == 0


def test_a_guard_that_no_configuration_declares_is_said(tmp_path):
    path = written(tmp_path, GUARDED, "guarded.yaml")
    code, _, err = policy("test", path, "-c", tmp_path / "none.yaml")
    assert code == 2
    assert "declares it" in err
