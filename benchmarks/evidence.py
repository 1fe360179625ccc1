"""What reading evidence is worth, on data whose truth is known: one row for each goal.

    python benchmarks/evidence.py            all
    python benchmarks/evidence.py tables     one of tables, text, logs, images, tokens

Data: POINTSMAN_DATA (default ../shared/data) and its scorers in POINTSMAN_BENCH (default
../shared/bench). Speeds are of this machine as loaded as it is; CPU seconds are printed beside.
"""

import base64
import json
import math
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data")) / "multimodal"
SCORER = Path(os.environ.get("POINTSMAN_BENCH", "../shared/bench")) / "exams" / "score.py"
_SIZES = 10_000


def verb(*arguments: str | Path) -> tuple[float, float]:
    """One verb as a process: seconds by the clock, and of CPU with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pointsman", "evidence", *map(str, arguments)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu


def score(*arguments: str | Path) -> dict[str, Any]:
    """What the scorer says."""
    done = subprocess.run(
        [sys.executable, SCORER, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def tables(folder: Path) -> None:
    """Cell adjacency on documents whose tables are known; once more without any drawn line."""
    cpu = 0.0
    for path in sorted((DATA / "pdf_tables").glob("*.pdf")):
        cpu += verb("tables", "--in", path, "--out", folder / f"{path.stem}.json")[1]
    found = score("tables", "--pdf", DATA / "pdf_tables", "--pred", folder)
    row(
        "PDF tables, macro F1",
        f"{found['macro_F1']:.3f}",
        ">= .75",
        "pdfplumber .679",
        f"n={found['documents']}, micro {found['micro_F1']:.3f}, {cpu:.1f} CPU s",
    )


_BARE = (
    "import sys, pypdfium2; d = pypdfium2.PdfDocument(sys.argv[1]); "
    "open(sys.argv[2], 'w').write('\\f'.join(p.get_textpage().get_text_range() for p in d))"
)


def text(folder: Path) -> None:
    """Words of a book; pages a second, whole processes, in turn with one that is pdfium alone."""
    out, book = folder / "book.txt", DATA / "pdf_text" / "GeoTopo.pdf"
    ours, bare = [], []
    for _ in range(7):
        ours.append(verb("text", "--in", book, "--out", out))
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", _BARE, book, folder / "bare.txt"], check=True)
        bare.append(time.perf_counter() - start)
    words = [
        Counter(re.findall(r"\w+", path.read_text().lower()))
        for path in (DATA / "pdf_text" / "GeoTopo.txt", out, folder / "bare.txt")
    ]
    f1 = [2 * sum((words[0] & w).values()) / (sum(words[0].values()) + sum(w.values()))
          for w in words[1:]]  # fmt: skip
    row("PDF text, word F1", f"{f1[0]:.3f}", ">= .95", f"pdfium {f1[1]:.3f}", "117 pages")
    walls = sorted(wall for wall, _ in ours)
    row(
        "PDF text, pages a second",
        f"{117 / walls[0]:.0f}",
        ">= 120",
        f"pdfium now {117 / min(bare):.0f}",
        f"best of 7, median {117 / walls[3]:.0f} (pdfium {117 / sorted(bare)[3]:.0f}), "
        f"{min(cpu for _, cpu in ours):.2f} CPU s; load {os.getloadavg()[0]:.1f}",
    )


def logs(folder: Path) -> None:
    """Grouping accuracy of each system, by nothing but its lines."""
    found = {}
    for path in sorted((DATA / "logs").glob("*_2k.log")):
        out = folder / f"{path.stem}.csv"
        verb("logs", "--in", path, "--out", out)
        labels = path.with_name(f"{path.stem}.labels.csv")
        found[path.stem[:-3]] = score("logs", "--labels", labels, "--pred", out)["GA"]
    mean = sum(found.values()) / len(found)
    row(
        "log grouping accuracy",
        f"{mean:.3f}",
        ">= .92",
        "generic Drain .893",
        f"n={len(found)}, worst {min(found.values()):.3f}",
    )


def images(_: Path) -> None:
    """The published rule, written a second way, on random sizes of each generation."""
    from pointsman.evidence.images.qwen import QWEN2_VL, QWEN3_VL, QWEN25_VL

    equal = compared = 0
    for rule in (QWEN2_VL, QWEN25_VL, QWEN3_VL):
        chance, f, done = random.Random(rule.factor), rule.factor, 0
        while done < _SIZES:
            wide, high = (round(math.exp(chance.uniform(0, 10))) for _ in range(2))
            if max(wide, high) > 200 * min(wide, high):
                continue
            grid = [round(side / f) for side in (high, wide)]
            area = grid[0] * grid[1] * f * f
            if area > rule.max_pixels:
                by = math.sqrt(high * wide / rule.max_pixels)
                grid = [max(1, math.floor(side / by / f)) for side in (high, wide)]
            elif area < rule.min_pixels:
                by = math.sqrt(rule.min_pixels / (high * wide))
                grid = [math.ceil(side * by / f) for side in (high, wide)]
            equal += rule.tokens(wide, high) == grid[0] * grid[1]
            done += 1
        compared += done
    row("image tokens equal", f"{100 * equal / compared:.2f} %", "100 %", "-", f"n={compared}")


def tokens(_: Path) -> None:
    """The exact path against the vocabulary used directly; the others against the exact path."""
    from pointsman.evidence.tokens.calibrating import Calibration
    from pointsman.evidence.tokens.exact import exact_for

    exact = exact_for("qwen3-8b")
    if exact is None:
        print("tokens: Qwen's vocabulary is not installed: pip install 'pointsman[tokens]'")
        return
    texts = {
        path.name: path.read_text(errors="replace")
        for path in [
            *(DATA / "logs").glob("*_2k.log"),
            DATA / "pdf_text" / "GeoTopo.txt",
            *(DATA / "ir").glob("*/corpus.jsonl"),
            *sorted((DATA / "tables").rglob("*.csv"))[:3],
        ]
    }
    true = {name: exact.tokens(text) for name, text in texts.items()}
    direct = {name: _directly(text) for name, text in texts.items() if len(text) < 400_000}
    row(
        "text tokens, exact path",
        f"{100 * max(abs(true[n] / t - 1) for n, t in direct.items()):.2f} %",
        "<= 2 %",
        "chars/4 2.7x",
        f"n={len(direct)}, worst",
    )
    counters = [("calibrated on 40 requests", _learned(texts, exact, 40)),
                ("calibrated on 200 requests", _learned(texts, exact, 200)),
                ("estimated", Calibration())]  # fmt: skip
    for name, counter in counters:
        errors = []
        for text in texts.values():
            rest = text[len(text) // 2 :]
            errors.append(abs(counter.tokens(rest) / max(1, exact.tokens(rest)) - 1))
        errors.sort()
        row(
            f"text tokens, {name}",
            f"{100 * errors[-1]:.1f} %",
            "<= 10 %",
            "chars/4 2.7x",
            f"n={len(errors)} files, worst; mean {100 * sum(errors) / len(errors):.1f} %",
        )


def _learned(texts: dict[str, str], exact: Any, requests: int) -> Any:
    """What requests from the first halves of texts teach, each with an engine's count."""
    from pointsman.evidence.tokens.calibrating import calibrate, observation

    chance = random.Random(1)
    seen = []
    for _ in range(requests):
        text = texts[chance.choice(sorted(texts))]
        at = chance.randrange(max(1, len(text) // 2 - 3000))
        piece = text[at : at + chance.randrange(300, 3000)]
        seen.append(observation(piece, exact.tokens(piece) + 5, messages=1))
    return calibrate(seen)


def _directly(text: str) -> int:
    """The text whole, by tiktoken and nothing of ours."""
    import unicodedata

    import tiktoken

    from pointsman.evidence.tokens import exact

    if not hasattr(_directly, "encoding"):
        path = exact.qwen_vocabulary()
        assert path is not None
        ranks = {
            base64.b64decode(t): int(r)
            for t, r in (line.split() for line in path.read_bytes().splitlines())
        }
        _directly.encoding = tiktoken.Encoding(  # type: ignore[attr-defined]
            "q", pat_str=exact._QWEN_SPLIT, mergeable_ranks=ranks, special_tokens={}
        )
    normal = unicodedata.normalize("NFC", text)
    return len(_directly.encoding.encode_ordinary(normal))  # type: ignore[attr-defined]


def row(*cells: str) -> None:
    """One goal."""
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """The table."""
    if not DATA.is_dir() or not SCORER.is_file():
        sys.exit(f"there is no {DATA} or no {SCORER}: set POINTSMAN_DATA and POINTSMAN_BENCH")
    exams = {"tables": tables, "text": text, "logs": logs, "images": images, "tokens": tokens}
    row("exam", "measured", "goal", "anchor", "of what")
    row(*["---"] * 5)
    for name in sys.argv[1:] or exams:
        with tempfile.TemporaryDirectory() as folder:
            exams[name](Path(folder))


if __name__ == "__main__":
    main()
