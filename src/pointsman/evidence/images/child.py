"""The bounded child that opens pictures: `python -m pointsman.evidence.images.child`."""

import base64
from io import BytesIO
from typing import Any

from pointsman.evidence.bounded_child import Refused, answer

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_MOST_PIXELS = 100_000_000
_LOSSLESS_TO = 4_000_000  # pixels; larger ones are sent as JPEG


def prepare(content: bytes, options: dict[str, Any]) -> Any:
    """A picture's size, and its pieces as clean pictures: nothing but pixels is left of it.

    Options: `redact` are boxes painted over in the picture's own pixels before anything else;
    `tiles` are {box, size}; without them only the size is told.
    """
    try:
        from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise Refused("extra", why=f"pictures need the extra `images`: {error}",
                      next='pip install "pointsman[images]"') from error  # fmt: skip
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as opened:
            wide, high = opened.size
            if wide * high > _MOST_PIXELS:
                raise Refused("is too large", why=f"{wide} x {high} pixels")
            opened.seek(0)
            upright = ImageOps.exif_transpose(opened)
            found: dict[str, Any] = {"width": upright.width, "height": upright.height, "tiles": []}
            if not options.get("tiles"):
                upright.load()
                return found
            picture = _plain(upright, Image)
    except UnidentifiedImageError as error:
        raise Refused("is no picture that is read",
                      why=f"{', '.join(_FORMATS)} are read") from error  # fmt: skip
    except Image.DecompressionBombError as error:
        raise Refused("is too large", why=f"more than {_MOST_PIXELS} pixels") from error
    except (MemoryError, Refused):
        raise
    except Exception as error:  # each format has errors of its own
        raise Refused(
            "cannot be read", why=f"it is a broken picture: {str(error)[:200]}"
        ) from error
    paint = ImageDraw.Draw(picture)
    for x0, top, x1, bottom in options.get("redact", ()):
        paint.rectangle((x0 // 1, top // 1, -(-x1 // 1), -(-bottom // 1)), fill=(0, 0, 0))
    for tile in options["tiles"]:
        piece = picture.crop(tuple(tile["box"]))
        if piece.size != tuple(tile["size"]):
            piece = piece.resize(tuple(tile["size"]), Image.Resampling.BICUBIC)
        found["tiles"].append(_written(piece))
    return found


def _plain(upright: Any, image: Any) -> Any:
    """Pixels on white, without transparency, palette or anything that a file says beside them."""
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        over = upright.convert("RGBA")
        ground = image.new("RGB", over.size, (255, 255, 255))
        ground.paste(over, mask=over.getchannel("A"))
        return ground
    return upright.convert("RGB")


def _written(piece: Any) -> dict[str, Any]:
    out = BytesIO()
    kind = "png" if piece.width * piece.height <= _LOSSLESS_TO else "jpeg"
    if kind == "png":
        piece.save(out, "PNG", optimize=False)
    else:
        piece.save(out, "JPEG", quality=92)
    return {"type": f"image/{kind}", "data": base64.b64encode(out.getvalue()).decode()}


if __name__ == "__main__":
    answer(prepare)
