"""Tokens: exact by a vocabulary, near by what engines counted, never by the length of a text."""

import json
import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.domain.errors import UsageError
from pointsman.evidence.tokens.calibrating import Calibration, calibrate, observation
from pointsman.evidence.tokens.counting import counter_for
from pointsman.evidence.tokens.exact import exact_for, pieces, qwen_vocabulary
from pointsman.evidence.tokens.features import NAMES, features
from pointsman.evidence.tokens.prior import PRIOR

needs_vocabulary = pytest.mark.skipif(
    qwen_vocabulary() is None, reason="Qwen's vocabulary comes with the extra tokens"
)


@given(st.text(max_size=300))
def test_counts_are_of_every_kind_and_never_negative(text):
    found = features(text)
    assert len(found) == len(NAMES) == len(PRIOR)
    assert all(count >= 0 for count in found)
    assert features(text) == found


@given(st.lists(st.sampled_from(["GET /a 200", "x = {}", "", "价格 12", "  - item"]), max_size=9))
def test_counts_of_lines_add_up(lines):
    text = "".join(line + "\n" for line in lines)
    digits = sum(features(line)[NAMES.index("digits")] for line in lines)
    assert features(text)[NAMES.index("digits")] == digits


@given(st.text(alphabet="ab \n\t.é", max_size=300).map(lambda text: text * 4000))
@settings(max_examples=20, deadline=None)
def test_pieces_are_the_text_and_end_with_lines(text):
    found = list(pieces(text))
    assert "".join(found) == text
    assert all(piece.endswith("\n") for piece in found[:-1])
    assert all(not piece[0].isspace() for piece in found[1:])


@needs_vocabulary
def test_a_piece_is_cut_where_no_token_goes_over():
    count = exact_for("qwen3-8b").tokens
    chance = random.Random(4)
    lines = ["".join(chance.choices(string.printable, k=chance.randrange(60))) for _ in range(400)]
    text = "\n".join(lines)
    cuts = [i + 1 for i, a in enumerate(text[:-1]) if a == "\n" and not text[i + 1].isspace()]
    for cut in chance.sample(cuts, 30):
        assert count(text[:cut]) + count(text[cut:]) == count(text)


@needs_vocabulary
def test_known_texts_cost_what_the_vocabulary_says():
    count = exact_for("Qwen/Qwen2.5-7B-Instruct").tokens
    assert count("") == 0
    assert count("Hello world") == 2
    assert count("12345") == 5  # every digit by itself
    assert count("<|im_start|>") > 1  # in a text it is text


@needs_vocabulary
def test_a_model_with_another_vocabulary_is_not_counted_by_it():
    assert exact_for("qwen3.5-9b") is None
    assert exact_for("llama-4-scout") is None
    assert counter_for("llama-4-scout").how == "estimated"


WORDS = ("the", "service", "was", "restarted", "after", "errors", "in", "checkout", "and", "nobody",
         "noticed", "before", "noon", "because", "alerts")  # fmt: skip


def a_log_line(r):
    place = f"pod-{r.getrandbits(24):06x} GET /cart/{r.randrange(9999)}"
    time = f"2026-11-0{r.randrange(1, 9)} 10:{r.randrange(10, 60)}:01"
    return f"{time} INFO {place} 200 in 3.{r.randrange(99)} ms\n"


KINDS = {
    "log": a_log_line,
    "json": lambda r: json.dumps({"service": r.choice(WORDS), "p99_ms": r.random() * 900}) + "\n",
    "prose": lambda r: " ".join(r.choices(WORDS, k=14)) + ".\n",
}


def a_text(kind, chance, lines=25):
    return "".join(KINDS[kind](chance) for _ in range(lines))


def an_engine(text):
    """Counts as no model does: two tokens a word, one for three digits, signs by themselves."""
    found = dict(zip(NAMES, features(text), strict=True))
    return round(
        2 * found["words"] + found["digits"] / 3 + found["signs"] + found["more_signs"] + 6
    )


@pytest.mark.parametrize("kind", KINDS)
def test_twelve_counts_of_an_engine_teach_any_tokenizer_to_a_tenth(kind):
    chance = random.Random(2)
    texts = [a_text(each, chance) for each in KINDS for _ in range(4)]
    learned = calibrate([observation(text, an_engine(text), messages=1) for text in texts])
    text = a_text(kind, chance, lines=200)
    assert learned.tokens(text) == pytest.approx(an_engine(text), rel=0.1)
    assert Calibration().tokens(text) != pytest.approx(an_engine(text), rel=0.2)


@needs_vocabulary
@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_without_usage_is_nearer_than_a_quarter_of_the_letters(kind):
    text = a_text(kind, random.Random(3), lines=100)
    true = exact_for("qwen3-8b").tokens(text)
    assert Calibration().tokens(text) == pytest.approx(true, rel=0.2)


def test_nothing_seen_changes_nothing():
    assert calibrate([]).weights == PRIOR


def test_the_verb_counts_files(tmp_path):
    from click.testing import CliRunner

    from pointsman.cli import cli

    usage, log = tmp_path / "usage.jsonl", tmp_path / "app.log"
    chance = random.Random(1)
    texts = [a_text("log", chance) for _ in range(9)]
    usage.write_text("".join(json.dumps({"text": t, "prompt_tokens": an_engine(t), "model": "m"})
                             + "\n" for t in texts))  # fmt: skip
    log.write_text(texts[0])
    said = CliRunner().invoke(cli, ["evidence", "tokens", "--model", "m", "--usage", str(usage),
                                    str(log), "--json"])  # fmt: skip
    [file] = json.loads(said.stdout)["files"]
    assert file["how"] == "calibrated"
    assert file["tokens"] == pytest.approx(an_engine(texts[0]), rel=0.1)


def test_usage_that_is_none_names_its_line(tmp_path):
    path = tmp_path / "usage.jsonl"
    path.write_text('{"text": "a", "prompt_tokens": 1}\nno json\n')
    with pytest.raises(UsageError, match=r"usage\.jsonl:2"):
        counter_for("m", usage=path)
