"""Answers of earlier runs, found by the key of their content: what was asked is not asked again."""

from pathlib import Path

import msgspec

from pointsman.domain.errors import PointsmanError
from pointsman.domain.evaluations import Subject
from pointsman.evals.sample import Sample
from pointsman.evaluating.store import RunStore

MOST_RUNS = 50  # the latest, that are looked into


class _Key(msgspec.Struct):
    key: str = ""
    status: str = "answered"


_KEY = msgspec.json.Decoder(_Key)
_SAMPLE = msgspec.json.Decoder(Sample)


class Earlier:
    """Where the answers of earlier runs of one subject lie; they are read when they are wanted."""

    def __init__(self, store: RunStore, subject: Subject, *, but: str = "") -> None:
        """Look through the latest runs of the same subject under the same configuration.

        Args: but is a run that is not looked into: the one that asks.
        """
        self._places: dict[str, tuple[Path, int]] = {}
        looked = 0
        for run_id in reversed(store.ids()):
            if looked >= MOST_RUNS:
                break
            try:
                run = store.read(run_id)
            except PointsmanError:
                continue
            if run.id == but or run.subject != subject:
                continue
            looked += 1
            self._look_into(store.files(run.id).samples)

    def __len__(self) -> int:
        return len(self._places)

    def find(self, key: str) -> Sample | None:
        """The answer of that content, without its scores; None where there is none."""
        place = self._places.get(key)
        if place is None:
            return None
        path, start = place
        try:
            with path.open("rb") as file:
                file.seek(start)
                sample = _SAMPLE.decode(file.readline())
        except (OSError, msgspec.DecodeError):
            return None
        return sample if sample.key == key else None

    def _look_into(self, path: Path) -> None:
        start = 0
        try:
            with path.open("rb") as lines:
                for line in lines:
                    if not line.endswith(b"\n"):
                        return
                    found = _KEY.decode(line)
                    if found.key and found.status == "answered":
                        self._places.setdefault(found.key, (path, start))
                    start += len(line)
        except (OSError, msgspec.DecodeError):
            return
