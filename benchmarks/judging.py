"""How judge cards and corrected quality hold on real verdicts: LLMBar natural, six judges.

    POINTSMAN_DATA=../shared/data python benchmarks/judging.py [--draws 500] [--json]

For each judge and prompt: the card (both orders agree, kappa, first preferred) against the same
figures counted straight from the file. Then, at 90 %: the share of cases whose first answer people
would call better, from 40 labels of 400 cases: the judge alone, people alone,
and the two together, drawn evenly and by expected shrinkage.
"""

import argparse
import json
import os
import random
import statistics
import time
from pathlib import Path

import duckdb

from pointsman.domain.judges import JudgeSpec
from pointsman.evals.judging.card import judge_card
from pointsman.evals.sampling import Candidate, draw, stratum_of
from pointsman.evaluating.calibrating import labelled_columns
from pointsman.stats.agreement import krippendorff_alpha
from pointsman.stats.ppi_sampled import ppi_sampled

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data")) / "evals"
VERDICTS = DATA / "llmbar_natural_judge_verdicts.parquet"
ITEMS = DATA / "llmbar_natural_items.parquet"
SPEC = JudgeSpec(name="llmbar", model="m", rubric="r", kind="pairwise", tie=False)
LEVEL, LABELS = 0.9, 40


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--draws", type=int, default=500)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    started = time.process_time()
    rows = duckdb.sql(
        f"SELECT v.judge, v.prompt, v.item, v.label::INT, v.winner_as_given::INT, "
        f"v.winner_swapped::INT, length(i.output_1) - length(i.output_2) FROM '{VERDICTS}' v "
        f"JOIN '{ITEMS}' i USING (item) ORDER BY ALL"
    ).fetchall()
    told = {"cards": cards(rows), "quality": quality(rows, chosen.draws), "alpha": alphas(rows)}
    told["cpu_s"] = round(time.process_time() - started, 1)
    if chosen.json:
        print(json.dumps(told, indent=2))
        return
    print(f"{len(rows)} verdicts of pairs · {len(told['cards'])} judges with their prompts")
    print("judge        prompts  agree  kappa  consistent  first preferred  longer liked  off by")
    for judge, each in told["cards"].items():
        print(f"{judge:12} {each['prompts']:7} {each['agreement']:6.2f} {each['kappa']:6.2f} "
              f"{each['consistency']:11.2f} {each['first']:16.2f} {each['length']:+13.2f}  "
              f"{each['off']:.1e}")  # fmt: skip
    print("\n90 % intervals of the share, 40 labels of 400 drawn cases (coverage, width):")
    for judge, each in told["quality"].items():
        print(f"{judge:12} judge {each['judge'][0]:.2f} {each['judge'][1]:.3f}   "
              f"people {each['people'][0]:.2f} {each['people'][1]:.3f}   "
              f"both {each['both'][0]:.2f} {each['both'][1]:.3f}   "
              f"shrinkage {each['shrinkage'][0]:.2f} {each['shrinkage'][1]:.3f}")  # fmt: skip
    print(f"\nagreement of judges (alpha, their best prompts): {told['alpha']}")
    print(f"{told['cpu_s']} s of CPU")


def cards(rows):
    """The card of each judge, over its prompts; `off` is its distance to counting by hand."""
    found = {}
    for judge in sorted({row[0] for row in rows}):
        prompts = sorted({row[1] for row in rows if row[0] == judge})
        made, off = [], 0.0
        for prompt in prompts:
            mine = [row for row in rows if row[:2] == (judge, prompt)]
            columns = {
                "human": [row[3] for row in mine], "as_given": [row[4] for row in mine],
                "swapped": [row[5] for row in mine], "chars": [row[6] for row in mine],
            }  # fmt: skip
            card = judge_card(SPEC, labelled_columns(SPEC, columns), made_us=0)
            both = [row for row in mine if row[4] is not None and row[5] is not None]
            if not both or card.consistency is None:
                continue
            same = [row for row in both if row[4] == row[5]]
            off = max(off, abs(card.consistency.value - len(same) / len(both)))
            right = sum(row[4] == row[3] for row in same) / max(1, len(same))
            off = max(off, abs((card.agreement.value or 0.0) - right))
            made.append(card)
        mean = statistics.fmean
        found[judge] = {
            "prompts": len(made), "off": off,
            "agreement": mean(c.agreement.value for c in made),
            "kappa": mean(c.kappa.value or 0.0 for c in made),
            "consistency": mean(c.consistency.value for c in made),
            "first": mean(c.first_preferred.value for c in made),
            "length": mean(c.length_bias.value for c in made if c.length_bias),
        }  # fmt: skip
    return found


def scores(rows, judge):
    """By item: the label, and how often the judge prefers the first, over prompts and orders."""
    found = {}
    for name, _, item, label, given, swapped, _ in rows:
        if name == judge:
            said = [float(each == 1) for each in (given, swapped) if each is not None]
            found.setdefault(item, (float(label == 1), []))[1].extend(said)
    return [(label, statistics.fmean(said)) for label, said in found.values() if said]


def quality(rows, draws):
    """Coverage and width over draws of 400 cases from the 100 items, 40 of them labelled."""
    chance, found = random.Random(1), {}
    for judge in sorted({row[0] for row in rows}):
        cases = scores(rows, judge)
        truth = statistics.fmean(label for label, _ in cases)
        kept = {name: [0, 0.0] for name in ("judge", "people", "both", "shrinkage")}
        for turn in range(draws):
            drawn = [chance.choice(cases) for _ in range(400)]
            picked = set(chance.sample(range(400), LABELS))
            even = _estimate(drawn, dict.fromkeys(picked, LABELS / 400))
            _count(kept["judge"], even.judge, truth)
            _count(kept["people"], even.human, truth)
            _count(kept["both"], even.corrected, truth)
            by_worth = draw(
                [Candidate(trace=f"{turn}:{at}", judged=f, stratum=stratum_of(f))
                 for at, (_, f) in enumerate(drawn)],
                LABELS,
            )  # fmt: skip
            chances = {int(pick.trace.split(":")[1]): pick.chance for pick in by_worth.picks}
            _count(kept["shrinkage"], _estimate(drawn, chances).corrected, truth)
        found[judge] = {name: (n / draws, width / draws) for name, (n, width) in kept.items()}
    return found


def _estimate(drawn, chances):
    picked = sorted(chances)
    return ppi_sampled(
        [drawn[at][0] for at in picked], [drawn[at][1] for at in picked],
        [chances[at] for at in picked],
        [f for at, (_, f) in enumerate(drawn) if at not in chances], level=LEVEL,
    )  # fmt: skip


def _count(kept, estimate, truth):
    kept[0] += estimate.low <= truth <= estimate.high
    kept[1] += estimate.high - estimate.low


def alphas(rows):
    """Krippendorff's alpha of the judges' verdicts as given, each by all of its prompts."""
    units = {}
    for judge, prompt, item, _, given, _, _ in rows:
        if given is not None and prompt == "Vanilla":
            units.setdefault(item, {})[judge] = float(given)
    found = krippendorff_alpha([list(unit.values()) for unit in units.values()])
    return None if found.value is None else [found.value, found.low, found.high, found.n]


if __name__ == "__main__":
    main()
