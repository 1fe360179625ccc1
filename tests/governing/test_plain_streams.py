"""A policy of the plain forms lets a stream through while it comes, on every way of cutting it."""

import re
from pathlib import Path

import msgspec
import pytest
from tests.governing.governed import bound
from tests.governing.test_streams import FACTS, chunk, delta, split

from pointsman.governing.governor import Governor
from pointsman.governing.outlook import outlook
from pointsman.governing.screen import Screen
from pointsman.policy.detectors.plain import PlainForms

POLICY = """
id: clean
detectors:
  plain: {use: plain}
rules:
  - {id: clean, stages: [response], verdict: VERDICT, detectors: [plain]}
"""
TEXT = "Write to ada@example.org, or use ghp_" + "aB3d" * 9 + " until Friday."


def test_the_plain_forms_are_what_the_gate_finds():
    made = PlainForms()
    judged = made.judge(TEXT, channel="content")
    assert [(one.rule, one.kind) for one in judged.findings] == [
        ("email", "email"), ("github-token", "secret"),
    ]  # fmt: skip
    assert (judged.status, judged.version) == ("found", made.version)
    assert made.judge("nothing here", channel="content").status == "clear"


@pytest.mark.parametrize("verdict", ["redact", "block"])
@pytest.mark.parametrize("size", [1, 3, 8, 200])
def test_a_stream_goes_on_up_to_what_may_be_a_secret(verdict, size):
    governor = Governor(bound(POLICY.replace("VERDICT", verdict)))
    policies = governor.rules(FACTS).outbound
    ahead = outlook(policies, FACTS)
    assert not ahead.whole
    screen = Screen(policies, FACTS, ahead, governor.compiled)
    out, early = [], 0
    for piece in split(TEXT, list(range(0, len(TEXT), size))):
        out += screen.push([chunk(0, delta("content", piece))])
        early = max(early, len(out))
        if screen.stopped:
            break
    out += screen.end()
    data = b"".join(one.data for one in out).decode()
    said = "".join(re.findall(r'"content":"([^"]*)"', data))
    if verdict == "redact":
        assert said == "Write to [redacted], or use [redacted] until Friday."
        assert early > 0
    else:
        assert said == "Write to "
        assert "content_filter" in data


def test_the_policies_of_the_how_to_let_streams_through():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "keep-secrets-out-of-streams.md"
    texts = re.findall(r"```yml\n(.*?)```", page.read_text(), re.DOTALL)
    assert len(texts) == 2
    for text in texts:
        policies = Governor(bound(text)).rules(FACTS).outbound
        ahead = outlook(policies, FACTS)
        assert not ahead.whole
        assert ahead.guards["content"]


@pytest.mark.parametrize("size", [1, 5, 300])
def test_escapes_hide_nothing_in_the_arguments_of_a_tool(size):
    """A client resolves them; so what they stand for is what it would get."""
    arguments = r'{"to": "ada\u0040example.org", "note": "a \"b\" \n"}'
    assert PlainForms().judge(arguments, channel="tool_args").status == "found"
    assert PlainForms().judge(arguments, channel="content").status == "clear"
    governor = Governor(bound(POLICY.replace("VERDICT", "redact")))
    policies = governor.rules(FACTS).outbound
    screen = Screen(policies, FACTS, outlook(policies, FACTS), governor.compiled)
    out = []
    for piece in split(arguments, list(range(0, len(arguments), size))):
        out += screen.push([chunk(0, delta("tool0", piece))])
    out += screen.end()
    said = "".join(
        call["function"]["arguments"]
        for one in out
        for choice in msgspec.json.decode(one.data)["choices"]
        for call in choice["delta"].get("tool_calls", ())
    )
    assert said == r'{"to": "[redacted]", "note": "a \"b\" \n"}'
