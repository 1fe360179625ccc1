"""What pictures cost, how they are made to fit, and that nothing but pixels goes on."""

import base64
import io
import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.errors import DocumentRefused, UsageError
from pointsman.evidence.images.fitting import LEGIBLE_PX, fit, to_source, within
from pointsman.evidence.images.ocr import Tesseract
from pointsman.evidence.images.qwen import (
    QWEN2_VL,
    QWEN3_VL,
    QWEN25_VL,
    ImageRule,
    rule_from,
    rule_of,
)

RULES = {"2": QWEN2_VL, "2.5": QWEN25_VL, "3": QWEN3_VL,
         "3 capped": QWEN3_VL.with_limits(min_tokens=256, max_tokens=1280)}  # fmt: skip


def exact(rule, width, height):
    """The rule in whole numbers, no root rounded. None where floats may fall either way."""
    f = rule.factor
    high, wide = (round(Fraction(side, f)) * f for side in (height, width))
    if high * wide > rule.max_pixels:
        sides = [Fraction(a * rule.max_pixels, b * f * f) for a, b in
                 ((height, width), (width, height))]  # fmt: skip
        roots = [math.isqrt(math.floor(side)) for side in sides]
        if any(abs(math.sqrt(side) - round(math.sqrt(side))) < 1e-9 for side in sides):
            return None
        return max(f, roots[1] * f), max(f, roots[0] * f)
    if high * wide < rule.min_pixels:
        sides = [Fraction(a * rule.min_pixels, b * f * f) for a, b in
                 ((height, width), (width, height))]  # fmt: skip
        if any(abs(math.sqrt(side) - round(math.sqrt(side))) < 1e-9 for side in sides):
            return None
        roots = [math.isqrt(math.ceil(side) - 1) + 1 for side in sides]
        return roots[1] * f, roots[0] * f
    return wide, high


@pytest.mark.parametrize("name", RULES)
def test_tokens_equal_the_published_rule_on_ten_thousand_sizes(name):
    rule, chance, compared = RULES[name], random.Random(name), 0
    while compared < 10_000:
        width, height = (round(math.exp(chance.uniform(0, 10))) for _ in range(2))
        if max(width, height) > 200 * min(width, height):
            continue
        wanted = exact(rule, width, height)
        if wanted is not None:
            assert rule.resized(width, height) == wanted, (width, height)
        compared += 1


# width, height, then tokens of Qwen2.5-VL and Qwen3-VL as they are and capped at 1,280
MEASURED = [
    (1920, 1080, 2691, 2040, 1222, 1222), (3840, 2160, 10549, 8160, 1222, 1222),
    (1240, 1754, 2772, 2145, 1260, 1260), (1280, 720, 1196, 880, 1196, 880),
    (1000, 500, 648, 496, 648, 496),
]  # fmt: skip


@pytest.mark.parametrize(
    ("width", "height", "two", "three", "two_capped", "three_capped"), MEASURED
)
def test_tokens_of_known_pictures(width, height, two, three, two_capped, three_capped):
    assert QWEN25_VL.tokens(width, height) == two
    assert QWEN3_VL.tokens(width, height) == three
    assert QWEN25_VL.with_limits(max_tokens=1280).tokens(width, height) == two_capped
    assert QWEN3_VL.with_limits(max_tokens=1280).tokens(width, height) == three_capped
    assert QWEN3_VL.tokens(width, height, markers=True) == three + 2


def test_a_model_is_known_by_its_name_and_better_by_its_own_file():
    assert rule_of("Qwen/Qwen2.5-VL-7B-Instruct") == QWEN25_VL
    assert rule_of("qwen3-vl-8b@awq") == QWEN3_VL
    assert rule_of("llama-4") is None
    config = {"patch_size": 16, "merge_size": 2,
              "size": {"longest_edge": 16777216, "shortest_edge": 65536}}  # fmt: skip
    assert rule_from(config) == QWEN3_VL
    with pytest.raises(UsageError):
        rule_from({"patch_size": 16})


sides = st.integers(1, 12_000)
rules = st.sampled_from([QWEN25_VL, QWEN3_VL])


@given(sides, sides, rules, st.integers(80, 20_000))
def test_a_picture_within_tokens_is_left_as_it_is_by_the_model(width, height, rule, tokens):
    if max(width, height) > 200 * min(width, height):
        return
    try:
        size = within(width, height, rule, tokens)
    except UsageError:
        return
    assert rule.tokens(*size) <= tokens
    if max(size) <= 200 * min(size):
        assert rule.resized(*size) == size


@given(sides, sides, rules, st.integers(3, 30_000), st.none() | st.integers(64, 16_384),
       st.none() | st.floats(1, 200))  # fmt: skip
def test_what_is_sent_is_within_the_budget_and_shows_all_of_it(
    width, height, rule, budget, most, text_px
):
    try:
        plan = fit(width, height, rule, budget=budget, most=most, text_px=text_px)
    except UsageError:
        return
    assert plan.tokens <= budget
    assert all(most is None or tile.tokens <= most + 2 for tile in plan.tiles)
    assert all(tile.tokens == rule.tokens(*tile.size, markers=True) for tile in plan.tiles)
    assert plan.tiles[0].box == (0, 0, width, height)
    if plan.how == "tiled":
        assert max(t.box[2] for t in plan.tiles[1:]) == width
        assert max(t.box[3] for t in plan.tiles[1:]) == height


def test_small_text_is_cut_in_tiles_where_one_picture_cannot_show_it():
    plan = fit(3840, 2160, QWEN3_VL, budget=12_000, most=1280, text_px=14)
    assert plan.how == "tiled"
    assert plan.legible
    for tile in plan.tiles[1:]:
        assert 14 * tile.size[0] / (tile.box[2] - tile.box[0]) > 0.9 * LEGIBLE_PX
    shrunk = fit(3840, 2160, QWEN3_VL, budget=1000, most=1280, text_px=14)
    assert (shrunk.how, shrunk.legible) == ("shrunk", False)


def test_a_box_that_a_model_names_is_found_in_the_picture():
    plan = fit(1920, 1080, QWEN3_VL, budget=600)
    assert to_source((0, 0, 500, 1000), plan.tiles[0], QWEN3_VL) == (0, 0, 960, 1080)
    older = fit(1920, 1080, QWEN25_VL, budget=600)
    wide, high = older.tiles[0].size
    assert to_source((0, 0, wide / 2, high), older.tiles[0], QWEN25_VL) == (0, 0, 960, 1080)


def picture(width=400, height=200, kind="PNG", **more):
    image = pytest.importorskip("PIL.Image")
    made = image.new("RGB", (width, height), (255, 255, 255))
    out = io.BytesIO()
    made.save(out, kind, **more)
    return out.getvalue()


def opened(url):
    from PIL import Image

    head, data = url.split(",", 1)
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_redaction_is_painted_and_metadata_is_gone():
    from pointsman.evidence.images.preparing import data_urls, size_of

    pil = pytest.importorskip("PIL.Image")
    exif = pil.Exif()
    exif[0x010E] = "the secret of whoever took it"
    content = picture(kind="JPEG", exif=exif)
    assert b"the secret" in content
    assert size_of(content) == (400, 200)
    plan = fit(400, 200, QWEN3_VL, budget=2000)
    [url] = data_urls(content, plan, redact=[(100, 50, 200, 100)])
    sent = opened(url)
    assert b"the secret" not in base64.b64decode(url.split(",")[1])
    assert sent.size == plan.tiles[0].size
    assert not sent.getexif()
    scale = sent.width / 400
    assert sent.getpixel((round(150 * scale), round(75 * scale))) == (0, 0, 0)
    assert sent.getpixel((round(50 * scale), round(75 * scale))) == (255, 255, 255)


def test_a_picture_is_turned_as_it_is_seen():
    from pointsman.evidence.images.preparing import size_of

    exif = pytest.importorskip("PIL.Image").Exif()
    exif[0x0112] = 6
    assert size_of(picture(kind="JPEG", exif=exif)) == (200, 400)


@pytest.mark.parametrize("content", [
    b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40),
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01\x86\xa0\x00\x01\x86\xa0\x08\x02\x00\x00\x00",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
], ids=["empty", "text", "cut", "bomb", "svg"])  # fmt: skip
def test_what_is_no_picture_is_refused(content):
    pytest.importorskip("PIL")
    from pointsman.evidence.images.preparing import size_of

    with pytest.raises(DocumentRefused):
        size_of(content)


def test_damaged_pictures_are_read_or_refused():
    pytest.importorskip("PIL")
    from tests.evidence.test_document_fuzz import damaged

    from pointsman.evidence.images.preparing import size_of

    for kind, seed in (("PNG", 1), ("JPEG", 2), ("WEBP", 3), ("TIFF", 4)):
        content = damaged(picture(kind=kind), random.Random(seed))
        try:
            assert size_of(content).width > 0
        except DocumentRefused:
            continue


def test_without_tesseract_a_picture_is_unjudged_and_not_empty():
    read = Tesseract(program="no-such-tesseract").read(picture())
    assert read.words == ()
    assert "not installed" in read.unjudged


def test_a_rule_of_one_model_is_between_its_limits():
    rule = ImageRule(factor=28, min_pixels=3136, max_pixels=1_003_520, boxes="pixels")
    assert rule.tokens(4000, 3000) <= 1280
