"""What one request costs between the wire's two ends: parse, decide, record, deliver.

    python benchmarks/answering.py [--requests 20000] [--profile]

A backend that answers at once and a sink that drops everything stand at the ends, so what is
left is ours: CPU microseconds a request, by round, with the journal on and off.
"""

import argparse
import asyncio
import cProfile
import pstats
import statistics
import tempfile
import time
from pathlib import Path

import msgspec

from pointsman.answering.access import Accesses
from pointsman.answering.asked import Asked
from pointsman.answering.shell import Answering
from pointsman.answering.targets import Targets
from pointsman.app import SystemClock
from pointsman.config import parse
from pointsman.domain.messages import Reply
from pointsman.domain.money import Usage
from pointsman.domain.ports import Completion, SubjectKey
from pointsman.domain.records import BodyRef
from pointsman.journal import JournalWriter
from pointsman.routing.arms import Arms
from pointsman.surfaces.chat import parse_chat
from pointsman.telemetry import Metrics

CONFIG = """
deployments:
  mock:
    model: m
    base_url: http://127.0.0.1:1/v1
    price: {input_usd_per_mtok: 0.02, output_usd_per_mtok: 0.06}
routes: {main: {steps: [mock]}}
tasks: {work: {route: main}}
"""
ANSWER = msgspec.json.encode(
    {"id": "chatcmpl-1", "choices": [{"index": 0, "message": {"content": "word " * 60}}]}
)


class Backend:
    """Answers at once."""

    async def complete(self, call):
        return Completion(
            body=ANSWER, replies=(Reply(content="x", finish_reason="stop"),),
            usage=Usage(prompt_tokens=200, completion_tokens=64), model="m",
            response_id="chatcmpl-1", first_token_ms=1,
        )  # fmt: skip


class NoJournal:
    """Keeps nothing."""

    def append(self, record):
        pass

    def put_body(self, body, **_):
        return BodyRef(digest="", size=len(body))

    async def durable(self):
        pass


class Subjects:
    """Knows everybody's key, as a worker does after the first request of a day."""

    KEY = SubjectKey(id="k" * 26, secret=b"k" * 32)

    def known(self, tenant, subject):
        return self.KEY


class Sink:
    """Drops everything."""

    def whole(self, headers, body):
        pass


def body(kib: int) -> bytes:
    """A chat request of about so many KiB."""
    text = "The quick brown fox jumps over the lazy dog. " * (kib * 23)
    return msgspec.json.encode(
        {"model": "task:work", "messages": [{"role": "system", "content": "Help."},
                                            {"role": "user", "content": text[: kib * 1024 - 120]}],
         "max_tokens": 64, "temperature": 0.7}
    )  # fmt: skip


async def drive(journal, sent: bytes, requests: int) -> float:
    """CPU microseconds a request."""
    config = parse(CONFIG)
    targets, metrics, clock = Targets(config), Metrics(), SystemClock()
    answering = Answering(
        config=config.digest, deployments=config.deployments, backend=Backend(), journal=journal,
        arms=Arms(), accesses=Accesses(config.deployments.values()), clock=clock,
        ended=lambda admission, end, verified, _: metrics.ended(admission, end, verified),
        subjects=Subjects(),
    )  # fmt: skip
    sink = Sink()
    started = time.process_time()
    for _ in range(requests):
        request = parse_chat(sent)
        asked = Asked(
            request=request, body=sent, target=targets.resolve(request.model), tenant="t",
            principal="p", surface="chat", arrived=clock.monotonic(), bounds=None,
        )  # fmt: skip
        await answering.answer(asked, sink)
    return (time.process_time() - started) / requests * 1e6


def main() -> None:
    """Print one line a cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, JournalWriter(Path(folder)) as journal:
        if args.profile:
            profile = cProfile.Profile()
            profile.enable()
            asyncio.run(drive(journal, body(1), args.requests))
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(32)
            return
        for kib in (1, 32):
            for name, target in (("no journal", NoJournal()), ("journal", journal)):
                rounds = [
                    asyncio.run(drive(target, body(kib), args.requests)) for _ in range(args.rounds)
                ]
                print(
                    f"{kib:3d} KiB  {name:10s}  {statistics.median(rounds):6.1f} µs a request "
                    f"[{min(rounds):.1f}, {max(rounds):.1f}]"
                )


if __name__ == "__main__":
    main()
