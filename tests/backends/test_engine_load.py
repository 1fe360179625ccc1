"""The load that engines tell, read from the text that they tell it in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends.dialects import ENGINES, LoadNames
from pointsman.backends.engine_load import EngineLoad, read_load

# Shortened; llama.cpp's was recorded, the others follow the engines' own documentation.
TEXTS = {
    "vllm": b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="Qwen/Qwen3-8B"} 3.0
vllm:num_requests_running{engine="1",model_name="Qwen/Qwen3-8B"} 4.0
vllm:num_requests_waiting{engine="0",model_name="Qwen/Qwen3-8B"} 2.0
vllm:num_requests_waiting{engine="1",model_name="Qwen/Qwen3-8B"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 9.0
vllm:kv_cache_usage_perc{engine="0",model_name="Qwen/Qwen3-8B"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="Qwen/Qwen3-8B"} 0.5
""",
    "sglang": b"""# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{engine_type="unified",model_name="qwen } 3",tp_rank="0"} 7.0
sglang:num_queue_reqs{engine_type="unified",model_name="qwen } 3",tp_rank="0"} 2.0
sglang:token_usage{engine_type="unified",model_name="qwen } 3",tp_rank="0"} 0.5
""",
    "llamacpp": b"""# HELP llamacpp:requests_processing Number of requests processing
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 7
# HELP llamacpp:requests_deferred Number of requests deferred
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 2
llamacpp:n_busy_slots_per_decode 1
""",
    "tgi": b"""# TYPE tgi_batch_current_size gauge
tgi_batch_current_size 7
# TYPE tgi_queue_size gauge
tgi_queue_size 2
tgi_queue_size_other 5
""",
}
CACHES = {"vllm": 0.5, "sglang": 0.5, "llamacpp": None, "tgi": None}
NAMES = LoadNames(running="a:run", waiting="a:wait", cache="a:cache")


def test_every_row_that_tells_its_load_is_tested_here():
    assert {name for name, row in ENGINES.items() if row.load} == set(TEXTS)


@pytest.mark.parametrize("engine", TEXTS)
def test_requests_that_run_and_wait_are_read_over_all_series(engine):
    names = ENGINES[engine].load
    assert names is not None
    assert read_load(names, TEXTS[engine]) == EngineLoad(running=7, waiting=2, cache=CACHES[engine])


@pytest.mark.parametrize(
    "text",
    [b"", b"\n\n", b"a:run", b"a:run ", b"a:run NaN", b"a:run +Inf", b"a:run -1", b"a:run x",
     b'a:run{le="1"}', b"a:run_total 5", b"x a:run 5", b"# a:run 5", b"<html>a:run 5</html>"],
    ids=repr,
)  # fmt: skip
def test_a_line_that_is_no_sample_of_a_number_tells_nothing(text):
    assert not read_load(NAMES, text).known


def test_a_time_behind_the_value_is_none_of_it():
    text = b'a:run 3 1395066363000\na:wait{x="a b"} 4 1395066363000\na:cache 1.7\n'
    assert read_load(NAMES, text) == EngineLoad(running=3, waiting=4, cache=1.0)


@given(st.binary(max_size=200))
def test_any_bytes_are_read(text):
    read_load(NAMES, text)
    read_load(NAMES, b"a:run " + text)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_a_load_is_the_sum_of_its_series(values):
    lines = [b'a:run{rank="%d"} %d' % (at, value) for at, value in enumerate(values)]
    assert read_load(NAMES, b"\n".join(lines)).running == sum(values)
