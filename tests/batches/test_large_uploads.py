"""Uploads larger than the door's bodies: put aside on the disk, for whoever may come in."""

import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman.testing import ScriptedUpstream
from tests.batches.batch_kit import BOUNDARY, FORM, a_key, as_key, batch_config, form, upload
from tests.support.gateway import RunningGateway, a_deployment

MB = 1024 * 1024


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with ScriptedUpstream() as upstream:
        config = batch_config(
            tmp_path_factory.mktemp("large"),
            [a_deployment("only", upstream.base_url)],
            [a_key("ada", "acme")],
            max_file_bytes=40 * MB,
        )
        with RunningGateway(config) as running:
            yield running


def left(gateway: RunningGateway) -> set[str]:
    """What lies in the folder of files; nothing of it is on its way."""
    folder = Path(gateway.config.batches_path)
    names = set(os.listdir(folder)) if folder.exists() else set()
    assert not any(name.startswith(("new-", "tmp")) for name in names)
    return names


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_larger_than_any_body_at_the_door_comes_back_whole(gateway, chunked):
    content = os.urandom(1024) * (36 * 1024)
    body = form(content)
    assert len(body) > 32 * MB  # what the door holds in memory
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    pieces = [body[at : at + 500_000] for at in range(0, len(body), 500_000)]
    connection.request(
        "POST", "/v1/files", iter(pieces) if chunked else body,
        {"content-type": FORM, **as_key("ada")}, encode_chunked=chunked,
    )  # fmt: skip
    answer = connection.getresponse()
    made = answer.read()
    assert answer.status == 200, made
    # the connection goes on: another upload, and another request, on the same one
    for size in (10, 3 * MB):
        connection.request(
            "POST", "/files", form(b"x" * size), {"content-type": FORM, **as_key("ada")}
        )
        assert connection.getresponse().read().startswith(b'{"id":"file-')
    connection.request("GET", "/v1/models", headers=as_key("ada"))
    assert connection.getresponse().status == 200
    connection.close()
    file = made.decode().partition('"id":"')[2].partition('"')[0]
    got = gateway.request("GET", f"/v1/files/{file}/content", headers=as_key("ada"))
    assert got.body == content
    left(gateway)


@pytest.mark.parametrize("chunked", [False, True])
def test_what_is_over_the_bound_of_files_is_cut_off(gateway, chunked):
    before = left(gateway)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as client:
        length = "transfer-encoding: chunked" if chunked else f"content-length: {99 * MB}"
        head = f"POST /v1/files HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ada\r\n{length}\r\n"
        client.sendall(f"{head}content-type: {FORM}\r\n\r\n".encode())
        try:
            for _ in range(99 if chunked else 0):
                client.sendall(b"%x\r\n%b\r\n" % (MB, b"x" * MB))
        except OSError:
            pass  # it has heard enough
        got = client.recv(65536)
    assert got.startswith(b"HTTP/1.1 413 "), got
    assert b"request_too_large" in got
    assert left(gateway) == before


@pytest.mark.parametrize("key", [None, "mallory"])
def test_nothing_is_put_aside_for_a_stranger(gateway, key):
    big = upload(gateway, b"x", key=key)
    assert big.status == 401
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as client:
        told = f"authorization: Bearer {key}\r\n" if key else ""
        head = f"POST /v1/files HTTP/1.1\r\nhost: h\r\n{told}content-length: {33 * MB}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_clients_that_hang_up_half_way_leave_nothing_and_take_no_place(gateway):
    before = left(gateway)
    for _ in range(20):  # more than may be coming in at once
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as client:
            head = "POST /v1/files HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ada\r\n"
            client.sendall(f"{head}content-length: {9 * MB}\r\n\r\n--{BOUNDARY}".encode())
            client.sendall(b"x" * 100_000)
    deadline = time.monotonic() + 30
    while upload(gateway, b"x" * MB, key="ada").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(left(gateway) - before) == 1


def invited(gateway: RunningGateway) -> socket.socket | None:
    """A client that was told to send its upload, and does not; None where it was turned away."""
    client = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
    head = "POST /v1/files HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ada\r\n"
    client.sendall(f"{head}expect: 100-continue\r\ncontent-length: {9 * MB}\r\n\r\n".encode())
    if client.recv(100).startswith(b"HTTP/1.1 100 "):
        return client
    client.close()
    return None


def test_uploads_that_come_in_at_once_are_bounded(gateway):
    held: list[socket.socket] = []
    deadline = time.monotonic() + 30
    try:
        while len(held) < 8:  # those of clients that hung up before may just be going
            client = invited(gateway)
            if client is not None:
                held.append(client)
            assert time.monotonic() < deadline
        answer = upload(gateway, b"x", key="ada")
        assert (answer.status, answer.json["error"]["code"]) == (503, "overloaded")
        assert gateway.request("GET", "/v1/models", headers=as_key("ada")).status == 200
    finally:
        for client in held:
            client.close()
    while upload(gateway, b"x", key="ada").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_many_uploads_side_by_side_each_keep_their_own_bytes(gateway):
    found: dict[int, bytes] = {}

    def one(number: int) -> None:
        content = bytes([number]) * (2 * MB + number)
        made = upload(gateway, content, key="ada").json["id"]
        path = f"/v1/files/{made}/content"
        found[number] = gateway.request("GET", path, headers=as_key("ada")).body

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {number: bytes([number]) * (2 * MB + number) for number in range(6)}
