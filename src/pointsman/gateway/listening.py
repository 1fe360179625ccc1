"""The sockets the door listens on: addresses, names, UNIX paths; bound here, served elsewhere."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Sequence

import msgspec

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import Configuration
from pointsman.domain.transport import UNIX

BACKLOG = 2048


def bind(hosts: Sequence[str], port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """Listening sockets of every host, all on one port; port 0 takes one that all have free.

    `::` takes IPv4 as well, unless an IPv4 address is listed beside it. A name listens on every
    address it has here.
    Raises: OSError, with the host in its `filename`; nothing stays bound then.
    """
    for _ in range(_TRIES - 1 if port == 0 and len(hosts) > 1 else 0):
        with contextlib.suppress(OSError):
            return _bind(hosts, port, reuse_port)
    return _bind(hosts, port, reuse_port)


def release(hosts: Sequence[str]) -> None:
    """Remove the UNIX sockets that `bind` made."""
    for host in hosts:
        if host.startswith(UNIX):
            with contextlib.suppress(OSError):
                os.unlink(host.removeprefix(UNIX))


def bind_each(
    hosts: Sequence[str], port: int, *, count: int
) -> tuple[list[list[socket.socket]], list[socket.socket]]:
    """A set of listeners on one port for each of `count` processes, and those that all share.

    The kernel spreads connections over the sets (SO_REUSEPORT). A UNIX socket has no such thing,
    nor has a system without the option: all share it.
    Raises: OSError, also where another process listens there with the same option.
    """
    paths = [host for host in hosts if host.startswith(UNIX)]
    rest = [host for host in hosts if not host.startswith(UNIX)]
    common = bind(paths, 0) if paths else []
    sets: list[list[socket.socket]] = [[] for _ in range(count)]
    if not rest:
        return sets, common
    try:
        # Without the option: so that a port that somebody holds is an error, not shared with them.
        alone = bind(rest, port)
        if count == 1 or not hasattr(socket, "SO_REUSEPORT"):
            return sets, [*common, *alone]
        port = port or alone[0].getsockname()[1]
        for each in alone:
            each.close()
        for own in sets:
            own += bind(rest, port, reuse_port=True)
    except BaseException:
        for each in [*common, *(each for own in sets for each in own)]:
            each.close()
        release(paths)
        raise
    return sets, common


def cannot_listen(error: OSError, hosts: Sequence[str], port: int) -> ConfigurationError:
    """The error in our words."""
    return ConfigurationError(
        f"cannot listen on {error.filename or ', '.join(hosts)} port {port}",
        why=error.strerror or str(error),
        next="another --port (0 takes a free one), or another --host",
    )


def met(config: Configuration, handed: Sequence[socket.socket]) -> Configuration:
    """The configuration with the hosts that sockets handed over listen on, if there are any."""
    if not handed:
        return config
    hosts = tuple(
        str(name[0]) if isinstance(name, tuple) else f"{UNIX}{name!s}"
        for name in (listener.getsockname() for listener in handed)
    )
    server = msgspec.structs.replace(config.server, host=hosts)
    return msgspec.structs.replace(config, server=server)


def addresses(listeners: Sequence[socket.socket]) -> list[tuple[str, int]]:
    """Where they listen; UNIX sockets have port 0."""
    return [_name(each) for each in listeners]


def _name(listener: socket.socket) -> tuple[str, int]:
    name = listener.getsockname()
    if isinstance(name, tuple):
        return name[0], name[1]
    return (name if isinstance(name, str) else "@" + name[1:].decode("utf-8", "replace")), 0


def shown(host: str, port: int, *, secure: bool) -> str:
    """An address as a URL, IPv6 in brackets; a UNIX path as the settings write it."""
    if "/" in host or host.startswith("@"):
        return f"{UNIX}{host}"
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{name}:{port}/v1"


def _bind(hosts: Sequence[str], port: int, reuse_port: bool) -> list[socket.socket]:
    made: list[socket.socket] = []
    try:
        for host in hosts:
            try:
                if host.startswith(UNIX):
                    made.append(_unix(host.removeprefix(UNIX)))
                    continue
                dual = host == "::" and not any(other.count(".") == 3 for other in hosts)
                for listener in _inet(host, port, dual=dual, reuse_port=reuse_port):
                    made.append(listener)
                    port = port or listener.getsockname()[1]
            except OSError as error:
                error.filename = host
                raise
    except BaseException:
        for listener in made:
            listener.close()
        raise
    return made


def _inet(host: str, port: int, *, dual: bool, reuse_port: bool) -> list[socket.socket]:
    """One listener for an address, several for a name; a family that is missing here is left."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[socket.socket] = []
    missing: OSError | None = None
    for family, sockaddr in dict.fromkeys((each[0], each[4]) for each in found):
        try:
            made.append(
                socket.create_server(
                    (sockaddr[0], port, *sockaddr[2:]),
                    family=family,
                    backlog=BACKLOG,
                    reuse_port=reuse_port,
                    dualstack_ipv6=(
                        dual and family == socket.AF_INET6 and socket.has_dualstack_ipv6()
                    ),
                )
            )
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                for listener in made:
                    listener.close()
                raise
            missing = error
        else:
            port = port or made[-1].getsockname()[1]
    if not made and missing is not None:
        raise missing
    return made


def _unix(path: str) -> socket.socket:
    """A listener at a path, for its owner and group; one that nobody listens on is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_left_behind(path):
            os.unlink(path)
        mask = os.umask(0o117)  # before it can be connected to, not after
        try:
            listener.bind(path)
        finally:
            os.umask(mask)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _is_left_behind(path: str) -> bool:
    """Whether a path is a socket whose listener is gone, as after kill -9."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


_TRIES = 8
