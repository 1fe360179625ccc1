"""Runs one GGUF in an engine process of its own and asks it questions over HTTP.

python training/engine.py model.gguf    # the child: prints its address, then serves
"""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import math
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

SLOTS = 4
MAX_TOKENS = 96


@dataclass(frozen=True)
class Reply:
    text: str
    min_logprob: float
    prompt_tokens: int
    completion_tokens: int
    finish: str


class Engine:
    """A context manager around the child process; `ask` may be called from several threads."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self._child = subprocess.Popen(
            [sys.executable, __file__, str(path), str(threads)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.PIPE,
            text=True,
        )
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if line.startswith("serving at "):
                break
        else:
            raise RuntimeError(f"the engine could not load {path}")
        self._address = urllib.parse.urlsplit(line.removeprefix("serving at ").strip())
        self._local = threading.local()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._child.kill()
        self._child.wait()

    def ask(
        self, system: str, user: str, *, reuse: bool = True, max_tokens: int = MAX_TOKENS
    ) -> Reply:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        body = self.post(
            "/v1/chat/completions",
            {
                "messages": messages,
                "temperature": 0,
                "logprobs": True,
                "max_tokens": max_tokens,
                "cache_prompt": reuse,
            },
        )
        choice = body["choices"][0]
        content = (choice.get("logprobs") or {}).get("content") or []
        return Reply(
            text=choice["message"]["content"] or "",
            min_logprob=min((token["logprob"] for token in content), default=-math.inf),
            prompt_tokens=body["usage"]["prompt_tokens"],
            completion_tokens=body["usage"]["completion_tokens"],
            finish=choice["finish_reason"],
        )

    def ask_all(self, questions: Iterable[tuple[str, str]]) -> list[Reply]:
        with concurrent.futures.ThreadPoolExecutor(SLOTS) as pool:
            return list(pool.map(lambda pair: self.ask(*pair), questions))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        if not hasattr(self._local, "connection"):
            host, port = self._address.hostname, self._address.port
            assert host is not None, "the engine prints a full address"
            self._local.connection = http.client.HTTPConnection(host, port, timeout=60)
        connection = self._local.connection
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        data = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status} {data}")
        return data

    def cpu_seconds(self) -> float:
        """User and system time of the engine process so far, to the nanosecond."""
        # The kernel's clock id of another process's CPU time, as in clock_getcpuclockid(3).
        return time.clock_gettime((~self._child.pid << 3) | 2)


def _serve(path: str, threads: int) -> None:
    import xllamacpp as xlc

    params = xlc.CommonParams()
    params.model.path = path
    params.n_parallel = SLOTS
    params.n_ctx = 512 * SLOTS
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.port = 0
    server = xlc.Server(params)
    print(f"serving at {server.listening_address}", flush=True)
    sys.stdin.read()  # until the parent goes away


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1)
