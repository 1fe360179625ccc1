"""The gateway of a soak: started, asked what it holds, measured from outside (Linux)."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from tests.conformance.upstream import Upstream
from tests.support.processes import children, environment

KEY = "sk-soak"
# As tests/conformance/own.py has it, with a budget to be counted and a keeper that is busy.
CONFIG = """
server: {{max_body_mb: 4}}
keys:
  examiner: {{key: {key}, limits: {{usd_per_month: 100000}}}}
journal: {{path: journal}}
keeping: {{every_s: 10}}
deployments:
  conformance: {{{same}, base_url: "{up}", limits: {{{waits}}}}}
  conformance-refused: {{{same}, base_url: "{refusing}", limits: {{{bound}}}}}
  conformance-bounded: {{{same}, base_url: "{up}", limits: {{max_answer_mb: 1, {waits}}}}}
  conformance-patient: {{{same}, base_url: "{up}", limits: {{concurrency: 256, {bound}}}}}
  first: {{{same}, served_name: first, base_url: "{up}", limits: {{{waits}}}}}
  second: {{{same}, served_name: second, base_url: "{up}", limits: {{{waits}}}}}
routes:
  fallback: {{steps: [first], fallbacks: [second], stream: direct}}
aliases: {{conformance-fallback: fallback}}
"""
_BOUND = "max_output_tokens: 64"
# Long enough for an upstream that shares two cores with all this and with other work.
_WAITS = f"{_BOUND}, first_token_timeout_s: 8, between_tokens_timeout_s: 8, timeout_s: 20"
_SAME = (
    "model: m, price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}, "
    "operations: [chat, completion, embedding, rerank], breaker: {enabled: false}"
)


class Memory(NamedTuple):
    """KiB in RAM, each page divided by the processes that share it."""

    pss: int
    own: int  # without pages of files: those weigh less while a neighbour runs the same program


@dataclass(kw_only=True)
class Gateway:
    """One running gateway."""

    process: "subprocess.Popen[str]"
    port: int
    config: Path
    said: IO[str]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def tree(self) -> list[int]:
        """The gateway and every process that it started."""
        found, at = [self.process.pid], 0
        while at < len(found):
            found += children(found[at])
            at += 1
        return found

    def memory(self) -> tuple["Memory", "Memory"]:
        """Of the gateway, and of all that it started."""
        own, *others = map(_memory, self.tree)
        return own, Memory(sum(each.pss for each in others), sum(each.own for each in others))

    def descriptors(self) -> dict[str, int]:
        """What the gateway itself has open, counted by kind: `socket`, `pipe`, files by name."""
        folder = Path(f"/proc/{self.process.pid}/fd")
        found: dict[str, int] = {}
        for each in list(folder.iterdir()):
            try:
                name = os.readlink(each)
            except OSError:  # closed meanwhile
                continue
            kind = name.split(":")[0] if ":" in name else Path(name).suffix or Path(name).name
            found[kind] = found.get(kind, 0) + 1
        return found

    def inside(self) -> Any:
        """`tasks` by name and the number of `objects`, as the gateway itself counts them."""
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.said.readline())

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def soaked_gateway(folder: Path, upstream: Upstream) -> Iterator[Gateway]:
    """A gateway in a process of its own; killed with the block unless it was stopped."""
    file = folder / "pointsman.yaml"
    up, refusing = (
        f"http://127.0.0.1:{port}/v1" for port in (upstream.port, upstream.refusing_port)
    )
    file.write_text(
        CONFIG.format(key=KEY, up=up, refusing=refusing, same=_SAME, bound=_BOUND, waits=_WAITS)
    )
    with (folder / "stderr").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.gateway_child", str(file)],
            cwd=Path(__file__).parents[2], env=environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            assert first, "it did not start:\n" + (folder / "stderr").read_text()
            port = json.loads(first)["port"]
            yield Gateway(process=process, port=port, config=file, said=process.stdout)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()


def _memory(pid: int) -> Memory:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return Memory(0, 0)
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(kib["Pss"], kib["Pss"] - kib.get("Pss_File", 0))
