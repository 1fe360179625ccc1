"""What N workers weigh and carry: memory of the whole tree by process, and answers per second.

    .venv/bin/python benchmarks/workers.py --workers 1 2 4 --seconds 5

Starts `pointsman serve`, asks it over keep-alive connections for some seconds and reads PSS
(shared pages counted once over the tree) from /proc. The clients and the upstream share the
machine's cores with it: the rate says how processes compare here, not what a gateway can carry.
"""

import argparse
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from pointsman.testing import ScriptedUpstream, chat_answer

CONFIG = """\
deployments: {{only: {{model: m, base_url: "{url}"}}}}
tasks: {{work: {{}}}}
server: {{port: 0, workers: {workers}{admin}}}
journal: {{path: {folder}/journal}}
"""
_CLIENTS = 16


def main() -> None:
    """Prints one table for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--admin", action="store_true", help="with the admin's process")
    said = parser.parse_args()
    for workers in said.workers:
        print(measured(workers, said.seconds, admin=said.admin))


def measured(workers: int, seconds: float, *, admin: bool) -> str:
    """One row for each process, and what the tree weighs by worker."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ScriptedUpstream(default=chat_answer("ok")) as upstream,
    ):
        config = Path(folder) / "pointsman.yaml"
        extra = ", admin: {port: 0}" if admin else ""
        config.write_text(
            CONFIG.format(url=upstream.base_url, workers=workers, folder=folder, admin=extra)
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "pointsman", "serve", "-c", str(config)],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            port = _port(process)
            answers = _load(port, seconds)
            time.sleep(1.0)
            rows = [(pid, _role(pid), _pss_mb(pid)) for pid in _tree(process.pid)]
        finally:
            process.terminate()
            process.wait(60)
    total = sum(mb for _, _, mb in rows)
    lines = [f"{workers} workers: {answers / seconds:.0f} answers/s, {answers} in all"]
    lines += [f"  {role:<12} {mb:6.1f} MB" for _, role, mb in rows]
    lines.append(f"  {'whole':<12} {total:6.1f} MB, {total / workers:.1f} MB a worker")
    return "\n".join(lines)


def _port(process: "subprocess.Popen[str]") -> int:
    assert process.stderr is not None, "it was started with a pipe"
    for line in process.stderr:
        if found := re.search(r"serving on http://[^:]+:(\d+)", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return int(found[1])
    raise SystemExit("it does not serve")


def _load(port: int, seconds: float) -> int:
    stop = time.monotonic() + seconds
    counts = [0] * _CLIENTS

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        body = json.dumps({"model": "task:work", "messages": [{"role": "user", "content": "x"}]})
        while time.monotonic() < stop:
            connection.request("POST", "/v1/chat/completions", body)
            response = connection.getresponse()
            response.read()
            counts[number] += response.status == 200
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += _tree(child)
    return found


def _role(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    if "pointsman.workers" in words:
        return words[words.index("pointsman.workers") + 1]
    return "keeper" if "pointsman.keeping" in words else "serve"


def _pss_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None, "a kernel since 4.14 tells it"
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
