"""The most a request can cost is never less than what it costs, whatever its words for it."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends.outgoing import encode
from pointsman.domain.errors import InvalidRequest
from pointsman.domain.money import Price, Usage, cost_usd_picos
from pointsman.domain.plan import Plan, Step
from pointsman.domain.portfolio import OUTPUT_FIELDS, Deployment, Limits
from pointsman.domain.ports import UpstreamCall
from pointsman.limits.bounding import need_of, output_asked
from pointsman.surfaces.chat import parse_chat
from pointsman.surfaces.completions import parse_completion
from pointsman.surfaces.embeddings import parse_embedding
from pointsman.surfaces.rerank import parse_rerank
from pointsman.surfaces.responses_request import parse_responses

PRICE = Price(input_usd_picos=3, output_usd_picos=7)


def deployment(name="a", *, most=None, price=PRICE):
    return Deployment(
        name=name, model="m", base_url="http://h/v1", served_name="m", price=price,
        limits=Limits(max_output_tokens=most),
    )  # fmt: skip


def a_request(**fields):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields})
    return parse_chat(body.encode()), len(body)


def bound(request, size, *deployments, **more):
    plan = Plan(steps=tuple(Step(deployment=each.name) for each in deployments))
    table = {each.name: each for each in deployments}
    return need_of(
        request, body_bytes=size, prompt_bytes=0, estimate=2, plan=plan, deployments=table, **more
    )


def test_every_step_and_every_try_counts():
    request, size = a_request(max_tokens=100)
    one = bound(request, size, deployment("a")).usd_picos
    assert bound(request, size, deployment("a"), deployment("b")).usd_picos == 2 * one
    assert bound(request, size, deployment("a"), tries=3).usd_picos == 3 * one


def test_an_answer_without_a_bound_is_refused_with_what_to_do():
    request, size = a_request()
    with pytest.raises(InvalidRequest) as caught:
        bound(request, size, deployment())
    assert caught.value.reported_code == "output_unbounded"
    assert "max_tokens" in caught.value.next


def test_the_deployments_bound_stands_in_and_is_sent():
    request, size = a_request()
    assert bound(request, size, deployment(most=50)).usd_picos > 0
    sent = json.loads(
        encode(UpstreamCall(deployment=deployment(most=50), request=request, deadline_s=1)).body
    )
    assert sent["max_tokens"] == 50


@given(
    st.dictionaries(st.sampled_from(OUTPUT_FIELDS), st.none() | st.integers(1, 10**6), max_size=4),
    st.none() | st.integers(1, 10**4),
    st.integers(1, 4),
)
def test_no_engine_may_answer_more_than_was_reserved(fields, most, choices):
    """Whichever of the words an engine reads, what it was sent is within the bound."""
    place = deployment(most=most)
    request, size = a_request(n=choices, **fields)
    if most is None and all(value is None for value in fields.values()):
        return
    need = bound(request, size, place)
    sent = json.loads(encode(UpstreamCall(deployment=place, request=request, deadline_s=1)).body)
    for name in OUTPUT_FIELDS:
        if sent.get(name) is not None:
            usage = Usage(prompt_tokens=size, completion_tokens=sent[name] * choices)
            assert cost_usd_picos(usage, PRICE) <= need.usd_picos


@pytest.mark.parametrize("value", [0, -1, 2**31 + 1, 1e300, "many", True, [1]])
def test_a_bound_that_is_none_is_refused(value):
    request, _ = a_request(n_predict=value)
    with pytest.raises(InvalidRequest) as caught:
        output_asked(request)
    assert caught.value.param == "n_predict"


def test_the_largest_of_several_bounds_counts():
    request, _ = a_request(max_tokens=5, max_completion_tokens=90, n_predict=70)
    assert output_asked(request) == 90


def test_best_of_counts_like_n():
    plain, size = a_request(max_tokens=100)
    many, _ = a_request(max_tokens=100, best_of=8)
    more = bound(many, size, deployment()).usd_picos - bound(plain, size, deployment()).usd_picos
    assert more == 7 * 100 * PRICE.output_usd_picos


def test_an_image_counts_as_the_most_it_can_be_and_not_as_its_bytes():
    url = "data:image/png;base64," + "A" * 1_000_000
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]
    request, size = a_request(max_tokens=1, messages=[{"role": "user", "content": parts}])
    tokens = bound(request, size, deployment(price=Price(input_usd_picos=1, output_usd_picos=0)))
    assert 16_384 < tokens.usd_picos < 20_000


def test_a_huge_bound_is_exact():
    request, size = a_request(max_tokens=2**31)
    need = bound(request, size, deployment(price=Price(input_usd_picos=0, output_usd_picos=10**6)))
    assert need.usd_picos == 2**31 * 10**6


def test_an_unpriced_deployment_costs_nothing():
    request, size = a_request(max_tokens=10)
    assert bound(request, size, deployment(price=None)).usd_picos == 0


def test_the_bytes_of_any_text_are_no_fewer_than_its_tokens():
    """Escapes in JSON are longer than what they stand for: the body bounds the text."""
    text = 'é\u0000\n"漢字🙂' * 50
    request, size = a_request(max_tokens=1, messages=[{"role": "user", "content": text}])
    assert size >= len(text.encode())
    assert msgspec.json.decode(request.fields["messages"])[0]["content"] == text


def test_a_ranking_reads_its_query_once_for_each_document():
    def ranking(documents):
        body = {"model": "m", "query": "q" * 10_000, "documents": ["d"] * documents}
        return json.dumps(body).encode()

    price = Price(input_usd_picos=1, output_usd_picos=0)
    bounds = []
    for documents in (1, 50):
        body = ranking(documents)
        need = bound(parse_rerank(body), len(body), deployment(price=price))
        assert need.usd_picos >= documents * 10_001
        bounds.append(need.usd_picos)
    assert bounds[1] - bounds[0] >= 49 * 10_001


def test_what_is_only_read_needs_no_bound_on_an_answer():
    body = json.dumps({"model": "m", "input": ["one", "two"]}).encode()
    need = bound(parse_embedding(body), len(body), deployment())
    assert need.usd_picos >= len(body) * PRICE.input_usd_picos


def test_several_prompts_are_each_answered_at_full_length():
    def asking(prompt):
        return json.dumps({"model": "m", "prompt": prompt, "max_tokens": 100, "n": 2}).encode()

    price = Price(input_usd_picos=0, output_usd_picos=1)
    found = [
        bound(parse_completion(body), len(body), deployment(price=price)).usd_picos
        for body in (asking("a"), asking(["a", "b", "c"]))
    ]
    assert found == [200, 600]


def test_a_surface_that_says_more_than_its_client_said_counts_what_it_says():
    """A namespace is said once, and again in the name of each of its functions."""
    functions = [{"type": "function", "name": str(at)} for at in range(500)]
    tools = [{"type": "namespace", "name": "n" * 64, "tools": functions}]
    body = json.dumps({"model": "m", "input": "x", "tools": tools, "max_output_tokens": 1}).encode()
    request = parse_responses(body)
    sent = sum(len(bytes(raw)) for raw in request.fields.values())
    assert sent > 2 * len(body)
    assert bound(request, len(body), deployment()).usd_picos >= sent * PRICE.input_usd_picos
