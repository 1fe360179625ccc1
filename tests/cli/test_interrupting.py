"""Ctrl-C while a command is being loaded ends it, wherever it finds the interpreter."""

import signal
import subprocess
import sys

import pytest

from pointsman.cli.interrupting import interruptible

# What imports do as well: something is let go, and its callback is where the signal arrives.
IN_A_CALLBACK = """\
import os, signal, weakref
from contextlib import nullcontext
from pointsman.cli.interrupting import interruptible

class Held: pass

def struck(_):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000): pass

with {how}():
    held = Held()
    seen = weakref.ref(held, struck)
    del held
print("went on")
"""


def done(how: str) -> subprocess.CompletedProcess[str]:
    text = IN_A_CALLBACK.format(how=how)
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)


def test_an_interrupt_that_python_drops_ends_what_was_being_loaded():
    ended = done("interruptible")
    assert ended.returncode != 0
    assert "went on" not in ended.stdout
    assert "KeyboardInterrupt" in ended.stderr


def test_without_it_python_goes_on():
    assert "went on" in done("nullcontext").stdout


def test_what_was_there_before_is_there_again():
    before = signal.getsignal(signal.SIGINT)
    with interruptible():
        if before is signal.default_int_handler:
            assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_is_raised_at_once_where_it_can_be():
    with pytest.raises(KeyboardInterrupt), interruptible():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it went on")
