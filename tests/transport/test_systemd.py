"""What systemd is told and hands over; a signal drains, and certificates change on SIGHUP."""

import asyncio
import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from certificates import Authority
from tests.support.processes import PROGRAM, ServeProcess, environment
from tests.wire.wirekit import run

from pointsman.gateway.systemd import Systemd
from pointsman.testing import Flag, Play, Received, ScriptedUpstream, chat_stream

CONFIG = """\
deployments:
  only: {{model: m, base_url: "{url}"}}
journal: {{path: journal}}
{more}
"""


def write_config(folder: Path, upstream: ScriptedUpstream, more: str = "") -> Path:
    path = folder / "pointsman.yaml"
    path.write_text(CONFIG.format(url=upstream.base_url, more=more))
    return path


class Manager:
    """Systemd's end of the notification socket."""

    def __init__(self, address: str) -> None:
        self.heard: list[str] = []
        self._raw = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._raw.bind(address)
        self._raw.settimeout(20)

    def next(self, wanted: str = "") -> dict[str, str]:
        """The next message that says something of that name."""
        while True:
            text = self._raw.recv(4096).decode()
            self.heard.append(text)
            said = dict(line.split("=", 1) for line in text.split("\n"))
            if wanted in said or not wanted:
                return said

    def close(self) -> None:
        self._raw.close()


def test_without_a_manager_nothing_happens() -> None:
    quiet = Systemd({})
    quiet.reloading()
    quiet.stopping()
    quiet.close()
    assert quiet.listeners() == []
    assert quiet.watchdog_s is None


@pytest.mark.parametrize("abstract", [False, True])
def test_it_says_when_it_is_ready_and_when_it_stops(tmp_path: Path, abstract: bool) -> None:
    if abstract and sys.platform != "linux":
        pytest.skip("abstract sockets are Linux's")
    name = str(tmp_path / "notify") if not abstract else f"@{tmp_path}/notify"
    manager = Manager("\0" + name[1:] if abstract else name)

    async def main() -> None:
        ours = Systemd({"NOTIFY_SOCKET": name})
        ours.ready("configuration abc")
        ours.reloading()
        ours.stopping()
        ours.close()

    run(main())
    assert manager.next() == {"READY": "1", "STATUS": "configuration abc"}
    assert set(manager.next()) == {"RELOADING", "MONOTONIC_USEC"}
    assert manager.next()["STOPPING"] == "1"
    manager.close()


def test_a_manager_that_went_away_is_no_trouble(tmp_path: Path) -> None:
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).stopping()


def test_the_watchdog_is_fed_by_the_event_loop(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000"}

    async def main() -> None:
        ours = Systemd(env)
        ours.ready("x")
        for _ in range(3):
            assert (await asyncio.to_thread(manager.next, "WATCHDOG"))["WATCHDOG"] == "1"
        ours.close()

    run(main())
    assert Systemd({**env, "WATCHDOG_PID": "1"}).watchdog_s is None
    manager.close()


def test_sockets_for_another_process_are_left_alone() -> None:
    assert Systemd({"LISTEN_PID": "1", "LISTEN_FDS": "1"}, pid=2).listeners() == []


MANY = pytest.mark.parametrize("workers", ["1", "2"], ids=["one worker", "two workers"])


@MANY
def test_a_process_tells_its_manager_its_whole_life(tmp_path: Path, workers: str) -> None:
    manager = Manager(str(tmp_path / "notify"))
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    with ScriptedUpstream() as upstream:
        config = write_config(tmp_path, upstream)
        with ServeProcess(config, "--workers", workers, env=env) as process:
            assert "configuration" in manager.next("READY")["STATUS"]
            assert manager.next("WATCHDOG")
            process.terminate(with_signal=signal.SIGHUP)
            assert manager.next("RELOADING")
            assert manager.next("READY")
            process.terminate()
            assert manager.next("STOPPING")
            assert process.ended() == 0
    manager.close()


HAND_OVER = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def handing_over(listener: socket.socket, *arguments: str) -> "subprocess.Popen[str]":
    """The program, started as systemd starts it for a socket of its own."""
    fd = listener.fileno()
    return subprocess.Popen(
        [sys.executable, "-c", HAND_OVER, str(fd), *PROGRAM, *arguments],
        pass_fds=[fd], stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip


@MANY
def test_it_serves_on_the_sockets_it_was_handed(tmp_path: Path, workers: str) -> None:
    with ScriptedUpstream() as upstream, socket.create_server(("127.0.0.1", 0)) as listener:
        config = write_config(tmp_path, upstream)
        process = handing_over(
            listener, "serve", "-c", str(config), "--port", "1", "--workers", workers
        )
        try:
            # Who connects before the process listens waits in the socket's queue.
            connection = http.client.HTTPConnection(*listener.getsockname()[:2], timeout=30)
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            connection.close()
            assert process.stderr is not None
            said = process.stderr.readline()  # once every worker serves
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.communicate()
        assert f"serving on http://127.0.0.1:{listener.getsockname()[1]}/v1" in said


def test_handed_sockets_beyond_loopback_need_keys_too(tmp_path: Path) -> None:
    with ScriptedUpstream() as upstream, socket.create_server(("0.0.0.0", 0)) as listener:
        process = handing_over(listener, "serve", "-c", str(write_config(tmp_path, upstream)))
        _, said = process.communicate(timeout=60)
        assert process.returncode == 3
        assert "anyone could ask" in said


def held(play: Play, at: int, until: Flag) -> Play:
    """The play, with one of its steps waiting for a flag."""
    steps = list(play.steps)
    steps[at] = replace(steps[at], once=until)
    return replace(play, steps=type(play.steps)(steps))


def test_a_signal_lets_a_stream_finish_and_closes_every_connection(tmp_path: Path) -> None:
    go_on = Flag()
    streaming = threading.Event()

    def halfway(request: Received) -> Play:
        play = held(chat_stream("one two three")(request), 2, go_on)
        streaming.set()
        return play

    with (
        ScriptedUpstream(halfway) as upstream,
        ServeProcess(write_config(tmp_path, upstream)) as process,
    ):
        idle, busy = (
            http.client.HTTPConnection("127.0.0.1", process.port, timeout=30) for _ in range(2)
        )
        idle.request("GET", "/healthz")
        assert idle.getresponse().read()
        body = b'{"model":"only","stream":true,"messages":[{"role":"user","content":"x"}]}'
        busy.request("POST", "/v1/chat/completions", body)
        assert streaming.wait(20)
        process.terminate()
        assert idle.sock is not None
        assert idle.sock.recv(1) == b""  # an idle connection is closed at once
        late = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
        with pytest.raises(OSError):  # noqa: PT011  # refused, or reset while it closes
            late.request("GET", "/healthz")
        go_on.set()
        text = busy.getresponse().read().decode()
        assert text.rstrip().endswith("data: [DONE]")
        assert process.ended(20) == 0


def test_an_answer_begun_while_draining_says_that_the_connection_closes(tmp_path: Path) -> None:
    go_on = Flag()
    asked = threading.Event()

    def late(request: Received) -> Play:
        play = held(chat_stream("one")(request), 0, go_on)
        asked.set()
        return play

    with (
        ScriptedUpstream(late) as upstream,
        ServeProcess(write_config(tmp_path, upstream)) as process,
    ):
        client = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
        body = b'{"model":"only","stream":true,"messages":[{"role":"user","content":"x"}]}'
        client.request("POST", "/v1/chat/completions", body)
        assert asked.wait(20)
        process.terminate()
        while not any("stopping" in line for line in process.said):
            assert process.process.poll() is None
        go_on.set()
        response = client.getresponse()
        assert response.getheader("connection") == "close"
        assert b"[DONE]" in response.read()
        assert process.ended(20) == 0


@MANY
def test_certificates_change_on_a_signal_and_addresses_say_https(
    tmp_path: Path, workers: str
) -> None:
    import ssl

    authority = Authority(tmp_path)
    files = authority.issue("localhost")
    more = f"server: {{tls: {{cert: {Path(files.cert).name}, key: {Path(files.key).name}}}}}"
    manager = Manager(str(tmp_path / "notify"))
    with ScriptedUpstream() as upstream:
        config = write_config(tmp_path, upstream, more)
        process = ServeProcess(
            config, "--workers", workers, env={"NOTIFY_SOCKET": str(tmp_path / "notify")}
        )
        try:
            manager.next("READY")
            while not (found := re.search(r"on https://127\.0\.0\.1:(\d+)", "".join(process.said))):
                assert process.process.poll() is None
            port = int(found[1])

            def serial() -> str:
                context = ssl.create_default_context(cafile=authority.ca)
                with (
                    socket.create_connection(("127.0.0.1", port), timeout=20) as raw,
                    context.wrap_socket(raw, server_hostname="localhost") as secure,
                ):
                    certificate = secure.getpeercert()
                    assert certificate is not None
                    return str(certificate["serialNumber"])

            before = serial()
            renewed = authority.issue("localhost")
            Path(renewed.cert).replace(files.cert)
            Path(renewed.key).replace(files.key)
            process.terminate(with_signal=signal.SIGHUP)
            manager.next("RELOADING")
            manager.next("READY")
            assert before not in {serial() for _ in range(8)}
        finally:
            process.kill()
            manager.close()


def test_a_certificate_that_cannot_be_used_is_found_before_serving(tmp_path: Path) -> None:
    more = "server: {tls: {cert: no.pem, key: no.pem}}"
    with ScriptedUpstream() as upstream:
        config = write_config(tmp_path, upstream, more)
        for verb in (("serve",), ("check", "--offline")):
            done = subprocess.run(
                [*PROGRAM, *verb, "-c", str(config)], capture_output=True, text=True, timeout=60,
                env=environment(), check=False,
            )  # fmt: skip
            assert done.returncode == 3, verb
            assert "server.tls.key" in done.stderr, verb
