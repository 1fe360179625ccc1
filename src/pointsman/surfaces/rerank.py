"""`/v1/rerank`: documents in the order of a query, in the shape of Jina, Cohere and vLLM."""

from typing import Any

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.messages import ModelRequest
from pointsman.surfaces.inputs import message_of
from pointsman.surfaces.reading import read

MOST_DOCUMENTS = 8192


class _Known(msgspec.Struct):
    model: str
    query: str | dict[str, Any]
    documents: list[str | dict[str, Any]]
    top_n: int | None = None


_KNOWN = msgspec.json.Decoder(_Known)


def parse_rerank(body: bytes) -> ModelRequest:
    """The request in a body. Raises: InvalidRequest that says what is wrong and where."""
    known, fields = read(body, _KNOWN)
    documents = len(known.documents)
    if not documents:
        raise InvalidRequest("`documents` is empty", param="documents", code="empty_documents")
    if documents > MOST_DOCUMENTS:
        raise InvalidRequest(
            f"`documents` holds {documents}; {MOST_DOCUMENTS} is the most",
            next="send them in several requests",
            param="documents",
            code="too_many_documents",
        )
    if known.top_n is not None and known.top_n < 1:
        raise InvalidRequest("`top_n` must be at least 1", param="top_n", code="invalid_value")
    read_first = (known.query, *known.documents)
    return ModelRequest(
        model=known.model,
        operation="rerank",
        stream=False,
        include_usage=False,
        messages=tuple(message_of(each) for each in read_first),
        fields=fields,
    )
