"""Cells in Redis, for gateways on several hosts: compare and set, and every wait is short."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pointsman.domain.errors import ConfigurationError, ExtraMissing, StateUnavailable

PREFIX = "pointsman:cell:"
_TRIES = 40  # others win a race at most so often: each try that fails is one that another won
_SCAN_MOST = 100_000

# A value under its revision: the same bytes may come again, the same revision never does.
_PUT = """
local now = redis.call('HGET', KEYS[1], 'r') or ''
if now ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'r', ARGV[2], 'v', ARGV[3])
redis.call('PEXPIREAT', KEYS[1], ARGV[4])
return 1
"""


class RedisCells:
    """The port `Cells`, for threads. Raises StateUnavailable after `wait_s` at the latest."""

    def __init__(self, url: str, *, wait_s: float = 0.2, prefix: str = PREFIX) -> None:
        """No connection is made yet.

        Raises: ExtraMissing; ConfigurationError for a URL that is none.
        """
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise ExtraMissing(
                "counting in Redis needs its client, which is not installed",
                why=f"no module named {error.name!r}",
                next='pip install "pointsman[redis]", or leave state.counters out',
            ) from None
        self._trouble = redis.RedisError
        self._prefix = prefix
        self.place = _shown(url)
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                socket_timeout=wait_s,
                socket_connect_timeout=wait_s,
                retry=Retry(NoBackoff(), 0),
                health_check_interval=0,
                client_name="pointsman",
            )
        except ValueError as error:
            raise ConfigurationError(
                "state.counters is no URL of a Redis",
                why=str(error)[:200],
                next="write redis://[USER:${NAME}@]HOST[:PORT][/DATABASE], or rediss:// for TLS",
            ) from None
        self._put = self._client.register_script(_PUT)

    def change(self, name: str, change: Callable[[bytes | None], bytes], *, until_us: int) -> bytes:
        """The value after the change; tried again where another came between."""
        key = self._prefix + name
        try:
            for _ in range(_TRIES):
                revision, old = self._client.hmget(key, "r", "v")
                value = change(old)
                if value == old:
                    return value
                after = str(int(revision or 0) + 1)
                until_ms = max(1, until_us // 1000)
                if self._put(keys=[key], args=[revision or b"", after, value, until_ms]):
                    return value
        except (self._trouble, OSError) as error:
            raise self._unavailable(error) from error
        raise StateUnavailable(
            f"the counters in {self.place} changed under {_TRIES} tries in a row",
            next="look how many gateways count there",
        )

    def read(self, prefix: str) -> Mapping[str, bytes]:
        """The cells whose names begin so; Redis is walked, so this is for people."""
        found: dict[str, bytes] = {}
        pattern = self._prefix + _escaped(prefix) + "*"
        try:
            for number, key in enumerate(self._client.scan_iter(pattern, count=1000)):
                if number >= _SCAN_MOST:
                    break
                value = self._client.hget(key, "v")
                if value is not None:
                    found[key.decode().removeprefix(self._prefix)] = value
        except (self._trouble, OSError) as error:
            raise self._unavailable(error) from error
        return found

    def forget(self, *, now_us: int) -> int:
        """Redis does that by itself."""
        return 0

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _unavailable(self, error: BaseException) -> StateUnavailable:
        return StateUnavailable(
            f"the counters in {self.place} cannot be used",
            why=f"Redis does not answer in time, or refuses ({type(error).__name__})",
            next="look whether it runs and state.counters names it",
        )


def _escaped(text: str) -> str:
    return "".join("\\" + each if each in "*?[]^\\" else each for each in text)


def _shown(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
    except ValueError:
        return "redis://"
