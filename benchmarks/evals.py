"""What running a suite costs beside Inspect AI: processor time of the harness for each sample.

    python benchmarks/evals.py [--rounds 5] [--few 100] [--many 600] [--times 10] [--inspect FOLDER]

Both ask the same cases of the same scripted OpenAI-compatible server (a process of its own) with
32 requests at once, score them by equal text, and write their logs. Rounds take turns. Each runs
once with few and once with many cases, and the difference is divided by the cases between them:
what starting costs is left out of the figure, and told apart. Ours is asked --times as many cases,
or the difference would drown in the noise of starting. Inspect is installed into a folder
of this script's own unless --inspect names a virtual environment that has it.

Ours answers through the whole gateway in the same process: routing, limits, journal of every
request with its bodies. Inspect's OpenAI provider asks the server directly.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_SERVER = """
import asyncio, json, sys

BODY = json.dumps({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "scripted",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "the answer is 42"}}],
    "usage": {"prompt_tokens": 60, "completion_tokens": 6, "total_tokens": 66},
}).encode()
ANSWER = (b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: "
          + str(len(BODY)).encode() + b"\\r\\n\\r\\n" + BODY)


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
            at = head.index(b"content-length:") + 15
            await reader.readexactly(int(head[at:head.index(b"\\r", at)]))
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
"""
_TASK = """
import os
from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset, Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate


def sample(row):
    return Sample(input=row["input"], target=row["expected"], id=row["id"])


@task
def echoes():
    return Task(dataset=json_dataset(os.environ["CASES"], sample), solver=generate(),
                scorer=match(location="exact"))
"""
_CONFIG = """\
deployments:
  scripted:
    model: scripted
    base_url: {url}
    price: {{input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.2}}
    limits: {{concurrency: 64}}
tasks: {{work: {{route: main}}}}
routes: {{main: {{steps: [scripted]}}}}
journal: {{path: journal}}
"""
_SUITE = """\
name: echoes
subject: task:work
cases: [{{file: {rows}}}]
scorers: [{{exact: {{}}}}]
fields: {{temperature: 0, max_tokens: 64}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--many", type=int, default=600)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--inspect", type=Path, help="a virtual environment that has inspect-ai")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pointsman-evals-") as name:
        folder = Path(name)
        inspect = said.inspect or _install(folder / "inspect")
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
            sizes = {"inspect": (said.few, said.many),
                     "pointsman": (said.few * said.times, said.many * said.times)}  # fmt: skip
            _prepare(folder, url, {n for each in sizes.values() for n in each})
            _compare(folder, inspect, url, sizes, said.rounds)
        finally:
            server.kill()
            server.wait()


def _install(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "-q", "inspect-ai", "openai"], check=True)
    return folder


def _prepare(folder: Path, url: str, counts: set[int]) -> None:
    for count in counts:
        rows = [
            json.dumps({
                "id": f"c{i}",
                "input": f"Question {i}: what is six times seven? " + "Think of it. " * 10,
                "expected": "the answer is 42",
            })
            for i in range(count)
        ]  # fmt: skip
        (folder / f"{count}.jsonl").write_text("\n".join(rows) + "\n")
        (folder / f"{count}.yaml").write_text(_SUITE.format(rows=f"{count}.jsonl"))
    (folder / "pointsman.yaml").write_text(_CONFIG.format(url=url))
    (folder / "echoes.py").write_text(_TASK)


def _compare(
    folder: Path, inspect: Path, url: str, sizes: dict[str, tuple[int, int]], rounds: int
) -> None:
    found: dict[str, list[tuple[float, float]]] = {"pointsman": [], "inspect": []}
    ratios = []
    for round_ in range(rounds):
        names = ["pointsman", "inspect"]
        for name in names if round_ % 2 == 0 else reversed(names):
            few, many = sizes[name]
            ask = _ours if name == "pointsman" else _theirs
            small, large = ask(folder, inspect, url, few), ask(folder, inspect, url, many)
            each = (large - small) / (many - few)
            found[name].append((each * 1e3, small - each * few))
        ours, theirs = found["pointsman"][-1][0], found["inspect"][-1][0]
        ratios.append(ours / theirs)
        print(f"round {round_ + 1}: ours {ours:.2f} ms, inspect {theirs:.2f} ms of processor time "
              f"a sample, ratio {ratios[-1]:.3f}", flush=True)  # fmt: skip
    print(f"\n{'':10} CPU ms a sample (median, range)   CPU s to start (median)")
    for name, rows in found.items():
        costs = sorted(row[0] for row in rows)
        starts = statistics.median(row[1] for row in rows)
        print(f"{name:10} {statistics.median(costs):8.2f}  [{costs[0]:.2f}, {costs[-1]:.2f}]"
              f"{'':12} {starts:8.2f}")  # fmt: skip
    print(f"ratio      {statistics.median(ratios):8.3f}  [{min(ratios):.3f}, {max(ratios):.3f}]"
          f"   {rounds} rounds, cases {sizes}, load {os.getloadavg()[0]:.1f}")  # fmt: skip


def _ours(folder: Path, inspect: Path, url: str, count: int) -> float:
    spent, out = _cpu_s(
        [sys.executable, "-m", "pointsman.cli", "eval", "run", f"{count}.yaml", "--fresh",
         "--concurrency", "32", "--json"],
        folder, {},
    )  # fmt: skip
    told = json.loads(out)["summary"]
    asked = (told["samples"], told["missing"], told["cached"], told["primary"]["estimate"]["value"])
    assert asked == (count, 0, 0, 1.0), asked
    return spent


def _theirs(folder: Path, inspect: Path, url: str, count: int) -> float:
    environment = {
        "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "unused", "CASES": str(folder / f"{count}.jsonl"),
        "INSPECT_LOG_DIR": str(folder / "logs"),
    }  # fmt: skip
    spent, _ = _cpu_s(
        [str(inspect / "bin" / "inspect"), "eval", "echoes.py",
         "--model", "openai-api/own/scripted",
         "--max-connections", "32", "--max-samples", "32", "--display", "none",
         "--temperature", "0", "--max-tokens", "64"],
        folder, {**environment, "OWN_BASE_URL": url, "OWN_API_KEY": "unused"},
    )  # fmt: skip
    log = max((folder / "logs").glob("*.eval"), key=lambda path: path.stat().st_mtime)
    dump = [str(inspect / "bin" / "inspect"), "log", "dump", "--header-only", str(log)]
    header = json.loads(subprocess.run(dump, capture_output=True, check=True).stdout)
    done = header["results"]["completed_samples"], header["status"]
    assert done == (count, "success"), done
    return spent


def _cpu_s(command: list[str], folder: Path, more: dict[str, str]) -> tuple[float, str]:
    """Processor time, user and system, of the command and its children; what it said."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return spent, done.stdout


if __name__ == "__main__":
    main()
