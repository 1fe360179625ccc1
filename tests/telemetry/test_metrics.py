"""What is counted of requests, under which labels, and that neither grows without bound."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pointsman.config import parse
from pointsman.domain.money import Usage
from pointsman.domain.records import OutcomeRecord
from pointsman.domain.verdict import GateResult, Screening
from pointsman.surfaces.table import SURFACES
from pointsman.telemetry import Metrics, combine, merge
from pointsman.telemetry.outcomes import named_outcomes
from pointsman.telemetry.table import FAMILIES, LABELS, OPERATIONS, OTHER
from pointsman.telemetry.text import label_name
from tests.telemetry.records import (
    DEPLOYMENTS,
    a_failure,
    an_admission,
    an_attempt,
    an_end,
    escalated,
)

SMALL = {
    "gen_ai_operation_name": "chat", "gen_ai_provider_name": "vllm",
    "gen_ai_request_model": "small-model", "pointsman_deployment": "small",
}  # fmt: skip


def some_metrics(*outcomes: str) -> Metrics:
    metrics = Metrics()
    metrics.know(DEPLOYMENTS, outcomes)
    return metrics


def said(metrics: Metrics | bytes) -> dict:
    """Every sample, by name and labels."""
    text = metrics if isinstance(metrics, bytes) else metrics.text()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def of(samples: dict, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def test_a_cascade_is_counted_by_request_and_by_attempt():
    metrics = some_metrics()
    attempts = (escalated(), an_attempt(deployment="large", model="large-model",
                gate=GateResult(verdict="accept", reason="fine")))  # fmt: skip
    metrics.ended(an_admission(), an_end(*attempts), "true")
    samples = said(metrics)
    assert of(samples, "pointsman_requests_total", task="work", status="delivered") == 1
    assert of(samples, "pointsman_surface_requests_total", surface="chat", status="delivered") == 1
    assert of(samples, "pointsman_task_cost_usd_total", task="work") == 3e-6
    assert of(samples, "pointsman_overhead_seconds_sum") == 0.0007
    assert of(samples, "pointsman_overhead_seconds_bucket", le="0.0005") == 0
    assert of(samples, "pointsman_overhead_seconds_bucket", le="0.001") == 1
    assert of(samples, "pointsman_request_seconds_sum", task="work") == 0.25
    assert of(samples, "pointsman_request_seconds_bucket", task="work", le="0.25") == 1
    assert of(samples, "pointsman_first_byte_seconds_sum", task="work") == 0.042
    for name, verdict in (("small", "escalate"), ("large", "accept")):
        assert of(samples, "pointsman_attempts_total", deployment=name, result="answered") == 1
        assert of(samples, "pointsman_gate_verdicts_total", deployment=name, verdict=verdict) == 1
        assert of(samples, "pointsman_finish_reasons_total", deployment=name,
                  finish_reason="stop") == 1  # fmt: skip
        assert of(samples, "pointsman_tokens_total", deployment=name, direction="prompt") == 100
        assert of(samples, "pointsman_tokens_total", deployment=name, direction="completion") == 21
        assert of(samples, "pointsman_cached_tokens_total", deployment=name) == 64
        assert of(samples, "pointsman_reasoning_tokens_total", deployment=name) == 5
        assert of(samples, "pointsman_cost_usd_total", deployment=name) == 1.5e-6
    assert of(samples, "pointsman_outcomes_total", outcome="verified", value="true") == 1


def test_the_conventions_metrics_name_operation_provider_and_model():
    metrics = some_metrics()
    metrics.ended(an_admission(stream=True), an_end(an_attempt()))
    samples = said(metrics)
    tokens = "gen_ai_client_token_usage"
    assert of(samples, f"{tokens}_sum", **SMALL, gen_ai_token_type="input") == 100
    assert of(samples, f"{tokens}_bucket", **SMALL, gen_ai_token_type="output", le="16.0") == 0
    assert of(samples, f"{tokens}_bucket", **SMALL, gen_ai_token_type="output", le="64.0") == 1
    assert (
        of(samples, "gen_ai_server_request_duration_seconds_sum", **SMALL, error_type="-") == 0.24
    )
    assert of(samples, "gen_ai_server_time_to_first_token_seconds_sum", **SMALL) == 0.04
    # 200 ms for the 20 tokens after the first
    assert of(samples, "gen_ai_server_time_per_output_token_seconds_sum", **SMALL) == 0.01


def test_an_answer_that_is_not_streamed_has_no_first_token():
    metrics = some_metrics()
    metrics.ended(an_admission(stream=False), an_end(an_attempt()))
    assert of(said(metrics), "gen_ai_server_time_to_first_token_seconds_count", **SMALL) == 0


def test_a_stream_of_one_token_has_no_time_between_tokens():
    metrics = some_metrics()
    one = an_attempt(usage=Usage(prompt_tokens=5, completion_tokens=1))
    metrics.ended(an_admission(stream=True), an_end(one))
    samples = said(metrics)
    assert of(samples, "gen_ai_server_time_to_first_token_seconds_count", **SMALL) == 1
    assert of(samples, "gen_ai_server_time_per_output_token_seconds_count", **SMALL) == 0


def test_failures_are_counted_by_kind_and_errors_by_code():
    metrics = some_metrics()
    end = an_end(a_failure("cut"), a_failure("busy"), status="failed", http_status=503,
                 error="overloaded", delivered=None, first_byte_ms=None)  # fmt: skip
    metrics.ended(an_admission(), end)
    metrics.told("invalid_api_key")
    samples = said(metrics)
    assert of(samples, "pointsman_attempts_total", deployment="small", result="cut") == 1
    assert of(samples, "pointsman_attempts_total", deployment="small", result="busy") == 1
    assert of(samples, "pointsman_errors_total", code="overloaded") == 1
    assert of(samples, "pointsman_errors_total", code="invalid_api_key") == 1
    assert of(samples, "gen_ai_server_request_duration_seconds_count", **SMALL,
              error_type="busy") == 1  # fmt: skip
    assert of(samples, "pointsman_first_byte_seconds_count", task="work") == 0


def test_a_held_stream_says_how_long_it_was_held():
    metrics = some_metrics()
    metrics.ended(an_admission(stream=True), an_end(held_ms=180))
    assert of(said(metrics), "pointsman_held_seconds_sum", task="work") == 0.18


def an_outcome(kind: str, value: object = None) -> OutcomeRecord:
    return OutcomeRecord(id="oc_1", at_us=1, trace="tr_1", outcome=kind, value=value)  # type: ignore[arg-type]


def test_outcomes_that_rules_name_have_a_place_and_no_client_can_make_others():
    text = """
deployments: {a: {model: m, base_url: 'http://x/v1'}}
tasks:
  work: {acceptance: {accepted: "outcome.kind == 'sent_unedited'"}}
"""
    config = parse(text)
    metrics = some_metrics(*named_outcomes(config.tasks.values()))
    metrics.outcome(an_outcome("sent_unedited"))
    metrics.outcome(an_outcome("accepted", True))
    metrics.outcome(an_outcome("edited", "what they wrote"))
    for number in range(1000):
        metrics.outcome(an_outcome(f"word{number}", number))
    samples = said(metrics)
    assert of(samples, "pointsman_outcomes_total", outcome="sent_unedited", value="-") == 1
    assert of(samples, "pointsman_outcomes_total", outcome="accepted", value="true") == 1
    assert of(samples, "pointsman_outcomes_total", outcome="edited", value="-") == 1
    assert of(samples, "pointsman_outcomes_total", outcome=OTHER, value="-") == 1000


def test_a_model_that_a_change_of_the_configuration_swapped_is_another_series():
    metrics = some_metrics()
    metrics.ended(an_admission(), an_end())
    metrics.know({"small": DEPLOYMENTS["large"]}, ())
    metrics.ended(an_admission(), an_end())
    models = {dict(labels)["gen_ai_request_model"] for name, labels in said(metrics)
              if name == "gen_ai_client_token_usage_sum"}  # fmt: skip
    assert models == {"small-model", "large-model"}


def test_a_hundred_thousand_hostile_values_are_a_bounded_number_of_series():
    """Whatever a client, an engine or a long life of changed configurations brings."""
    metrics = some_metrics("accepted")
    for number in range(100_000):
        word = (
            f'{number}\n"}} x{{' + "é" * (number % 7) + ("y" * 5000 if number % 1000 == 0 else "")
        )
        attempt = an_attempt(
            deployment=word, model=word, finish_reason=word, response_id=word,
            gate=GateResult(verdict=word, reason=word) if number % 2 else None,  # type: ignore[arg-type]
        )  # fmt: skip
        if number % 3 == 0:
            attempt = a_failure(word, deployment=word)
        end = an_end(attempt, status=word, error=word)
        metrics.ended(an_admission(task=word, surface=word, asked=word, tenant=word,
                                   principal=word, stream=True), end, word)  # fmt: skip
        metrics.told(word)
        metrics.outcome(an_outcome(word, word))
    text = metrics.text()
    assert text.count(b"\n") < 2000
    assert len(metrics.snapshot()) < 200_000
    kept = (metrics._asked, metrics._surfaces, metrics._served, metrics._errors)
    assert all(len(each) <= 210 for each in kept)
    samples = said(text)  # and it can still be read
    assert of(samples, "pointsman_requests_total", task=OTHER, status=OTHER) == 100_000
    assert of(samples, "pointsman_errors_total", code=OTHER) == 200_000


def test_plain_distinct_names_are_bounded_too():
    metrics = some_metrics()
    for number in range(100_000):
        metrics.ended(an_admission(task=f"t{number}"), an_end(an_attempt(deployment=f"d{number}"),
                      error=f"code_{number}"))  # fmt: skip
    tasks = {dict(labels)["task"] for name, labels in said(metrics)
             if name == "pointsman_requests_total"}  # fmt: skip
    assert len(tasks) == LABELS["task"].most + 1
    whole = said(merge([metrics.snapshot(), metrics.snapshot()]))
    assert sum(value for (name, _), value in whole.items()
               if name == "pointsman_requests_total") == 200_000  # fmt: skip
    assert sum(value for (name, _), value in whole.items()
               if name == "pointsman_errors_total") == 200_000  # fmt: skip


def test_what_is_in_flight_goes_with_its_process_and_what_was_counted_stays():
    living, dying = some_metrics(), some_metrics()
    living.in_flight.value, dying.in_flight.value = 3, 5
    dying.ended(an_admission(), an_end())
    assert of(said(merge([living.snapshot(), dying.snapshot()])),
              "pointsman_requests_in_flight") == 8  # fmt: skip
    after = said(merge([living.snapshot(), combine([dying.snapshot()])]))
    assert of(after, "pointsman_requests_in_flight") == 3
    assert of(after, "pointsman_requests_total", task="work", status="delivered") == 1


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_names_make_text_that_can_be_read(task, deployment):
    metrics = some_metrics()
    metrics.ended(an_admission(task=task), an_end(an_attempt(deployment=deployment)))
    assert of(said(metrics), "pointsman_overhead_seconds_count") == 1


def test_every_name_and_label_that_is_said_is_in_the_table():
    metrics = some_metrics("accepted")
    for surface in (each.name for each in SURFACES.values()):
        end = an_end(escalated(), a_failure(), error="overloaded", held_ms=3)
        metrics.ended(an_admission(surface=surface, stream=True), end, "false")
    metrics.ended(an_admission(), an_end(a_failure(queued_ms=30)))
    looked = Screening(verdict="redact")
    metrics.ended(an_admission(policy=looked), an_end(an_attempt(policy=looked)))
    metrics.waits("small", 1)
    metrics.breaker("small", "closed", "open")
    metrics.told("invalid_api_key")
    metrics.outcome(an_outcome("accepted"))
    metrics.exported("spans", "dropped", 1)
    families = {each.name: each for each in text_string_to_metric_families(metrics.text().decode())}
    assert set(families) == set(FAMILIES)
    for name, family in families.items():
        assert family.documentation == FAMILIES[name].meaning
        assert family.type == FAMILIES[name].kind
        assert family.samples, f"nothing tests {name}"
        known = {label_name(label) for label in FAMILIES[name].labels} | {"le"}
        for sample in family.samples:
            assert set(sample.labels) <= known
            assert OTHER not in sample.labels.values(), (name, sample.labels)


def test_names_of_opentelemetry_stand_in_the_table_and_nowhere_else():
    """When its conventions change, one file does."""
    room = Path(__file__).parents[2] / "src" / "pointsman"
    name = re.compile(r"""["'](gen_ai[._]|error\.type|server\.address)""")
    found = {path.name for path in room.rglob("*.py") if name.search(path.read_text())}
    assert found == {"table.py"}


def test_every_label_of_the_table_is_bounded():
    used = {label for family in FAMILIES.values() for label in family.labels}
    assert used == set(LABELS)
    for label in LABELS.values():
        assert (label.values is None) == (0 < label.most <= 1000)


def test_every_surface_is_an_operation_of_the_table():
    assert {each.name for each in SURFACES.values()} == set(OPERATIONS)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_buckets_rise(family):
    assert list(family.bounds) == sorted(set(family.bounds))
    assert bool(family.bounds) == (family.kind == "histogram")


def test_a_wait_for_a_place_is_counted_apart_from_the_engines_time():
    metrics = some_metrics()
    metrics.ended(an_admission(), an_end(an_attempt(queued_ms=100, total_ms=340)))
    said = metrics.text().decode()
    assert 'pointsman_queue_seconds_sum{deployment="small"} 0.1' in said
    [line] = [each for each in said.splitlines() if "request_duration_seconds_sum" in each]
    assert line.endswith(" 0.24")


def test_a_second_try_of_a_step_is_a_retry_and_the_next_step_is_none():
    metrics = some_metrics()
    tries = [a_failure(step=0), a_failure(step=0), an_attempt(step=1)]
    metrics.ended(an_admission(), an_end(*tries))
    assert 'pointsman_retries_total{deployment="small"} 1' in metrics.text().decode()


def test_a_breaker_is_shown_in_the_phase_that_it_is_in():
    metrics = some_metrics()
    for before, now in (("closed", "open"), ("open", "half_open"), ("half_open", "open")):
        metrics.breaker("small", before, now)
    said = metrics.text().decode()
    assert 'pointsman_breaker{deployment="small",phase="open"} 1' in said
    assert 'pointsman_breaker{deployment="small",phase="half_open"} 0' in said
    assert 'pointsman_breaker_openings_total{deployment="small"} 2' in said
