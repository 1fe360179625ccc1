"""A token bucket in exact integers: a minute's worth at most, filled all the time; no clock."""

import msgspec

MINUTE_US = 60_000_000


class Bucket(msgspec.Struct, frozen=True, array_like=True):
    """What is left, in parts of 1/60 000 000: a rate of n a minute adds n of them a microsecond.

    `level` may be below zero: what was used turned out to be more than was taken.
    """

    level: int
    at_us: int


def full(per_minute: int, now_us: int) -> Bucket:
    """A bucket nobody has taken from."""
    return Bucket(per_minute * MINUTE_US, now_us)


def filled(bucket: Bucket, per_minute: int, now_us: int) -> Bucket:
    """The bucket as it is now; it never holds more than a minute's worth.

    A clock that stepped back adds nothing until it has caught up; one that stepped back by more
    than a minute is believed, so that a bucket is not dry for as long as a clock was wrong.
    """
    most = per_minute * MINUTE_US
    passed = now_us - bucket.at_us
    if -MINUTE_US <= passed < 0:
        return bucket if bucket.level <= most else Bucket(most, bucket.at_us)
    return Bucket(min(most, bucket.level + max(0, passed) * per_minute), now_us)


def available(bucket: Bucket) -> int:
    """How many whole ones can be taken; at least 0."""
    return max(0, bucket.level // MINUTE_US)


def took(bucket: Bucket, count: int) -> Bucket:
    """The bucket without so many; with so many more where count is negative."""
    return Bucket(bucket.level - count * MINUTE_US, bucket.at_us)


def wait_us(bucket: Bucket, per_minute: int, count: int) -> int:
    """Microseconds until so many can be taken; more than a minute's worth are never there."""
    missing = min(count, per_minute) * MINUTE_US - bucket.level
    return 0 if missing <= 0 else -(-missing // per_minute)
