"""The vectors in an answer of embeddings, in the order of what was asked."""

import base64
import struct

import msgspec

from pointsman.domain.errors import UpstreamError


class _Vector(msgspec.Struct):
    embedding: list[float] | str
    index: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Vector] = []


def vectors_in(body: bytes, *, count: int) -> list[list[float]]:
    """As many vectors as were asked for. Raises: UpstreamError where they are not there."""
    try:
        data = msgspec.json.decode(body, type=_Answer).data
        made: dict[int, list[float]] = {}
        for place, each in enumerate(data):
            index = place if each.index is None else each.index
            made[index] = _floats(each.embedding)
        return [made[index] for index in range(count)]
    except (msgspec.DecodeError, ValueError, KeyError, struct.error) as error:
        raise UpstreamError(
            "the answer holds no vector for each text", why=str(error)[:200],
            next="ask a deployment whose `operations` list `embedding`",
        ) from None  # fmt: skip


def _floats(said: list[float] | str) -> list[float]:
    if not isinstance(said, str):
        return said
    raw = base64.b64decode(said, validate=True)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))
