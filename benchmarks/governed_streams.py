"""What policies add to a stream and to a whole answer: microseconds, interleaved, with spread.

    python benchmarks/governed_streams.py [--rounds 21] [--json]

A stream of 720 chunks of one word each goes through the screen under no rule that acts, one regex,
the plain forms (11 rules) in one gate, the detectors of secrets and personal data, and the plain
forms with a rule that blocks in a second gate. Added is the time per chunk over reading the
chunk's JSON alone. `begin` and `end` are per stream: what it must be kept back for, and the verdict
over the whole text. Nothing of it waits on a network; times are of the thread, so that what else
runs here counts as little as it can.
"""

import argparse
import json
import statistics
import time

import msgspec

from pointsman.config.policies import parse_policy
from pointsman.domain.policies import PolicyBinding
from pointsman.domain.ports import Chunk
from pointsman.governing.governor import Governor
from pointsman.governing.screen import Screen
from pointsman.policy.facts import Facts
from pointsman.testing import tokens

WORDS = "The quick brown fox jumps over the lazy dog, and then writes 42 letters to nobody at all. "
RULE = "  - {{id: {0}, stages: [response], verdict: {1}, detectors: [{0}]}}\n"
POLICIES = {
    "no rule that acts": "detectors:\n  code: {regex: 'EMP-[0-9]{6}'}\nrules:\n"
    + RULE.format("code", "annotate"),
    "one regex": "detectors:\n  code: {regex: 'EMP-[0-9]{6}'}\nrules:\n"
    + RULE.format("code", "redact"),
    "plain forms": "detectors:\n  plain: {use: plain}\nrules:\n" + RULE.format("plain", "redact"),
    "secrets and personal data": "detectors:\n  keys: {use: secrets}\n  data: {use: pii}\nrules:\n"
    + RULE.format("keys", "redact") + RULE.format("data", "redact"),
    "plain forms, and a word that blocks": "detectors:\n  plain: {use: plain}\n"
    "  word: {literal: [Falcon-9]}\nrules:\n"
    + RULE.format("plain", "redact") + RULE.format("word", "block"),
}  # fmt: skip


def chunks() -> list[Chunk]:
    """720 chunks as an engine writes them."""
    made = []
    for word in tokens(WORDS * 40)[:720]:
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
        body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                "model": "m", "choices": [choice]}  # fmt: skip
        made.append(Chunk(data=msgspec.json.encode(body), content=True))
    return made


def governor(text: str) -> Governor:
    """What asks one policy."""
    spec = parse_policy("id: p\n" + text)
    return Governor([PolicyBinding(name="all", files=("p",), policies=(spec,))])


def once(asked: Governor | None, stream: list[Chunk]) -> tuple[float, float, float]:
    """Microseconds to begin, per chunk, and to end."""
    facts = Facts(stream=True)
    t0 = time.thread_time()
    if asked is None:
        for chunk in stream:
            msgspec.json.decode(chunk.data)
        return 0.0, (time.thread_time() - t0) * 1e6 / len(stream), 0.0
    screen = Screen(asked.rules(facts).outbound, facts, asked.outlook(facts), asked.compiled)
    t1 = time.thread_time()
    for chunk in stream:
        screen.push([chunk])
    t2 = time.thread_time()
    screen.end()
    t3 = time.thread_time()
    return (t1 - t0) * 1e6, (t2 - t1) * 1e6 / len(stream), (t3 - t2) * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    stream = chunks()
    kinds: dict[str, Governor | None] = {"reading alone": None}
    kinds |= {name: governor(text) for name, text in POLICIES.items()}
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in kinds}
    for each in kinds.values():
        once(each, stream)
    for _ in range(said.rounds):  # interleaved: what else runs here meets all of them
        for name, each in kinds.items():
            taken[name].append(once(each, stream))
    base = statistics.median(per for _, per, _ in taken["reading alone"])
    rows = []
    for name, times in taken.items():
        begin, per, end = (statistics.median(each) for each in zip(*times, strict=True))
        low, *_, high = statistics.quantiles([each[1] for each in times], n=10)
        rows.append({"policies": name, "chunk_us": round(per, 2), "p10": round(low, 2),
                     "p90": round(high, 2), "added_us": round(per - base, 2),
                     "begin_us": round(begin, 1), "end_us": round(end, 1)})  # fmt: skip
    if said.json:
        print(json.dumps({"rounds": said.rounds, "chunks": len(stream), "rows": rows}))
        return
    for row in rows:
        print(f"{row['policies']:<38} {row['chunk_us']:6.2f} us a chunk "
              f"[{row['p10']:.2f}, {row['p90']:.2f}], {row['added_us']:+.2f} · "
              f"begin {row['begin_us']:.1f} · end {row['end_us']:.1f} us")  # fmt: skip


if __name__ == "__main__":
    main()
