"""Whether this machine suits a gateway: numbers that were measured in, ok, warn or bad out."""

from typing import Literal

import msgspec

State = Literal["ok", "warn", "bad"]

_OWN_FILES = 64  # the journal, its packs, engines' pipes, libraries
_GB = 10**9
_WINDOW_MS = 50.0  # of the journal: facts reach the disk within it
_STALL_MS = 500.0
_SKEW_S = 2.0
_LONG_AGO_S = 1_735_689_600.0  # 2025-01-01: no machine that runs this is older


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at, and what to do about it."""

    what: str
    state: State
    said: str
    next: str = ""


def python_line(version: tuple[int, int, int], system: str, machine: str) -> Line:
    """The interpreter and the platform, as `sys` and `platform` name them."""
    said = f"Python {'.'.join(map(str, version))} on {system} {machine}"
    if version < (3, 11):
        return Line(what="python", state="bad", said=said, next="install Python 3.11 or newer")
    if system == "Linux" and machine in ("x86_64", "aarch64"):
        return Line(what="python", state="ok", said=said)
    if system == "Darwin":
        return Line(what="python", state="warn", said=said, next="macOS serves with one worker")
    next = "Windows: use WSL" if system == "Windows" else "only x86-64 and aarch64 are tested"
    return Line(what="python", state="bad" if system == "Windows" else "warn", said=said, next=next)


def extras_line(installed: tuple[str, ...], *, needs_local: bool) -> Line:
    """Optional parts; `local` is needed only by embedded deployments."""
    said = f"installed: {', '.join(installed) or 'none'}"
    if needs_local and "local" not in installed:
        next = 'pip install "pointsman[local]"'
        return Line(what="extras", state="bad", said=f"{said}; local is needed", next=next)
    return Line(what="extras", state="ok", said=said)


def files_line(limit: int, *, connections: int, upstream: int) -> Line:
    """Open files that the process may have, against what a full house needs."""
    needed = connections + upstream + _OWN_FILES
    said = f"{limit} allowed, {needed} in a full house"
    if limit >= needed:
        return Line(what="open files", state="ok", said=said)
    next = f"`ulimit -n {needed}` before serving (LimitNOFILE= in a unit), or a lower "
    next += "server.max_connections"
    state: State = "bad" if limit < _OWN_FILES * 2 else "warn"
    return Line(what="open files", state=state, said=said, next=next)


def space_line(free_bytes: int, path: str) -> Line:
    """Room for the journal."""
    said = f"{free_bytes / _GB:.1f} GB free at {path}"
    if free_bytes >= _GB:
        return Line(what="disk", state="ok", said=said)
    state: State = "bad" if free_bytes < _GB // 10 else "warn"
    return Line(what="disk", state=state, said=said, next="make room, or move journal.path")


def sync_line(median_ms: float, path: str) -> Line:
    """How long the disk takes to be sure, against the journal's window."""
    said = f"fsync {median_ms:.1f} ms at {path}"
    if median_ms <= _WINDOW_MS:
        return Line(what="fsync", state="ok", said=said)
    next = "put journal.path on a local disk: facts wait this long, with `power` answers do too"
    state: State = "bad" if median_ms > _STALL_MS else "warn"
    return Line(what="fsync", state=state, said=said, next=next)


def unwritable_line(path: str, why: str) -> Line:
    """The journal's folder takes no file."""
    next = "make it writable for this user, or move journal.path"
    return Line(what="journal folder", state="bad", said=f"{path}: {why}", next=next)


def clock_line(now_s: float, *, disk_s: float | None, newest_s: float | None) -> Line:
    """The clock against the disk's, and against the newest file of the journal."""
    if now_s < _LONG_AGO_S:
        next = "set the clock: ids sort by it"
        return Line(what="clock", state="bad", said="it shows a year before 2025", next=next)
    if newest_s is not None and newest_s > now_s + _SKEW_S:
        said = f"the journal is {newest_s - now_s:.0f} s ahead of it"
        next = "run a time service: acceptance windows and reports read the clock"
        return Line(what="clock", state="warn", said=said, next=next)
    if disk_s is not None and abs(disk_s - now_s) > _SKEW_S:
        said = f"the disk's own clock differs by {abs(disk_s - now_s):.0f} s"
        next = "run a time service on the file server"
        return Line(what="clock", state="warn", said=said, next=next)
    return Line(what="clock", state="ok", said="agrees with the disk and the journal")


def port_line(host: str, port: int, *, answers: str | None, why: str | None) -> Line:
    """Whether the gateway can listen.

    Args: answers is the title of what listens there, None where nothing does; why is the
        system's own reason where it cannot be bound for another cause.
    """
    said = f"{host}:{port}"
    if answers == "Pointsman":
        return Line(what="port", state="ok", said=f"{said}: a gateway of ours serves there")
    if answers is not None:
        next = "another server.port, or `pointsman serve --port 0`"
        return Line(what="port", state="bad", said=f"{said} is taken by {answers}", next=next)
    if why is not None:
        return Line(what="port", state="bad", said=f"{said}: {why}", next="another server.port")
    return Line(what="port", state="ok", said=f"{said} is free")
