# ruff: noqa: E501 - a pattern or a row is one line
"""Train the injection classifier and write its weights: `python training/detectors/train.py`.

Reads the shared data at POINTSMAN_DATA and the texts written here; fetches nothing. Seeds are
fixed. The file it writes holds numbers only: no pickle, no text of any example.
"""

import argparse
import os
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # sums in one order
    os.environ.setdefault(name, "1")

import corpus  # noqa: E402
import encoding  # noqa: E402
import heads  # noqa: E402
import noise  # noqa: E402
import numpy as np  # noqa: E402

from pointsman.policy.detectors.injection import features, model, tokens  # noqa: E402

HEADS = ("persona", "command", "harm", "stretch", "noise", "signs")
# Taken from a head's rarity: chosen on sources left out, so that no head spends the alarms alone.
OFFSETS = {
    "persona": 0.1,
    "command": -0.5,
    "harm": -0.5,
    "stretch": 0.0,
    "noise": 1.2,
    "signs": 0.0,
}
FLAGGED_SHARE = 0.012  # of honest texts left out, sources weighing the same; pooled it is less
TARGET = Path(__file__).parents[2] / "src/pointsman/policy/detectors/injection/weights.bin"


def natural(data: heads.Set) -> np.ndarray:
    """Honest texts as they come: not written here, not chosen to look like attacks."""
    return (
        (data.kind == "benign")
        & ~np.char.startswith(data.source.astype(str), "own")
        & (data.source != "xstest_safe")
    )


def left_out(head: str, data: heads.Set, here: np.ndarray, folds: int = 3) -> np.ndarray:
    """Scores of honest texts by a head that had not seen their source; NaN for everything else."""
    honest = here & (data.kind == "benign")
    sources = sorted(set(data.source[honest]))
    np.random.RandomState(3).shuffle(sources)
    fold = np.array([sources.index(s) % folds if s in sources else -1 for s in data.source])
    out = np.full(len(data.examples), np.nan)
    for i in range(folds):
        apart = honest & (fold == i)
        out[apart] = heads.scored(head, data, *heads.fitted(head, data, here & (fold != i)))[apart]
    return out


def tails(data: heads.Set, here: np.ndarray) -> tuple[dict[str, model.Tail], np.ndarray]:
    """The tail of every head, and the rarity of every honest text by heads that had not seen it."""
    found, rarity = {}, np.full(len(data.examples), 0.0)
    usual = natural(data) & here
    for head in HEADS:
        scores = left_out(head, data, here)
        shown = usual & (scores > -19.9)
        found[head] = model.Tail(*heads.tail(scores[shown], data.source[shown]), OFFSETS[head])
        rarity[usual] = np.maximum(rarity[usual], [found[head].rarity(z) for z in scores[usual]])
    return found, rarity


def flagged_at(rarity: np.ndarray, source: np.ndarray) -> float:
    """The rarity that FLAGGED_SHARE of honest texts pass, every source weighing the same."""
    weight = np.array([1.0 / (source == s).sum() for s in source])
    order = np.argsort(-rarity)
    at = int(np.searchsorted(np.cumsum(weight[order]) / weight.sum(), FLAGGED_SHARE))
    return float(rarity[order[at]])


def quantised(head: str, weights: np.ndarray, bias: float) -> model.Head:
    """Weights in 255 steps; what rounds to nothing is nothing."""
    split = 1 << tokens.WORD_BITS
    slots = weights[: encoding.COLUMNS]
    step = float(np.abs(slots).max() / 127.0)
    table = (np.clip(np.rint(slots / step), -127, 127) + 128).astype(np.uint8)
    patterns = tuple(round(float(w) * model.PATTERN_WEIGHT, 5) for w in weights[encoding.COLUMNS :])
    return model.Head(head, table[:split].tobytes(), table[split:].tobytes(), patterns, step, bias)


def trained(data: heads.Set, here: np.ndarray, surprise: bytes) -> model.Model:
    """A whole model from the examples of `here`."""
    falls, rarity = tails(data, here)
    usual = natural(data) & here
    learned = {head: heads.fitted(head, data, here) for head in HEADS}
    made = model.Model(
        {h: quantised(h, *learned[h]) for h in HEADS if h not in ("noise", "signs")},
        falls,
        (*map(float, learned["noise"][0]), learned["noise"][1]),
        tuple(round(float(w), 4) for w in learned["signs"][0]),
        surprise,
        flagged_at(rarity[usual], data.source[usual]),
        "",
    )
    return made


def rarity_of(data: heads.Set, made: model.Model) -> np.ndarray:
    """The rarity of every example by a model, as the package judges it."""
    split = [
        (np.frombuffer(t, np.uint8).astype(float) - 128)
        for h in made.heads.values()
        for t in (h.words, h.signs)
    ]
    out = np.zeros(len(data.examples))
    for place, (name, head) in enumerate(made.heads.items()):
        slots = np.concatenate(split[2 * place : 2 * place + 2]) * head.step
        weights = np.concatenate([slots, np.array(head.patterns) / model.PATTERN_WEIGHT])
        out = np.maximum(
            out, _rarities(made.tails[name], heads.scored(name, data, weights, head.bias))
        )
    for name, weights, bias in (
        ("noise", np.array(made.noise[:-1]), made.noise[-1]),
        ("signs", np.array(made.signs), 0.0),
    ):
        out = np.maximum(out, _rarities(made.tails[name], heads.scored(name, data, weights, bias)))
    return out


def _rarities(tail: model.Tail, scores: np.ndarray) -> np.ndarray:
    return np.array([tail.rarity(float(z)) for z in scores])


def read() -> tuple[heads.Set, bytes]:
    """The examples as numbers, and the table of surprise."""
    examples = corpus.everything()
    surprise = noise.table(
        [e for e in examples if e.kind == corpus.BENIGN and e.source != "own_mutated_benign"]
    )
    return heads.Set(examples, encoding.encoded(examples, surprise)), surprise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET)
    target = parser.parse_args().out
    data, surprise = read()
    everything = np.ones(len(data.examples), bool)
    made = trained(data, everything, surprise)
    target.write_bytes(model.packed(made))
    print(
        f"{target}: {target.stat().st_size} bytes, flagged at rarity {made.flagged:.3f}, {len(data.examples)} examples"
    )
    assert len(features.NAMES) == data.numbers.dense.shape[1]


if __name__ == "__main__":
    main()
