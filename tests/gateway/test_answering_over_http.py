"""One request from the client's bytes to the upstream's and back, and what the journal says."""

import json

import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.domain.task import VerifierSpec
from pointsman.testing import ScriptedUpstream, chat_answer, chat_stream, status_answer


@pytest.fixture
def pair():
    with ScriptedUpstream() as small, ScriptedUpstream() as large:
        yield small, large


def gateway_for(tmp_path, small, large, **changes):
    deployments = [a_deployment("small", small.base_url), a_deployment("large", large.base_url)]
    return RunningGateway(a_config(tmp_path, deployments, **changes))


SHAPE = VerifierSpec(name="shape", kind="regex", spec="[0-9]+")


def test_an_accepted_cheap_answer_comes_back_as_the_engine_wrote_it(tmp_path, pair):
    small, large = pair
    small.then(chat_answer("42"))
    with gateway_for(tmp_path, small, large, verifiers=[SHAPE]) as gateway:
        answer = gateway.chat("6 x 7", temperature=0, some_vendor_field={"a": [1, 2.50]})
        assert answer.status == 200
        assert answer.json["choices"][0]["message"]["content"] == "42"
        assert answer.headers["x-pointsman-deployment"] == "small"
        assert answer.headers["x-pointsman-config"] == "c0ffee"
        sent = small.requests[0].json
        assert sent["model"] == "small-model"
        assert sent["some_vendor_field"] == {"a": [1, 2.50]}
        assert not [name for name, value in sent.items() if value is None]
        assert large.requests == []
        [row] = gateway.rows()
    assert row["status"] == "delivered"
    assert row["trace"] == answer.headers["x-pointsman-trace"]
    assert row["cost_usd_picos"] > 0


def test_an_answer_that_fails_its_check_escalates(tmp_path, pair):
    small, large = pair
    small.then(chat_answer("forty-two"))
    large.then(chat_answer("42"))
    with gateway_for(tmp_path, small, large, verifiers=[SHAPE]) as gateway:
        answer = gateway.chat("6 x 7")
        assert answer.json["choices"][0]["message"]["content"] == "42"
        assert answer.headers["x-pointsman-deployment"] == "large"
        assert answer.headers["x-pointsman-attempts"] == "2"
        [row] = gateway.rows()
        attempts = json.loads(row["attempts"])
        assert [a["deployment"] for a in attempts] == ["small", "large"]
        assert attempts[0]["gate"]["verdict"] == "escalate"
        assert attempts[0]["gate"]["checks"][0]["status"] == "found"
        assert row["cost_usd_picos"] == sum(a["cost_usd_picos"] for a in attempts)
        [outcome] = gateway.rows("outcomes")
    assert outcome["outcome"] == "verified"
    assert json.loads(outcome["value"]) is True


def test_a_low_logprob_escalates_and_logprobs_are_stripped_for_the_client(tmp_path, pair):
    small, large = pair
    small.then(chat_answer("a b", logprobs=[-0.1, -3.0]), chat_answer("a b", logprobs=[-0.1, -0.2]))
    large.then(chat_answer("right"))
    gate = "logprob.known && logprob.min >= -1.0"
    with gateway_for(tmp_path, small, large, gate=gate) as gateway:
        assert gateway.chat().headers["x-pointsman-deployment"] == "large"
        second = gateway.chat()
        assert second.headers["x-pointsman-deployment"] == "small"
        assert "logprobs" not in second.json["choices"][0]
        assert small.requests[0].json["logprobs"] is True
        assert "logprobs" not in large.requests[0].json


def test_a_held_stream_shows_nothing_of_a_rejected_answer(tmp_path, pair):
    small, large = pair
    small.then(chat_stream("forty two"))
    large.then(chat_stream("4 2"))
    digits = VerifierSpec(name="shape", kind="regex", spec="[0-9 ]+")
    with gateway_for(tmp_path, small, large, verifiers=[digits]) as gateway:
        answer = gateway.chat("6 x 7", stream=True)
        assert answer.text == "4 2"
        assert answer.events[-1] == "[DONE]"
        assert all("usage" not in chunk for chunk in answer.chunks)
        [row] = gateway.rows()
    assert row["stream"] is True
    assert row["deployment"] == "large"
    assert json.loads(row["attempts"])[0]["usage"]["completion_tokens"] > 0


def test_include_usage_gives_exactly_one_extra_chunk(tmp_path, pair):
    small, large = pair
    small.then(chat_stream("1 2 3"))
    with gateway_for(tmp_path, small, large, steps=["small"], gate=None) as gateway:
        answer = gateway.chat(stream=True, stream_options={"include_usage": True})
        extra = [chunk for chunk in answer.chunks if chunk["choices"] == []]
        assert len(extra) == 1
        assert extra[0]["usage"]["completion_tokens"] > 0
        assert answer.events[-1] == "[DONE]"


def test_a_held_stream_sends_comments_and_tells_in_its_last_chunk_who_answered(tmp_path, pair):
    small, large = pair
    small.then(chat_stream("no", every_s=0.4))
    large.then(chat_stream("4 2"))
    digits = VerifierSpec(name="shape", kind="regex", spec="[0-9 ]+")
    settings = {"keepalive_comment_s": 0.1}
    with gateway_for(tmp_path, small, large, verifiers=[digits], server=settings) as gateway:
        answer = gateway.chat(stream=True)
        assert b": keep-alive\n\n" in answer.body
        assert answer.text == "4 2"
        assert "x-pointsman-deployment" not in answer.headers
        told = [chunk["pointsman"] for chunk in answer.chunks if "pointsman" in chunk]
        assert [t["deployment"] for t in told] == ["large"]
        assert "pointsman" in answer.chunks[-1]


def test_the_prompt_version_becomes_the_one_system_message(tmp_path, pair):
    small, large = pair
    small.then(chat_answer("ok"), chat_answer("ok"))
    with gateway_for(
        tmp_path, small, large, steps=["small"], gate=None, prompt="Be brief."
    ) as gateway:
        answer = gateway.chat()
        own = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]
        gateway.chat(messages=own)
        assert answer.headers["x-pointsman-prompt"] == "work@v1#0123456789ab"
    first, second = (received.json["messages"] for received in small.requests)
    assert first[0] == {"role": "system", "content": "Be brief."}
    assert [m["role"] for m in second] == ["system", "user"]
    assert second[0]["content"] == "Be brief.\n\nBe kind."


def test_feedback_by_trace_and_by_the_answers_own_id_is_one_fact_per_key(tmp_path, pair):
    small, large = pair
    small.then(chat_answer("ok"))
    with gateway_for(tmp_path, small, large, steps=["small"], gate=None) as gateway:
        answer = gateway.chat()
        trace = answer.headers["x-pointsman-trace"]
        one = {"trace": trace, "kind": "accepted", "key": "k1"}
        first = gateway.request("POST", "/v1/feedback", one)
        again = gateway.request("POST", "/v1/feedback", one)
        by_id = gateway.request(
            "POST", "/v1/feedback", {"id": answer.json["id"], "kind": "edited", "value": 0.5}
        )
        unknown = gateway.request("POST", "/v1/feedback", {"trace": "tr_nope", "kind": "accepted"})
        assert first.json["id"] == again.json["id"]
        assert by_id.json["trace"] == trace
        assert unknown.status == 404
        assert [row["outcome"] for row in gateway.rows("outcomes")] == ["accepted", "edited"]


def test_feedback_finds_a_trace_of_an_earlier_run(tmp_path, pair):
    small, large = pair
    small.then(chat_answer("ok"))
    with gateway_for(tmp_path, small, large, steps=["small"], gate=None) as gateway:
        answer = gateway.chat()
    with gateway_for(tmp_path, small, large, steps=["small"], gate=None) as gateway:
        said = {"id": answer.json["id"], "kind": "accepted"}
        assert gateway.request("POST", "/v1/feedback", said).status == 200


def test_models_lists_what_can_be_asked_and_nothing_else(tmp_path, pair):
    small, large = pair
    with gateway_for(tmp_path, small, large) as gateway:
        listed = gateway.request("GET", "/v1/models").json["data"]
        names = {item["id"] for item in listed}
        assert names == {"task:work", "route:main", "small", "large", "gpt-4o", "auto"}
        assert gateway.request("GET", "/v1/models/gpt-4o").status == 200
        assert gateway.request("GET", "/v1/models/nope").json["error"]["code"] == "model_not_found"


def test_a_task_can_be_asked_by_another_way_than_its_own(tmp_path, pair):
    small, large = pair
    large.then(chat_answer("from large"))
    with gateway_for(tmp_path, small, large, prompt="Be brief.") as gateway:
        answer = gateway.chat(model="task:work@large")
        assert answer.headers["x-pointsman-deployment"] == "large"
        assert large.requests[0].json["messages"][0]["content"] == "Be brief."
        assert gateway.chat(model="task:work@nowhere").status == 404
        [row] = gateway.rows()
    assert (row["task"], row["route"]) == ("work", "large")


def test_probes_and_metrics_need_no_key_and_call_no_model(tmp_path, pair):
    small, large = pair
    small.then(chat_answer("ok"))
    with gateway_for(tmp_path, small, large, steps=["small"], gate=None) as gateway:
        gateway.chat()
        assert gateway.request("GET", "/healthz").json == {"status": "ok"}
        assert gateway.request("GET", "/readyz").status == 200
        text = gateway.request("GET", "/metrics").body.decode()
        assert 'pointsman_requests_total{status="delivered",task="work"} 1.0' in text
        assert "pointsman_overhead_seconds_bucket" in text
        assert len(small.requests) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "held"])
@pytest.mark.parametrize(("text", "word"), [("42", "true"), ("forty-two", "false")])
def test_the_client_is_told_whether_the_tasks_checks_passed(tmp_path, pair, stream, text, word):
    small, large = pair
    answer = chat_stream if stream else chat_answer
    small.then(answer(text))
    large.then(status_answer(500, {}))
    with gateway_for(tmp_path, small, large, verifiers=[SHAPE]) as gateway:
        assert gateway.chat(stream=stream).headers["x-pointsman-verified"] == word
