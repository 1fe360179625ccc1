"""How many tokens a picture costs a Qwen model that sees, by the published rule.

Source: `smart_resize` of transformers (qwen2_vl/image_processing_qwen2_vl.py) and of qwen-vl-utils,
which differ where one side rounds to nothing.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from pointsman.domain.errors import UsageError

_MOST_ASPECT = 200
MARKERS = 2  # <|vision_start|> and <|vision_end|>


class Size(NamedTuple):
    """Pixels."""

    width: int
    height: int


class ImageRule(msgspec.Struct, frozen=True, kw_only=True):
    """A generation's rule with a model's limits."""

    factor: int  # pixels of a token's side: patch times merge
    min_pixels: int
    max_pixels: int
    boxes: Literal["pixels", "thousandths"]  # how the model names places in a picture
    by: Literal["transformers", "qwen-vl-utils"] = "transformers"

    def resized(self, width: int, height: int) -> Size:
        """The size a picture is given before it is cut into tokens.

        Raises: UsageError for an empty picture, or one more than 200 times as long as wide.
        """
        if width < 1 or height < 1:
            raise UsageError("a picture has at least one pixel each way")
        if max(width, height) / min(width, height) > _MOST_ASPECT:
            raise UsageError(
                f"a picture of {width} x {height} is too long for the model",
                why=f"one side is more than {_MOST_ASPECT} times the other",
                next="cut it into pieces",
            )
        f = self.factor
        high, wide = round(height / f) * f, round(width / f) * f
        if self.by == "qwen-vl-utils":
            high, wide = max(f, high), max(f, wide)
        if high * wide > self.max_pixels:
            shrink = math.sqrt((height * width) / self.max_pixels)
            high = max(f, math.floor(height / shrink / f) * f)
            wide = max(f, math.floor(width / shrink / f) * f)
        elif high * wide < self.min_pixels:
            grow = math.sqrt(self.min_pixels / (height * width))
            high = math.ceil(height * grow / f) * f
            wide = math.ceil(width * grow / f) * f
        return Size(wide, high)

    def tokens(self, width: int, height: int, *, markers: bool = False) -> int:
        """Tokens of a picture, with its two markers or without. Raises: as `resized`."""
        wide, high = self.resized(width, height)
        return (wide // self.factor) * (high // self.factor) + (MARKERS if markers else 0)

    def with_limits(self, *, min_tokens: int | None = None, max_tokens: int | None = None
                    ) -> "ImageRule":  # fmt: skip
        """The rule between other limits, in tokens."""
        area = self.factor * self.factor
        most = self.max_pixels if max_tokens is None else max(1, max_tokens) * area
        least = self.min_pixels if min_tokens is None else min_tokens * area
        return msgspec.structs.replace(self, max_pixels=most, min_pixels=min(least, most))


QWEN2_VL = ImageRule(factor=28, min_pixels=4 * 28 * 28, max_pixels=16384 * 28 * 28, boxes="pixels")
QWEN25_VL = QWEN2_VL
QWEN3_VL = ImageRule(factor=32, min_pixels=64 * 32 * 32, max_pixels=16384 * 32 * 32,
                     boxes="thousandths")  # fmt: skip

# what a model's name says of its generation; limits are those of the checkpoints' own files
_NAMES: tuple[tuple[re.Pattern[str], ImageRule], ...] = (
    (re.compile(r"qwen-?2-vl|qvq", re.I), QWEN2_VL),
    (re.compile(r"qwen-?2[._]5-(?:vl|omni)", re.I), QWEN25_VL),
    (re.compile(r"qwen-?3-(?:vl|omni)|qwen-?3[._]5", re.I), QWEN3_VL),
)


def rule_of(model: str) -> ImageRule | None:
    """The rule of a model by its name; None where none is known."""
    return next((rule for name, rule in _NAMES if name.search(model)), None)


def rule_from(preprocessor: Mapping[str, Any], *, model: str = "") -> ImageRule:
    """The rule that a served model's `preprocessor_config.json` states; it goes before any name.

    Raises: UsageError where it states none.
    """
    size = preprocessor.get("size") or {}
    least = preprocessor.get("min_pixels") or size.get("shortest_edge")
    most = preprocessor.get("max_pixels") or size.get("longest_edge")
    patch, merge = preprocessor.get("patch_size"), preprocessor.get("merge_size", 2)
    numbers = (patch, merge, least, most)
    if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in numbers):
        raise UsageError(
            "this preprocessor_config states no rule of the Qwen kind",
            why="it needs patch_size, and min_pixels and max_pixels or size",
        )
    named = rule_of(model)
    boxes = named.boxes if named else ("thousandths" if patch == 16 else "pixels")
    assert isinstance(patch, int)
    assert isinstance(least, int)
    assert isinstance(most, int)
    return ImageRule(factor=patch * merge, min_pixels=least, max_pixels=most, boxes=boxes)
