"""Streams under `secrets` and `pii`: is what leaves what the whole text leaves, and what is held.

    POINTSMAN_DATA=../shared/data python benchmarks/nearby_streams.py [--texts 150] [--cuts 3]

Texts: cases of secret rules, synthetic people, questions of people, e-mails. Each is cut into
pieces of 1 to 6 characters in several ways and once into single characters, goes through the gate,
and is compared with the text whose spans the detectors found as a whole. Held is counted after each
piece. `--json`: a line of JSON for each.
"""

import argparse
import base64
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pointsman.policy.detectors.pii.detector import PersonalData
from pointsman.policy.detectors.secrets.detector import Secrets
from pointsman.policy.gating.gate import StreamGate
from pointsman.policy.gating.mixture import Asked, Mixture
from pointsman.policy.verdicts import Span, redacted, union

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data")) / "safety"
FILES = (
    "secrets_gitleaks_cases.jsonl", "pii_presidio_synth.jsonl", "benign_arena_hard.jsonl",
    "bipia_email_contexts.jsonl",
)  # fmt: skip
Found = Secrets | PersonalData


def texts(name: str, most: int) -> list[str]:
    """Texts of one file, an even share of them."""
    lines = [each for each in (DATA / name).read_text("utf-8").split("\n") if each.strip()]
    rows = [json.loads(each) for each in lines[:: max(1, len(lines) // most)][:most]]
    return [
        base64.b64decode(row["text_b64"]).decode("utf-8", "replace")
        if "text_b64" in row
        else row["text"]
        for row in rows
    ]


def asked(detector: Found) -> Asked:
    """The detector, for a gate."""
    assert detector.nearby is not None, "as it is shipped"
    return Asked(
        detector.nearby,
        lambda text: [(f.start, f.end) for f in detector.judge(text, channel="content").findings],
        detector.name,
        detector.name,
    )


def cuts(text: str, ways: int, draw: random.Random) -> Iterator[list[str]]:
    """The text in pieces, in as many ways, and in single characters."""
    yield list(text)
    for _ in range(ways):
        pieces, at = [], 0
        while at < len(text):
            size = draw.randint(1, 6)
            pieces.append(text[at : at + size])
            at += size
        yield pieces


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=150)
    parser.add_argument("--cuts", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    detectors: tuple[Found, ...] = (Secrets(), PersonalData())
    gates = {each.name: (Mixture([asked(each)]), (each,)) for each in detectors}
    gates["both"] = (Mixture([asked(each) for each in detectors]), detectors)
    rows = []
    for name, (mixture, mine) in gates.items():
        for file in FILES:
            row = measured(mixture, mine, texts(file, said.texts), said.cuts)
            rows.append({"detectors": name, "texts": file, **row})
            print(f"{name} on {file}", file=sys.stderr)
    for row in rows:
        print(json.dumps(row) if said.json else "  ".join(f"{k} {v}" for k, v in row.items()))


def measured(
    mixture: Mixture, detectors: tuple[Found, ...], read: list[str], ways: int
) -> dict[str, float]:
    """What one gate does to these texts."""
    draw = random.Random(7)
    held: list[int] = []
    other = streams = protected = 0
    spent = 0.0
    for text in read:
        spans = union(
            Span(found.start, found.end, f"[{each.name}]")
            for each in detectors
            for found in each.judge(text, channel="content").findings
        )
        protected += sum(span.end - span.start for span in spans)
        for pieces in cuts(text, ways, draw):
            gate = StreamGate(mixture, placeholder="[{kind}]")
            begun = time.process_time()
            said = [gate.push(piece) for piece in pieces]
            left = "".join(each.text for each in said) + gate.close().text
            spent += time.process_time() - begun
            streams += 1
            held += [each.held for each in said]
            other += left != redacted(text, spans)
    held.sort()
    return {
        "n": len(read), "streams": streams, "protected": protected, "other_than_whole": other,
        "held_mean": round(sum(held) / len(held), 1), "held_p99": held[int(0.99 * len(held))],
        "held_most": held[-1], "us_a_piece": round(spent * 1e6 / len(held), 1),
    }  # fmt: skip


if __name__ == "__main__":
    main()
