"""Which run of each suite later ones are held against."""

from pathlib import Path

import msgspec

from pointsman.domain.errors import NotFound, PointsmanError
from pointsman.evaluating.writing import replace_file

_NAME = "baselines.json"


def baseline_of(root: Path, suite: str) -> str:
    """The id of the run that is the suite's baseline. Raises: NotFound where none is marked."""
    found = marked_baselines(root).get(suite)
    if found is None:
        raise NotFound(
            f"no run of {suite} is marked as its baseline",
            next="mark one: pointsman eval baseline RUN; or name one: --against RUN",
        )
    return found


def mark_baseline(root: Path, suite: str, run: str) -> str | None:
    """From now on this run is the suite's baseline; the one before, if there was one."""
    marked = marked_baselines(root)
    before = marked.get(suite)
    replace_file(root / _NAME, msgspec.json.format(msgspec.json.encode({**marked, suite: run})))
    return before


def marked_baselines(root: Path) -> dict[str, str]:
    """The baseline of each suite that has one."""
    path = root / _NAME
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except msgspec.DecodeError as error:
        raise PointsmanError(f"{path} cannot be read", why=str(error), next="delete it") from None
