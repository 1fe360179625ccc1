"""Bodies that a server holds at once are bounded: the newest is turned away, the others go on."""

import asyncio

from tests.wire.wirekit import run, serving, until

KB = 1024


def post(size: int, *, whole: bool = True, chunked: bool = False) -> bytes:
    body = b"x" * size
    if chunked:
        end = b"0\r\n\r\n" if whole else b""
        framed = b"%x\r\n" % size + body + b"\r\n" + end
        return b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + framed
    head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % size
    return head + (body if whole else body[:-1])


class Holding:
    """A handler that answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.seen = 0

    async def __call__(self, exchange) -> None:
        self.seen += 1
        await self.go.wait()
        exchange.respond(200, (), b"%d" % len(exchange.body))


def test_a_body_that_would_not_fit_beside_the_others_is_refused_at_its_head():
    async def main():
        handler = Holding()
        async with serving(handler, max_buffered_bytes=100 * KB) as served:
            held = await served.connect()
            await held.send(post(60 * KB))
            await until(lambda: handler.seen == 1)
            assert served.server.buffered == 60 * KB
            head_only = post(60 * KB)[:80]  # not a byte of the body is waited for
            answer = await served.talk(head_only)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 1\r\n" in answer
            assert b"overloaded" in answer
            small = await served.connect()
            await small.send(post(30 * KB))
            await until(lambda: handler.seen == 2)
            handler.go.set()
            assert b"61440" in await held.until(b"61440")
            await small.until(b"30720")
            assert served.server.buffered == 0
            assert served.server.shed == 1
            await held.send(post(60 * KB))  # the connection is good for more, and there is room
            await held.until(b"61440")
            for client in (held, small):
                client.close()

    run(main())


def test_a_body_of_untold_length_is_cut_off_where_the_bound_is():
    async def main():
        handler = Holding()
        async with serving(handler, max_buffered_bytes=100 * KB) as served:
            held = await served.connect()
            await held.send(post(60 * KB))
            await until(lambda: handler.seen == 1)
            answer = await served.talk(post(60 * KB, chunked=True))
            assert answer.startswith(b"HTTP/1.1 503 ")
            await until(lambda: served.server.buffered == 60 * KB)
            held.close()
            await until(lambda: served.server.buffered == 0)

    run(main())


def test_whoever_leaves_in_the_middle_of_a_body_leaves_nothing_behind():
    async def main():
        handler = Holding()
        handler.go.set()
        async with serving(handler, max_buffered_bytes=100 * KB) as served:
            clients = [await served.connect() for _ in range(4)]
            for client in clients:
                await client.send(post(20 * KB, whole=False))
            await until(lambda: served.server.buffered > 70 * KB)
            for client in clients:
                client.close()
            await until(lambda: served.server.buffered == 0)
            assert (await served.talk(post(90 * KB), half_close=True)).startswith(b"HTTP/1.1 200")
            await until(lambda: served.server.buffered == 0)

    run(main())


def test_a_flood_holds_no_more_than_the_bound_and_each_is_answered():
    async def main():
        handler, most = Holding(), 0
        async with serving(handler, max_buffered_bytes=256 * KB) as served:
            tasks = [asyncio.ensure_future(served.talk(post(64 * KB))) for _ in range(32)]
            while served.server.shed < 28:
                most = max(most, served.server.buffered)
                await asyncio.sleep(0.001)
            handler.go.set()
            await until(lambda: served.server.buffered == 0)
            answered = [task for task in tasks if task.done()]
            assert len(answered) == 28
            assert all(task.result().startswith(b"HTTP/1.1 503 ") for task in answered)
            assert most <= 256 * KB
            assert handler.seen == 4
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(main())
