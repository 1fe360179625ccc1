"""Files that a request names by URL: fetched here and put into it, or refused; never passed on.

An engine that fetches what a client names looks from inside the network for it.
"""

import base64
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.messages import Message, ModelRequest
from pointsman.domain.ports import Media
from pointsman.domain.task import MediaSettings

_KINDS = ("image_url", "video_url", "audio_url", "input_image", "input_video", "input_audio")

# Here some engines take base64 or frames as well; an address or a path has a dot or a colon.
_ALSO = ("image", "video", "audio", "file_url", "document_url")


class _Named(NamedTuple):
    message: int
    part: int
    field: str
    url: str


def names_files(request: ModelRequest) -> bool:
    """Whether anything in the request is to be fetched."""
    for message in request.messages:
        if isinstance(message.content, list):
            return any(True for _ in _named(request))
    return False


async def with_files(
    request: ModelRequest, media: Media | None, settings: MediaSettings
) -> ModelRequest:
    """The request with every named file in it as a data URL; all else as the client sent it.

    Raises: InvalidRequest where files by URL are refused, are too many, or cannot be fetched.
    """
    named = list(_named(request))
    first = _place(named[0])
    if settings.urls == "refuse" or media is None:
        raise InvalidRequest(
            "Files by URL are not taken here",
            why="media.urls is refuse",
            next="give the file in the request itself, as a data: URL",
            param=first,
            code="url_refused",
        )
    if len(named) > settings.max_count:
        raise InvalidRequest(
            f"The request names {len(named)} files by URL",
            why=f"at most {settings.max_count} are fetched for one request",
            next="give them in the request itself, or name fewer",
            param=_place(named[settings.max_count]),
            code="url_refused",
        )
    if odd := next((each for each in named if each.field in _ALSO), None):
        raise InvalidRequest(
            f"Files by URL are not taken as `{odd.field}`",
            next="name it as `image_url`, `video_url` or `input_audio`, or give it as a data: URL",
            param=_place(odd),
            code="url_refused",
        )
    if request.operation not in ("chat", "embedding") or "messages" not in request.fields:
        raise InvalidRequest(
            "Files by URL are taken in `messages` alone",
            why="they are put into the request, and here it has none",
            next="give the file in the request itself, as a data: URL",
            code="url_refused",
        )
    left, found = settings.max_total_bytes, dict[_Named, str]()
    known: dict[str, str] = {}
    for each in named:
        if each.url not in known:
            got = await media.fetch(each.url, settings, place=_place(each), left=left)
            left -= len(got.data)
            known[each.url] = f"data:{got.kind};base64,{base64.b64encode(got.data).decode()}"
        found[each] = known[each.url]
    return _replaced(request, found)


def _named(request: ModelRequest) -> Iterator[_Named]:
    """Every part that is of a kind with a URL, and whose URL is not the data itself."""
    for at, message in enumerate(request.messages):
        if not isinstance(message.content, list):
            continue
        for index, part in enumerate(message.content):
            for field in _KINDS:
                said = part.get(field)
                url = said.get("url") if isinstance(said, dict) else said
                if isinstance(url, str) and url[:5].lower() != "data:":
                    yield _Named(at, index, field, url)
            for field in _ALSO:
                said = part.get(field)
                url = said.get("url") if isinstance(said, dict) else said
                for one in url if isinstance(url, list) else (url,):
                    if isinstance(one, str) and one[:5].lower() != "data:" and _leads(one):
                        yield _Named(at, index, field, one)


def _leads(text: str) -> bool:
    return "." in text or ":" in text


def _place(named: _Named) -> str:
    return f"messages[{named.message}].content[{named.part}].{named.field}"


def _replaced(request: ModelRequest, found: dict[_Named, str]) -> ModelRequest:
    raws = msgspec.json.decode(request.fields["messages"], type=list[msgspec.Raw])
    messages = list(request.messages)
    for at in {each.message for each in found}:
        told = msgspec.json.decode(raws[at], type=dict[str, msgspec.Raw])
        parts: list[dict[str, Any]] = msgspec.json.decode(told["content"])
        for each, url in found.items():
            if each.message == at:
                said = parts[each.part][each.field]
                if isinstance(said, dict):
                    said["url"] = url
                else:
                    parts[each.part][each.field] = url
        told["content"] = msgspec.Raw(msgspec.json.encode(parts))
        raws[at] = msgspec.Raw(msgspec.json.encode(told))
        messages[at] = Message(role=messages[at].role, content=parts)
    fields = {**request.fields, "messages": msgspec.Raw(msgspec.json.encode(raws))}
    return msgspec.structs.replace(request, fields=fields, messages=tuple(messages))
