"""Work in forked processes: at once, or killed -9 at a given statement."""

import gc
import os
import pickle
import signal
import traceback
from collections.abc import Callable
from typing import Any

import alembic.command  # noqa: F401  imported once here, not once in every fork
from sqlalchemy import event
from sqlalchemy.engine import Engine


def at_once(work: Callable[[int], Any], *, processes: int) -> list[Any]:
    """What each of the processes gives; they start together."""
    start_read, start_write = os.pipe()
    children = []
    for number in range(processes):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(start_write)
            os.read(start_read, 1)  # returns once the parent closes its end
            _run(lambda number=number: work(number), write)  # type: ignore[misc]
        os.close(write)
        children.append((pid, read))
    os.close(start_read)
    os.close(start_write)
    return [_given(pid, read) for pid, read in children]


def dies_at(
    statement: int, work: Callable[[Any], Any], *, first: Callable[[], Any] = lambda: None
) -> bool:
    """Whether the work was killed just before its nth statement or commit; else it is done.

    What `first` does is not counted; what it gives is handed to the work.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _run(lambda: _killed_at(statement, work, first()), write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _killed_at(statement: int, work: Callable[[Any], Any], given: Any) -> None:
    seen = 0

    def count(*_: Any, **__: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    for moment in ("before_cursor_execute", "commit"):
        event.listen(Engine, moment, count)
    work(given)


def _run(work: Callable[[], Any], write: int) -> None:
    gc.freeze()  # what other threads of the parent held half done is not for us to collect
    code = 1
    try:
        given = work()
        with os.fdopen(write, "wb") as pipe:
            pickle.dump(given, pipe)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _given(pid: int, read: int) -> Any:
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, "a process failed; see its traceback"
    return pickle.loads(data)
