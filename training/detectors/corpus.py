# ruff: noqa: E501 - a pattern or a row is one line
"""The examples the classifier learns from: shared public data, and texts written here."""

import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import attacks_en
import benign_en
import harms_en
import languages
from mutations import WAYS, mutated

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data"))
_SLOT = re.compile(r"\{(\w+)\}")
INJECTION, HARM, BENIGN, PAYLOAD = "injection", "harm", "benign", "payload"


@dataclass(frozen=True)
class Example:
    """A text, what it is, and the source that is left out with it."""

    text: str
    kind: str
    source: str


def everything(seed: int = 20261124) -> list[Example]:
    """All examples, in a fixed order; texts that stand in two sources count for the first."""
    chance = random.Random(seed)
    made = [*_shared(chance), *_written(chance)]
    made += list(_in_documents(made, chance))
    made += list(_mutations(made, chance))
    made += list(_suffixes(made, chance))
    seen: set[str] = set()
    out = []
    for example in made:
        key = re.sub(r"\W+", " ", example.text.lower())[:400]
        if example.text.strip() and key not in seen:
            seen.add(key)
            out.append(example)
    return out


def _rows(path: str) -> list[dict]:
    return [
        json.loads(line) for line in (DATA / path).read_text("utf-8").split("\n") if line.strip()
    ]


def _shared(chance: random.Random) -> Iterator[Example]:
    for row in _rows("safety/jailbreaks_in_the_wild.jsonl"):
        yield Example(row["text"], INJECTION, "wild")
    asks = [row["text"] for row in _rows("safety/strongreject.jsonl")]
    for row in _rows("safety/jailbreak_templates.jsonl"):
        for ask in chance.sample(asks, 2):
            yield Example(row["text"].replace("[INSERT PROMPT HERE]", ask), INJECTION, "templates")
    for row in _rows("safety/red_team_seeds.jsonl"):
        if row["id"].startswith(("dan/", "sysprompt_extraction/")):
            texts = (
                row["data"]
                if isinstance(row["data"], list)
                else [t for texts in row["data"].values() for t in texts]
            )
            for text in texts:
                yield Example(
                    str(text).replace("{generator.name}", "ChatGPT"),
                    INJECTION,
                    "seeds" if row["id"].startswith("dan/") else "seeds_extraction",
                )
    for name in ("advbench_harmful_behaviors", "strongreject"):
        for row in _rows(f"safety/{name}.jsonl"):
            yield Example(row["text"], HARM, name.split("_")[0])
    for row in _rows("safety/catqa_multilingual.jsonl"):
        yield Example(row["text"], HARM, f"catqa_{row['lang']}")
    for row in _rows("safety/xstest.jsonl"):
        yield Example(
            row["text"],
            HARM if row["label"] else BENIGN,
            "xstest_unsafe" if row["label"] else "xstest_safe",
        )
    for row in _rows("safety/benign_arena_hard.jsonl"):
        yield Example(
            row["text"], BENIGN, "arena_1" if row["category"].endswith("v0.1") else "arena_2"
        )
    for row in _rows("safety/benign_self_instruct.jsonl"):
        yield Example(row["text"], BENIGN, "self_instruct")
    for row in _rows("safety/bipia_email_contexts.jsonl"):
        yield Example(row["text"], BENIGN, "emails")
        yield Example(f"{row['question']}\n\n{row['text']}", BENIGN, "emails")
    stream = [row["text"] for row in _rows("cache/clinc150_stream.jsonl")]
    for text in chance.sample(stream, 1500):
        yield Example(text, BENIGN, "clinc")
    yield from _routing(chance)
    yield from _passages(chance)


def _routing(chance: random.Random) -> Iterator[Example]:
    import duckdb

    for name, most in (("mmlu_pro", 700), ("reasoning_gym_easy", 400), ("zeroeval_train", 500)):
        rows = duckdb.sql(
            f"select distinct prompt from '{DATA}/routing/{name}.parquet' where split = 'train' order by 1"
        ).fetchall()
        for (prompt,) in chance.sample(rows, min(most, len(rows))):
            yield Example(prompt, BENIGN, name)


def _passages(chance: random.Random) -> Iterator[Example]:
    for row in [
        *_rows("multimodal/ir/stackfaq_a/queries.jsonl"),
        *_rows("multimodal/ir/cranfield/queries.jsonl"),
    ]:
        yield Example(row["text"], BENIGN, "queries")
    for path in sorted((DATA / "multimodal/ir").glob("*/*corpus*.jsonl*")):
        if path.suffix != ".jsonl":
            continue
        rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]
        for row in chance.sample(rows, min(500, len(rows))):
            text = f"{row.get('title', '')}\n{row.get('text', '')}".strip()
            yield Example(text[:4000], BENIGN, f"passages_{path.parent.name}")


def _filled(template: str, slots: dict[str, list[str]], chance: random.Random) -> str:
    for _ in range(5):
        new = _SLOT.sub(lambda m: chance.choice(slots[m[1]]) if m[1] in slots else m[0], template)
        if new == template:
            break
        template = new
    return template.replace("{{", "{").replace("}}", "}").replace("  ", " ")


def _written(chance: random.Random) -> Iterator[Example]:
    groups = (
        (attacks_en.DIRECT, "own_direct", 16), (attacks_en.EXTRACTION, "own_extraction", 10),
        (attacks_en.JAILBREAK, "own_jailbreak", 14), (attacks_en.SPECIAL, "own_special", 14),
        (attacks_en.INDIRECT, "own_indirect_bare", 8),
    )  # fmt: skip
    for templates, source, times in groups:
        for template in templates:
            for _ in range(times):
                text = _filled(template, attacks_en.SLOTS, chance)
                if chance.random() < 0.15:
                    text = text.lower()
                if source == "own_special" or chance.random() < 0.7:
                    yield Example(text, INJECTION, source)
                else:  # after or before something honest
                    honest = _filled(chance.choice(benign_en.BENIGN), benign_en.SLOTS, chance)
                    parts = [honest, text] if chance.random() < 0.7 else [text, honest]
                    yield Example(chance.choice((" ", "\n", "\n\n")).join(parts), INJECTION, source)
    for template in benign_en.BENIGN:
        for _ in range(9):
            text = _filled(template, benign_en.SLOTS, chance)
            if chance.random() < 0.3:
                text += " " + _filled(chance.choice(benign_en.BENIGN), benign_en.SLOTS, chance)
            if chance.random() < 0.15:
                text = text.lower()
            yield Example(text, BENIGN, "own_benign")
    for template in benign_en.DOCUMENTS:
        for _ in range(12):
            yield Example(_filled(template, benign_en.SLOTS, chance), BENIGN, "own_documents")
    yield from _harms(chance)
    for lang, templates in languages.ATTACKS.items():
        slots = {
            "t": languages.TOPICS[lang],
            "h": languages.HARMS.get(lang, ["…"]),
            "n": attacks_en.SLOTS["name"],
        }
        for template in templates:
            for _ in range(5):
                yield Example(_filled(template, slots, chance), INJECTION, "own_languages")
        for _ in range(8 * len(templates) // 2):
            parts = [
                _filled(chance.choice(g), slots, chance)
                for g in (templates, languages.BENIGN[lang])
            ]
            chance.shuffle(parts)
            yield Example(" ".join(parts), INJECTION, "own_languages")
        for template in languages.ASKS.get(lang, []):
            for harm in slots["h"]:
                yield Example(template.replace("{h}", harm), HARM, "own_languages_harm")
        for template in languages.BENIGN[lang]:
            for _ in range(5):
                yield Example(_filled(template, slots, chance), BENIGN, "own_languages_benign")
        for _ in range(4 * len(languages.BENIGN[lang])):
            parts = [
                _filled(chance.choice(languages.BENIGN[lang]), slots, chance)
                for _ in range(chance.randint(2, 4))
            ]
            yield Example(" ".join(parts), BENIGN, "own_languages_benign")


def _harms(chance: random.Random) -> Iterator[Example]:
    for kind, asks, deeds, source in (
        (HARM, harms_en.ASKS, harms_en.DEEDS, "own_harm"),
        (BENIGN, harms_en.HONEST, harms_en.GOOD_DEEDS, "own_harmless"),
    ):
        for deed in deeds:
            for ask in chance.sample(asks, 5):
                yield Example(re.sub(r"\{\w\}", deed, ask), kind, source)
    for template in harms_en.WRITINGS:
        for _ in range(9):
            text = template.replace("{x}", chance.choice(harms_en.CLAIMS))
            yield Example(text.replace("{y}", chance.choice(harms_en.TARGETS)), HARM, "own_harm")


def _placed(text: str, payload: str, chance: random.Random) -> str:
    """The payload at the start, the end, or between two sentences."""
    where = chance.random()
    join = chance.choice((" ", "\n", "\n\n"))
    if where < 0.25:
        return payload + join + text
    if where < 0.6:
        return text + join + payload
    cuts = [m.end() for m in re.finditer(r"[.!?]\s|\n", text)] or [len(text) // 2]
    cut = chance.choice(cuts)
    return text[:cut] + payload + join + text[cut:]


def _in_documents(made: list[Example], chance: random.Random) -> Iterator[Example]:
    """Payloads of the shared data and our own in documents, as retrieval would hand them over."""
    emails = [e.text for e in made if e.source == "emails"]
    others = [e.text for e in made if e.source.startswith(("passages", "own_documents"))]
    code = [e.text for e in made if e.source.startswith("arena") and "```" in e.text][:80] or others
    for row in _rows("safety/bipia_payloads.jsonl"):
        yield Example(row["text"], PAYLOAD, "bipia_bare")  # alone it commands nobody
        hosts = emails if row["family"] == "text" else code
        for _ in range(3):
            yield Example(
                _placed(chance.choice(hosts), row["text"], chance),
                INJECTION,
                f"bipia_{row['family']}",
            )
    for example in [e for e in made if e.source == "own_indirect_bare"]:
        for _ in range(2):
            host = chance.choice(others if chance.random() < 0.8 else emails)
            yield Example(_placed(host[:2500], example.text, chance), INJECTION, "own_indirect")
    for example in chance.sample([e for e in made if e.source == "own_direct"], 250):
        yield Example(
            _placed(chance.choice(others)[:2500], example.text, chance), INJECTION, "own_indirect"
        )


def _mutations(made: list[Example], chance: random.Random) -> Iterator[Example]:
    short = [e for e in made if len(e.text) < 300]
    attacks = [
        e for e in short if e.kind == INJECTION and e.source.startswith("own") and e.text.isascii()
    ]
    harms = [e for e in short if e.kind == HARM and e.text.isascii()]
    honest = [e for e in short if e.kind == BENIGN and e.text.isascii()]
    for way in WAYS:
        for example in chance.sample(attacks, 45):
            yield Example(mutated(example.text, way, chance), INJECTION, "own_mutated")
        for example in chance.sample(harms, 20):
            yield Example(mutated(example.text, way, chance), INJECTION, "own_mutated")
        if way in ("base64", "hex", "leet", "upper", "typos", "hidden", "spaced", "rot13"):
            for example in chance.sample(honest, 30):
                yield Example(mutated(example.text, way, chance), BENIGN, "own_mutated_benign")


def _suffixes(made: list[Example], chance: random.Random) -> Iterator[Example]:
    """Noise after a request, as a search over tokens finds it: pieces of words and signs, glued."""
    pool = [
        w
        for e in made
        if e.source.startswith("arena")
        for w in re.findall(r"[A-Za-z]{2,10}", e.text)
    ]
    signs = [
        "]",
        "(",
        ")",
        "{",
        "\\",
        '"',
        "!--",
        "**",
        "==",
        ";",
        ".",
        ":",
        "\\n",
        "<",
        "}{",
        "}}",
        "}^{",
        "/*",
        "$",
        "?",
        '."',
        "+",
        "%",
        "--",
    ]
    harms = [e.text for e in made if e.kind == HARM and e.source in ("advbench", "strongreject")]
    for _ in range(350):
        pieces = []
        for _ in range(chance.randint(14, 32)):
            word = chance.choice(pool)
            word = chance.choice((word, word.title(), word[: chance.randint(2, 6)], word.upper()))
            pieces.append(
                word
                + (chance.choice(signs) if chance.random() < 0.45 else "")
                + (" " if chance.random() < 0.6 else "")
            )
        ask = chance.choice(harms) if chance.random() < 0.8 else ""
        yield Example(f"{ask} {''.join(pieces)}".strip(), INJECTION, "own_suffix")
