"""The embedded engine, run for real: it answers, keeps its key, and never outlives its parent."""

import asyncio
import contextlib
import http.client
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import uvloop
from tests.support import processes

from pointsman.backends.address import Address
from pointsman.backends.embedded_child import Order, Report
from pointsman.backends.embedded_engine import EmbeddedEngine
from pointsman.backends.embedded_process import CHILD
from pointsman.backends.embedded_supervisor import EngineState, RestartRule, Supervisor
from pointsman.backends.model_files import SHIPPED, shipped_models
from pointsman.domain.errors import ConfigurationError, ExtraMissing, UpstreamError
from pointsman.domain.portfolio import Deployment, EmbeddedModel, Limits

LINUX = sys.platform == "linux"
installed = importlib.util.find_spec("xllamacpp") is not None
linux_only = pytest.mark.skipif(not LINUX, reason="reads /proc")


@pytest.fixture(scope="module")
def gguf() -> str:
    """The smallest shipped model, or the file POINTSMAN_TEST_GGUF names."""
    if not installed:
        pytest.skip("xllamacpp is not installed: pip install 'pointsman[local]'")
    if given := os.environ.get("POINTSMAN_TEST_GGUF"):
        return given
    files = sorted(SHIPPED.glob("*.gguf"), key=lambda path: path.stat().st_size)
    if not files:
        pytest.skip(f"no model is shipped in {SHIPPED}")
    return f"embedded:{files[0].stem}"


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine on each event loop we support."""
    loop = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def on_loop(work: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(work)

    return on_loop


@pytest.fixture(scope="module")
def served(gguf: str) -> Iterator[EmbeddedEngine]:
    """One running engine for the tests that only ask it something."""
    with asyncio.Runner() as runner:
        engine = EmbeddedEngine(a_deployment(gguf))
        runner.run(engine.start())
        yield engine
        runner.run(engine.stop())


def a_deployment(
    gguf: str, name: str = "tiny", *, concurrency: int = 8, **embedded: Any
) -> Deployment:
    model = EmbeddedModel(gguf=gguf, **{"context": 256, "parallel": 2} | embedded)
    return Deployment(
        name=name,
        model=f"{name}@test",
        base_url=None,
        served_name=name,
        engine="embedded",
        embedded=model,
        limits=Limits(concurrency=concurrency),
    )


def ask(
    address: Address, path: str, body: dict[str, Any] | None = None, key: str | None = None
) -> tuple[int, bytes]:
    url = urlsplit(address.base_url)
    connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(
            "GET" if body is None else "POST",
            url.path + path,
            None if body is None else json.dumps(body),
            {"Authorization": f"Bearer {key or address.api_key}"},
        )
        answer = connection.getresponse()
        return answer.status, answer.read()


def a_chat(**more: Any) -> dict[str, Any]:
    hello = [{"role": "user", "content": "hello"}]
    return {"model": "tiny", "messages": hello, "max_tokens": 4, "temperature": 0, **more}


def is_gone(pid: int) -> bool:
    """Neither alive nor a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def until(true: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


@pytest.mark.needs_engine
def test_a_chat_is_answered_with_logprobs(served: EmbeddedEngine) -> None:
    assert served.address is not None
    status, body = ask(served.address, "/chat/completions", a_chat(logprobs=True, top_logprobs=2))
    answer = json.loads(body)
    assert status == 200
    assert answer["model"] == "tiny"
    (choice,) = answer["choices"]
    assert choice["logprobs"]["content"], "every token has its logprob"
    assert all(token["logprob"] <= 0 for token in choice["logprobs"]["content"])


@pytest.mark.needs_engine
def test_a_stream_ends_with_usage_and_done(served: EmbeddedEngine) -> None:
    assert served.address is not None
    asked = a_chat(stream=True, stream_options={"include_usage": True})
    _, body = ask(served.address, "/chat/completions", asked)
    events = re.findall(r"^data: (.*)$", body.decode(), re.MULTILINE)
    last = json.loads(events[-2])
    assert events[-1] == "[DONE]"
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] >= 1


@pytest.mark.needs_engine
def test_another_key_is_refused(served: EmbeddedEngine) -> None:
    assert served.address is not None
    assert ask(served.address, "/models", key="guessed")[0] == 401
    assert ask(served.address, "/chat/completions", a_chat(), key="guessed")[0] == 401


@pytest.mark.needs_engine
def test_metrics_are_on_and_prompts_are_not_shown(served: EmbeddedEngine) -> None:
    address = served.address
    assert address is not None
    origin = Address(base_url=address.base_url.removesuffix("/v1"), api_key=address.api_key)
    assert b"llamacpp:requests_processing" in ask(origin, "/metrics")[1]
    assert ask(origin, "/slots")[0] != 200


@linux_only
@pytest.mark.needs_engine
def test_the_key_is_on_no_command_line_and_in_no_environment(served: EmbeddedEngine) -> None:
    assert served.address is not None
    key = served.address.api_key
    assert key
    for file in ("cmdline", "environ"):
        assert key.encode() not in Path(f"/proc/{served.pid}/{file}").read_bytes()
    assert key not in repr(served.address)


@linux_only
@pytest.mark.needs_engine
def test_threads_are_bounded(served: EmbeddedEngine) -> None:
    status = Path(f"/proc/{served.pid}/status").read_text()
    threads = int(re.findall(r"^Threads:\s+(\d+)", status, re.MULTILINE)[0])
    assert threads <= 8 + 4 + 8  # concurrency, spare for HTTP, and the engine's own


@pytest.mark.needs_engine
def test_idle_connections_do_not_keep_a_request_waiting(served: EmbeddedEngine) -> None:
    assert served.address is not None
    port = urlsplit(served.address.base_url).port
    with contextlib.ExitStack() as idle:
        for _ in range(8):
            connection = idle.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: engine\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        assert ask(served.address, "/chat/completions", a_chat())[0] == 200
    assert time.monotonic() - began < 3


@pytest.mark.needs_engine
def test_the_facts_say_what_is_served(served: EmbeddedEngine) -> None:
    facts = served.facts
    assert facts is not None
    assert facts.engine.startswith("xllamacpp 20")
    assert facts.model == "tiny"
    assert facts.parameters is not None
    assert facts.parameters > 100_000
    assert (facts.slots, facts.context) == (2, 256)
    assert re.fullmatch("[0-9a-f]{64}", facts.chat_template_sha256)


@pytest.mark.needs_engine
def test_a_key_belongs_to_one_start_and_stop_leaves_nothing(
    gguf: str, run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    async def twice() -> None:
        engine = EmbeddedEngine(a_deployment(gguf))
        first = await engine.start()
        pid = engine.pid
        assert pid is not None
        began = time.monotonic()
        await engine.stop()
        assert time.monotonic() - began < 0.9, "it did not have to be killed"
        assert is_gone(pid)
        assert (engine.running, engine.address) == (False, None)
        second = await engine.start()
        assert second.api_key != first.api_key
        assert engine.restarts == 1
        await engine.stop()
        await engine.stop()

    run(twice())


@pytest.mark.needs_engine
def test_a_damaged_file_is_an_error_with_the_engines_reason(
    gguf: str, tmp_path: Path, run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    path = SHIPPED / f"{gguf.removeprefix('embedded:')}.gguf" if ":" in gguf else Path(gguf)
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(path.read_bytes()[:60_000])
    with pytest.raises(UpstreamError) as caught:
        run(EmbeddedEngine(a_deployment(str(damaged))).start(10))
    assert caught.value.reported_code == "engine_down"
    assert "error loading model" in caught.value.why
    assert "damaged.gguf" in caught.value.next


@pytest.mark.needs_engine
def test_a_file_of_something_else_is_an_error_that_says_so(gguf: str, tmp_path: Path) -> None:
    noise = tmp_path / "noise.gguf"
    noise.write_bytes(b"no model at all" * 100)
    with pytest.raises(UpstreamError, match="expected 'GGUF'"):
        asyncio.run(EmbeddedEngine(a_deployment(str(noise))).start(10))


@pytest.mark.needs_engine
def test_a_start_that_takes_too_long_leaves_no_child(
    gguf: str, run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    before = children()
    with pytest.raises(UpstreamError, match="not ready within"):
        run(EmbeddedEngine(a_deployment(gguf)).start(0.01))
    assert children() <= before


@linux_only
@pytest.mark.needs_engine
def test_a_cancelled_start_leaves_no_child(
    gguf: str, run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    async def cancelled() -> None:
        starting = asyncio.create_task(EmbeddedEngine(a_deployment(gguf)).start())
        while children() <= before:
            await asyncio.sleep(0.005)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    before = children()
    run(cancelled())
    until(lambda: children() <= before)


@pytest.mark.needs_engine
def test_an_interrupt_from_the_terminal_does_not_reach_the_engine(served: EmbeddedEngine) -> None:
    pid = served.pid
    assert pid is not None
    assert served.address is not None
    assert os.getpgid(pid) != os.getpgid(0)
    os.kill(pid, signal.SIGINT)
    assert ask(served.address, "/models")[0] == 200


def test_without_the_extra_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    before = children()
    with pytest.raises(ExtraMissing, match=r"pointsman\[local\]"):
        asyncio.run(EmbeddedEngine(a_deployment("embedded:any")).start())
    assert children() <= before


@pytest.mark.skipif(not installed, reason="xllamacpp is not installed")
def test_an_unknown_name_lists_what_is_shipped() -> None:
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(EmbeddedEngine(a_deployment("embedded:nosuch")).start())
    assert all(name in caught.value.why for name in shipped_models())


PARENT = """
import asyncio, sys
import msgspec
from pointsman.backends.embedded_engine import EmbeddedEngine
from pointsman.domain.portfolio import Deployment

async def main():
    engine = EmbeddedEngine(msgspec.json.decode(sys.argv[1], type=Deployment))
    await engine.start()
    print(engine.pid, "xllamacpp" in sys.modules, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.needs_engine
def test_a_killed_parent_takes_its_engine_along_and_never_loaded_it(gguf: str) -> None:
    deployment = msgspec.json.encode(a_deployment(gguf)).decode()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, deployment], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        pid, loaded = parent.stdout.readline().split()
        assert not is_gone(int(pid))
        parent.kill()
    assert loaded == "False"
    until(lambda: is_gone_or_orphaned_zombie(int(pid)), 5)


ORPHAN_MAKER = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=int(os.environ["STDIN"]))
print(os.getpid(), child.pid, flush=True)
child.wait()
"""


@linux_only
@pytest.mark.needs_engine
def test_the_kernel_ends_the_child_even_if_its_pipe_stays_open(gguf: str) -> None:
    reading, writing = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN_MAKER, *CHILD],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[reading],
        env={**os.environ, "STDIN": str(reading)},
    )
    with parent, os.fdopen(writing, "wb") as orders:
        os.close(reading)
        assert parent.stdout is not None
        parent_pid, pid = map(int, parent.stdout.readline().split())
        orders.write(msgspec.json.encode(an_order(gguf, parent_pid)) + b"\n")
        orders.flush()
        report = msgspec.json.decode(parent.stdout.readline(), type=Report)
        assert report.origin.startswith("http://127.0.0.1:")
        parent.kill()
        until(lambda: is_gone_or_orphaned_zombie(pid), 5)


@pytest.mark.needs_engine
def test_the_child_ends_when_its_input_does(gguf: str) -> None:
    child = subprocess.Popen(
        [sys.executable, *CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(msgspec.json.encode(an_order(gguf, os.getpid())) + b"\n")
        child.stdin.flush()
        assert b"origin" in child.stdout.readline()
        child.stdin.close()
        assert child.wait(5) == 0


@pytest.mark.needs_engine
def test_a_killed_engine_comes_back_at_another_address(
    gguf: str, run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    async def killed() -> None:
        changes: asyncio.Queue[EngineState] = asyncio.Queue()
        engine = EmbeddedEngine(a_deployment(gguf))
        supervisor = Supervisor(
            [engine], rule=RestartRule(first_delay_s=0.01), on_change=changes.put_nowait
        )
        await supervisor.start()
        before = supervisor.address("tiny")
        assert before is not None
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        seen = [await asyncio.wait_for(changes.get(), 10) for _ in range(4)]
        after = supervisor.address("tiny")
        assert [state.status for state in seen] == ["starting", "running", "restarting", "running"]
        assert "signal 9" in seen[2].reason
        assert after is not None
        assert after != before
        assert (await asyncio.to_thread(ask, after, "/models"))[0] == 200
        assert engine.restarts == supervisor.state("tiny").restarts == 1
        await supervisor.stop()
        assert supervisor.address("tiny") is None

    run(killed())


@pytest.mark.needs_engine
def test_an_engine_that_keeps_dying_is_given_up_with_the_reason(gguf: str) -> None:
    async def dying() -> EngineState:
        engines = [EmbeddedEngine(a_deployment(gguf, name)) for name in ("doomed", "healthy")]

        def kill_again(state: EngineState) -> None:
            if state.name == "doomed" and state.status == "running":
                assert engines[0].pid is not None
                os.kill(engines[0].pid, signal.SIGKILL)
            if state.status == "down":
                down.set_result(state)

        down: asyncio.Future[EngineState] = asyncio.get_running_loop().create_future()
        rule = RestartRule(first_delay_s=0.01, most=2)
        supervisor = Supervisor(engines, rule=rule, on_change=kill_again)
        await supervisor.start()
        state = await asyncio.wait_for(down, 20)
        assert supervisor.address("doomed") is None
        assert supervisor.address("healthy") is not None
        await supervisor.stop()
        return state

    state = asyncio.run(dying())
    assert (state.name, state.status, state.restarts) == ("doomed", "down", 2)
    assert "signal 9" in state.reason


def an_order(gguf: str, parent_pid: int) -> Order:
    shipped = SHIPPED / f"{gguf.removeprefix('embedded:')}.gguf"
    return Order(
        parent_pid=parent_pid,
        gguf=str(shipped) if gguf.startswith("embedded:") else gguf,
        alias="tiny",
        api_key="of-this-test",
        threads=1,
        http_threads=4,
        parallel=1,
        context=128,
    )


def children() -> set[int]:
    """Processes we started that still exist, zombies included."""
    if not LINUX:
        return set()
    return set(processes.children(os.getpid()))


def is_gone_or_orphaned_zombie(pid: int) -> bool:
    """Dead; whether init has reaped an orphan is not ours to test."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return is_gone(pid)
