"""A gateway of several workers as tests drive it: its processes, its journal, many clients."""

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.support.processes import ServeProcess, alive, children

from pointsman.domain.records import End
from pointsman.journal import iter_records, read_segment
from pointsman.journal.frames import decode_record
from pointsman.testing import ScriptedUpstream

TEXT = """\
include: [tasks/*.yaml]
deployments:
  only: {{model: m, base_url: "{url}"}}
server: {{workers: {workers}{server}}}
journal: {{path: journal}}
keeping: {{enabled: false}}
"""
TASK = "prompts: {{work: {{system: {prompt}}}}}\ntasks: {{work: {{prompt: work}}}}\n"


def write_config(
    folder: Path, upstream: ScriptedUpstream, *, workers: int, server: str = "", more: str = ""
) -> Path:
    (folder / "tasks").mkdir(exist_ok=True)
    (folder / "tasks" / "work.yaml").write_text(TASK.format(prompt="one"))
    path = folder / "pointsman.yaml"
    path.write_text(TEXT.format(url=upstream.base_url, workers=workers, server=server) + more)
    return path


def workers_of(gateway: ServeProcess) -> list[int]:
    """Processes that answer, without the keeper and the admin."""
    return [pid for pid in children(gateway.pid) if " worker " in command(pid)]


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def until(holds: Callable[[], Any], what: str, *, within_s: float = 30) -> Any:
    """What holds in the end; nobody is told of the processes of another."""
    deadline = time.monotonic() + within_s
    while not (found := _tried(holds)):
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
    return found


def _tried(holds: Callable[[], Any]) -> Any:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return holds()


def gone(pids: list[int]) -> None:
    until(lambda: not alive(pids), f"still there: {pids}")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def get(port: int, path: str, key: str | None = None, *, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        head = {"authorization": f"Bearer {key}"} if key else {}
        connection.request(method, path, headers=head)
        response = connection.getresponse()
        return response.status, response.read()


def chat(port: int) -> tuple[int, str, str]:
    """Status, trace and configuration of one answer, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = {"model": "task:work", "messages": [{"role": "user", "content": "a question"}]}
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        response.read()
        head = response.headers
        return response.status, head["x-pointsman-trace"] or "", head["x-pointsman-config"] or ""


def digests(port: int, *, asks: int = 24) -> Counter[str]:
    """The configuration that answers name, over connections that reach every worker."""
    return Counter(json.loads(get(port, "/readyz")[1])["configuration"]["digest"]
                   for _ in range(asks))  # fmt: skip


def counted(text: bytes) -> dict[Any, float]:
    """Counters of Prometheus text, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name.endswith(("_total", "_count", "_bucket", "_sum"))
    }


def delivered(port: int) -> float:
    """Answers that all workers together say they delivered."""
    key = ("pointsman_requests_total", (("status", "delivered"), ("task", "work")))
    return counted(get(port, "/metrics")[1]).get(key, 0.0)


def ends_by_process(journal: Path) -> dict[int, set[str]]:
    """Traces that ended, by the process that wrote their records."""
    found: dict[int, set[str]] = {}
    for segment in (journal / "journal" / "segments").glob("*.pj"):
        pid = int(segment.name.split("-")[1])
        records = [decode_record(frame.payload) for frame in read_segment(segment)]
        found.setdefault(pid, set()).update(each.trace for each in records if isinstance(each, End))
    return found


def delivered_traces(journal: Path) -> list[str]:
    return [
        each.trace
        for each in iter_records(journal)
        if isinstance(each, End) and each.status == "delivered"
    ]


class Load:
    """Clients that ask one after the other, each on a new connection, until told to stop."""

    def __init__(self, port: int, clients: int = 6) -> None:
        self.answers: list[tuple[int, str, str]] = []
        self.broken: list[BaseException] = []
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def wait(self, more: int) -> None:
        """Until so many more answers came."""
        goal = len(self.answers) + more
        until(lambda: len(self.answers) >= goal, "no client gets on", within_s=60)

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a client waits for ever"

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.answers.append(chat(self._port))
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(error)
