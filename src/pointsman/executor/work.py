"""What is done to each item, what comes of it, what bounds a map; starts no process."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST_WORKERS = 256
MOST_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What came of one item: a value, or why there is none. Every item has exactly one."""

    index: int  # of the item, in the order they were given
    key: Hashable
    value: R | None = None
    error: str | None = None  # its own exception, or that its worker died too often
    attempts: int = 1  # workers it was given to; 0 where the value was known before

    @property
    def done(self) -> bool:
        """Whether there is a value."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Args: `workers` at once; `attempts` is how many workers may die of one item; `timeout_s` is
    what one item may take, after which its worker is killed and that counts as a death.

    Raises: ValueError for what no map can keep.
    """

    workers: int
    attempts: int = 3
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= MOST_WORKERS:
            raise ValueError(f"workers must lie in [1, {MOST_WORKERS}], got {self.workers}")
        if not 1 <= self.attempts <= MOST_ATTEMPTS:
            raise ValueError(f"attempts must lie in [1, {MOST_ATTEMPTS}], got {self.attempts}")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ValueError(f"an item may take more than 0 s, got {self.timeout_s}")


@dataclass(slots=True)
class Job(Generic[T]):
    """An item on its way."""

    index: int
    key: Hashable
    item: T
    attempts: int = 0
    payload: bytes = b""  # with its function, as a worker gets it


class Source(Generic[T, R]):
    """Items in order, drawn when there is room; one of each key is done, others share its outcome.

    What is in `known` is not done again: so a map that was stopped goes on where it was. Where
    items have keys, the outcome of each key is kept until the end of the map.
    """

    def __init__(
        self,
        items: Iterable[T],
        key: Callable[[T], Hashable] | None,
        known: Callable[[Hashable], R | None] | None,
    ) -> None:
        self._items = enumerate(items)
        self._key, self._known = key, known
        self._waiting: dict[Hashable, list[int]] = {}  # others of a key that is being done
        self._made: dict[Hashable, Outcome[R]] = {}
        self.ended = False

    def next(self) -> Job[T] | Outcome[R] | None:
        """An item to do, the outcome of one that needs no doing, or None: nothing for now."""
        for index, item in self._items:
            if self._key is None:
                return Job(index, index, item)
            key = self._key(item)
            if key in self._made:
                return _shared(self._made[key], index)
            if key in self._waiting:
                self._waiting[key].append(index)
                continue
            value = self._known(key) if self._known is not None else None
            if value is not None:
                return Outcome(index, key, value, attempts=0)
            self._waiting[key] = []
            return Job(index, key, item)
        self.ended = True
        return None

    def finished(self, outcome: Outcome[R]) -> Iterator[Outcome[R]]:
        """This outcome, and those of the items that have its key."""
        yield outcome
        if self._key is not None:
            self._made[outcome.key] = outcome
            for index in self._waiting.pop(outcome.key, ()):
                yield _shared(outcome, index)


def _shared(outcome: Outcome[R], index: int) -> Outcome[R]:
    return Outcome(index, outcome.key, outcome.value, outcome.error, attempts=0)


def died(job: Job[Any], why: str) -> Outcome[Any]:
    """The outcome of an item that no worker survived."""
    times = "once" if job.attempts == 1 else f"{job.attempts} times"
    return Outcome(job.index, job.key, error=f"{why}, {times}", attempts=job.attempts)
