"""Arms in a file: modes of deployments that steps, aliases and keys may name."""

import pytest

from pointsman.config import parse
from pointsman.config.remarks import remarks
from pointsman.domain.errors import ConfigurationError

FILE = """
deployments:
  large: {model: qwen3-8b, base_url: "http://127.0.0.1:1/v1", engine: vllm}
prompts: {short: {system: "Be short."}}
arms:
  large-off: {deployment: large, thinking: off, prompt: short, fields: {top_k: 20}}
  large-some: {deployment: large, thinking: on, thinking_tokens: 512}
routes: {main: {steps: [large-off, large-some], fallbacks: [large]}}
aliases: {quick: large-off}
"""


def problems_of(text: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        parse(text)
    return str(error.value)


def test_a_route_holds_the_arms_it_names_and_knows_the_deployment_behind_each():
    route = parse(FILE).routes["main"]
    assert route.named == ("large-off", "large-some", "large")
    assert {route.deployment_of(name) for name in route.named} == {"large"}
    assert route.arms["large-off"].prompt.system == "Be short."
    assert route.arms["large-off"].fields == {"top_k": 20}
    assert route.arms["large-some"].thinking_tokens == 512


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("deployment: large, thinking: off", "deployment: larg, thinking: off", "'large'"),
        ("large-some: {", "large: {", "a name of deployments already"),
        ("top_k: 20", "messages: []", "arms.large-off.fields.messages: the client's to say"),
        ("top_k: 20", "max_tokens: 3", "arms.large-off.fields.max_tokens"),
        ("thinking: on, thinking_tokens", "thinking: off, thinking_tokens", "nothing to bound"),
        ("prompt: short", "prompt: shirt", "did you mean 'short'"),
        ("steps: [large-off,", "steps: [large-of,", "no deployment or arm 'large-of'"),
        ("quick: large-off", "quick: large-none", "aliases.quick"),
    ],
)
def test_what_an_arm_cannot_be_is_told_with_its_place(before, after, said):
    assert said in problems_of(FILE.replace(before, after))


def test_a_bound_of_thinking_that_an_engine_has_no_field_for_is_told():
    config = parse(FILE)
    assert not [each for each in remarks(config) if "thinking_tokens" in each]
    [told] = [each for each in remarks(config, without_bounds={"vllm"}) if "thinking" in each]
    assert told.startswith("arms.large-some.thinking_tokens: vllm has no field")
