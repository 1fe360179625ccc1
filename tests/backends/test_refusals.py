"""What a status that is no answer is taken for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.early import OVERFLOWS, REFUSALS

from pointsman.answering.refusal import refusal
from pointsman.backends.refusals import refused


@pytest.mark.parametrize("engine", OVERFLOWS)
def test_a_prompt_too_long_has_one_code_whichever_engine_says_so(engine):
    status, body, words = OVERFLOWS[engine]
    failure = refused(status, {}, json.dumps(body).encode())
    assert failure.kind == "client_error"
    assert failure.code == "context_length_exceeded"
    assert failure.status == status  # the record keeps the engine's own
    error = refusal("main", failure, (), "tr_1")
    assert (error.status, error.reported_code) == (400, "context_length_exceeded")
    assert words in error.sentence


@pytest.mark.parametrize("engine", REFUSALS)
def test_another_refusal_keeps_its_own_code_and_status(engine):
    status, body, words = REFUSALS[engine]
    failure = refused(status, {}, json.dumps(body).encode())
    assert failure.kind == "client_error"
    assert failure.code != "context_length_exceeded"
    error = refusal("main", failure, (), "tr_1")
    assert error.status == status
    assert words in error.sentence


@pytest.mark.parametrize("status", [500, 503])
def test_an_engine_that_breaks_over_its_context_is_still_the_engines_fault(status):
    body = b'{"error":{"message":"cache smaller than context length"}}'
    failure = refused(status, {}, body)
    assert failure.kind == "server_error"
    assert failure.code is None


# What engines say of a prompt that is too long beside their usual words.
TOO_LONG = {
    "vllm, counted late": (400, "The decoder prompt (length 8357) is longer than the maximum model "
                                "length of 8192. Make sure that `max_model_len` is no smaller than "
                                "the number of text tokens."),
    "sglang, of its cache": (400, "Input length (17778 tokens) exceeds the maximum allowed length "
                                  "(11052 tokens). Use a shorter input or enable "
                                  "--allow-auto-truncate."),
    "llamacpp": (400, "request (10003 tokens) exceeds the available context size (512 tokens), try "
                      "increasing it"),
    "llamacpp, embeddings": (500, "input (596 tokens) is too large to process. increase the "
                                  "physical batch size (current batch size: 512)"),
    "tgi": (422, "Input validation error: `inputs` must have less than 1024 tokens. Given: 1532"),
    "dashscope": (400, "<400> InternalError.Algo.InvalidParameter: Range of input length should be "
                       "[1, 129024]"),
    "ollama, embeddings": (400, "the input length exceeds the context length"),
}  # fmt: skip


@pytest.mark.parametrize("said", TOO_LONG)
def test_a_prompt_too_long_is_the_clients_in_any_words_and_with_any_status(said):
    status, message = TOO_LONG[said]
    failure = refused(status, {}, json.dumps({"error": {"message": message}}).encode())
    assert (failure.kind, failure.code) == ("client_error", "context_length_exceeded")
    error = refusal("main", failure, (), "tr_1")
    assert (error.status, error.reported_code) == (400, "context_length_exceeded")
    assert message in error.sentence


def test_an_account_in_arrears_is_our_trouble_and_no_other_400_is():
    body = {"error": {"message": "Access denied, please make sure your account is in good "
                                 "standing.", "type": "Arrearage", "param": None,
                      "code": "Arrearage"}, "request_id": "1"}  # fmt: skip
    assert refused(400, {}, json.dumps(body).encode()).kind == "server_error"
    body["error"]["code"] = "invalid_parameter_error"
    assert refused(400, {}, json.dumps(body).encode()).kind == "client_error"


def retry_after_s(status: int = 429, **headers: str) -> float | None:
    lines = {name.replace("_", "-").encode(): said.encode() for name, said in headers.items()}
    return refused(status, lines, b"").retry_after_s


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),  # OpenAI's own is the finer
        ({"retry_after": "-3"}, 0),
        ({"retry_after": "1e99"}, 86_400),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": ""}, None),
        ({}, None),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:30 GMT",
          "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT",
          "date": "Wed, 21 Oct 2015 07:28:30 GMT"}, 0),  # past by the upstream's own clock
        ({"retry_after": "Wed, 21 Oct 2015 07:28:30 GMT"}, None),  # by whose clock?
        ({"retry_after": "Wed, 99 Oct 2015 07:28:30 GMT",
          "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
    ],
)  # fmt: skip
def test_when_to_come_back_is_read_in_every_form(status, headers, seconds):
    assert retry_after_s(status, **headers) == seconds


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_nonsense_about_when_to_come_back_is_none_or_bounded(after, ms, date):
    lines = {b"retry-after": after.encode(), b"retry-after-ms": ms.encode(), b"date": date.encode()}
    said = refused(429, lines, b"").retry_after_s
    assert said is None or 0 <= said <= 86_400


def test_other_statuses_say_nothing_of_it():
    assert retry_after_s(500, retry_after="7") is None
