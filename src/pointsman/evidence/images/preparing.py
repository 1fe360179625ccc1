"""From a picture's bytes to what is sent: sized, cleaned, redacted, as data URLs alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from pointsman.domain.errors import DocumentRefused
from pointsman.evidence.bounded import Bounds, work
from pointsman.evidence.images.fitting import Corners, Fit
from pointsman.evidence.images.qwen import Size

_CHILD = "pointsman.evidence.images.child"
_BOUNDS = Bounds(memory_bytes=2 << 30, cpu_s=60, wall_s=90, input_bytes=64 << 20)


class _Piece(msgspec.Struct):
    type: str
    data: str


class _Opened(msgspec.Struct):
    width: int
    height: int
    tiles: list[_Piece]


def size_of(picture: "Path | bytes", *, name: str = "the picture") -> Size:
    """A picture's size as it is seen, turned as its file says. Raises: DocumentRefused."""
    opened = _child(picture, name, {})
    return Size(opened.width, opened.height)


def data_urls(
    picture: "Path | bytes", plan: Fit, *, redact: Sequence[Corners] = (), name: str = "the picture"
) -> list[str]:
    """The tiles of a plan as `data:` URLs, painted over where `redact` says (in its own pixels).

    Raises: DocumentRefused; ExtraMissing without Pillow.
    """
    tiles = [{"box": tile.box, "size": tile.size} for tile in plan.tiles]
    opened = _child(picture, name, {"tiles": tiles, "redact": list(redact)})
    return [f"data:{piece.type};base64,{piece.data}" for piece in opened.tiles]


def _child(picture: "Path | bytes", name: str, options: dict[str, object]) -> _Opened:
    if isinstance(picture, bytes):
        return _asked(picture, name, options)
    with picture.open("rb") as file:
        return _asked(file, picture.name, options)


def _asked(content: "IO[bytes] | bytes", name: str, options: dict[str, object]) -> _Opened:
    said = work(_CHILD, content, name=name, options=options, bounds=_BOUNDS)
    try:
        return msgspec.json.decode(said, type=_Opened)
    except msgspec.DecodeError as error:
        raise DocumentRefused(f"{name} cannot be read", why=f"its reader said {error}") from error
