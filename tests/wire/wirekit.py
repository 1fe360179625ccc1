"""Helpers of the wire tests: a loop per test, a raw client, a server around a handler."""

import asyncio
import contextlib
import itertools
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from pointsman.gateway.http_server import Exchange, HttpLimits, HttpServer

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def run(main: Coroutine[Any, Any, Any], *, loop: str = "uvloop", within_s: float = 20.0) -> Any:
    """Run a test's coroutine; a hang is a failure. Tasks left over are one too."""

    async def bounded() -> Any:
        async with asyncio.timeout(within_s):
            result = await main
        for _ in range(50):
            left = asyncio.all_tasks() - {asyncio.current_task()}
            if not left:
                break
            await asyncio.sleep(0.01)
        assert not left, left
        return result

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(bounded())


async def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.001)


Answering = Callable[[Exchange], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(handler: Answering, **limits: Any) -> AsyncIterator["Served"]:
    server = HttpServer(handler, limits=HttpLimits(**limits))
    ((host, port),) = await server.start("127.0.0.1", 0)
    try:
        yield Served(server, host, port)
    finally:
        await server.drain(1.0)
        assert server.connections == 0
        assert server.in_flight == 0


class Served:
    def __init__(self, server: HttpServer, host: str, port: int) -> None:
        self.server, self.host, self.port = server, host, port

    async def connect(self, receive_buffer: int | None = None) -> "Client":
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, (self.host, self.port))
        return Client(raw)

    async def talk(self, *pieces: bytes, half_close: bool = False) -> bytes:
        """Everything the server says to these bytes, up to its closing."""
        client = await self.connect()
        with contextlib.suppress(OSError):
            for piece in pieces:
                await client.send(piece)
            if half_close:
                client.half_close()
        answer = await client.rest()
        client.close()
        return answer


class Client:
    """A raw socket: sends exactly what it is told, reads what is there."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.raw, data)

    async def receive(self, size: int = 65536) -> bytes:
        return await self._loop.sock_recv(self.raw, size)

    async def until(self, mark: bytes) -> bytes:
        """What arrives up to the mark, and maybe beyond."""
        seen, looked = bytearray(), 0
        while seen.find(mark, looked) < 0:
            looked = max(0, len(seen) - len(mark))
            data = await self.receive()
            assert data, f"closed before {mark!r}: {bytes(seen)!r}"
            seen += data
        return bytes(seen)

    async def rest(self) -> bytes:
        """What arrives until the end; a reset is an end marked as such."""
        seen = bytearray()
        try:
            while data := await self.receive():
                seen += data
        except ConnectionResetError:
            seen += b"<RESET>"
        return bytes(seen)

    def half_close(self) -> None:
        self.raw.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.raw.close()


def get(path: str = "/", *lines: str, version: str = "1.1") -> bytes:
    head = [f"GET {path} HTTP/{version}", "Host: a", *lines, "", ""]
    return "\r\n".join(head).encode()


def post(path: str, body: bytes, *lines: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def post_chunked(path: str, *chunks: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + body + b"0\r\n\r\n"


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data split at the given places (taken modulo its length)."""
    at = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise(at)]


def self_signed(context: ssl.SSLContext, folder: Path) -> Path:
    """Give the context a certificate for localhost, valid for a day; its file."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    context.load_cert_chain(certificate, key)
    return certificate
