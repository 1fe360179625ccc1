"""Work on what strangers sent, in a child process with bounds: memory, time, output, no network.

The child is a module of ours that calls `bounded_child.answer`. It gets the bytes on its standard
input, has no path to them, and may break down without harm.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

import msgspec

from pointsman.domain.errors import DocumentRefused, PointsmanError

_ERROR_BYTES = 4000  # of what a child says on its standard error that are kept
_PIECE = 1 << 16


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a child may use."""

    memory_bytes: int = 1 << 30
    cpu_s: int = 60
    wall_s: float = 90.0
    output_bytes: int = 256 << 20
    input_bytes: int = 256 << 20


USUAL = Bounds()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a child says: a value, or why it gives none."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    refused: str = ""  # what is wrong with the input
    why: str = ""
    next: str = ""
    network: bool = True  # whether the child could have reached any


def work(
    module: str,
    content: "IO[bytes] | bytes",
    *,
    name: str,
    options: Mapping[str, Any] | None = None,
    bounds: Bounds = USUAL,
    descriptors: Sequence[int] = (),
) -> bytes:
    """The JSON that a child makes of some bytes.

    Args: module is ours, run with `-m`; content is a file, read from its start, or bytes; name is
    how errors call it; descriptors are open files that it gets besides, under the same numbers.
    Raises: DocumentRefused where the child refuses, breaks down or passes a bound.
    """
    size = len(content) if isinstance(content, bytes) else os.fstat(content.fileno()).st_size
    if size > bounds.input_bytes:
        raise DocumentRefused(
            f"{name} is too large", why=f"{size} bytes; at most {bounds.input_bytes} are read",
            next="send the part that matters",
        )  # fmt: skip
    if not isinstance(content, bytes):
        os.lseek(content.fileno(), 0, os.SEEK_SET)  # what a buffer read ahead does not count
    asked = msgspec.json.encode({"options": dict(options or {}), "bounds": bounds})
    command = [sys.executable, "-P", "-m", module, asked.decode()]
    process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
        command, stdin=content if not isinstance(content, bytes) else subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=True, start_new_session=True,
        env=_environment(), pass_fds=tuple(descriptors),
    )  # fmt: skip
    try:
        said, remarks, late = _converse(process, content, bounds)
    finally:
        _end(process)
    return _judged(process, said, remarks, late, name, bounds)


def _environment() -> dict[str, str]:
    """Only what an interpreter needs; nothing secret."""
    kept = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "LC_ALL", "SYSTEMROOT")
    named = {name: os.environ[name] for name in kept if name in os.environ}
    return named | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


def _converse(
    process: "subprocess.Popen[bytes]", content: "IO[bytes] | bytes", bounds: Bounds
) -> tuple[bytes, bytes, str]:
    """What it says, its remarks, and which bound it passed, if any."""
    deadline = time.monotonic() + bounds.wall_s
    assert process.stdout is not None
    assert process.stderr is not None
    said, remarks = bytearray(), bytearray()
    to_send = memoryview(content if isinstance(content, bytes) else b"")
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ, said)
        ready.register(process.stderr, selectors.EVENT_READ, remarks)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            ready.register(process.stdin, selectors.EVENT_WRITE, None)
        while ready.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return bytes(said), bytes(remarks), "time"
            for key, _ in ready.select(min(left, 1.0)):
                file: Any = key.fileobj
                if key.data is None:
                    to_send = _sent(file, to_send, ready)
                    continue
                piece = os.read(file.fileno(), _PIECE)
                if not piece:
                    ready.unregister(file)
                key.data.extend(piece)
                if key.data is remarks:
                    del remarks[:-_ERROR_BYTES]
                elif len(said) > bounds.output_bytes:
                    return b"", bytes(remarks), "output"
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.1, deadline - time.monotonic()))
        return bytes(said), bytes(remarks), ""
    return bytes(said), bytes(remarks), "time"


def _sent(file: Any, to_send: memoryview, ready: selectors.BaseSelector) -> memoryview:
    try:
        done = os.write(file.fileno(), to_send[:_PIECE]) if to_send else 0
    except BlockingIOError:
        return to_send
    except BrokenPipeError:
        done = len(to_send)
    left = to_send[done:]
    if not left:
        ready.unregister(file)
        file.close()
    return left


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The child and all that it started are gone, and nothing of it is open."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for file in (process.stdin, process.stdout, process.stderr):
        if file is not None:
            with suppress(OSError):
                file.close()


def _judged(
    process: "subprocess.Popen[bytes]", said: bytes, remarks: bytes, late: str, name: str,
    bounds: Bounds,
) -> bytes:  # fmt: skip
    smaller = "send the part that matters, or a smaller file"
    if late == "time" or process.returncode == -signal.SIGXCPU:
        raise DocumentRefused(f"{name} takes too long to read", next=smaller,
                              why=f"more than {bounds.wall_s:g} s")  # fmt: skip
    if late == "output":
        raise DocumentRefused(f"{name} holds too much", next=smaller,
                              why=f"more than {bounds.output_bytes} bytes came of it")  # fmt: skip
    try:
        answer = msgspec.json.decode(said, type=Answer)
    except msgspec.DecodeError:
        raise DocumentRefused(
            f"{name} cannot be read", why=_broken(process.returncode, remarks),
            next="the file may be damaged or made to do harm; save it anew and try again",
        ) from None  # fmt: skip
    if answer.refused == "extra":
        raise _missing(answer)
    if answer.refused:
        raise DocumentRefused(f"{name} {answer.refused}", why=answer.why, next=answer.next)
    return bytes(answer.value)


def _missing(answer: Answer) -> PointsmanError:
    from pointsman.domain.errors import ExtraMissing

    return ExtraMissing(answer.why, next=answer.next)


def _broken(code: int, remarks: bytes) -> str:
    last = remarks.decode("utf-8", "replace").strip().splitlines()[-1:]
    if code < 0:
        with suppress(ValueError):
            return f"its reader broke down ({signal.Signals(-code).name})"
    return f"its reader broke down: {last[0][:200]}" if last else f"its reader ended with {code}"
