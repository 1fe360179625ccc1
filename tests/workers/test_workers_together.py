"""Several workers behind one port: spread, killed, drained, orphaned; nothing is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.support.processes import (
    PROGRAM,
    ServeProcess,
    alive,
    children,
    environment,
    run_pointsman,
)
from tests.workers.workers_kit import (
    Load,
    chat,
    counted,
    delivered,
    delivered_traces,
    ends_by_process,
    get,
    gone,
    kill,
    until,
    workers_of,
    write_config,
)

from pointsman.journal import verify
from pointsman.testing import Flag, ScriptedUpstream, chat_answer

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "SO_REUSEPORT") or not Path("/proc/self/task").exists(),
    reason="these tests look at processes as Linux shows them",
)


@pytest.fixture
def upstream():
    with ScriptedUpstream(default=chat_answer("ok")) as running:
        yield running


def test_connections_are_spread_and_each_worker_writes_its_own_segment(tmp_path, upstream):
    with ServeProcess(write_config(tmp_path, upstream, workers=3)) as gateway:
        pids = set(workers_of(gateway))
        assert len(pids) == 3
        traces = {chat(gateway.port)[1] for _ in range(60)}
        gateway.terminate()
        assert gateway.ended() == 0
    by_process = ends_by_process(tmp_path / "journal")
    assert set(by_process) == pids
    assert all(by_process.values()), "a worker got none of 60 connections"
    assert set().union(*by_process.values()) == traces
    report = verify(tmp_path / "journal")
    assert report.ok
    assert report.unclosed == ()


@pytest.mark.parametrize("kills", [4, pytest.param(16, marks=pytest.mark.deep)])
def test_killing_workers_under_load_breaks_what_they_had_in_hand_and_nothing_else(
    tmp_path, upstream, kills
):
    clients = 6
    with ServeProcess(write_config(tmp_path, upstream, workers=3)) as gateway:
        first = workers_of(gateway)
        with Load(gateway.port, clients) as load:
            before = 0.0
            for number in range(kills):
                load.wait(25)
                until(lambda: len(workers_of(gateway)) > 1, "too few are started again")
                victim = workers_of(gateway)[number % 2]
                kill(victim)
                gone([victim])
                now = delivered(gateway.port)
                assert now >= before, "a counter went down over a worker's death"
                before = now
            until(lambda: len(workers_of(gateway)) == 3, "it is not started again", within_s=90)
            load.wait(25)
        # A client has one request in hand: each death can break that one, and no other.
        assert len(load.broken) <= kills * clients
        assert {status for status, _, _ in load.answers} == {200}
        assert set(workers_of(gateway)) != set(first)
        assert delivered(gateway.port) >= before
        gateway.terminate()
        assert gateway.ended() == 0
    told = {trace for _, trace, _ in load.answers}
    kept = delivered_traces(tmp_path / "journal")
    assert told <= set(kept)
    assert len(kept) == len(set(kept)), "a request ended twice"
    assert verify(tmp_path / "journal").ok


def test_nobody_waits_for_a_worker_that_is_being_started_again(tmp_path, upstream):
    """While one place is empty the others accept for it: every connection is answered."""
    with ServeProcess(write_config(tmp_path, upstream, workers=2)) as gateway:
        for _ in range(3):
            kill(workers_of(gateway)[0])
            assert {chat(gateway.port)[0] for _ in range(16)} == {200}
            until(lambda: len(workers_of(gateway)) == 2, "it is not started again")


def test_metrics_of_any_door_are_the_sum_over_workers(tmp_path, upstream):
    with ServeProcess(write_config(tmp_path, upstream, workers=3)) as gateway:
        for _ in range(40):
            chat(gateway.port)
        texts = [counted(get(gateway.port, "/metrics")[1]) for _ in range(12)]
        assert all(text == texts[0] for text in texts), "which worker answers must not matter"
        assert delivered(gateway.port) == 40
        kill(workers_of(gateway)[0])
        after = counted(get(gateway.port, "/metrics")[1])
        assert all(after.get(key, 0) >= value for key, value in texts[0].items())


def test_a_signal_lets_answers_of_every_worker_finish(tmp_path, upstream):
    go = Flag()
    upstream.then(*(chat_answer("late", once=go) for _ in range(8)))
    with ServeProcess(write_config(tmp_path, upstream, workers=3)) as gateway:
        answers: list[int] = []
        asking = [
            threading.Thread(target=lambda: answers.append(chat(gateway.port)[0])) for _ in range(8)
        ]
        for thread in asking:
            thread.start()
        upstream.wait_request(8)
        pids = workers_of(gateway)
        gateway.terminate()
        until(lambda: refused(gateway.port), "it still listens")
        assert gateway.process.poll() is None
        go.set()
        for thread in asking:
            thread.join(30)
        assert gateway.ended() == 0
        gone(pids)
    assert answers == [200] * 8
    assert verify(tmp_path / "journal").unclosed == ()


def test_a_second_signal_cancels_what_runs_in_every_worker(tmp_path, upstream):
    upstream.then(*(chat_answer("never", once=Flag()) for _ in range(4)))
    with ServeProcess(write_config(tmp_path, upstream, workers=2)) as gateway:
        asking = [threading.Thread(target=try_chat, args=(gateway.port,)) for _ in range(4)]
        for thread in asking:
            thread.start()
        upstream.wait_request(4)
        gateway.terminate()
        until(lambda: refused(gateway.port), "it still listens")
        gateway.terminate()
        assert gateway.ended(timeout_s=20) == 0
        for thread in asking:
            thread.join(30)
    assert verify(tmp_path / "journal").unclosed == ()


def test_workers_end_when_their_supervisor_is_killed_and_finish_what_they_have(tmp_path, upstream):
    go = Flag()
    upstream.then(chat_answer("late", once=go))
    with ServeProcess(write_config(tmp_path, upstream, workers=2)) as gateway:
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(chat(gateway.port)[0]))
        asking.start()
        upstream.wait_request(1)
        everyone = children(gateway.pid)
        gateway.kill()
        until(lambda: refused(gateway.port), "it still listens")
        until(lambda: len(alive(everyone)) == 1, "only the one with a request in hand stays")
        go.set()
        asking.join(30)
        gone(everyone)
    assert answers == [200]
    assert verify(tmp_path / "journal").unclosed == ()
    assert not any("Traceback" in line for line in gateway.said)


def test_a_taken_port_is_a_clear_error_even_where_its_holder_would_share_it(tmp_path, upstream):
    config = write_config(tmp_path, upstream, workers=2)
    with socket.create_server(("127.0.0.1", 0)) as held:
        done = serve_on(config, held.getsockname()[1])
    assert done.returncode == 3
    assert "cannot listen on 127.0.0.1" in done.stderr
    with ServeProcess(config) as gateway:
        done = serve_on(config, gateway.port)
        assert done.returncode == 3
        assert "cannot listen on 127.0.0.1" in done.stderr
        assert "Traceback" not in done.stderr
        assert chat(gateway.port)[0] == 200


def test_what_keeps_workers_from_starting_ends_the_whole_with_its_exit_code(tmp_path, upstream):
    config = write_config(tmp_path, upstream, workers=2)
    (tmp_path / "journal").write_text("a file where a folder should be")
    done = serve_on(config, 0)
    assert done.returncode == 1
    assert "journal" in done.stderr
    assert "Traceback" not in done.stderr
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    (tmp_path / "journal").unlink()
    config = write_config(
        tmp_path, upstream, workers=2, server=", tls: {cert: bad.pem, key: bad.pem}"
    )
    done = serve_on(config, 0)
    assert done.returncode == 3
    assert "bad.pem" in done.stderr


def test_two_gateways_with_workers_share_a_journal(tmp_path, upstream):
    config = write_config(tmp_path, upstream, workers=2)
    with ServeProcess(config) as one, ServeProcess(config) as other:
        traces = {chat(gateway.port)[1] for gateway in (one, other) for _ in range(10)}
        for gateway in (one, other):
            gateway.terminate()
            assert gateway.ended() == 0
    assert set(delivered_traces(tmp_path / "journal")) == traces
    assert verify(tmp_path / "journal").ok


def test_an_outcome_is_taken_by_whichever_worker_hears_it(tmp_path, upstream):
    with ServeProcess(write_config(tmp_path, upstream, workers=3)) as gateway:
        _, trace, _ = chat(gateway.port)
        for number in range(12):
            body = json.dumps({"trace": trace, "kind": "accepted", "key": f"k{number}"})
            status, answer = post(gateway.port, "/v1/feedback", body)
            assert status == 200, answer
            if number == 0:
                first = json.loads(answer)["id"]
        status, _ = post(gateway.port, "/v1/feedback", '{"trace":"tr_none","kind":"accepted"}')
        assert status == 404
        for pid in workers_of(gateway):  # nobody alive remembers it now
            kill(pid)
        until(lambda: len(workers_of(gateway)) == 3, "they are not started again")
        body = json.dumps({"trace": trace, "kind": "rejected"})
        assert until(lambda: post(gateway.port, "/v1/feedback", body), "")[0] == 200
        body = json.dumps({"trace": trace, "kind": "accepted", "key": "k0"})
        assert json.loads(post(gateway.port, "/v1/feedback", body)[1])["id"] == first
        assert not any(loads_a_database(pid) for pid in workers_of(gateway))
        everyone = children(gateway.pid)
        gateway.terminate()
        assert gateway.ended() == 0
        gone(everyone)


def test_one_worker_is_one_process(tmp_path, upstream):
    with ServeProcess(write_config(tmp_path, upstream, workers=1)) as gateway:
        assert chat(gateway.port)[0] == 200
        assert children(gateway.pid) == []


def serve_on(config: Path, port: int) -> subprocess.CompletedProcess[str]:
    return run_pointsman("serve", "-c", str(config), "--port", str(port), folder=config.parent)


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def try_chat(port: int) -> None:
    try:
        chat(port)
    except Exception:
        return


def post(port: int, path: str, body: str) -> tuple[int, bytes]:
    import contextlib
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, response.read()


def loads_a_database(pid: int) -> bool:
    mapped = Path(f"/proc/{pid}/maps").read_text()
    return "duckdb" in mapped or "sqlalchemy" in mapped


def test_a_worker_loads_what_it_answers_with_and_nothing_else():
    probe = (
        "import sys, pointsman.workers.worker; bad = {m.split('.')[0] for m in sys.modules} & "
        "{'duckdb', 'sqlalchemy', 'alembic', 'ruamel', 'jsonschema', 'click', 'xllamacpp'}; "
        "bad |= {m for m in sys.modules if m.startswith('pointsman.keeping.keeper.')}; "
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("pause_s", [0.0, 0.2, 0.4, 0.6, 0.8])
def test_ctrl_c_while_workers_start_ends_them_all_quietly(tmp_path, upstream, pause_s):
    """The terminal tells the whole group; there is no event to wait for while they start, but for
    the first: that Python itself has started, and what runs is ours."""
    config = write_config(tmp_path, upstream, workers=3)
    process = subprocess.Popen(
        [*PROGRAM, "serve", "-c", str(config), "--port", "0"],
        stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment(),
    )  # fmt: skip
    until(lambda: "msgspec" in Path(f"/proc/{process.pid}/maps").read_text(), "nothing is loaded")
    time.sleep(pause_s)
    started = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    gone(started)
    assert "Traceback" not in said
