"""The worker's side: `python -m pointsman.executor.child` does items from its input, one by one."""

import os
import pickle
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

LENGTH = struct.Struct(">Q")
MOST_BYTES = 1 << 30  # of one item, or one result
_LONGEST_ERROR = 2000


def packed(fn: Callable[[Any], Any], item: Any) -> bytes:
    """A function of a module and an item, as a worker takes them.

    Raises: TypeError for what cannot be sent there.
    """
    if getattr(fn, "__module__", None) == "__main__":
        raise TypeError("a function of __main__ has no module to be loaded from in a worker")
    try:
        data = pickle.dumps((fn, item), protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(f"{fn!r} or its item cannot be sent to a worker: {error}") from error
    if len(data) > MOST_BYTES:
        raise TypeError(f"an item of {len(data)} bytes is more than a worker takes")
    return data


def performed(payload: bytes) -> bytes:
    """Does it: (True, value) or (False, what went wrong), as bytes."""
    try:
        fn, item = pickle.loads(payload)  # noqa: S301 - made by our own parent a moment ago
        return pickle.dumps((True, fn(item)), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
        return pickle.dumps((False, said))


def unpacked(result: bytes) -> tuple[bool, Any]:
    """What `performed` gave."""
    done, value = pickle.loads(result)  # noqa: S301 - made by our own child
    return bool(done), value


def extend_path(paths: list[str]) -> None:
    """Find modules where the parent finds them."""
    sys.path.extend(path for path in paths if path not in sys.path)


def main() -> None:
    """Reads frames from the input until it ends; what the work prints goes to the error output."""
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    frames = sys.stdin.buffer
    first = _frame(frames)
    if first is None:
        return
    extend_path(pickle.loads(first))  # noqa: S301
    while (payload := _frame(frames)) is not None:
        result = performed(payload)
        try:
            results.write(LENGTH.pack(len(result)) + result)
            results.flush()
        except BrokenPipeError:
            return


def _frame(source: BinaryIO) -> bytes | None:
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    if length > MOST_BYTES:
        return None
    body = source.read(length)
    return body if len(body) == length else None


if __name__ == "__main__":
    main()
