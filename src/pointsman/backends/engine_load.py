"""How busy an engine says it is, read from its Prometheus text; pure."""

import math

import msgspec

from pointsman.backends.dialects import LoadNames

_MOST_BYTES = 4 * 1024 * 1024  # of a text; engines with histograms write a few hundred kB


class EngineLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine told of itself; a figure it did not tell is None."""

    running: int | None = None
    waiting: int | None = None
    cache: float | None = None  # the part of the KV cache in use, 0 to 1

    @property
    def known(self) -> bool:
        """True where it told anything at all."""
        return (self.running, self.waiting, self.cache) != (None, None, None)


def read_load(names: LoadNames, text: bytes) -> EngineLoad:
    """The load in the answer of an engine's `/metrics`.

    Requests are summed over series (an engine with several ranks has one each); of caches the
    fullest counts. Lines that are no sample, and values that are no number, are passed over.
    """
    wanted = {name.encode() for name in (names.running, names.waiting, names.cache) if name}
    found: dict[bytes, list[float]] = {}
    for line in text[:_MOST_BYTES].split(b"\n"):
        end = min((at for at in (line.find(b"{"), line.find(b" ")) if at > 0), default=0)
        if line[:end] not in wanted:
            continue
        value = _value(line[end:])
        if value is not None:
            found.setdefault(line[:end], []).append(value)
    cache = found.get(names.cache.encode()) if names.cache else None
    return EngineLoad(
        running=_sum(found.get(names.running.encode())),
        waiting=_sum(found.get(names.waiting.encode())),
        cache=min(max(cache), 1.0) if cache else None,
    )


def _value(rest: bytes) -> float | None:
    """The number after a sample's labels; a time may follow it."""
    _, _, after = rest.rpartition(b"}")
    words = after.split()
    try:
        value = float(words[0]) if words else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _sum(values: list[float] | None) -> int | None:
    return None if values is None else round(sum(values))
