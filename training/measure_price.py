"""CPU-seconds per prompt and completion token of each shipped model, and the price they make.

    python training/measure_price.py --machine "two x86-64 cores with AMX"

One request at a time, one engine thread, logprobs on, no prompt reuse; the engine process's CPU
time of each request is regressed on its two token counts. Needs otherwise calm cores: it repeats
in rounds over all models, keeps the median round and writes down the spread.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics

import numpy as np
from engine import Engine
from evaluate import CARD, FOLDER

from pointsman.embedded.cases import PROMPTS, cases

ROUNDS = 7
REQUESTS = 120
SEED = 800_001
CORE_HOUR_USD = 0.04
# Cutting some answers short keeps the two counts from moving together.
CUTS = (1, 4, 96)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machine", required=True, help="its class, in generic words")
    machine = parser.parse_args().machine
    card = json.loads(CARD.read_text())
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in card["models"]}
    for number in range(ROUNDS):
        for name, entry in card["models"].items():
            with Engine(FOLDER / entry["file"], threads=1) as engine:
                found[name].append(_seconds_per_token(engine, SEED + number))
    for name, rounds in found.items():
        entry = card["models"][name]
        for place, kind in enumerate(("prompt", "completion")):
            values = sorted(one[place] for one in rounds)
            entry[f"cpu_seconds_per_{kind}_token"] = {
                "median": float(f"{statistics.median(values):.4g}"),
                "low": float(f"{values[0]:.4g}"),
                "high": float(f"{values[-1]:.4g}"),
                "rounds": ROUNDS,
            }
        entry["price"] = {
            "input_usd_per_mtok": _usd_per_mtok(entry["cpu_seconds_per_prompt_token"]["median"]),
            "output_usd_per_mtok": _usd_per_mtok(
                entry["cpu_seconds_per_completion_token"]["median"]
            ),
        }
        print(name, entry["price"], entry["cpu_seconds_per_prompt_token"],
              entry["cpu_seconds_per_completion_token"])  # fmt: skip
    card["core_hour_usd"] = CORE_HOUR_USD
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    card["measured"] = {"date": today, "machine": machine}
    CARD.write_text(json.dumps(card, indent=2) + "\n")


def _usd_per_mtok(seconds: float) -> float:
    return float(f"{seconds * 1e6 * CORE_HOUR_USD / 3600:.3g}")


def _seconds_per_token(engine: Engine, seed: int) -> tuple[float, float]:
    tokens, seconds = [], []
    drawn = cases(seed, REQUESTS + 10)
    for place, case in enumerate(drawn):
        before = engine.cpu_seconds()
        reply = engine.ask(
            PROMPTS[case.task]["v2"], case.user, reuse=False, max_tokens=CUTS[place % len(CUTS)]
        )
        if place >= 10:  # the first ones warm up
            tokens.append((reply.prompt_tokens, reply.completion_tokens))
            seconds.append(engine.cpu_seconds() - before)
    answer, *_ = np.linalg.lstsq(np.array(tokens, float), np.array(seconds), rcond=None)
    return float(answer[0]), float(answer[1])


if __name__ == "__main__":
    main()
