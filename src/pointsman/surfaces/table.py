"""The surfaces by path: whoever answers requests, at the door or from a file, looks here."""

from collections.abc import Mapping
from types import MappingProxyType

from pointsman.surfaces.chat import parse_chat
from pointsman.surfaces.completions import parse_completion
from pointsman.surfaces.embeddings import parse_embedding
from pointsman.surfaces.messages_answer import MessagesWriter, messages_error
from pointsman.surfaces.messages_request import parse_messages
from pointsman.surfaces.rerank import parse_rerank
from pointsman.surfaces.responses_answer import ResponsesWriter
from pointsman.surfaces.responses_request import parse_responses
from pointsman.surfaces.surface import Surface

_ALL: tuple[Surface, ...] = (
    Surface(path="/v1/chat/completions", name="chat", operation="chat", parse=parse_chat),
    Surface(
        path="/v1/completions", name="completions", operation="completion", parse=parse_completion
    ),
    Surface(path="/v1/embeddings", name="embeddings", operation="embedding", parse=parse_embedding),
    Surface(path="/v1/rerank", name="rerank", operation="rerank", parse=parse_rerank),
    # Cohere's clients of today; vLLM answers there too, in the same words.
    Surface(path="/v2/rerank", name="rerank", operation="rerank", parse=parse_rerank),
    Surface(
        path="/v1/responses",
        name="responses",
        operation="chat",
        parse=parse_responses,
        writer=ResponsesWriter,
    ),
    Surface(
        path="/v1/messages",
        name="messages",
        operation="chat",
        parse=parse_messages,
        writer=MessagesWriter,
        error=messages_error,
        named_in=b"request-id",
    ),
)
SURFACES: Mapping[str, Surface] = MappingProxyType({surface.path: surface for surface in _ALL})
