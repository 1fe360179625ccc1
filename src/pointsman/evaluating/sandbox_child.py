"""Runs inside the sandbox's own process: closes it off, then runs one program under limits.

A program of its own, by `python -I -S`: it imports nothing of Pointsman and reads a JSON order on
its standard input. With `--inside` everything but the limits is closed off already (by bubblewrap).
"""

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import sys
import time
from typing import Any, NoReturn

_NEW = 0x00020000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000
# mounts, users, processes, network, IPC, names
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE, _MS_RELATIME = 32, 4096, 16384, 1 << 18, 1 << 21
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_DEVICES = ("null", "zero", "urandom", "random")
_NOBODY = 65534
_STOPPED = 125  # our own exit status; the report says by what


def main() -> None:
    """Read the order, close off, run, report."""
    order = json.loads(sys.stdin.buffer.readline())
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if "--inside" in sys.argv:
        _inside(libc, order, order["work"])
    else:
        _outside(libc, order)


def _outside(libc: Any, order: dict[str, Any]) -> NoReturn:
    """A process in namespaces of its own; its first child is process 1 there."""
    uid, gid = os.getuid(), os.getgid()
    ready_r, ready_w = os.pipe()
    mapped_r, mapped_w = os.pipe()
    child = os.fork()
    if child == 0:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.close(ready_r)
        os.close(mapped_w)
        _check(libc.unshare(_NEW), "unshare")
        os.write(ready_w, b"x")
        os.read(mapped_r, 1)
        first = os.fork()
        if first == 0:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _mounts(libc, order)
            _inside(libc, order, "/work")
        _, status = os.waitpid(first, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    os.close(ready_w)
    os.close(mapped_r)
    if os.read(ready_r, 1):
        _map(child, uid, gid)
        os.write(mapped_w, b"x")
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _map(child: int, uid: int, gid: int) -> None:
    """Root of the namespace is us; with the right to, user 1 there is nobody here."""
    with open(f"/proc/{child}/setgroups", "w") as file:
        file.write("deny")
    for name, own in (("uid_map", uid), ("gid_map", gid)):
        lines = f"0 {own} 1\n"
        if uid == 0:
            lines += f"1 {_NOBODY} 1\n"
        with open(f"/proc/{child}/{name}", "w") as file:
            file.write(lines)


def _mounts(libc: Any, order: dict[str, Any]) -> None:
    """A root of its own in memory: system folders to read, a small folder to write."""
    _mount(libc, None, "/", None, _MS_REC | _MS_PRIVATE)
    root = order["root"]
    size = f"size={int(order['disk_mb'])}m,mode=755"
    _mount(libc, "tmpfs", root, "tmpfs", _MS_NOSUID | _MS_NODEV, size)
    for path in order["readable"]:
        _bind(libc, path, root + path)
    for name in ("work", "tmp", "proc", "dev", "old"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    os.chmod(f"{root}/tmp", 0o777)  # noqa: S103, S108  # of its own
    for name in _DEVICES:
        with open(f"{root}/dev/{name}", "w"):
            pass
        _mount(libc, f"/dev/{name}", f"{root}/dev/{name}", None, _MS_BIND)
    _mount(libc, "proc", f"{root}/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _check(libc.syscall(_pivot_root(), root.encode(), f"{root}/old".encode()), "pivot_root")
    os.chdir("/")
    _check(libc.umount2(b"/old", _MNT_DETACH), "umount")
    os.rmdir("/old")
    # Both of this namespace alone: no namespace within it; few processes, on Linux 6.14 and later.
    for name, value in (("user/max_user_namespaces", "0"), ("kernel/pid_max", "400")):
        with contextlib.suppress(OSError), open(f"/proc/sys/{name}", "w") as file:
            file.write(value)
    # Who is root of the machine too could else write its settings there, of its core dumps first.
    sealed = _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _mount(libc, None, "/proc", None, sealed)


def _bind(libc: Any, path: str, at: str) -> None:
    if os.path.islink(path):
        os.makedirs(os.path.dirname(at), exist_ok=True)
        os.symlink(os.readlink(path), at)
        return
    os.makedirs(at, exist_ok=True)
    _mount(libc, path, at, None, _MS_BIND | _MS_REC)
    kept = os.statvfs(path).f_flag  # flags that are locked in a namespace must stay
    flags = _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID
    flags |= kept & (os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)
    flags |= _MS_RELATIME if kept & os.ST_RELATIME else 0
    _mount(libc, None, at, None, flags)


def _inside(libc: Any, order: dict[str, Any], work: str) -> NoReturn:
    """Process 1: the files, the program under limits, and a watch over all that it starts."""
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # The program may be the same user: it reads no word out of us, and finds no way to our report.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.makedirs(work, exist_ok=True)
    os.chdir(work)
    for name, text in order["files"].items():
        with open(name, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
    limits = order["limits"]
    program = os.fork()
    if program == 0:
        _program(libc, order, limits, work)
    why = _watch(program, limits)
    with os.fdopen(int(order["report"]), "w") as report:
        report.write(json.dumps(why))
    os._exit(_STOPPED if why["stopped"] else 0)


def _program(libc: Any, order: dict[str, Any], limits: dict[str, float], work: str) -> NoReturn:
    word_r, word_w = os.pipe()
    os.write(word_w, order["word"].encode() + b"\n")
    os.close(word_w)
    os.dup2(word_r, 0)
    os.setsid()
    for fd in range(3, 256):
        with contextlib.suppress(OSError):
            os.close(fd)
    memory = int(limits["memory_mb"]) << 20
    for kind, value in (
        (resource.RLIMIT_CPU, max(1, int(limits["cpu_s"] + 0.999))),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, int(order["disk_mb"]) << 20),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, int(limits["processes"])),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))
    if "--inside" not in sys.argv:
        for capability in range(64):  # root of a namespace has none of them after it executes
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
        try:  # as somebody who owns nothing, where there is such a one
            os.chmod(work, 0o777)  # noqa: S103  # of the sandbox's own
            os.setgid(1)
            os.setuid(1)
        except OSError:
            pass
    environment = {"PATH": "/usr/bin:/bin", "HOME": work, "LANG": "C.UTF-8", "TMPDIR": work,
                   "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    os.execve(order["command"][0], order["command"], environment)  # noqa: S606


def _watch(program: int, limits: dict[str, float]) -> dict[str, Any]:
    """How the program ended; it is stopped where all of it together goes over a limit."""
    by = time.monotonic() + limits["wall_s"]
    pause = 0.002
    while True:
        done, status = os.waitpid(-1, os.WNOHANG)
        if done == program:
            code = os.waitstatus_to_exitcode(status)
            stopped = "cpu" if code in (-signal.SIGXCPU, -signal.SIGKILL) else None
            return {"exit_code": None if stopped else code, "stopped": stopped}
        if done:
            continue  # an orphan
        count, memory = _use()
        over = (
            "time" if time.monotonic() > by
            else "processes" if count > limits["processes"]
            else "memory" if memory > int(limits["memory_mb"]) << 20
            else None
        )  # fmt: skip
        if over:
            _kill_all()
            return {"exit_code": None, "stopped": over}
        time.sleep(pause)
        pause = min(0.02, pause * 1.5)


def _use() -> tuple[int, int]:
    """Processes beside us, and the memory they hold, bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    count = memory = 0
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/statm") as file:
                memory += int(file.read().split()[1]) * page
            count += 1
        except (OSError, IndexError):
            continue
    return count, memory


def _kill_all() -> None:
    for _ in range(20):
        try:
            os.kill(-1, signal.SIGKILL)
        except OSError as error:
            if error.errno == errno.ESRCH:
                return


def _mount(
    libc: Any,
    source: str | None,
    target: str,
    kind: str | None,
    flags: int,
    data: str | None = None,
) -> None:
    def encoded(text: str | None) -> bytes | None:
        return None if text is None else text.encode()

    _check(
        libc.mount(encoded(source), target.encode(), encoded(kind), ctypes.c_ulong(flags),
                   encoded(data)),
        f"mount {target}",
    )  # fmt: skip


def _pivot_root() -> int:
    return {"x86_64": 155, "aarch64": 41, "riscv64": 41}[os.uname().machine]


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        sys.stderr.write(f"sandbox: {what}: {os.strerror(number)}\n")
        sys.stderr.flush()
        os._exit(126)


if __name__ == "__main__":
    main()
