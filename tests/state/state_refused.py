"""What every test of a failure expects: a clear error, soon."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pointsman.domain.errors import StateUnavailable
from pointsman.state import State


def put(state: State, name: str = "a") -> None:
    assert state.labels.put(name, "v1", by="ada", revision=0) is not None


@contextmanager
def refused(*words: str, within_s: float = 3) -> Iterator[None]:
    """StateUnavailable with these words in its why or next, soon enough."""
    began = time.monotonic()
    with pytest.raises(StateUnavailable) as caught:
        yield
    assert time.monotonic() - began < within_s
    assert caught.value.http_status == 503
    assert caught.value.next
    for word in words:
        assert word in str(caught.value)
