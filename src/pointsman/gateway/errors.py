"""The headers of an error; its body is the surface's (`surfaces.errors`)."""

import math

from pointsman.domain.errors import PointsmanError


def error_head(error: PointsmanError) -> list[tuple[bytes, bytes]]:
    """Content type, and when to come back where that is known (seconds, and OpenAI's ms)."""
    head = [(b"content-type", b"application/json")]
    if error.retry_after_s is not None:
        head.append((b"retry-after", b"%d" % math.ceil(error.retry_after_s)))
        head.append((b"retry-after-ms", b"%d" % round(error.retry_after_s * 1000)))
    head.extend(error.head)
    return head
