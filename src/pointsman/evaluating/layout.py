"""Where the files of runs lie; opens nothing but directories."""

import re
from dataclasses import dataclass
from pathlib import Path

RUN_ID = re.compile(r"run_[0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of one run."""

    folder: Path

    @property
    def head(self) -> Path:
        """The run as it began, with the cases beside it."""
        return self.folder / "run.json"

    @property
    def cases(self) -> Path:
        return self.folder / "cases.jsonl"

    @property
    def samples(self) -> Path:
        return self.folder / "samples.jsonl"

    @property
    def seal(self) -> Path:
        """Written last; from then on nothing of the run changes."""
        return self.folder / "sealed.json"
