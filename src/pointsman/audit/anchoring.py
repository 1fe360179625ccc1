"""Putting checkpoints out of reach: a file on another machine's disk, or a git remote.

Whoever can rewrite this machine cannot rewrite what lies there; that is the whole point of them.
"""

import os
import subprocess
from pathlib import Path

from pointsman.audit.notes import Checkpoint
from pointsman.domain.errors import PointsmanError
from pointsman.domain.task import AnchorSettings
from pointsman.journal.disk import flush

_GIT_S = 60.0
_FILE = "checkpoints.txt"
# Nothing of the machine's own git settings, hooks or prompts takes part.
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "pointsman",
    "GIT_AUTHOR_EMAIL": "audit@pointsman.invalid",
    "GIT_COMMITTER_NAME": "pointsman",
    "GIT_COMMITTER_EMAIL": "audit@pointsman.invalid",
}


class AnchorFailed(PointsmanError):
    """A checkpoint could not be put where it is to be kept."""

    code = "anchor_failed"
    exit_code = 1


def anchor(checkpoint: Checkpoint, settings: AnchorSettings, *, work: Path) -> None:
    """Add a checkpoint to one anchor.

    Args: work is a directory of ours in which a clone of the remote is kept.
    Raises: AnchorFailed; the checkpoint is kept here all the same.
    """
    if settings.file is not None:
        _to_file(checkpoint, Path(settings.file))
    else:
        assert settings.git is not None, "an anchor has a file or a git remote"
        _to_git(checkpoint, settings.git, settings.branch, work)


def _to_file(checkpoint: Checkpoint, path: Path) -> None:
    """Appended and flushed; the folder is not made: a disk that is not mounted is no anchor."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            data = memoryview((checkpoint.text + "\n").encode())
            while data:
                data = data[os.write(fd, data) :]
            flush(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise AnchorFailed(
            f"A checkpoint could not be added to {path}",
            why=str(error),
            next="see that the disk is mounted and writable",
        ) from error


def _to_git(checkpoint: Checkpoint, remote: str, branch: str, work: Path) -> None:
    """One commit on the branch of the remote, by an ordinary push: never a forced one."""
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (work / ".git").is_dir():
        _git(work, "init", "-q", "-b", branch)
    fetched = _git(work, "fetch", "-q", remote, branch, fails=True)
    if fetched.returncode == 0:
        _git(work, "reset", "-q", "--hard", "FETCH_HEAD")
    elif "couldn't find remote ref" not in fetched.stderr:
        raise _failed(remote, fetched.stderr)
    with (work / _FILE).open("a", encoding="utf-8") as file:
        file.write(checkpoint.text + "\n")
    _git(work, "add", _FILE)
    said = f"{checkpoint.origin}: {checkpoint.size} entries"
    _git(work, "commit", "-q", "-m", said)
    pushed = _git(work, "push", "-q", remote, f"HEAD:refs/heads/{branch}", fails=True)
    if pushed.returncode != 0:
        raise _failed(remote, pushed.stderr)


def _git(work: Path, *arguments: str, fails: bool = False) -> "subprocess.CompletedProcess[str]":
    quiet = ("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false")
    try:
        done = subprocess.run(  # noqa: S603  a list of arguments; the remote is the operator's
            ["git", *quiet, *arguments],  # noqa: S607
            cwd=work,
            env=os.environ | _ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=_GIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed("git", str(error)) from error
    if done.returncode != 0 and not fails:
        raise _failed(arguments[0], done.stderr)
    return done


def _failed(what: str, why: str) -> AnchorFailed:
    return AnchorFailed(
        f"A checkpoint could not be anchored with git ({what})",
        why=why.strip()[-300:] or "git did not say why",
        next="try `git push` to the remote by hand, as the user that runs pointsman",
    )
