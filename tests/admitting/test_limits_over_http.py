"""Keys with limits at a real door: rates, requests at once, money, and what the client is told."""

import contextlib
import http.client
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from tests.admitting.kit import (
    PRICE,
    WORDS,
    a_key,
    an_engine,
    ask,
    bearer,
    crowd,
    error_of,
    limited,
    spent,
    until,
)
from tests.support.gateway import RunningGateway

from pointsman.domain.limits import Allowance
from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.task import Team
from pointsman.testing import Flag, ScriptedUpstream, chat_answer, chat_stream, status_answer

COST = 10 * PRICE.output_usd_picos  # of ten words


@pytest.fixture
def upstream():
    with ScriptedUpstream(default=an_engine()) as running:
        yield running


@pytest.fixture
def gateway_of(tmp_path, upstream):
    """Starts a gateway whose one key has these limits."""
    with contextlib.ExitStack() as stack:

        def start(limits=None, *, most=100, price=PRICE, keys=None, **changes):
            keys = keys or [a_key(limits=limits or {})]
            config = limited(tmp_path, upstream, keys=keys, most=most, price=price, **changes)
            return stack.enter_context(RunningGateway(config))

        yield start


def spent_now(gateway):
    return sum(row["cost_usd_picos"] for row in gateway.rows())


def test_a_rate_lets_so_many_through_and_tells_the_rest_when_to_come_back(gateway_of):
    gateway = gateway_of({"requests_per_minute": 3})
    answers = [ask(gateway) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    refused = answers[-1]
    assert error_of(refused)["code"] == "rate_limit_exceeded"
    assert error_of(refused)["type"] == "rate_limit_error"
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert refused.headers["x-ratelimit-limit-requests"] == "3"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"


def test_every_answer_carries_the_rates_in_openais_words(gateway_of):
    gateway = gateway_of({"requests_per_minute": 60, "tokens_per_minute": 1000})
    answer = ask(gateway, max_tokens=50)
    found = {name: value for name, value in answer.headers.items() if "ratelimit" in name}
    assert found["x-ratelimit-limit-requests"] == "60"
    assert found["x-ratelimit-remaining-requests"] == "59"
    assert found["x-ratelimit-reset-requests"] == "1s"
    assert found["x-ratelimit-limit-tokens"] == "1000"
    assert 900 < int(found["x-ratelimit-remaining-tokens"]) < 950
    assert found["x-ratelimit-reset-tokens"].endswith("s")
    assert len(found) == 6


def test_tokens_are_charged_as_they_turned_out(gateway_of):
    gateway = gateway_of({"tokens_per_minute": 1000})
    left = [
        int(ask(gateway, max_tokens=80).headers["x-ratelimit-remaining-tokens"]) for _ in range(3)
    ]
    used = [first - second for first, second in itertools.pairwise(left)]
    assert all(0 < each < 60 for each in used), "80 were reserved, fewer were used"


def test_a_token_rate_refuses_what_it_has_not(gateway_of):
    gateway = gateway_of({"tokens_per_minute": 100})
    assert ask(gateway, max_tokens=90).status == 200
    refused = ask(gateway, max_tokens=90)
    assert refused.status == 429
    assert refused.headers["x-ratelimit-limit-tokens"] == "100"


def test_more_tokens_than_a_minute_has_wait_for_a_whole_minute_and_not_for_ever(gateway_of):
    gateway = gateway_of({"tokens_per_minute": 50})
    assert ask(gateway, max_tokens=50).status == 200


def test_a_stream_carries_its_rates_too(gateway_of):
    gateway = gateway_of({"requests_per_minute": 60})
    answer = ask(gateway, stream=True)
    assert answer.status == 200
    assert answer.headers["x-ratelimit-remaining-requests"] == "59"


def test_no_limits_no_headers(gateway_of):
    assert not [name for name in ask(gateway_of()).headers if "ratelimit" in name]


def test_requests_at_once_are_bounded_and_free_again_at_every_end(gateway_of, upstream):
    gateway = gateway_of({"concurrency": 2})
    for rounds in (1, 2, 3):
        go = Flag()
        upstream.default = chat_answer(once=go)
        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(ask, gateway) for _ in range(2)]
            until(partial(_were_asked, upstream, 2 * rounds), "both are asked")
            refused = ask(gateway)
            assert (refused.status, error_of(refused)["code"]) == (429, "too_many_at_once")
            assert "retry-after" in refused.headers
            go.set()
            assert [each.result(10).status for each in running] == [200, 200]
    upstream.default = status_answer(500)
    assert ask(gateway).status == 502
    assert ask(gateway).status == 502
    assert ask(gateway).status == 502


def _were_asked(upstream, count):
    return len(upstream.requests) == count


def test_a_spent_budget_is_refused_with_an_error_no_client_sends_again(gateway_of):
    gateway = gateway_of({"day_usd_picos": 3 * COST + COST // 2}, most=10)
    statuses = [ask(gateway).status for _ in range(6)]
    assert statuses == [200, 200, 200, 403, 403, 403]
    answer = ask(gateway)
    error = error_of(answer)
    assert (error["code"], error["type"]) == ("budget_exceeded", "insufficient_quota")
    assert "the key app" in error["message"]
    assert answer.status not in (408, 409, 429)
    assert answer.status < 500
    assert spent_now(gateway) == 3 * COST


def test_the_upper_bound_is_reserved_and_the_rest_free_again(gateway_of):
    """Each may cost ten times what it does; all of the budget is of use."""
    gateway = gateway_of({"day_usd_picos": 20 * COST}, most=100)
    statuses = [ask(gateway).status for _ in range(30)]
    assert statuses.count(200) == 11, "the last may still cost ten times as much"
    assert statuses[-1] == 403
    assert ask(gateway, max_tokens=10).status == 200, "a smaller one still fits"


def test_a_huge_max_tokens_is_refused_and_costs_nothing(gateway_of, upstream):
    gateway = gateway_of({"day_usd_picos": 20 * COST}, most=None)
    refused = ask(gateway, max_tokens=2**31)
    assert (refused.status, error_of(refused)["code"]) == (403, "budget_exceeded")
    assert not upstream.requests
    assert ask(gateway, max_tokens=50).status == 200


def test_a_deployments_bound_caps_a_huge_max_tokens(gateway_of, upstream):
    gateway = gateway_of({"day_usd_picos": 20 * COST}, most=50)
    assert ask(gateway, max_tokens=2**31).status == 200
    assert upstream.requests[-1].json["max_tokens"] == 50


def test_an_answer_of_any_length_is_refused_to_a_key_with_a_budget(gateway_of, upstream):
    gateway = gateway_of({"month_usd_picos": PICOS_PER_USD}, most=None)
    refused = ask(gateway)
    assert (refused.status, error_of(refused)["code"]) == (400, "output_unbounded")
    assert error_of(refused)["param"] == "max_tokens"
    assert not upstream.requests


@pytest.mark.parametrize("fields", [{"n_predict": -1}, {"max_tokens": 0}, {"max_tokens": -5},
                                    {"max_new_tokens": "x"}])  # fmt: skip
def test_a_bound_that_is_none_does_not_get_past_a_budget(gateway_of, upstream, fields):
    gateway = gateway_of({"day_usd_picos": PICOS_PER_USD}, most=None)
    assert ask(gateway, **fields).status == 400
    assert not upstream.requests


def test_a_failed_and_a_refused_request_give_their_reservation_back(gateway_of, upstream):
    gateway = gateway_of({"day_usd_picos": 11 * COST}, most=100)
    upstream.default = status_answer(500)
    for _ in range(5):
        assert ask(gateway).status == 502
    upstream.default = an_engine()
    assert ask(gateway).status == 200


def test_a_team_and_a_tenant_bound_their_keys_together(gateway_of):
    keys = [
        a_key("one", "one", tenant="acme", team="search"),
        a_key("two", "two", tenant="acme", team="search"),
        a_key("three", "three", tenant="acme"),
        a_key("other", "other"),
    ]
    gateway = gateway_of(
        keys=keys, most=10,
        teams=(Team(name="search", tenant="acme", limits=Allowance(day_usd_picos=2 * COST)),),
        tenants={"acme": Allowance(day_usd_picos=3 * COST)},
    )  # fmt: skip
    assert [ask(gateway, key).status for key in ("one", "two", "one")] == [200, 200, 403]
    assert "the team search" in error_of(ask(gateway, "two"))["message"]
    assert [ask(gateway, "three").status for _ in range(2)] == [200, 403]
    assert ask(gateway, "other").status == 200
    assert spent_now(gateway) == 4 * COST


def test_a_budget_outlives_a_restart(tmp_path, upstream):
    config = limited(tmp_path, upstream, keys=[a_key(limits={"day_usd_picos": 3 * COST})], most=10)
    with RunningGateway(config) as gateway:
        assert [ask(gateway).status for _ in range(2)] == [200, 200]
    with RunningGateway(config) as gateway:
        assert [ask(gateway).status for _ in range(2)] == [200, 403]


def test_200_at_once_against_a_budget_for_50_spend_at_most_50_and_serve_at_least_45(
    tmp_path, upstream
):
    upstream.default = an_engine(after_s=0.02)
    config = limited(tmp_path, upstream, keys=[a_key(limits={"day_usd_picos": 50 * COST})], most=10)
    with RunningGateway(config) as gateway:
        statuses = crowd([gateway], 200)
    assert set(statuses) <= {200, 403, 429}
    assert 45 <= statuses[200] <= 50
    assert spent(tmp_path) == statuses[200] * COST <= 50 * COST


def test_the_same_where_each_may_cost_three_times_what_it_does(tmp_path, upstream):
    upstream.default = an_engine(after_s=0.02)
    config = limited(tmp_path, upstream, keys=[a_key(limits={"day_usd_picos": 50 * COST})], most=30)
    with RunningGateway(config) as gateway:
        statuses = crowd([gateway], 200)
    assert 45 <= statuses[200] <= 50
    assert spent(tmp_path) == statuses[200] * COST <= 50 * COST


def test_who_hangs_up_while_waiting_for_money_leaves_nothing_reserved(gateway_of, upstream):
    go = Flag()
    upstream.default = chat_answer(WORDS, once=go)
    gateway = gateway_of({"day_usd_picos": COST + COST // 2}, most=10)
    first = threading.Thread(target=lambda: ask(gateway))
    first.start()
    until(lambda: len(upstream.requests) == 1, "it is asked")
    waiting = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    body = {"model": "task:work", "messages": [{"role": "user", "content": "x"}]}
    waiting.request("POST", "/v1/chat/completions", json.dumps(body), bearer())
    (purse,) = gateway.app._admitting._purses.values()
    until(lambda: len(purse._waiting) == 1, "it waits for the first to end")
    waiting.close()
    until(lambda: all(each.turn.done() for each in purse._waiting), "it is known to be gone")
    upstream.default = chat_answer("one two three four five")
    go.set()
    first.join(10)
    assert ask(gateway, max_tokens=5).status == 200
    assert (purse.reserved, purse.spent) == (0, COST + COST // 2)


def test_a_client_that_hangs_up_in_a_stream_pays_for_what_it_had_and_frees_the_rest(
    gateway_of, upstream
):
    upstream.default = chat_stream(WORDS, every_s=0.05, usage="always")
    gateway = gateway_of({"day_usd_picos": 100 * COST, "concurrency": 1}, most=100)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    body = {"model": "task:work", "messages": [{"role": "user", "content": "x"}], "stream": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), bearer())
    response = connection.getresponse()
    response.read(20)
    response.close()
    connection.close()
    (purse,) = gateway.app._admitting._purses.values()
    until(lambda: purse.reserved == 0, "what it might have cost is free again")
    upstream.default = an_engine()
    assert ask(gateway).status == 200, "and so is its place"
    assert purse.spent == spent_now(gateway)
