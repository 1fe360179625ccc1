"""Our errors in the shape that OpenAI's clients read."""

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
