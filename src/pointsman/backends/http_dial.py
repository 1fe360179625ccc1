"""A socket to an upstream: its name resolved, its addresses tried in order, its proxy asked."""

import asyncio
import ipaddress
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from pointsman.backends.http_proxy import Proxy


class Address(NamedTuple):
    """One address of a name, as sockets take it."""

    family: int
    sockaddr: tuple[Any, ...]

    @property
    def host(self) -> str:
        """The numeric address alone."""
        return str(self.sockaddr[0])


Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class DialError(Exception):
    """No socket: why, in words."""


async def resolve(host: str, port: int) -> Sequence[Address]:
    """What the system says a name means. Raises: OSError where it says nothing."""
    literal = literal_address(host, port)
    if literal is not None:
        return [literal]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [Address(family, sockaddr) for family, _, _, _, sockaddr in found]


def literal_address(host: str, port: int) -> Address | None:
    """The address that a host is, or None for a name (or a scope, which the system must find)."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    if version == 4:
        return Address(socket.AF_INET, (host, port))
    return None if "%" in host else Address(socket.AF_INET6, (host, port, 0, 0))


async def connect(
    addresses: Sequence[Address], *, delay_s: float = 0.25
) -> tuple[socket.socket, str]:
    """A socket to the first of the addresses that answers, and which it was.

    Args: delay_s, after which the next is tried beside those under way, or at once when one fails;
    families take turns, and no more than eight are tried (RFC 8305).
    Raises: DialError with every reason; unbounded in time.
    """
    if len(addresses) == 1:
        try:
            return await _connect(addresses[0]), addresses[0].host
        except TimeoutError:
            raise
        except OSError as error:
            raise DialError(_said(error)) from error
    left = deque(_in_turns(addresses)[:_MAX_TRIED])
    trying: dict[asyncio.Task[socket.socket], Address] = {}
    failed: dict[str, str] = {}
    try:
        while left or trying:
            if left:
                address = left.popleft()
                trying[asyncio.ensure_future(_connect(address))] = address
            done, _ = await asyncio.wait(
                trying, timeout=delay_s if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                host = trying.pop(task).host
                try:
                    return task.result(), host
                except OSError as error:
                    failed[host] = _said(error)
    finally:
        for task in trying:
            task.cancel()
            task.add_done_callback(_close_result)
    raise DialError("; ".join(f"{host}: {why}" for host, why in failed.items()) or "no address")


async def tunnel(raw: socket.socket, proxy: Proxy, authority: str) -> None:
    """Have the proxy pass on what follows to `host:port`. Raises: DialError; OSError."""
    loop = asyncio.get_running_loop()
    head = f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n".encode()
    if proxy.authorization is not None:
        head += b"proxy-authorization: " + proxy.authorization + b"\r\n"
    await loop.sock_sendall(raw, head + b"\r\n")
    said = b""
    while b"\r\n\r\n" not in said:
        data = await loop.sock_recv(raw, 4096)
        said += data
        if not data or len(said) > _MAX_HEAD_BYTES:
            raise DialError("it answered CONNECT with no HTTP")
    version, _, rest = said.partition(b" ")
    status = rest[:3].decode("latin-1")
    if not version.startswith(b"HTTP/1.") or not status.isdecimal():
        raise DialError("it answered CONNECT with no HTTP")
    if status == "407":
        given = "not the right" if proxy.authorization is not None else "no"
        raise DialError(f"it wants to know who asks (407), and was given {given} credentials")
    if not status.startswith("2"):
        raise DialError(f"it refuses to connect to {authority}: {status}")
    if not said.endswith(b"\r\n\r\n"):
        raise DialError("it spoke inside the tunnel before the upstream could")


async def _connect(address: Address) -> socket.socket:
    raw = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, address.sockaddr)
    except BaseException:
        raw.close()
        raise
    return raw


def _in_turns(addresses: Sequence[Address]) -> list[Address]:
    """The order given, with the families taking turns, the first one's first."""
    first = [each for each in addresses if each.family == addresses[0].family]
    others = [each for each in addresses if each.family != addresses[0].family]
    return [each for each in chain(*zip_longest(first, others)) if each is not None]


def _close_result(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _said(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:  # the loop's own words repeat the address
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__


_MAX_TRIED = 8
_MAX_HEAD_BYTES = 16 * 1024
