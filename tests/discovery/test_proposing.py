"""What is found becomes deployments in order of size, and a route where sizes tell an order."""

from pointsman.discovery.listing import Listed
from pointsman.discovery.looking import Found
from pointsman.discovery.places import Place
from pointsman.discovery.proposing import MOST_DEPLOYMENTS, propose
from pointsman.discovery.providers import PROVIDERS, with_credentials
from pointsman.discovery.sizes import size_of


def an_engine(kind: str, *names: str, port: int = 8000, **changes) -> Found:
    models = tuple(Listed(name, 4096, size_of(name)) for name in names)
    found = Found(Place("127.0.0.1", port, "vllm"), kind, "evidence", models)  # type: ignore[arg-type]
    return found._replace(**changes)


DASHSCOPE = with_credentials({"DASHSCOPE_API_KEY": "secret"})


def test_the_smallest_and_the_largest_make_the_route() -> None:
    made = propose(
        [an_engine("vllm", "big-32b", "mid-8b", "moe-30b-a3b"), an_engine("ollama", "tiny-0.6b")],
        (),
        hosted_steps=False,
    )
    assert [each.name for each in made.deployments] == [
        "tiny-0.6b",
        "mid-8b",
        "moe-30b-a3b",
        "big-32b",
    ]
    assert made.steps == ("tiny-0.6b", "big-32b")
    assert made.by_logprobs


def test_without_two_known_sizes_there_is_no_route() -> None:
    for names in (("one-4b",), ("a", "b"), ("a-4b", "b"), ("a-4b", "b-4b")):
        assert propose([an_engine("vllm", *names)], (), hosted_steps=False).steps == ()


def test_a_first_step_without_logprobs_gets_no_gate_on_them() -> None:
    found = [an_engine("lmstudio", "a-1b"), an_engine("vllm", "b-8b")]
    made = propose(found, (), hosted_steps=False)
    assert made.steps == ("a-1b", "b-8b")
    assert not made.by_logprobs
    assert [each.logprobs for each in made.deployments] == [False, True]


def test_one_model_at_two_places_has_two_names() -> None:
    found = [an_engine("vllm", "a-4b"), an_engine("vllm", "a-4b", port=8001)]
    made = propose(found, (), hosted_steps=False)
    assert [each.name for each in made.deployments] == ["a-4b", "a-4b-2"]


def test_a_deployment_called_like_the_route_keeps_its_name() -> None:
    made = propose([an_engine("vllm", "thrifty", "a-1b", "b-2b")], (), hosted_steps=False)
    assert made.route == "thrifty-2"


def test_requests_leave_this_machine_only_when_told() -> None:
    found = [an_engine("vllm", "a-4b", "b-8b")]
    openrouter = with_credentials({"OPENROUTER_API_KEY": "x"})
    private = propose(found, openrouter, hosted_steps=False)
    assert private.steps == ("a-4b", "b-8b")
    assert private.private
    assert propose(found, openrouter, hosted_steps=True).steps == ("a-4b", "openrouter")


def test_where_nothing_runs_here_hosted_services_are_all_there_is() -> None:
    made = propose([], with_credentials({"GROQ_API_KEY": "x", "NVIDIA_API_KEY": "y"}),
                   hosted_steps=False)  # fmt: skip
    assert made.steps == ("groq", "nvidia")
    assert not made.private


def test_a_credential_is_known_by_name_only() -> None:
    made = propose([], DASHSCOPE, hosted_steps=False)
    assert made.deployments[0].variable == "DASHSCOPE_API_KEY"
    assert "secret" not in repr(made)


def test_an_empty_variable_is_no_credential() -> None:
    assert with_credentials({"OPENAI_API_KEY": "  ", "GROQ_API_KEY": ""}) == ()


def test_what_does_not_chat_and_what_is_too_much_is_left_out_and_named() -> None:
    models = (Listed("vectors", chats=False), *(Listed(f"m-{n}b") for n in range(1, 40)))
    made = propose([an_engine("vllm", models=models)], (), hosted_steps=False)
    assert len(made.deployments) == MOST_DEPLOYMENTS
    assert made.left_out[0] == "vectors"
    assert len(made.left_out) == 1 + 39 - MOST_DEPLOYMENTS


def test_a_gateway_of_ours_and_a_locked_door_are_not_proposed() -> None:
    found = [an_engine("pointsman", "task:a"), an_engine("vllm", locked=True)]
    assert propose(found, (), hosted_steps=False).deployments == ()


def test_every_service_has_a_name_a_variable_and_a_secure_address_of_its_own() -> None:
    assert len({each.name for each in PROVIDERS}) == len(PROVIDERS)
    assert len({each.variable for each in PROVIDERS}) == len(PROVIDERS)
    assert all(each.base_url.startswith("https://") for each in PROVIDERS)
    assert all(each.variable.isupper() for each in PROVIDERS)
