"""What a file that is right comes to: defaults, references, gates, keys, prices."""

from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from pointsman.config import load, parse
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.money import price_per_token
from pointsman.domain.task import Configuration

FOUR_LINES = """\
deployments:
  small:
    model: qwen3-small@f16
    base_url: http://127.0.0.1:8001/v1/
"""
TWO = """\
deployments:
  large: {model: big, base_url: 'http://h/v1', price: PRICE_L}
  small: {model: little, base_url: 'http://h/v1', price: PRICE_S}
""".replace("PRICE_L", "{input_usd_per_mtok: 2, output_usd_per_mtok: 3}").replace(
    "PRICE_S", "{input_usd_per_mtok: 0.04, output_usd_per_mtok: 0.12}"
)


def two(more: str) -> Configuration:
    return parse(TWO + more)


def test_four_lines_are_a_working_file() -> None:
    config = parse(FOUR_LINES)
    small = config.deployments["small"]
    assert (small.base_url, small.served_name) == ("http://127.0.0.1:8001/v1", "qwen3-small")
    assert (small.engine, small.family, small.logprobs) == ("openai", "qwen3", True)
    assert (config.default, config.routes, config.tasks) == ("small", {}, {})
    assert (config.server.host, config.server.port) == ("127.0.0.1", 4100)


def test_an_embedded_deployment_needs_no_address() -> None:
    config = parse("deployments: {a: {model: QwQ-32b, embedded: {gguf: 'embedded:small-f16'}}}")
    deployment = config.deployments["a"]
    assert (deployment.engine, deployment.base_url, deployment.family) == (
        "embedded",
        None,
        "qwen3",
    )
    assert deployment.embedded is not None
    assert deployment.embedded.parallel == 4


def test_a_price_is_exact() -> None:
    price = two("").deployments["small"].price
    assert price is not None
    assert price.input_usd_picos == price_per_token(Decimal("0.04")) == 40_000
    assert price.cached_input_usd_picos is None


@pytest.mark.parametrize(
    ("more", "default"),
    [
        ("", "small"),  # the cheapest
        ("routes: {b: {steps: [large]}, a: {steps: [small]}}", "b"),
        ("tasks: {ticket: {}}", "task:ticket"),
        ("tasks: {one: {}, two: {}}", "small"),
        ("default: large", "large"),
        ("aliases: {fast: large}\ndefault: fast", "large"),
        ("tasks: {ticket: {}}\ndefault: task:ticket", "task:ticket"),
    ],
)
def test_what_auto_means(more: str, default: str) -> None:
    assert two(more).default == default


def test_the_first_deployment_is_the_default_where_one_has_no_price() -> None:
    text = TWO + "  local: {model: m, base_url: 'http://h'}\n"
    assert parse(text).default == "large"


def test_a_task_without_any_route_gets_the_direct_one() -> None:
    config = two("tasks: {ticket: {}}")
    assert config.tasks["ticket"].route == "direct"
    assert config.routes["direct"].steps == ("small",)
    assert two("tasks: {t: {}}\ndefault: large").routes["direct"].steps == ("large",)


def test_a_task_without_a_route_takes_the_default_one() -> None:
    routes = "routes: {a: {steps: [small]}, b: {steps: [large]}}\ntasks: {t: {}}\n"
    assert two(routes).tasks["t"].route == "a"
    assert two(routes + "default: b").tasks["t"].route == "b"


@pytest.mark.parametrize(
    ("gate", "accept", "needs_logprobs"),
    [
        ("", "verified && finish_reason != 'length'", False),
        (
            ", gate: {min_logprob: -0.35, mean_logprob: -1}",
            "verified && finish_reason != 'length' && logprob.known"
            " && logprob.min >= -0.35 && logprob.mean >= -1.0",
            True,
        ),
        (", gate: {accept: 'verified && logprob.min > -0.3'}", None, True),
        (", gate: {accept: 'verified && !unjudged'}", None, False),
    ],
)
def test_a_cascade_has_a_gate(gate: str, accept: str | None, needs_logprobs: bool) -> None:
    found = two(f"routes: {{r: {{steps: [small, large]{gate}}}}}").routes["r"].gate
    assert found is not None
    assert accept is None or found.accept == accept
    assert found.needs_logprobs is needs_logprobs


def test_a_single_step_has_no_gate_but_a_rule_with_two_brings_one() -> None:
    assert two("routes: {r: {steps: [small]}}").routes["r"].gate is None
    rules = "rules: [{when: request.has_image, steps: [small, large]}]"
    route = two(f"routes: {{r: {{steps: [small], {rules}}}}}").routes["r"]
    assert route.gate is not None
    assert route.rules[0].gate is None  # so that a task's own gate still stands in


def test_checks_are_named_by_their_kind() -> None:
    verify = "[{regex: a}, {name: own, regex: b}, {regex: c}, {number: {min: 0, integer: true}}]"
    verifiers = two(f"tasks: {{t: {{verify: {verify}}}}}").tasks["t"].verifiers
    assert [each.name for each in verifiers] == ["regex", "own", "regex-2", "number"]
    assert verifiers[3].spec == {"min": 0.0, "integer": True}


def test_off_is_a_word_where_a_word_is_wanted() -> None:
    assert two("tasks: {t: {thinking: off}}").tasks["t"].thinking == "off"
    assert two("tasks: {t: {thinking: on}}").tasks["t"].thinking == "on"


def test_live_is_the_last_version_unless_said_otherwise() -> None:
    prompts = "prompts: {p: {versions: {v1: {system: one}, v2: {system: two}}LABELS}}\n"
    task = "tasks: {t: {prompt: WANTED}}\n"

    def version(wanted: str, labels: str = "") -> str:
        text = (prompts + task).replace("LABELS", labels).replace("WANTED", wanted)
        prompt = two(text).tasks["t"].prompt
        assert prompt is not None
        return prompt.version

    assert version("p") == version("p@live") == version("p@v2") == "v2"
    assert version("p@v1") == "v1"
    assert version("p", ", labels: {live: v1}") == "v1"
    assert version("p@old", ", labels: {old: v1}") == "v1"


def test_a_prompt_is_addressed_by_its_text() -> None:
    version = two("prompts: {p: {system: 'Add up.'}}").prompts["p@v1"]
    assert version.digest == sha256(b"Add up.").hexdigest()[:12]
    assert version.system == "Add up."


def test_a_key_is_kept_as_its_hash() -> None:
    config = two("tasks: {t: {}}\nkeys: {app: {key: secret-key, tenant: acme, tasks: [t]}}")
    key = config.keys[0]
    assert (key.sha256, key.tenant) == (sha256(b"secret-key").hexdigest(), "acme")
    assert "secret-key" not in repr(config)


def test_an_alias_may_be_any_word_of_a_client() -> None:
    assert two("aliases: {Qwen/Qwen3-4B: small}").aliases == {"Qwen/Qwen3-4B": "small"}


def test_bounds_come_in_bytes() -> None:
    config = two("server: {max_body_mb: 2}\njournal: {segment_mb: 3}")
    assert config.server.max_body_bytes == 2 * 1024 * 1024
    assert config.journal.segment_bytes == 3 * 1024 * 1024


def test_the_digest_is_blind_to_secrets_and_to_the_order_of_keys() -> None:
    one = parse(FOUR_LINES + "    api_key: a\n    logprobs: false\nserver: {port: 1, host: h}\n")
    other = parse(
        "server: {host: h, port: 1}\n" + FOUR_LINES + "    logprobs: false\n    api_key: b\n"
    )
    assert one.digest == other.digest
    assert len(one.digest) == 16
    assert parse(FOUR_LINES).digest != one.digest


def test_the_digest_sees_prompts_and_schemas() -> None:
    def digest(text: str, schema: str) -> str:
        return two(
            f"prompts: {{p: {{system: {text}}}}}\n"
            f"tasks: {{t: {{verify: [{{json_schema: {{type: {schema}}}}}]}}}}"
        ).digest

    assert len({digest("a", "object"), digest("b", "object"), digest("a", "array")}) == 3


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(ConfigurationError, match="cannot read"):
            load(path, env={})


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"deployments:\n  \xff: 1\n", "p.yaml:2:3: not UTF-8"),
        (b"#" * (4 * 1024 * 1024 + 1), "p.yaml:1:1: larger than 4 MB"),
    ],
)
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError) as caught:
        load(path, env={})
    assert caught.value.why.endswith(what)


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + FOUR_LINES.encode())
    assert load(path, env={}).default == "small"
    assert parse("\ufeff" + FOUR_LINES).default == "small"
