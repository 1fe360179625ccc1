"""Our errors in the shape that OpenAI's clients read."""

import math

import msgspec

from pointsman.domain.errors import PointsmanError


def error_object(error: PointsmanError) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}` as JSON."""
    return msgspec.json.encode(
        {
            "error": {
                "message": error.sentence,
                "type": error.error_type,
                "param": error.param,
                "code": error.reported_code,
            }
        }
    )


def error_head(error: PointsmanError) -> list[tuple[bytes, bytes]]:
    """Content type, and when to come back where that is known (seconds, and OpenAI's ms)."""
    head = [(b"content-type", b"application/json")]
    if error.retry_after_s is not None:
        head.append((b"retry-after", b"%d" % math.ceil(error.retry_after_s)))
        head.append((b"retry-after-ms", b"%d" % round(error.retry_after_s * 1000)))
    return head
