"""Files that a command writes for a person: whole or not at all, and never over another."""

import os
from pathlib import Path

from pointsman.domain.errors import UsageError


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raises: UsageError where the file is there and may not be overwritten."""
    if path.exists() and not force:
        raise UsageError(
            f"{path} is there already", next="another --out, or --force to overwrite it"
        )


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Put the text at the path in one move. Raises: UsageError as above; OSError."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with fresh.open("x", encoding="utf-8") as file:
            file.write(text)
        if force:
            fresh.replace(path)
        else:
            os.link(fresh, path)  # fails where another has made it meanwhile
    except FileExistsError:
        refuse_existing(path, force=False)
        raise
    finally:
        fresh.unlink(missing_ok=True)
