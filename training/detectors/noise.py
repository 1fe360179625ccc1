"""The table of surprise: how unlikely a character is after two others, in honest texts."""

import numpy as np
from corpus import Example

from pointsman.policy.detectors.injection.normalising import normal
from pointsman.policy.detectors.injection.surprisal import CLASSES, SCALE, classes

_PER_TEXT = 1500  # characters: no long text decides alone


def table(examples: list[Example]) -> bytes:
    """Steps of 1/SCALE bit for every three classes; trigrams backed off to pairs and singles."""
    n = CLASSES
    three = np.zeros((n, n, n))
    for example in examples:
        k = np.frombuffer(classes(normal(example.text[:_PER_TEXT]).text), np.uint8)
        if len(k) > 2:
            np.add.at(three, (k[:-2], k[1:-1], k[2:]), 1.0)
    one = three.sum((0, 1)) + 1.0
    one /= one.sum()
    two = three.sum(0) + 8.0 * one
    two /= two.sum(1, keepdims=True)
    full = three + 8.0 * two[None]
    full /= full.sum(2, keepdims=True)
    bits = -np.log2(full) * SCALE
    return np.clip(np.rint(bits), 0, 255).astype(np.uint8).tobytes()
