"""What workers are given in these tests: functions of a module, so that they can be found there."""

import os
import signal
import time
from pathlib import Path


def squared(number):
    return number * number


def unlucky(number):
    if number % 3 == 0:
        raise ValueError(f"{number} is a multiple of three")
    return number


def killed_once(given):
    """The first worker that gets an item marked by a path dies of it."""
    number, mark = given
    if mark is not None and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def always_killed(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def loud(number):
    print("a line that nobody reads as a result", flush=True)
    os.write(1, b"nor this")
    return number


def counted(given):
    """Leaves a line for every time it is done."""
    name, folder = given
    with (Path(folder) / name).open("a") as file:
        file.write("x")
    return name


def endless(number):
    while number == 1:
        time.sleep(60)
    return number
