"""The child's side of `bounded`: bounds on itself first, then the work, then one JSON answer."""

import ctypes
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from pointsman.evidence.bounded import Answer, Bounds

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000


class Refused(Exception):
    """The input is not what can be worked on; the sentence goes on from the file's name."""

    def __init__(self, what: str, *, why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.next = what, why, next


class _Asked(msgspec.Struct):
    options: dict[str, Any]
    bounds: Bounds


def answer(do: Callable[[bytes, dict[str, Any]], Any]) -> None:
    """Bound this process, do the work on standard input, and write the answer."""
    asked = msgspec.json.decode(sys.argv[1].encode(), type=_Asked)
    network = bound(asked.bounds)
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    said = _done(do, asked, network)
    view = memoryview(said)
    while view:
        view = view[os.write(out, view) :]
    os._exit(0)  # nothing that a library left behind may hold us up


def _done(do: Callable[[bytes, dict[str, Any]], Any], asked: _Asked, network: bool) -> bytes:
    try:
        content = sys.stdin.buffer.read(asked.bounds.input_bytes + 1)
        value = do(content, asked.options)
        return msgspec.json.encode(Answer(value=msgspec.Raw(msgspec.json.encode(value)),
                                          network=network))  # fmt: skip
    except Refused as error:
        return msgspec.json.encode(Answer(refused=error.what, why=error.why, next=error.next))
    except MemoryError:
        return msgspec.json.encode(
            Answer(refused="takes too much memory to read",
                   why=f"more than {asked.bounds.memory_bytes >> 20} MB",
                   next="send the part that matters, or a smaller file")
        )  # fmt: skip
    except RecursionError:
        return msgspec.json.encode(Answer(refused="is nested too deeply"))


def bound(bounds: Bounds) -> bool:
    """Set this process's own bounds. Returns: whether it can still reach a network."""
    _limit(resource.RLIMIT_AS, bounds.memory_bytes)
    _limit(resource.RLIMIT_CPU, bounds.cpu_s, grace=2)  # a signal that tells why, then the end
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, 64)
    return not _off_the_network()


def _limit(what: int, most: int, *, grace: int = 0) -> None:
    with suppress(ValueError, OSError):
        hard = resource.getrlimit(what)[1]
        bound = most + grace if hard == resource.RLIM_INFINITY else min(most + grace, hard)
        resource.setrlimit(what, (min(most, bound), bound))


def _off_the_network() -> bool:
    """A network namespace of its own, with nothing in it; where the system allows one."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return any(libc.unshare(what) == 0 for what in (_NEW_NETWORK, _NEW_USER | _NEW_NETWORK))
