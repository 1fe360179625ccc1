"""A picture made to fit a budget of tokens: shrunk while its text stays legible, else tiled."""

import math
from typing import Literal

import msgspec

from pointsman.domain.errors import UsageError
from pointsman.evidence.images.qwen import MARKERS, ImageRule, Size

LEGIBLE_PX = 10.0  # height of a text's lines below which models misread it
_OVERLAP = 0.1  # of a tile's side that the next one repeats, so that no line is cut in all of them
_MOST_TILES = 36
_THUMBNAIL = 256  # tokens

Corners = tuple[float, float, float, float]


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a picture, and the size that it is sent in."""

    box: tuple[int, int, int, int]  # left, top, right, bottom in the picture's own pixels
    size: tuple[
        int, int
    ]  # width, height as sent: what the model makes of it itself, so no surprise
    tokens: int  # with the two markers


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture is sent."""

    tiles: tuple[Tile, ...]
    how: Literal["whole", "shrunk", "tiled"]
    legible: bool | None  # None where it is not known how high its text is

    @property
    def tokens(self) -> int:
        """Of all its tiles, with markers."""
        return sum(tile.tokens for tile in self.tiles)


def fit(
    width: int, height: int, rule: ImageRule, *, budget: int, most: int | None = None,
    text_px: float | None = None,
) -> Fit:  # fmt: skip
    """The best way to send a picture within `budget` tokens, markers counted.

    Args: most is what the deployment takes of one picture; text_px is how high a line of its
    smallest text is, where OCR or a person told.
    Raises: UsageError where not even one token fits, or one side is 200 times the other.
    """
    if budget < 1 + MARKERS:
        raise UsageError(f"a picture cannot be sent in {budget} tokens")
    room = min(budget - MARKERS, most or budget)
    one = _tile((0, 0, width, height), rule, room)
    scale = min(one.size[0] / width, one.size[1] / height)
    legible = None if text_px is None else text_px * scale >= LEGIBLE_PX
    if legible is False and most is not None and room == most:
        tiled = _tiled(width, height, rule, budget, most, text_px or LEGIBLE_PX)
        if tiled is not None:
            return tiled
    native = rule.resized(width, height)
    how: Literal["whole", "shrunk"] = "whole" if one.size == native else "shrunk"
    return Fit(tiles=(one,), how=how, legible=legible)


def _tile(box: tuple[int, int, int, int], rule: ImageRule, room: int) -> Tile:
    left, top, right, bottom = box
    size = within(right - left, bottom - top, rule, room)
    return Tile(box=box, size=(size.width, size.height), tokens=rule.tokens(*size) + MARKERS)


def within(width: int, height: int, rule: ImageRule, tokens: int) -> Size:
    """The largest size of a picture, in its shape, that costs at most so many tokens.

    What it gives, the model's own rule leaves as it is: the size is a multiple of the factor.
    Raises: UsageError where the model's least size costs more.
    """
    bounded = (
        rule.with_limits(max_tokens=tokens) if tokens * rule.factor**2 < rule.max_pixels else rule
    )
    size = bounded.resized(width, height)
    while rule.tokens(*size) > tokens:
        # only where the smallest side is one token already, or the model's least size is larger
        wide, high = size
        f = rule.factor
        smaller = Size(wide - f, high) if wide >= high else Size(wide, high - f)
        if min(smaller) < f or rule.tokens(*smaller) >= rule.tokens(*size):
            raise UsageError(f"the model takes no picture of {width} x {height} in {tokens} tokens")
        size = smaller
    return Size(*size)


def _tiled(
    width: int, height: int, rule: ImageRule, budget: int, most: int, text_px: float
) -> Fit | None:
    """A thumbnail of the whole and tiles at a legible scale; None where these pass the budget."""
    scale = min(1.0, LEGIBLE_PX / text_px)
    side = math.sqrt(most) * rule.factor / scale  # of a tile, in the picture's own pixels
    across = max(1, math.ceil((width / side - _OVERLAP) / (1 - _OVERLAP)))
    down = max(1, math.ceil((height / side - _OVERLAP) / (1 - _OVERLAP)))
    if across * down > _MOST_TILES or across * down < 2:
        return None
    boxes = [
        (x0, y0, x1, y1)
        for y0, y1 in _cuts(height, down)
        for x0, x1 in _cuts(width, across)
    ]  # fmt: skip
    thumbnail = _tile((0, 0, width, height), rule, min(most, _THUMBNAIL))
    tiles = []
    for box in boxes:
        wanted = math.ceil((box[2] - box[0]) * (box[3] - box[1]) * (scale / rule.factor) ** 2)
        tiles.append(_tile(box, rule, min(most, max(wanted, rule.min_pixels // rule.factor**2))))
    found = Fit(tiles=(thumbnail, *tiles), how="tiled", legible=True)
    sharp = all(
        min(t.size[0] / (t.box[2] - t.box[0]), t.size[1] / (t.box[3] - t.box[1])) * text_px
        >= 0.9 * LEGIBLE_PX
        for t in tiles
    )
    return found if found.tokens <= budget and sharp else None


def _cuts(length: int, count: int) -> list[tuple[int, int]]:
    side = length / (count - (count - 1) * _OVERLAP)
    return [
        (round(i * side * (1 - _OVERLAP)), min(length, round(i * side * (1 - _OVERLAP) + side)))
        for i in range(count)
    ]


def to_source(box: Corners, tile: Tile, rule: ImageRule) -> Corners:
    """A box that a model named in a tile, in the picture's own pixels; cut at the tile's edge."""
    left, top, right, bottom = tile.box
    unit = tile.size if rule.boxes == "pixels" else (1000, 1000)
    x = [left + min(max(v / unit[0], 0.0), 1.0) * (right - left) for v in (box[0], box[2])]
    y = [top + min(max(v / unit[1], 0.0), 1.0) * (bottom - top) for v in (box[1], box[3])]
    return min(x), min(y), max(x), max(y)
