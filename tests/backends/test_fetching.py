"""Files by URL: fetched from checked addresses within bounds, or refused with a word why."""

import asyncio
import base64

import msgspec
import pytest

from pointsman.backends.fetching import Fetcher, kind_of
from pointsman.backends.http_dial import Address
from pointsman.domain.errors import InvalidRequest
from pointsman.domain.task import MediaSettings
from pointsman.testing import ScriptedUpstream, raw_answer, silence, status_answer

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
OPEN = MediaSettings(plain_http=True, hosts=("pictures.test", "*.cdn.test"), timeout_s=2.0)


def serves(data, *more):
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(data)
    return raw_answer(head + data)


def moved(to):
    return raw_answer(f"HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n".encode())


@pytest.fixture
def server():
    with ScriptedUpstream() as upstream:
        yield upstream


def fetch(url, settings=OPEN, *, to=None, public=False, left=10**9):
    """Every name means the loopback address of `to`, unless addresses are to be checked."""

    async def names(host, port):
        return [Address(2, ("127.0.0.1", port))]

    async def run():
        fetcher = Fetcher(resolve=names, public=public)
        try:
            return await fetcher.fetch(url, settings, place="here", left=left)
        finally:
            await fetcher.close()

    return asyncio.run(run())


def url(server, path="/a.png", host="pictures.test"):
    return f"http://{host}:{server.port}{path}"


def test_a_picture_is_what_it_begins_with(server):
    server.then_read(serves(PNG))
    found = fetch(url(server))
    assert (found.kind, found.data) == ("image/png", PNG)
    asked = server.requests[-1]
    assert asked.headers["host"] == f"pictures.test:{server.port}"
    assert not {"authorization", "cookie", "referer"} & set(asked.headers)


def test_redirects_are_followed_and_each_is_checked(server):
    server.then_read(moved("/b.png"), serves(PNG))
    assert fetch(url(server)).kind == "image/png"
    server.then_read(moved("http://169.254.169.254/latest/meta-data"))
    refused("media.hosts", url(server))
    server.then_read(*[moved("/again")] * 4)
    refused("more than 3 times", url(server))
    server.then_read(moved("file:///etc/passwd"))
    refused("only https and http", url(server))


def test_the_name_that_means_this_network_is_refused_before_a_byte_is_sent(server):
    server.then_read(serves(PNG))
    refused("not a public one", url(server), public=True)
    assert not server.requests


def test_every_bound_holds(server):
    server.then_read(serves(PNG * 100))
    refused("over 1000 bytes", url(server), left=1000)
    server.then_read(silence())
    refused("it took over 0.3 s", url(server), MediaSettings(
        plain_http=True, hosts=("pictures.test",), timeout_s=0.3))  # fmt: skip
    server.then_read(status_answer(404))
    refused("answered 404", url(server))
    server.then_read(serves(b"<html>not a picture</html>"))
    refused("no picture", url(server))


def test_the_wait_for_a_turn_is_part_of_the_time():
    async def names(host, port):
        return [Address(2, ("127.0.0.1", port))]

    async def main():
        async with ScriptedUpstream(default=silence()) as upstream:
            fetcher = Fetcher(resolve=names, public=False)
            slow = msgspec.structs.replace(OPEN, timeout_s=30.0)
            place = {"place": "here", "left": 10**9}
            busy = [
                asyncio.create_task(fetcher.fetch(url(upstream), slow, **place)) for _ in range(16)
            ]
            for at in range(1, 5):  # as many as go to one host at once
                await upstream.request(at)
            short = msgspec.structs.replace(OPEN, timeout_s=0.05)
            with pytest.raises(InvalidRequest) as caught:
                await fetcher.fetch(url(upstream), short, **place)
            assert caught.value.why == "it took over 0.05 s"
            for each in busy:
                each.cancel()
            await asyncio.gather(*busy, return_exceptions=True)
            await fetcher.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("http://pictures.test/a", "only https"),
        ("ftp://pictures.test/a", "only https"),
        ("file:///etc/passwd", "only https"),
        ("//pictures.test/a", "only https"),
        ("https://user:pw@pictures.test/a", "names a user"),
        ("https:///a", "names no host"),
        ("https://pictures.test:8000/a", "usual ports"),
        ("https://[::1/a", "no URL"),
        ("https://pictures.test:99999/a", "no URL"),
        ("https://pictures.test/" + "a" * 9000, "characters"),
        ("https://pictures.test/a\r\nx: y", "URL"),
        ("https://pictures.test/ä", "URL"),
        ("https://127.0.0.1/a", "not a public one"),
        ("https://[::ffff:169.254.169.254]/a", "not a public one"),
        ("https://2130706433/a", ""),
    ],
)
def test_what_may_not_be_fetched(said, why):
    async def run():
        fetcher = Fetcher()
        try:
            await fetcher.fetch(said, MediaSettings(timeout_s=2.0), place="here", left=10**9)
        finally:
            await fetcher.close()

    with pytest.raises(InvalidRequest) as caught:
        asyncio.run(run())
    assert why in caught.value.why
    assert caught.value.param == "here"


def test_hosts_are_names_and_what_lies_below():
    for host, served in (("pictures.test", 1), ("a.cdn.test", 1), ("cdn.test", 0), ("xcdn.test", 0),
                         ("pictures.test.evil.test", 0)):  # fmt: skip
        with pytest.raises(InvalidRequest) as caught:
            fetch(f"http://{host}:1/a")
        assert ("media.hosts" in caught.value.why) == (not served)


def refused(why, said, settings=OPEN, **given):
    with pytest.raises(InvalidRequest) as caught:
        fetch(said, settings, **given)
    assert why in caught.value.why, caught.value.why
    assert caught.value.reported_code == "url_refused"


def test_kinds():
    assert kind_of(b"%PDF-1.7") == "application/pdf"
    assert kind_of(b"RIFF....WEBPVP8 ") == "image/webp"
    assert kind_of(b"") is None
