"""A LiteLLM file becomes one of ours that loads, and whatever is not the same is said."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pointsman.config import parse
from pointsman.config.emitting import emit
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.money import price_per_token
from pointsman.domain.task import Configuration
from pointsman.importing.litellm import Imported, import_litellm

WHOLE = (Path(__file__).parent / "whole.yaml").read_text()
SECRETS = ("sk-a-literal-key", "sk-master-literal", "hunter2")


def loaded(imported: Imported) -> Configuration:
    env = {name: f"http://h/{index}" for index, name in enumerate(imported.variables)}
    return parse(imported.text, env=env)


def made(text: str) -> tuple[Configuration, dict[str, str]]:
    imported = import_litellm(text)
    return loaded(imported), {each.path: each.fate for each in imported.notes}


def model(name: str = "m", more: str = "", **params: Any) -> str:
    said = {"model": "openai/x", "api_base": "http://h/v1", **params}
    inner = ", ".join(f"{key}: {value}" for key, value in said.items())
    return f"  - {{model_name: {name}, litellm_params: {{{inner}}}{more}}}\n"


def a_file(*models: str, tail: str = "") -> str:
    return "model_list:\n" + "".join(models) + tail


@pytest.fixture(scope="module")
def whole() -> Imported:
    return import_litellm(WHOLE)


def test_replicas_are_deployments_of_one_route(whole: Imported) -> None:
    config = loaded(whole)
    route = config.routes["chat-small"]
    assert route.steps == ("chat-small-1",)
    assert route.fallbacks == ("chat-small-2", "gpt-4o-1")
    assert config.deployments["chat-small-1"].engine == "vllm"
    assert config.deployments["chat-small-1"].served_name == "Qwen/Qwen3-4B"


def test_prices_are_exact(whole: Imported) -> None:
    price = loaded(whole).deployments["chat-small-1"].price
    assert price is not None
    assert price.input_usd_picos == price_per_token(Decimal("0.02"))
    assert price.output_usd_picos == price_per_token(Decimal("0.06"))


def test_limits_are_carried_over(whole: Imported) -> None:
    deployments = loaded(whole).deployments
    limits = deployments["chat-small-1"].limits
    assert (limits.concurrency, limits.timeout_s, limits.first_token_timeout_s) == (24, 45.0, 8.0)
    assert deployments["chat-small-2"].limits.timeout_s == 90.0
    assert deployments["chat-small-2"].limits.max_output_tokens == 4096
    assert loaded(whole).server.max_body_bytes == 16 * 2**20


def test_names_that_ours_cannot_be_are_aliases(whole: Imported) -> None:
    aliases = loaded(whole).aliases
    assert aliases == {"Qwen/Qwen3-32B": "qwen3-32b", "gpt-4": "gpt-4o", "hidden-one": "chat-small"}


def test_a_credential_that_is_named_is_filled_in(whole: Imported) -> None:
    house = loaded(whole).deployments["via-credential-1"]
    assert house.base_url == "https://llm.example.internal/v1"
    assert "api_key: ${HOUSE_KEY}" in whole.text


def test_no_secret_of_the_file_goes_any_further(whole: Imported) -> None:
    for secret in SECRETS:
        assert secret not in whole.text + repr(whole.notes)
    assert "key: ${POINTSMAN_MASTER_KEY}" in whole.text
    assert {"SECOND_KEY", "KEY_OF_BIG_MODEL_70B", "OPENAI_API_KEY"} <= set(whole.variables)


@pytest.mark.parametrize(
    ("path", "fate"),
    [
        ("model_list[0].litellm_params.rpm", "none"),
        ("model_list[0].litellm_params.stream_timeout", "approximated"),
        ("model_list[4].litellm_params.model", "none"),
        ("model_list[5].litellm_params.no_such_parameter", "none"),
        ("model_list[6]", "none"),
        ("model_list[7].model_info.mode", "none"),
        ("router_settings.routing_strategy", "approximated"),
        ("router_settings.fallbacks[0].chat-small", "none"),
        ("router_settings.model_group_alias.lost", "none"),
        ("router_settings.redis_host", "none"),
        ("litellm_settings.cache", "none"),
        ("litellm_settings.context_window_fallbacks", "none"),
        ("litellm_settings.drop_params", "approximated"),
        ("litellm_settings.something_new", "none"),
        ("general_settings.database_url", "none"),
        ("general_settings.master_key", "moved"),
        ("guardrails", "none"),
        ("environment_variables", "moved"),
        ("invented_section", "none"),
    ],
)
def test_what_is_not_the_same_is_said_by_its_path(whole: Imported, path: str, fate: str) -> None:
    assert (path, fate) in {(each.path, each.fate) for each in whole.notes}


def test_every_key_of_the_file_is_carried_over_or_noted(whole: Imported) -> None:
    """No setting is passed over in silence: without it the result or the notes differ."""
    document = YAML(typ="safe", pure=True).load(WHOLE)
    silent = set()
    for section in ("router_settings", "litellm_settings", "general_settings"):
        for key in document[section]:
            changed = YAML(typ="safe", pure=True).load(WHOLE)
            del changed[section][key]
            again = import_litellm(emit(changed))
            if (again.text, again.notes) == (whole.text, whole.notes):
                silent.add(f"{section}.{key}")
    # the router's own timeout stands above it
    assert silent == {"litellm_settings.request_timeout"}


@pytest.mark.parametrize(
    ("name", "engine", "base_url"),
    [
        ("openai/gpt-4o", "openai", "https://api.openai.com/v1"),
        ("gpt-4o", "openai", "https://api.openai.com/v1"),
        ("ollama/qwen3:4b", "ollama", "http://localhost:11434/v1"),
        ("ollama_chat/qwen3:4b", "ollama", "http://localhost:11434/v1"),
        ("lm_studio/qwen3-8b", "openai", "http://localhost:1234/v1"),
        ("openrouter/qwen/qwen3-32b", "openai", "https://openrouter.ai/api/v1"),
        ("dashscope/qwen-plus", "dashscope",
         "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        ("deepseek/deepseek-chat", "openai", "https://api.deepseek.com/v1"),
    ],
)  # fmt: skip
def test_a_prefix_names_the_engine_and_its_address(name: str, engine: str, base_url: str) -> None:
    text = f"model_list: [{{model_name: m, litellm_params: {{model: '{name}'}}}}]"
    config, _ = made(text)
    deployment = config.deployments["m"]
    assert (deployment.engine, deployment.base_url) == (engine, base_url)
    assert deployment.served_name == name.partition("/")[2] or name == "gpt-4o"


@pytest.mark.parametrize(
    "name",
    ["azure/x", "bedrock/x", "vertex_ai/x", "anthropic/x", "gemini/x", "vllm/x", "nobody/x", "x"],
)
def test_another_protocol_has_no_equivalent(name: str) -> None:
    text = f"model_list: [{{model_name: m, litellm_params: {{model: '{name}'}}}}]"
    with pytest.raises(ConfigurationError, match="can be served") as caught:
        import_litellm(text)
    assert "model_list[0].litellm_params.model" in caught.value.why


def test_an_unknown_prefix_with_an_address_is_an_openai_server() -> None:
    config, notes = made(a_file(model(model="house/x-7b")))
    assert config.deployments["m"].served_name == "house/x-7b"
    assert notes["model_list[0].litellm_params.model"] == "approximated"


def test_ollamas_own_address_gets_the_version_of_the_protocol() -> None:
    config, _ = made(a_file(model(model="ollama/q", api_base="http://gpu:11434/")))
    assert config.deployments["m"].base_url == "http://gpu:11434/v1"
    text = import_litellm(a_file(model(model="ollama/q", api_base="os.environ/OLLAMA"))).text
    assert "base_url: ${OLLAMA}/v1" in text


@pytest.mark.parametrize("key", ["none", "EMPTY", "dummy", "sk-no-key-required"])
def test_a_key_that_is_none_is_left_out(key: str) -> None:
    assert "api_key" not in import_litellm(a_file(model(api_key=key))).text


def test_two_literal_keys_are_two_variables_and_one_key_is_one() -> None:
    imported = import_litellm(
        a_file(model(api_key="sk-one"), model(api_key="sk-two"), model("n", api_key="sk-one"))
    )
    assert imported.variables == ("KEY_OF_M", "KEY_OF_M_2")
    assert imported.text.count("${KEY_OF_M}") == 2


@pytest.mark.parametrize("url", ["h/v1", "ftp://h", "http://u:p@h/v1", "http://h/v1?key=x"])
def test_an_address_that_cannot_be_kept_is_not_quoted(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        import_litellm(a_file(model(api_base=f"'{url}'")))
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    ("cost", "picos"),
    [("1.5e-7", 150_000), ("'2e-07'", 200_000), ("0", 0), ("0.00000000012345", 123)],
)
def test_costs_are_read_as_they_are_written(cost: str, picos: int) -> None:
    params = {"input_cost_per_token": cost, "output_cost_per_token": "1e-6"}
    price = made(a_file(model(**params)))[0].deployments["m"].price
    assert price is not None
    assert price.input_usd_picos == picos


def test_a_long_timeout_lengthens_the_whole_request() -> None:
    assert made(a_file(model(timeout=1200)))[0].server.request_timeout_s == 1200.0
    assert made(a_file(model(timeout=100)))[0].server.request_timeout_s == 600.0


def test_default_fallbacks_are_for_those_without_their_own() -> None:
    tail = "litellm_settings: {default_fallbacks: [c], fallbacks: [{a: [b]}]}\n"
    config, _ = made(a_file(model("a"), model("b"), model("c"), tail=tail))
    assert config.routes["a"].fallbacks == ("b-1",)
    assert config.routes["b"].fallbacks == ("c",)
    assert "c" in config.deployments


def test_the_routers_fallbacks_stand_above_the_modules() -> None:
    tail = "router_settings: {fallbacks: [{a: [b]}]}\nlitellm_settings: {fallbacks: [{a: [c]}]}\n"
    config, _ = made(a_file(model("a"), model("b"), model("c"), tail=tail))
    assert config.routes["a"].fallbacks == ("b",)


def test_more_than_sixteen_fallbacks_are_cut_and_said() -> None:
    imported = import_litellm(a_file(*(model("a") for _ in range(20))))
    assert len(loaded(imported).routes["a"].fallbacks) == 16
    assert any("at most 16" in each.said for each in imported.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no mapping"),
        ("- a", "is no mapping"),
        ("a: [", "is not YAML"),
        ("a: 1\na: 2", "is not YAML"),
        ("model_list: []", "nothing in"),
        ("model_list: {a: b}", "nothing in"),
        ("router_settings: {}", "nothing in"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        import_litellm(text)


ODD = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True),
              st.text(max_size=6), st.sampled_from(["a", "b", "*", "os.environ/X", "auto"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3),
                            st.dictionaries(st.sampled_from(["a", "model", "x"]), inner,
                                            max_size=3)),
    max_leaves=5,
)  # fmt: skip
PLACES = [
    ("model_list", 0, "model_name"),
    ("model_list", 0, "litellm_params"),
    ("model_list", 0, "model_info"),
    *(("model_list", 0, "litellm_params", key) for key in (
        "model", "api_base", "api_key", "timeout", "stream_timeout", "max_parallel_requests",
        "input_cost_per_token", "output_cost_per_token", "max_tokens", "custom_llm_provider",
        "litellm_credential_name")),
    ("router_settings",),
    *(("router_settings", key) for key in ("fallbacks", "model_group_alias", "timeout")),
    *(("litellm_settings", key) for key in ("default_fallbacks", "request_timeout", "fallbacks")),
    *(("general_settings", key) for key in ("master_key", "completion_model",
                                            "max_request_size_mb", "max_parallel_requests")),
    ("credential_list",),
]  # fmt: skip


@given(st.sampled_from(PLACES), ODD)
@settings(max_examples=200)
def test_whatever_a_setting_holds_the_result_loads_or_says_why(
    place: tuple[Any, ...], value: Any
) -> None:
    document: dict[str, Any] = {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": "openai/x", "api_base": "http://h/v1"}}
            for name in ("a", "b")
        ],
        "router_settings": {},
        "litellm_settings": {},
        "general_settings": {},
    }
    inner: Any = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    imported, error = None, None
    try:
        imported = import_litellm(_dump(document))
    except ConfigurationError as caught:
        error = caught
    assert error is None or error.next
    assert imported is None or loaded(imported).deployments


def _dump(document: Any) -> str:
    import io

    out = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, out)
    return out.getvalue()
