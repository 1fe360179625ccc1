"""Bytes that two parties could read as different requests: refused, and the connection closed.

Source: RFC 9112, 3.2, 5.1, 5.2, 6.1 to 6.3 and 7.1.
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

from tests.conformance.bench import Asking, Bench, Case, check_good
from tests.conformance.matching import Mismatch, check
from tests.conformance.surfaces import BY_NAME
from tests.conformance.wire import Broken

_CHAT: Final = BY_NAME["chat"]
# Lines in place of `content-length: N`; `%d` is the true length, `%b` the body.
_LENGTHS: Final[dict[str, tuple[bytes, ...]]] = {
    "length-and-chunked": (b"content-length: %d", b"transfer-encoding: chunked"),
    "chunked-and-length": (b"transfer-encoding: chunked", b"content-length: %d"),
    "two-lengths": (b"content-length: %d", b"content-length: 5"),
    "two-lengths-in-one": (b"content-length: %d, 5",),
    "length-plus": (b"content-length: +%d",),
    "length-minus": (b"content-length: -%d",),
    "length-hexadecimal": (b"content-length: 0x%d",),
    "length-empty": (b"content-length: ",),
    "length-words": (b"content-length: %d bytes",),
    "length-huge": (b"content-length: 184467440737095516160%d",),
    "chunked-twice": (b"transfer-encoding: chunked, chunked",),
    "chunked-not-last": (b"transfer-encoding: chunked, identity",),
    "coding-unknown": (b"transfer-encoding: xchunked",),
    "coding-hidden": (b"transfer-encoding: \x0bchunked",),
    "space-before-colon": (b"content-length : %d",),
    "folded": (b"content-length: %d", b"x-more: a", b" transfer-encoding: chunked"),
    "folded-coding": (b"transfer-encoding:", b" chunked"),
    "nul-in-value": (b"content-length: %d", b"x-more: a\x00b"),
    "return-in-value": (b"content-length: %d", b"x-more: a\rtransfer-encoding: chunked"),
    "no-colon": (b"content-length: %d", b"transfer-encoding chunked"),
    "empty-name": (b"content-length: %d", b": chunked"),
    "name-with-space": (b"content-length: %d", b"transfer encoding: chunked"),
    "two-hosts": (b"content-length: %d", b"host: elsewhere"),
}
_CHUNKS: Final[dict[str, bytes]] = {
    "size-with-0x": b"0x%x\r\n%b\r\n0\r\n\r\n",
    "size-negative": b"-%x\r\n%b\r\n0\r\n\r\n",
    "size-plus": b"+%x\r\n%b\r\n0\r\n\r\n",
    "size-with-space": b"%x \x0b\r\n%b\r\n0\r\n\r\n",
    "size-underscored": b"1_%x\r\n%b\r\n0\r\n\r\n",
    "size-too-large": b"fffffffffffffffff%x\r\n%b\r\n0\r\n\r\n",
    "size-not-hexadecimal": b"zz%x\r\n%b\r\n0\r\n\r\n",
    "size-empty": b"\r\n%b%b\r\n0\r\n\r\n",
    "size-too-small": b"1\r\n%b%b\r\n0\r\n\r\n",
    "chunk-without-end": b"%x\r\n%bXX0\r\n\r\n",
}
_STARTS: Final[dict[str, bytes]] = {
    "version-unknown": b"POST %b HTTP/9.9\r\n",
    "version-missing": b"POST %b\r\n",
    "method-with-space": b"PO ST %b HTTP/1.1\r\n",
    "target-with-space": b"POST %b x HTTP/1.1\r\n",
    "no-target": b"POST  HTTP/1.1\r\n",
}


def cases() -> Iterator[Case]:
    """Framing, header fields, request lines."""
    for shape, lines in _LENGTHS.items():
        yield _case(shape, partial(_framed, lines=lines))
    for shape, pattern in _CHUNKS.items():
        yield _case(shape, partial(_chunked, pattern=pattern))
    for shape, start in _STARTS.items():
        yield _case(shape, partial(_started, start=start))
    yield _case("no-host", _no_host)
    yield _case("garbage", _garbage)
    yield _case("surplus-is-a-request-of-its-own", _surplus)


def _case(shape: str, run: partial[None] | object) -> Case:
    assert callable(run)
    return Case(group="smuggling", shape=shape, surface="door", run=run)


def _refused(bench: Bench, data: bytes, *hidden: Asking) -> None:
    """An error or nothing, then the end; neither request gets through, and the next one does."""
    with bench.line() as line:
        line.send(data)
        try:
            answer = line.answer()
        except Broken as broken:
            check(not broken.raw, "half an answer", got=broken.raw)
        else:
            statuses = (400, 408, 411, 413, 417, 431, 501, 505)
            check(answer.status in statuses, "another status", expected=400, got=answer.raw)
            check(line.ended(), "the connection stays open after bytes of unclear meaning",
                  got=answer.raw)  # fmt: skip
            check(not line.unread, "a second answer", got=line.unread)
    for asking in hidden:
        if bench.seen(asking):
            raise Mismatch("the upstream was asked", got=bench.seen(asking)[0].body)
    check_good(bench, None, _CHAT)


def _parts(bench: Bench) -> tuple[Asking, bytes, list[bytes], bytes, Asking]:
    """A request taken apart, and another one to follow it: one that a second reader might see."""
    asking, hidden = bench.asking(_CHAT), bench.asking(_CHAT)
    head, _, body = bench.rendered(asking).partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    lines = [line for line in lines if not line.startswith(b"content-length")]
    return asking, start, lines, body, hidden


def _framed(bench: Bench, *, lines: tuple[bytes, ...]) -> None:
    asking, start, others, body, hidden = _parts(bench)
    lengths = [line.replace(b"%d", str(len(body)).encode()) for line in lines]
    head = b"\r\n".join([start, *others, *lengths]) + b"\r\n\r\n"
    _refused(bench, head + body + bench.rendered(hidden), asking, hidden)


def _chunked(bench: Bench, *, pattern: bytes) -> None:
    asking, start, others, body, hidden = _parts(bench)
    head = b"\r\n".join([start, *others, b"transfer-encoding: chunked"]) + b"\r\n\r\n"
    size: object = len(body) if b"%x" in pattern else b""
    _refused(bench, head + pattern % (size, body) + bench.rendered(hidden), asking, hidden)


def _started(bench: Bench, *, start: bytes) -> None:
    asking, _, others, body, hidden = _parts(bench)
    target = (bench.root + _CHAT.path).encode()
    length = b"content-length: %d" % len(body)
    head = start.replace(b"%b", target) + b"\r\n".join([*others, length]) + b"\r\n\r\n"
    _refused(bench, head + body + bench.rendered(hidden), asking, hidden)


def _no_host(bench: Bench) -> None:
    asking, start, others, body, hidden = _parts(bench)
    others = [line for line in others if not line.startswith(b"host")]
    length = b"content-length: %d" % len(body)
    head = b"\r\n".join([start, *others, length]) + b"\r\n\r\n"
    _refused(bench, head + body + bench.rendered(hidden), asking, hidden)


def _garbage(bench: Bench) -> None:
    _refused(bench, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)))


def _surplus(bench: Bench) -> None:
    """Bytes after the announced body are the next request, and nothing else."""
    asking, start, others, body, hidden = _parts(bench)
    head = b"\r\n".join([start, *others, b"content-length: %d" % len(body)]) + b"\r\n\r\n"
    with bench.line() as line:
        line.send(head + body + bench.rendered(hidden))
        for _ in (asking, hidden):
            answer = line.answer()
            check(answer.status == 200, "another status", expected=200, got=answer.raw)
    check(len(bench.seen(asking)) == 1, "asked more than once", got=len(bench.seen(asking)))
    check(len(bench.seen(hidden)) == 1, "asked more than once", got=len(bench.seen(hidden)))
