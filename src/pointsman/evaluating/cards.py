"""Cards of judges on disk: a file for each time one was calibrated, the latest in force."""

import os
import re
from pathlib import Path

import msgspec

from pointsman.domain.errors import CheckFailed, UsageError
from pointsman.evals.judging.card import Card

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MOST_BYTES = 4 * 1024 * 1024


class JudgeCards:
    """Under a folder of their own, beside the journal.

    Args: root is the folder of the journal.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root) / "judges"

    def save(self, card: Card) -> Path:
        """Keep a card; earlier ones stay. Durable when it returns. Raises: OSError, UsageError."""
        folder = self._folder(card.judge)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{card.made_us:017d}.json"
        new = path.with_suffix(f".{os.getpid()}.new")
        with new.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        return path

    def latest(self, judge: str) -> Card | None:
        """The card in force; None where the judge was never calibrated. Raises: CheckFailed."""
        paths = self._paths(judge)
        return self._read(paths[-1]) if paths else None

    def history(self, judge: str) -> tuple[Card, ...]:
        """Every card of a judge, the oldest first. Raises: CheckFailed."""
        return tuple(self._read(path) for path in self._paths(judge))

    def judges(self) -> tuple[str, ...]:
        """Those that have a card."""
        if not self._root.is_dir():
            return ()
        names = (each.name for each in self._root.iterdir() if _NAME.fullmatch(each.name))
        return tuple(sorted(name for name in names if self._paths(name)))

    def _folder(self, judge: str) -> Path:
        if not _NAME.fullmatch(judge):
            raise UsageError(f"{judge[:100]!r} is no name of a judge")
        return self._root / judge

    def _paths(self, judge: str) -> list[Path]:
        folder = self._folder(judge)
        return sorted(folder.glob("*.json")) if folder.is_dir() else []

    def _read(self, path: Path) -> Card:
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise CheckFailed(f"{path} is no card of a judge", why="it is far too large")
            return msgspec.json.decode(path.read_bytes(), type=Card)
        except msgspec.MsgspecError as error:
            raise CheckFailed(
                f"{path} is no card of a judge",
                why=str(error)[:200],
                next="remove it, or calibrate the judge again",
            ) from None
