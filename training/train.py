"""Trains the three embedded models from fixed seeds and step counts; writes one .pt each.

python training/train.py --out /tmp/models            # all three
python training/train.py --out /tmp/models --only small
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from model import Qwen3, Shape
from torch.nn import functional as F
from vocab import END, PAD, Vocabulary

from pointsman.embedded.cases import FORMATS, INSTRUCTIONS, courteous, training_drafts

FORMAT_SHARE = 0.8  # the rest has no format line and mirrors the tone of the text
COURTESY_SHARE = 0.5


@dataclass(frozen=True)
class Recipe:
    width: int
    layers: int
    heads: int
    kv_heads: int
    inner: int
    tokens: int  # in a batch
    steps: int
    mix: Mapping[str, float]  # shares of examples
    hard_share: float
    seed: int
    half_precision: bool = False
    muon_rate: float = 0.02
    adam_rate: float = 0.003


FOUR = {"ticket": 0.26, "normalise": 0.28, "logline": 0.18, "evidence": 0.25}
RECIPES = {
    "small": Recipe(128, 2, 4, 2, 256, 2048, 5000, FOUR | {"sums": 0.03}, 0.15, 12),
    "specialist": Recipe(128, 2, 4, 2, 384, 2048, 7000, {"sums": 1.0}, 0.7, 11),
    "large": Recipe(256, 4, 4, 2, 768, 4096, 3200, FOUR | {"sums": 0.17}, 0.75, 13, True),
}


@dataclass(frozen=True)
class Example:
    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=tuple(RECIPES), action="append")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    vocabulary = Vocabulary()
    for name in arguments.only or RECIPES:
        train(name, RECIPES[name], vocabulary, arguments.out)


def train(name: str, recipe: Recipe, vocabulary: Vocabulary, folder: Path) -> None:
    started = time.monotonic()
    torch.manual_seed(recipe.seed)
    shape = Shape(
        vocabulary.size, recipe.width, recipe.layers, recipe.heads, recipe.kv_heads, recipe.inner
    )
    model = Qwen3(shape)
    # Compiled, a step is about three times faster; compiling takes about a minute a model.
    model.forward = torch.compile(model.forward, dynamic=True)  # type: ignore[method-assign]
    print(f"{name}: {sum(w.numel() for w in model.parameters()):,} parameters", flush=True)
    _run(name, model, recipe, vocabulary)
    torch.save({"shape": asdict(shape), "weights": model.state_dict()}, folder / f"{name}.pt")
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def _run(name: str, model: Qwen3, recipe: Recipe, vocabulary: Vocabulary) -> None:
    linear = [w for n, w in model.named_parameters() if w.dim() == 2 and "embed" not in n]
    rest = [w for n, w in model.named_parameters() if w.dim() != 2 or "embed" in n]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(linear, lr=recipe.muon_rate, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=recipe.adam_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    groups = [group for optimiser in optimisers for group in optimiser.param_groups]
    rates = [group["lr"] for group in groups]
    started, seen, shown = time.monotonic(), 0, 0.0
    stream = itertools.islice(batches(recipe, vocabulary), recipe.steps)
    for step, batch in enumerate(stream, start=1):
        factor = _schedule(step, recipe.steps)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * factor
        loss = _loss(model, batch, recipe.half_precision)
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        seen += sum(map(len, batch))
        shown += loss.item()
        if step % 100 == 0:
            spent = time.monotonic() - started
            rate = f"{seen / spent:,.0f} tok/s {spent:.0f} s"
            print(f"{name} {step}/{recipe.steps} loss {shown / 100:.4f} {rate}", flush=True)
            shown = 0.0


def batches(recipe: Recipe, vocabulary: Vocabulary) -> Iterator[list[Example]]:
    """Endless batches of fresh examples of similar lengths, at most `tokens` with padding."""
    rng = random.Random(f"pointsman-training-{recipe.seed}")
    drafts = {
        (task, hard): training_drafts(rng, task, hard=hard)
        for task in recipe.mix
        for hard in (False, True)
    }
    tasks, shares = list(recipe.mix), list(recipe.mix.values())
    while True:
        pool = []
        for task in rng.choices(tasks, shares, k=6000):
            draft = next(drafts[task, rng.random() < recipe.hard_share])
            polite = rng.random() < COURTESY_SHARE
            user = courteous(rng, draft.body) if polite else draft.body
            system, answer = rng.choice(INSTRUCTIONS[task]), draft.reference
            if rng.random() < FORMAT_SHARE:
                system += "\n" + rng.choice(FORMATS[task])
            elif polite:
                answer = draft.loose
            pool.append(Example(vocabulary.prompt(system, user), [*vocabulary.encode(answer), END]))
        pool.sort(key=len)
        made: list[list[Example]] = [[]]
        for example in pool:
            if (len(made[-1]) + 1) * len(example) > recipe.tokens:
                made.append([])
            made[-1].append(example)
        rng.shuffle(made)
        yield from made


def _loss(model: Qwen3, batch: list[Example], half_precision: bool) -> torch.Tensor:
    length = max(map(len, batch))
    ids = torch.full((len(batch), length), PAD)
    wanted = torch.zeros(len(batch), length, dtype=torch.bool)
    for row, example in enumerate(batch):
        ids[row, : len(example)] = torch.tensor(example.prompt + example.answer)
        wanted[row, len(example.prompt) - 1 : len(example) - 1] = True
    with torch.autocast("cpu", torch.bfloat16, enabled=half_precision):
        hidden = model(ids)
        logits = model.logits(hidden[wanted])
    targets = ids[:, 1:][wanted[:, :-1]]
    return F.cross_entropy(logits.float(), targets)


def _schedule(step: int, total: int) -> float:
    """50 warm-up steps, flat, then down to zero over the last half."""
    return min(step / 50, 1.0, 2 * (total - step + 1) / total)


if __name__ == "__main__":
    main()
