"""One budget, several gateways: on SQLite, PostgreSQL and Redis; killed, hung, gone and late."""

import asyncio
import http.client
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from tests.admitting.kit import (
    PRICE,
    SECRET,
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
from tests.support.processes import ServeProcess, children
from tests.support.redis import URL, a_place_in_redis

from pointsman.domain.errors import ExtraMissing, StateUnavailable
from pointsman.domain.task import BudgetSettings, StateSettings, VirtualKeySettings
from pointsman.limits.periods import DAY_US, day_of
from pointsman.state import open_state, redis_cells
from pointsman.testing import ScriptedUpstream

COST = 10 * PRICE.output_usd_picos
FIFTY = {"day_usd_picos": 50 * COST}


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(default=an_engine(after_s=0.02)) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    skip_or_fail: Callable[[str, str], None],
) -> Iterator[StateSettings]:
    """Where it is counted together."""
    if request.param == "redis":
        with a_place_in_redis(skip_or_fail) as prefix:
            made = redis_cells.RedisCells.__init__

            def init(self, url, *, wait_s=0.2):  # this machine is busy: patience, a prefix
                made(self, url, wait_s=2, prefix=prefix)

            monkeypatch.setattr(redis_cells.RedisCells, "__init__", init)
            monkeypatch.setattr("pointsman.admitting.opening.REDIS_WAIT_S", 2.0)
            yield StateSettings(counters=URL)
    elif request.param == "postgres":
        yield StateSettings(url=request.getfixturevalue("postgres_url"))
    else:
        yield StateSettings(url=f"sqlite:///{tmp_path}/together.sqlite")


def test_two_gateways_spend_a_budget_for_50_at_most_once_and_serve_at_least_45(
    tmp_path, upstream, store
):
    config = limited(tmp_path, upstream, keys=[a_key(limits=FIFTY)], most=10, state=store)
    with RunningGateway(config) as one, RunningGateway(config) as other:
        statuses = crowd([one, other], 200)
    assert 45 <= statuses[200] <= 50, statuses
    assert spent(tmp_path) == statuses[200] * COST <= 50 * COST


def test_a_rate_is_counted_together(tmp_path, upstream, store):
    config = limited(
        tmp_path, upstream, keys=[a_key(limits={"requests_per_minute": 20})], state=store
    )
    with RunningGateway(config) as one, RunningGateway(config) as other:
        statuses = crowd([one, other], 60)
    assert 20 <= statuses[200] <= 22, "what a minute holds, and what the seconds added"
    assert statuses[429] == 60 - statuses[200]


def test_what_idles_with_one_gateway_comes_back_to_another(tmp_path, upstream, store):
    settings = BudgetSettings(lease_s=0.6, wait_s=10)
    config = limited(
        tmp_path, upstream, keys=[a_key(limits=FIFTY)], most=10, state=store, budgets=settings
    )
    with RunningGateway(config) as one, RunningGateway(config) as other:
        assert ask(one).status == 200  # takes a little ahead
        statuses = crowd([other], 80)
    assert statuses[200] == 49


CONFIG = """\
deployments:
  small:
    model: small
    base_url: "{small}"
    price: {{input_usd_per_mtok: 0, output_usd_per_mtok: 1000}}
    limits: {{max_output_tokens: 10, first_token_timeout_s: 20}}
tasks: {{work: {{}}}}
keys:
  {name}: {{key: {secret}, limits: {{usd_per_day: {budget}}}}}
budgets: {{lease_s: 1.5}}
journal: {{path: journal}}
state: {{{state}}}
"""


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def place(
    request: pytest.FixtureRequest, skip_or_fail: Callable[[str, str], None]
) -> Iterator[tuple[str, str]]:
    """The name of a key that nobody else has, and where its budget is counted, for a file."""
    name = f"app-{secrets.token_hex(6)}"
    if request.param == "postgres":
        yield name, f'url: "{request.getfixturevalue("postgres_url")}"'
    elif request.param == "sqlite":
        yield name, 'url: "sqlite:///together.sqlite"'
    else:
        with a_place_in_redis(skip_or_fail):  # skips where there is none
            yield name, f'counters: "{URL}"'
            cells = redis_cells.RedisCells(URL, wait_s=5)
            for cell in cells.read(f"budget:key:{name}"):
                cells._client.delete(redis_cells.PREFIX + cell)
            cells.close()


def test_after_kill_9_of_one_the_other_spends_the_rest_and_no_more(tmp_path, upstream, place):
    """The dead one's slice comes back, less what its End records say it spent."""
    name, state = place
    budget = 50 * COST / 10**12
    path = tmp_path / "pointsman.yaml"
    path.write_text(
        CONFIG.format(small=upstream.base_url, secret=SECRET, budget=budget, state=state, name=name)
    )
    told = 0
    with ServeProcess(path) as doomed, ServeProcess(path) as survivor:
        one, other = (_Asker(each.port) for each in (doomed, survivor))
        for _ in range(6):
            told += one.ask() == 200
        upstream.default = an_engine(after_s=30)
        one.ask_in_the_background(4)
        until(lambda: len(upstream.requests) >= 10, "some are on their way")
        doomed.kill()
        upstream.default = an_engine(after_s=0.02)
        statuses = crowd([other], 200)
        until(lambda: other.ask() == 403, "in the end nothing is left")
    recorded = spent(tmp_path / "journal")
    served = told + statuses[200]
    assert recorded <= 50 * COST
    assert recorded >= 45 * COST, (served, statuses)


def test_two_workers_of_one_gateway_and_kill_9_of_one_of_them(tmp_path, upstream):
    path = tmp_path / "pointsman.yaml"
    text = CONFIG.format(
        small=upstream.base_url, secret=SECRET, budget=50 * COST / 10**12,
        state='url: "sqlite:///together.sqlite"', name="app",
    )  # fmt: skip
    path.write_text(text + "server: {workers: 2}\n")
    with ServeProcess(path) as gateway, ThreadPoolExecutor(60) as pool:
        asker = _Asker(gateway.port)
        asking = [pool.submit(asker.ask_or_lose) for _ in range(200)]
        until(lambda: len(upstream.requests) >= 15, "some are on their way")
        worker = next(
            pid
            for pid in children(gateway.pid)
            if b"pointsman.workers" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        os.kill(worker, signal.SIGKILL)
        for each in asking:
            each.result(60)
        until(lambda: asker.ask_or_lose() == 403, "in the end nothing is left", 30)
    assert 45 * COST <= spent(tmp_path / "journal") <= 50 * COST


class _Asker:
    """A client of a `serve` process, in the shape that `crowd` asks."""

    def __init__(self, port: int) -> None:
        self.gateway = RunningGateway.__new__(RunningGateway)
        self.gateway.port = port

    def chat(self, *, headers, **fields):
        return self.gateway.chat(headers=headers, **fields)

    def ask(self) -> int:
        return self.gateway.chat(headers=bearer()).status

    def ask_or_lose(self) -> int:
        """0 where the process died under it."""
        try:
            return self.ask()
        except (OSError, http.client.HTTPException):
            return 0

    def ask_in_the_background(self, count: int) -> None:
        for _ in range(count):
            threading.Thread(target=self.ask_or_lose, daemon=True).start()


def test_a_budget_fails_closed_and_quickly_where_redis_never_answers(tmp_path, upstream):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        config = limited(
            tmp_path, upstream, keys=[a_key(limits=FIFTY)], state=StateSettings(counters=url)
        )
        with RunningGateway(config) as gateway:
            statuses = crowd([gateway], 40)
            answer = ask(gateway)
    assert statuses == {503: 40}
    assert error_of(answer)["code"] == "budget_unavailable"
    assert answer.headers["retry-after"] == "1"
    assert not upstream.requests


def test_rates_go_on_locally_where_redis_is_gone(tmp_path, upstream):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{free.getsockname()[1]}/0"
    config = limited(
        tmp_path, upstream, keys=[a_key(limits={"requests_per_minute": 3})],
        state=StateSettings(counters=url),
    )  # fmt: skip
    with RunningGateway(config) as gateway:
        assert [ask(gateway).status for _ in range(5)] == [200, 200, 200, 429, 429]


def test_while_the_slice_lasts_nobody_notices_that_the_store_is_gone(tmp_path, upstream):
    config = limited(
        tmp_path, upstream, keys=[a_key(limits={"day_usd_picos": 1000 * COST})], most=10,
        budgets=BudgetSettings(lease_s=600),
    )  # fmt: skip
    with RunningGateway(config) as gateway:
        assert ask(gateway).status == 200

        def gone(*args: object, **more: object) -> bytes:
            raise StateUnavailable("gone")

        gateway.app._admitting._counters.cells = type(
            "Gone", (), {"change": gone, "close": lambda self: None}
        )()
        statuses = [ask(gateway).status for _ in range(30)]
        held = statuses.index(503)
        assert held >= 10
        assert set(statuses[held:]) == {503}
    assert spent(tmp_path) == (1 + held) * COST


def test_one_process_without_the_state_extra_counts_here_and_begins_from_its_journal(
    tmp_path, upstream, monkeypatch
):
    def missing(*args: object, **more: object) -> object:
        raise ExtraMissing("no SQLAlchemy", next='pip install "pointsman[state]"')

    monkeypatch.setattr("pointsman.state.open_state", missing, raising=False)
    config = limited(tmp_path, upstream, keys=[a_key(limits={"day_usd_picos": 3 * COST})], most=10)
    for expected in ([200, 200], [200, 403]):  # a restart between
        with RunningGateway(config) as gateway:
            assert [ask(gateway).status for _ in range(2)] == expected
    assert not (tmp_path / "state.sqlite").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"virtual_keys": VirtualKeySettings(enabled=True)},
        {"state": StateSettings(url="sqlite:////tmp/never-made.sqlite")},
    ],
    ids=["virtual keys", "a budget to share"],
)
def test_what_needs_the_state_extra_names_it(tmp_path, upstream, monkeypatch, changes):
    def missing(*args: object, **more: object) -> object:
        raise ExtraMissing("no SQLAlchemy", next='pip install "pointsman[state]"')

    monkeypatch.setattr("pointsman.state.open_state", missing, raising=False)
    config = limited(tmp_path, upstream, keys=[a_key(limits=FIFTY)], **changes)
    with pytest.raises(ExtraMissing, match=r"pointsman\[state\]"), RunningGateway(config):
        pass


def test_counting_in_redis_without_its_client_names_the_extra(tmp_path, upstream, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    config = limited(
        tmp_path, upstream, keys=[a_key(limits=FIFTY)], state=StateSettings(counters=URL)
    )
    with pytest.raises(ExtraMissing, match=r"pointsman\[redis\]"), RunningGateway(config):
        pass


def test_a_budget_whose_account_is_damaged_spends_nothing(tmp_path, upstream):
    config = limited(tmp_path, upstream, keys=[a_key(limits=FIFTY)], most=10)
    with open_state(config.state_url) as state:
        for period in (day_of(time.time_ns() // 1000), day_of(time.time_ns() // 1000 + DAY_US)):
            name = f"budget:key:app:{period.name}"
            state.cells.change(name, lambda old: b"not an account", until_us=period.end_us)
    with RunningGateway(config) as gateway:
        assert error_of(ask(gateway))["code"] == "budget_unavailable"
    assert not upstream.requests


def test_a_changed_limit_holds_from_the_next_request_on(tmp_path, upstream):
    config = limited(tmp_path, upstream, keys=[a_key(limits={"day_usd_picos": 2 * COST})], most=10)
    more = msgspec.structs.replace(config, keys=(a_key(limits={"day_usd_picos": 4 * COST}),))
    none = msgspec.structs.replace(config, keys=(a_key(),))
    with RunningGateway(config) as gateway:
        assert [ask(gateway).status for _ in range(3)] == [200, 200, 403]
        for changed, expected in ((more, [200, 200, 403]), (none, [200]), (config, [403])):
            asyncio.run_coroutine_threadsafe(gateway.app.change(changed), gateway._loop).result(10)
            assert [ask(gateway).status for _ in expected] == expected
