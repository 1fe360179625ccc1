"""The Redis of this machine, and a place in it of a test's own."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

URL = os.environ.get("POINTSMAN_TEST_REDIS") or "redis://127.0.0.1:6379/0"


@contextmanager
def a_place_in_redis(skip_or_fail: Callable[[str, str], None]) -> Iterator[str]:
    """A prefix that nobody else uses; what lies under it is removed at the end."""
    try:
        import redis

        client = redis.Redis.from_url(URL, socket_timeout=2, socket_connect_timeout=2)
        client.ping()
    except Exception as error:
        skip_or_fail("redis", f"no Redis to test with: {error}")
        raise AssertionError("unreachable") from error
    prefix = f"pointsman-test:{os.getpid()}:{secrets.token_hex(4)}:"
    try:
        yield prefix
    finally:
        found = list(client.scan_iter(prefix + "*"))
        if found:
            client.delete(*found)
        client.close()
