"""Detectors by the name that a policy uses; each is made when the first policy asks for it."""

from collections.abc import Callable, Iterator, Mapping

from pointsman.policy.detectors.table import NAMES, detector
from pointsman.policy.finding import Detector


class Registry(Mapping[str, Callable[[], Detector]]):
    """Names to makers: those that come with us, and `more`, which may stand in for one."""

    def __init__(self, more: Mapping[str, Callable[[], Detector]] | None = None) -> None:
        self._more = dict(more or {})
        self._made: dict[str, Detector] = {}

    def __getitem__(self, name: str) -> Callable[[], Detector]:
        if name not in self._more and name not in NAMES:
            raise KeyError(name)
        return lambda: self._detector(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*NAMES, *self._more)))

    def __len__(self) -> int:
        return len({*NAMES, *self._more})

    def _detector(self, name: str) -> Detector:
        if name not in self._made:
            made = self._more[name]() if name in self._more else detector(name)
            self._made[name] = made
        return self._made[name]
