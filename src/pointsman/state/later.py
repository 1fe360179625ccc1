"""Subject keys whose database is opened by the first request that needs one, not before."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pointsman.domain.ports import SubjectKey

if TYPE_CHECKING:
    from pointsman.state.opening import State


class LaterSubjectKeys:
    """Implements the port `SubjectKeys`. For threads.

    One process asks it for many; where nobody asks, the database's library is never loaded.
    Args: opened gives the state; it is called once, and again after it raised.
    """

    def __init__(self, opened: "Callable[[], State]") -> None:
        self._opened = opened
        self._state: State | None = None
        self._turn = threading.Lock()

    def key(self, tenant: str, subject: str) -> SubjectKey:
        """As the port says. Raises: StateUnavailable, and what opening raises."""
        return self._open().subject_keys.key(tenant, subject)

    def find(self, ids: Sequence[str]) -> Mapping[str, SubjectKey]:
        """As the port says. Raises: as `key`."""
        return self._open().subject_keys.find(ids)

    def destroy(self, tenant: str, subject: str) -> tuple[str, ...]:
        """As the port says. Raises: as `key`."""
        return self._open().subject_keys.destroy(tenant, subject)

    def close(self) -> None:
        """Close what was opened."""
        with self._turn:
            state, self._state = self._state, None
        if state is not None:
            state.close()

    def _open(self) -> "State":
        with self._turn:
            if self._state is None:
                self._state = self._opened()
            return self._state
