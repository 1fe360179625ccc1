"""Signals to a real gateway process: kill -9 loses nothing told, SIGTERM drains, no child stays."""

import contextlib
import http.client
import json
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.processes import ServeProcess, alive, children

from pointsman.domain.records import Admission, BodyRef, End, OutcomeRecord
from pointsman.journal import JournalReader, iter_records, seal, verify
from pointsman.testing import Flag, Play, Received, ScriptedUpstream, chat_answer, chat_stream

CONFIG = """\
deployments:
  small: {{model: small, base_url: "{small}"}}
  large: {{model: large, base_url: "{large}"}}
routes:
  main: {{steps: [small, large]}}
tasks:
  work:
    route: main
    verify: [{{regex: "[a-z ]+ [0-9]+"}}]
journal: {{path: journal}}
"""
CLIENTS = 4
LIVES = 15


def write_config(folder: Path, small: ScriptedUpstream, large: ScriptedUpstream) -> Path:
    path = folder / "pointsman.yaml"
    path.write_text(CONFIG.format(small=small.base_url, large=large.base_url))
    return path


def an_engine(text: str) -> Any:
    """A script that answers in its own time, streamed where that was asked for."""

    def script(request: Received) -> Play:
        said = f"{text} {request.number}"
        streamed = request.json.get("stream")
        play = chat_stream(said, every_s=0.002) if streamed else chat_answer(said, after_s=0.004)
        return play(request)

    return script


@dataclass
class Told:
    """What clients were told, over all lives: the least that the journal must know."""

    bodies: dict[str, bytes] = field(default_factory=dict)  # by trace, as the record keeps them
    outcomes: dict[str, tuple[str, str]] = field(default_factory=dict)  # id -> trace, key
    steps: int = 0
    _moved: threading.Condition = field(default_factory=threading.Condition)

    def step(self) -> None:
        """Something reached a client."""
        with self._moved:
            self.steps += 1
            self._moved.notify_all()

    def wait_for(self, steps: int) -> None:
        with self._moved:
            assert self._moved.wait_for(lambda: self.steps >= steps, 30), "no client gets on"


class Clients:
    """Threads that ask, plain and streamed, and tell outcomes, until the connection breaks."""

    def __init__(self, port: int, told: Told, seed: int) -> None:
        self._port = port
        self._told = told
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed}:{n}"),), daemon=True)
            for n in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a client waits for a dead gateway"

    def _run(self, chance: random.Random) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                self._ask(streamed=chance.random() < 0.5)
                if chance.random() < 0.6 and self._told.bodies:
                    known = list(self._told.bodies)
                    # mostly its last answer; now and then one of an earlier life
                    self._tell(known[-1] if chance.random() < 0.9 else chance.choice(known))

    def _ask(self, *, streamed: bool) -> None:
        body = {
            "model": "task:work",
            "messages": [{"role": "user", "content": "a question"}],
            "stream": streamed,
        }
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/chat/completions", json.dumps(body))
            response = connection.getresponse()
            trace = response.getheader("x-pointsman-trace") or ""
            if not streamed:
                whole = response.read()
                assert response.status == 200, whole
                self._told.bodies[trace] = whole
                return self._told.step()
            payloads: list[bytes] = []
            for line in response:
                if line.startswith(b"data: "):
                    self._told.step()
                    payloads.append(line[6:].strip())
            if payloads and payloads[-1] == b"[DONE]":
                self._told.bodies[trace] = b"\n".join(payloads[:-1])

    def _tell(self, trace: str) -> None:
        key = f"{trace}:seen"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        with contextlib.closing(connection):
            body = {"trace": trace, "kind": "accepted", "key": key}
            connection.request("POST", "/v1/feedback", json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
            assert response.status == 200, answer
            self._told.outcomes[answer["id"]] = (trace, key)
            self._told.step()


def live_and_die(config: Path, told: Told, chance: random.Random) -> bool:
    """One life of the gateway, ended by kill -9 at a random moment; whether it served at all."""
    gateway = ServeProcess(config)
    try:
        if chance.random() < 0.2:  # while it starts: there is no event to wait for
            time.sleep(chance.uniform(0.0, 0.4))
            return False
        gateway.wait_until_serving()
        clients = Clients(gateway.port, told, chance.randrange(2**32))
        told.wait_for(told.steps + chance.randrange(1, 120))
        time.sleep(chance.uniform(0.0, 0.006))  # less than one answer takes
        gateway.kill()
        clients.join()
        return True
    finally:
        gateway.__exit__(None, None, None)


def kill_again_and_again(folder: Path, seed: int) -> None:
    chance, told = random.Random(seed), Told()
    with (
        ScriptedUpstream(default=an_engine("no number")) as small,
        ScriptedUpstream(default=an_engine("the answer is")) as large,
    ):
        config = write_config(folder, small, large)
        served = 0
        for _ in range(LIVES):
            served += live_and_die(config, told, chance)
            if chance.random() < 0.3:
                seal(folder / "journal")
    assert served > LIVES // 3
    assert told.bodies
    assert told.outcomes
    check_journal(folder / "journal", told)
    seal(folder / "journal")
    check_journal(folder / "journal", told)


def check_journal(root: Path, told: Told) -> None:
    records = list(iter_records(root))
    admissions = Counter(each.trace for each in records if isinstance(each, Admission))
    ends = {each.trace: each for each in records if isinstance(each, End)}
    endings = Counter(each.trace for each in records if isinstance(each, End))
    outcomes = Counter(each.id for each in records if isinstance(each, OutcomeRecord))
    assert set(admissions.values()) == {1}
    assert set(endings.values()) == {1}
    assert set(endings) <= set(admissions)
    assert set(outcomes.values()) == {1}
    assert set(told.bodies) <= {trace for trace, end in ends.items() if end.status == "delivered"}
    assert set(told.outcomes) <= set(outcomes)
    with JournalReader(root) as reader:
        for trace, body in told.bodies.items():
            reference = ends[trace].response
            assert isinstance(reference, BodyRef)
            assert reader.body(reference) == body
        requests = Counter(row["trace"] for row in reader.query("requests"))
        assert requests == admissions
        facts = Counter(row["key"] for row in reader.query("outcomes") if row["key"])
    assert all(facts[key] == 1 for _, key in told.outcomes.values())
    report = verify(root)
    assert report.ok, report
    assert report.records == len(records)


def test_whatever_a_client_was_told_survives_fifteen_kills(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, seed=1)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(100, 120))
def test_whatever_a_client_was_told_survives_hundreds_of_kills(tmp_path: Path, seed: int) -> None:
    kill_again_and_again(tmp_path, seed)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_lets_answers_in_flight_finish_and_closes_the_journal(
    tmp_path: Path, name: str
) -> None:
    go_on = Flag()
    with ScriptedUpstream() as small, ScriptedUpstream() as large:
        small.then(chat_answer("plain 1", once=go_on), chat_stream("streamed 2", once=go_on))
        with ServeProcess(write_config(tmp_path, small, large)) as gateway:
            asking = [Asking(gateway.port, streamed=False)]
            small.wait_request(1)
            asking.append(Asking(gateway.port, streamed=True))
            small.wait_request(2)
            gateway.terminate(with_signal=getattr(signal, name))
            wait_until_refused(gateway.port)
            assert gateway.process.poll() is None
            go_on.set()
            plain, streamed = (each.answer() for each in asking)
            assert gateway.ended() == 0
    assert json.loads(plain)["choices"][0]["message"]["content"] == "plain 1"
    assert streamed.rstrip().endswith(b"data: [DONE]")
    assert any("stopping" in line for line in gateway.said)
    assert not any("Traceback" in line for line in gateway.said)
    assert statuses(tmp_path / "journal") == ["delivered", "delivered"]
    report = verify(tmp_path / "journal")
    assert report.ok
    assert (report.live, report.unclosed, report.cuts) == ((), (), ())


def test_a_second_signal_cancels_what_runs_and_still_writes_it_down(tmp_path: Path) -> None:
    with ScriptedUpstream() as small, ScriptedUpstream() as large:
        small.then(chat_answer("never 1", once=Flag()))
        with ServeProcess(write_config(tmp_path, small, large)) as gateway:
            asking = Asking(gateway.port, streamed=False)
            waiting = small.wait_request(1)
            gateway.terminate()
            wait_until_refused(gateway.port)
            gateway.terminate()
            assert gateway.ended(timeout_s=10) == 0
            assert waiting.cancelled.wait(5)
            asking.answer()
    assert statuses(tmp_path / "journal") == ["cancelled"]
    assert verify(tmp_path / "journal").unclosed == ()


@pytest.mark.needs_engine
def test_killing_the_gateway_ends_its_engine(tmp_path: Path) -> None:
    config = tmp_path / "pointsman.yaml"
    config.write_text(
        "deployments: {own: {model: own, embedded: {gguf: 'embedded:small-f16'}}}\n"
        "journal: {path: journal}\nkeeping: {enabled: false}\n"
    )
    with ServeProcess(config) as gateway:
        engines = children(gateway.pid)
        assert len(alive(engines)) == 1
        gateway.kill()
    wait_until_gone(engines)


@pytest.mark.needs_engine
def test_a_signal_while_an_engine_starts_ends_both(tmp_path: Path) -> None:
    config = tmp_path / "pointsman.yaml"
    config.write_text(
        "deployments: {own: {model: own, embedded: {gguf: 'embedded:small-f16'}}}\n"
        "journal: {path: journal}\n"
    )
    gateway = ServeProcess(config)
    try:
        deadline = time.monotonic() + 30
        while not (engines := children(gateway.pid)):
            assert time.monotonic() < deadline
        gateway.terminate()
        assert gateway.ended(timeout_s=20) == 0
    finally:
        gateway.__exit__(None, None, None)
    wait_until_gone(engines)
    assert not any("Traceback" in line for line in gateway.said)
    assert verify(tmp_path / "journal").unclosed == ()


class Asking:
    """One question in a thread of its own."""

    def __init__(self, port: int, *, streamed: bool) -> None:
        self._port, self._streamed = port, streamed
        self._got = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def answer(self) -> bytes:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self._got

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        body = {
            "model": "task:work",
            "messages": [{"role": "user", "content": "a question"}],
            "stream": self._streamed,
        }
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("POST", "/v1/chat/completions", json.dumps(body))
            self._got = connection.getresponse().read()


def wait_until_refused(port: int) -> None:
    """The end of listening is told to nobody but those who knock."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.005)
    raise AssertionError("it still listens")


def wait_until_gone(pids: Iterable[int]) -> None:
    """Nobody is told of the end of a grandchild."""
    deadline = time.monotonic() + 10
    while left := alive(list(pids)):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.005)


def statuses(root: Path) -> list[str]:
    return [each.status for each in iter_records(root) if isinstance(each, End)]
