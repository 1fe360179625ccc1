"""What the stream gate costs, what it holds, and whether anything protected ever leaves.

python benchmarks/stream_gate.py cost|held|scan|leak|flood [...]     (all of them without a name)

Needs POINTSMAN_DATA with `safety/` (benign prompts, the public rules of secret scanners) and
`routing/` (recorded answers). Rules are read, never kept. Timings are of this process's CPU, the
best of rounds that take turns between the rule sets, so that other load falls on all of them.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import re2

from pointsman.policy.gating.gate import StreamGate
from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.gating.ruleset import RuleSet, entropy
from pointsman.policy.gating.standard import STANDARD
from pointsman.policy.patterns.parsing import parse
from pointsman.policy.patterns.syntax import Alternate, Chars, Concat, Group, Node, Repeat

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data"))
ROUNDS = 7


def public_rules() -> list[SpanRule]:
    rows = map(json.loads, (DATA / "safety/secrets_gitleaks_rules.jsonl").open())
    return [
        SpanRule(
            id=row["id"], pattern=row["regex"], group=row["secretGroup"],
            keywords=tuple(row["keywords"] or ()), entropy=row["entropy"],
        )
        for row in rows
        if row["regex"]
    ]  # fmt: skip


def rule_sets() -> dict[str, RuleSet]:
    sets = {"0": [], "11": list(STANDARD), "222": public_rules()}
    sets["222+11"] = sets["222"] + sets["11"]
    made = {}
    for name, rules in sets.items():
        start = time.process_time()
        made[name] = RuleSet(rules)
        made[name].scan("x" * 100)
        modes = [report.mode for report in made[name].reports]
        print(
            f"{name:>7} rules compiled in {time.process_time() - start:.2f} s:",
            {mode: modes.count(mode) for mode in sorted(set(modes))},
        )
    return made


def answers(count: int) -> list[str]:
    rows: list[str] = []
    for name in ("zeroeval_train", "mmlu_pro"):
        path = DATA / f"routing/{name}.parquet"
        query = (
            f"select response from '{path}' where length(response) > 40 "
            f"order by hash(prompt_id || model) limit {count // 2}"
        )
        rows += [row[0] for row in duckdb.sql(query).fetchall()]
    return rows


def benign_prompts() -> list[str]:
    return [
        json.loads(line)["text"]
        for name in ("arena_hard", "self_instruct")
        for line in (DATA / f"safety/benign_{name}.jsonl").open()
    ]


def pieces(text: str, draw: random.Random) -> list[str]:
    cut, at = [], 0
    while at < len(text):
        size = draw.randint(1, 6)
        cut.append(text[at : at + size])
        at += size
    return cut


def cost(sets: dict[str, RuleSet]) -> None:
    draw = random.Random(7)
    streams = [pieces(text, draw) for text in answers(300)]
    count = sum(map(len, streams))
    cold = {name: _per_chunk(rules, streams) / count for name, rules in sets.items()}
    best = dict.fromkeys(sets, float("inf"))
    for _ in range(ROUNDS):
        for name, rules in sets.items():
            best[name] = min(best[name], _per_chunk(rules, streams) / count)
    print(f"\ncost of a push, {count} pieces of 1 to 6 characters of {len(streams)} answers")
    print("  rules   us/push   more than 0   first time")
    for name, seconds in best.items():
        more = (seconds - best["0"]) * 1e6
        print(f"{name:>7} {seconds * 1e6:9.2f} {more:13.2f} {cold[name] * 1e6:12.2f}")


def _per_chunk(rules: RuleSet, streams: list[list[str]]) -> float:
    start = time.process_time()
    for stream in streams:
        gate = StreamGate(rules)
        for piece in stream:
            gate.push(piece)
        gate.close()
    return time.process_time() - start


def held(sets: dict[str, RuleSet]) -> None:
    print("\ncharacters held after a push, on text that passes whole")
    print("  rules  texts      pieces   mean  p50  p95  p99  max   texts with findings, left out")
    for kind, texts in (("answers", answers(1_000)), ("prompts", benign_prompts())):
        for name, rules in sets.items():
            draw, counts, found = random.Random(11), [], 0
            for text in texts:
                gate, left, told, mine = StreamGate(rules), [], 0, []
                for piece in pieces(text, draw):
                    release = gate.push(piece)
                    left.append(release.text)
                    told += len(release.findings)
                    mine.append(release.held)
                last = gate.close()
                if told or last.findings:
                    found += 1
                    continue
                assert "".join(left) + last.text == text, "benign text was changed"
                counts += mine
            counts.sort()
            at = [counts[int(len(counts) * share)] for share in (0.5, 0.95, 0.99)]
            mean = sum(counts) / len(counts)
            print(
                f"{name:>7}  {kind} {len(counts):10} {mean:6.2f} {at[0]:4} {at[1]:4} {at[2]:4}"
                f" {counts[-1]:4}   {found} of {len(texts)}"
            )


def scan(sets: dict[str, RuleSet]) -> None:
    joined = "\n".join(benign_prompts())
    ascii_only = joined.encode("ascii", "ignore").decode()
    print("\nscan of 32 KiB of benign prompts, us: median (and most) of windows")
    for kind, text in (("ascii", ascii_only), ("unicode", joined)):
        windows = [text[at : at + 32_768] for at in range(0, len(text) - 32_768, 32_768)]
        for name, rules in sets.items():
            found = [len(rules.scan(window)) for window in windows]
            best = [float("inf")] * len(windows)
            for _ in range(ROUNDS):
                for at, window in enumerate(windows):
                    best[at] = min(best[at], _timed(rules.scan, window))
            clean = sorted(us for us, count in zip(best, found, strict=True) if not count)
            other = sorted(us for us, count in zip(best, found, strict=True) if count)
            line = f"{name:>7}  {kind:8} nothing found: {_spread(clean)}"
            print(line + (f"   something: {_spread(other)}" if other else ""))


def _spread(values: list[float]) -> str:
    middle = values[len(values) // 2] if values else 0
    return f"{middle:6.0f} ({values[-1] if values else 0:.0f}, n {len(values)})"


def _timed(call: Callable[[str], object], text: str) -> float:
    start = time.process_time()
    call(text)
    return (time.process_time() - start) * 1e6


def leak(sets: dict[str, RuleSet]) -> None:
    """Every rule, texts that match it in odd surroundings, every split."""
    draw = random.Random(5)
    for name in ("11", "222"):
        rules = sets[name]
        texts = splits = leaked = other = unmatched = unseen = protected = 0
        for rule, report in zip(rules.rules, rules.reports, strict=True):
            for text in _adversarial(rule, draw):
                findings = rules.scan(text)
                covered = {at for one in findings for at in range(one.start, one.end)}
                protected += len(covered)
                seen = _by_re2(rule, text)
                unmatched += seen is None
                # a lazy or endless rule may end elsewhere than the leftmost match does
                if seen is not None and report.mode == "exact" and not seen <= covered:
                    unseen += 1
                expected = _without(text, covered)
                texts += 1
                for cut in _cuts(text, draw):
                    splits += 1
                    left = _left(rules, cut)
                    leaked += _kept_apart(left) != _kept_apart(expected)
                blocked = _left(rules, list(text), action="block")
                other += blocked != text[: min(covered, default=len(text))]
        print(
            f"\nleak exam, {name} rules: {texts} texts, {splits} splits, {protected} characters "
            f"protected\n  streams that let through anything else than the scan: {leaked}"
            f"\n  blocked elsewhere than before the first span: {other}"
            f"\n  leftmost matches of RE2 not wholly protected: {unseen}"
            f" (texts RE2 or the rule's entropy does not count: {unmatched})"
        )


def _left(rules: RuleSet, cut: list[str], action: str = "redact") -> str:
    gate = StreamGate(rules, action=action, placeholder="\0")
    return "".join([*(gate.push(piece).text for piece in cut), gate.close().text])


def _without(text: str, covered: set[int]) -> str:
    return "".join("\0" if at in covered else one for at, one in enumerate(text))


def _kept_apart(text: str) -> list[str]:
    return [part for part in text.split("\0") if part]


def _cuts(text: str, draw: random.Random) -> Iterator[list[str]]:
    yield list(text)
    yield [text]
    for at in range(1, len(text)):
        yield [text[:at], text[at:]]
    for _ in range(10):
        yield pieces(text, draw)


def _by_re2(rule: SpanRule, text: str) -> set[int] | None:
    options = re2.Options()
    options.max_mem = 64 << 20
    match = re2.compile(rule.pattern, options).search(text)
    if match is None or (
        rule.keywords and not any(word in text[: match.end()].lower() for word in rule.keywords)
    ):
        return None
    group = rule.group
    if group is None:
        group = next((at for at in range(1, match.re.groups + 1) if match.group(at)), 0)
    if rule.entropy is not None and entropy(match.group(group)) <= rule.entropy:
        return None
    return set(range(*match.span(group)))


def _adversarial(rule: SpanRule, draw: random.Random) -> Iterator[str]:
    tree = parse(rule.pattern)
    word = rule.keywords[0] if rule.keywords else "key"
    for _ in range(2):
        one, other = _sample(tree, draw), _sample(tree, draw)
        yield f"see {word}: {one} and more"
        yield f"{word} {one[: draw.randint(1, len(one))]}{one} {other}"
        yield f'{word}="{other}";{one}\n{word} = {word} = {one[:-1]}'
        yield f"{one}{other}"


def _sample(tree: Node, draw: random.Random) -> str:
    match tree:
        case Chars(ranges):
            plain = [(max(low, 32), min(high, 126)) for low, high in ranges if low <= 126]
            plain = [(low, high) for low, high in plain if low <= high] or list(ranges)
            low, high = draw.choices(plain, [high - low + 1 for low, high in plain])[0]
            return chr(draw.randint(low, high))
        case Concat(items):
            return "".join(_sample(item, draw) for item in items)
        case Alternate(items):
            return _sample(draw.choice(items), draw)
        case Repeat(item, low, high, _):
            most = low + 8 if high is None else min(high, low + 8)
            return "".join(_sample(item, draw) for _ in range(draw.randint(low, most)))
        case Group(item, _):
            return _sample(item, draw)
        case _:
            return ""


def flood(sets: dict[str, RuleSet]) -> None:
    """Text that keeps the gate busy, in doubled lengths: a character must not cost more."""
    print("\nfloods: us a character when streamed by 4, and when scanned, at 8, 16 and 32 Ki")
    draw = random.Random(3)
    words = [rule.keywords[0] for rule in sets["222"].rules if rule.keywords]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-_.=/+ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    floods = {
        "key=key=": lambda size: ("key=" * size)[:size],
        "key=value;": lambda size: ("key=a1B2c3D4e5F6;" * size)[:size],
        "keywords": lambda size: "".join(
            draw.choice(words) + draw.choice("=:_. ") for _ in range(size // 4)
        )[:size],
        "letters": lambda size: "".join(draw.choices(letters, k=size)),
        "a@a.a@": lambda size: ("a.b@c.de@" * size)[:size],
        "digits": lambda size: "".join(draw.choices("0123456789-. ", k=size)),
        "curl": lambda size: ("curl -u :" * size)[:size],
        "begin": lambda size: ("-----BEGIN PRIVATE KEY-----" * size)[:size],
    }
    for flooding, make in floods.items():
        for name in ("11", "222"):
            rules, streamed, scanned = sets[name], [], []
            for size in (8_192, 16_384, 32_768):
                text = make(size)
                gate = StreamGate(rules, max_held=1 << 30)
                start = time.process_time()
                for at in range(0, size, 4):
                    gate.push(text[at : at + 4])
                gate.close()
                streamed.append((time.process_time() - start) * 1e6 / size)
                scanned.append(_timed(rules.scan, text) / size)
            both = ["  ".join(f"{us:7.2f}" for us in values) for values in (streamed, scanned)]
            print(f"{name:>7}  {flooding:12} {both[0]}   |  {both[1]}")


EXAMS = {"cost": cost, "held": held, "scan": scan, "leak": leak, "flood": flood}

if __name__ == "__main__":
    wanted = sys.argv[1:] or list(EXAMS)
    compiled = rule_sets()
    for exam in wanted:
        EXAMS[exam](compiled)
