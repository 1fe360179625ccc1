"""What loads and will still surprise is said, and nothing is said of what will not."""

import pytest

from pointsman.config import parse
from pointsman.config.remarks import remarks

PRICED = "price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}"


def a_file(
    *, small: str = "", large: str = "", route: str = "", task: str | None = "", tail: str = ""
) -> str:
    def deployment(more: str) -> str:
        return f"{{model: m, base_url: 'http://h/v1', {more or PRICED}}}"

    work = "" if task is None else f"tasks: {{work: {{route: main{task}}}}}\n"
    return (
        f"deployments:\n  small: {deployment(small)}\n  large: {deployment(large)}\n"
        f"routes: {{main: {{steps: [small, large]{route}}}}}\n{work}{tail}"
    )


def said(text: str, **options) -> list[str]:
    return remarks(parse(text), **options)


CHECKED = ", verify: [{regex: '[0-9]'}]"
BY_LOGPROBS = ", gate: {min_logprob: -0.5}"


def test_a_sound_cascade_is_passed_over_in_silence() -> None:
    assert said(a_file(task=CHECKED)) == []
    assert said(a_file(route=BY_LOGPROBS)) == []


def test_an_unpriced_model_in_a_priced_route_is_told_once() -> None:
    [remark] = said(a_file(large="logprobs: true", task=CHECKED))
    assert remark.startswith("routes.main: large has no price beside small")


def test_where_nothing_has_a_price_each_deployment_is_told() -> None:
    found = said(a_file(small="logprobs: true", large="logprobs: true", task=CHECKED))
    assert [each.split(" ")[0] for each in found] == ["deployments.small", "deployments.large"]


@pytest.mark.parametrize("accept", ["logprob.min > -1", "verified && logprob.known"])
def test_a_gate_on_logprobs_behind_an_engine_without_them(accept: str) -> None:
    text = a_file(
        small=f"logprobs: false, {PRICED}", route=f', gate: {{accept: "{accept}"}}', task=None
    )
    [remark] = said(text)
    assert "routes.main.gate reads logprobs, and small gives none" in remark


def test_an_engine_that_never_gives_logprobs_counts_as_one_without() -> None:
    text = a_file(
        small=f"engine: tgi, {PRICED}", task=", gate: {min_logprob: -1}", route=BY_LOGPROBS
    )
    assert said(text) == []
    found = said(text, without_logprobs={"tgi"})
    assert any(each.startswith("tasks.work.gate reads logprobs") for each in found)


def test_the_last_step_needs_no_logprobs() -> None:
    assert said(a_file(large=f"logprobs: false, {PRICED}", route=BY_LOGPROBS)) == []


def test_a_task_without_checks_behind_a_gate_without_logprobs() -> None:
    [remark] = said(a_file())
    assert remark.startswith("tasks.work has no checks")
    assert "cannot say no" in remark


def test_a_gate_of_ones_own_that_reads_something_can_say_no() -> None:
    assert said(a_file(route=", gate: {accept: 'completion_tokens > 3'}")) == []


def test_a_route_that_is_asked_by_name_is_told_of_too() -> None:
    [remark] = said(a_file(task=None))
    assert remark.startswith("routes.main.gate is asked by name")


def test_a_gate_of_a_rule_is_judged_for_its_own_steps() -> None:
    rule = ', rules: [{when: request.has_image, steps: [large, small], gate: {accept: "verified"}}]'
    found = said(a_file(route=BY_LOGPROBS + rule))
    assert len(found) == 1
    assert "so small is never asked" in found[0]


def test_bodies_kept_for_over_a_year_are_told_of() -> None:
    [remark] = said(a_file(task=CHECKED + ", retention_days: 366"))
    assert remark.startswith("tasks.work keeps every body for 366 days")
    assert said(a_file(task=CHECKED + ", retention_days: 366, capture: digests")) == []
    assert said(a_file(task=CHECKED + ", retention_days: 365")) == []


def test_an_operation_that_the_engine_has_no_path_for_is_told() -> None:
    text = (
        "deployments: {e: {model: m, base_url: 'http://h/v1', engine: ollama, "
        "operations: [embedding, rerank]}}"
    )
    able = {"ollama": {"chat", "completion", "embedding"}}
    [found] = [each for each in said(text, operations=able) if "operations" in each]
    assert found.startswith("deployments.e.operations: no version of ollama")
    assert "answers rerank" in found
    assert not [each for each in said(text) if "operations" in each]


LEARNING = """
deployments:
  a: {model: m, base_url: "http://127.0.0.1:1/v1"}
  b: {model: m, base_url: "http://127.0.0.1:1/v1"}
tasks: {work: {route: learned, verify: [{regex: "[0-9]"}]}}
routes: {learned: {steps: [a, b], objective: {OBJECTIVE}, learn: {TEACH}}}
"""


@pytest.mark.parametrize(
    ("objective", "learn", "said"),
    [
        ("value_usd: 1", "least_outcomes: 9", "explores nothing"),
        ("value_usd: 1", "explore: {share: 0.1}", None),
        ("value_usd: 1", "router: /nowhere/my.router", "there is no file /nowhere/my.router"),
        ("quality: 0.9", "explore: {share: 0.1}", "the floor of work has no certificate"),
        ("quality: 0.9, certified: false", "explore: {share: 0.1}", None),
    ],
)
def test_a_route_that_will_not_learn_or_not_choose_is_told(objective, learn, said) -> None:
    text = LEARNING.replace("OBJECTIVE", objective).replace("TEACH", learn)
    told = [each for each in remarks(parse(text)) if each.startswith("routes.learned.learn")]
    assert len(told) == (said is not None)
    assert said is None or said in told[0]
