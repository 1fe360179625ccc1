# ruff: noqa: E501
"""Detectors on the shared data: injection by leaving sources out, secrets and personal data as shipped.

    POINTSMAN_DATA=../shared/data PYTHONPATH=src:training/detectors python benchmarks/policy.py

Injection needs scikit-learn and duckdb. For each of two groups of attack sources and two of honest
ones, the classifier is trained without both; the threshold of the rate at 1 % false alarms is taken
on the honest sources left out, and `shipped` is the threshold that training chose by itself, on
other honest sources again. `xstest_safe` are look-alikes, left out too in the second group.
Secrets and personal data are rules: nothing is fitted, but they were written with these files read.
What was changed for `secrets-2` was chosen on one half of the rules' cases and on code of public
packages; the other half is told apart.
"""

import base64
import json
import os
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np

from pointsman.policy.detectors.pii.detector import PersonalData
from pointsman.policy.detectors.secrets.detector import Secrets
from pointsman.policy.finding import Detector
from pointsman.stats.proportions import wilson

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data")) / "safety"
ATTACKS = (
    ("wild", "templates", "seeds", "advbench", "bipia_bare", "bipia_text", "bipia_code"),
    ("strongreject", "xstest_unsafe", "catqa_en", "seeds_extraction", "own_languages"),
)
HONEST = (
    ("arena_1", "self_instruct", "queries", "passages_stackfaq_a"),
    ("arena_2", "clinc", "zeroeval_train", "emails"),
)
STRUCTURED = frozenset(
    "CREDIT_CARD PHONE_NUMBER EMAIL_ADDRESS DOMAIN_NAME IBAN_CODE US_SSN IP_ADDRESS US_DRIVER_LICENSE".split()  # noqa: SIM905
)


def rows(name: str) -> list[dict]:
    return [json.loads(x) for x in (DATA / name).read_text("utf-8").split("\n") if x.strip()]


def share(hits: np.ndarray) -> str:
    """A rate with its 95 % interval (Wilson)."""
    e = wilson(int(hits.sum()), len(hits))
    return f"{100 * (e.value or 0):5.1f} % [{100 * e.low:4.1f}, {100 * e.high:4.1f}]"


def injection() -> None:
    import train

    data, surprise = train.read()
    pooled: list[np.ndarray] = []
    families: dict[str, list[float]] = {}
    for group, attacks in enumerate(ATTACKS):
        for honest in HONEST:
            apart = [*attacks, *honest, *(("xstest_safe", "own_harmless") if group else ())]
            made = train.trained(data, ~np.isin(data.source, apart), surprise)
            rarity = train.rarity_of(data, made)
            negatives = np.sort(rarity[np.isin(data.source, honest)])[::-1]
            cut = negatives[int(0.01 * len(negatives))]
            print(
                f"without {', '.join(apart)}: 1 % of {len(negatives)} pass {cut:.2f}; shipped {made.flagged:.2f}"
            )
            for name in apart:
                here = rarity[data.source == name]
                if name in ("bipia_bare", "own_harmless"):
                    continue
                print(
                    f"  {name:22} {len(here):5}  at 1 % {share(here > cut)}  shipped {share(here > made.flagged)}"
                )
                if name in attacks:
                    pooled.append(here > cut)
                    families.setdefault(name, []).append(float((here > cut).mean()))
            sys.stdout.flush()
    print(f"pooled {share(np.concatenate(pooled))}; mean over families "
          f"{100 * np.mean([np.mean(v) for v in families.values()]):.1f} %")  # fmt: skip


def timed(detector: Detector, texts: list[str]) -> tuple[list, float]:
    """Judgements, and microseconds of CPU a KiB once everything is compiled."""
    for text in texts[:50]:
        detector.judge(text, channel="content")
    start = time.process_time()
    out = [detector.judge(text, channel="content") for text in texts]
    return out, (time.process_time() - start) * 1e6 / (sum(map(len, texts)) / 1024)


def secrets() -> None:
    cases = rows("secrets_gitleaks_cases.jsonl")
    texts = [base64.b64decode(r["text_b64"]).decode("utf-8", "replace") for r in cases]
    out, us = timed(Secrets(), texts)
    found = np.array([j.status == "found" for j in out])
    label = np.array([r["label"] == 1 for r in cases])
    rule = np.array([r["rule"] for r in cases])
    apart = np.array([sha256(each.encode()).digest()[0] % 2 == 1 for each in rule])
    print(
        f"secrets: found {share(found[label])}, look-alikes flagged {share(found[~label])}; {us:.0f} us a KiB"
    )
    print(
        f"  rules not looked at since secrets-1 ({len(set(rule[apart]))}): found {share(found[label & apart])},"
        f" look-alikes {share(found[~label & apart])}"
    )
    counts = Counter(rule[~label & found])
    print(f"  look-alikes flagged by rule: {dict(counts.most_common(4))}")
    samples = rule == "gcp-api-key"  # keys that vendors publish in samples: like others in form
    print(f"  look-alikes but for published sample keys: {share(found[~label & ~samples])}")


def personal() -> None:
    cases = rows("pii_presidio_synth.jsonl")
    out, us = timed(PersonalData(), [r["text"] for r in cases])
    hit, right = [], []
    for row, judgement in zip(cases, out, strict=True):
        said = [(f.start, f.end) for f in judgement.findings]
        gold = [(s["start"], s["end"]) for s in row["spans"]]
        hit += [
            any(2 * _over(span, p) >= span[1] - span[0] for p in said)
            for span, s in zip(gold, row["spans"], strict=True)
            if s["type"] in STRUCTURED
        ]
        right += [2 * sum(_over(p, g) for g in gold) >= p[1] - p[0] for p in said]
    print(
        f"personal data: recall {share(np.array(hit))}, precision {share(np.array(right))}; {us:.0f} us a KiB"
    )


def false_alarms() -> None:
    for name in (
        "benign_arena_hard.jsonl",
        "benign_self_instruct.jsonl",
        "bipia_email_contexts.jsonl",
    ):
        texts = [r["text"] for r in rows(name)]
        out, us = timed(Secrets(), texts)
        print(
            f"secrets on {name}: {share(np.array([j.status == 'found' for j in out]))}; {us:.0f} us a KiB"
        )


def _over(a: tuple[int, int], b: tuple[int, int]) -> int:
    return max(0, min(a[1], b[1]) - max(a[0], b[0]))


if __name__ == "__main__":
    secrets()
    personal()
    false_alarms()
    injection()
