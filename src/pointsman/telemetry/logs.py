"""How a line of the log looks, as text or as one JSON object; what people wrote is in neither.

An exception's own words are left out: they may quote what was being read. Its class, and the
files and lines it passed, say where to look.
"""

import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO

import msgspec

from pointsman.domain.money import usd
from pointsman.domain.records import Admission, End

Form = Literal["text", "json"]
_MOST_CHARS = 4096  # of a message
_MOST_FRAMES = 40  # the innermost
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # a message never makes a second line
FIELDS = "fields"  # in `extra=`: more members of the JSON object


def configure(form: Form, *, role: str | None = None, level: int | None = None) -> None:
    """Write what is logged to stderr in this form; called again, it takes the place of before.

    Args: role is what this process is among several; level: as it is, unless given.
    """
    handler = _ToStderr(sys.stderr)
    handler.setFormatter(_JsonLines(role) if form == "json" else _TextLines(role))
    root = logging.getLogger()
    for before in [each for each in root.handlers if isinstance(each.formatter, _Lines)]:
        root.removeHandler(before)
    root.addHandler(handler)
    if level is not None:
        root.setLevel(level)


def announce(message: str) -> None:
    """One line of the log whatever its level: that it serves, that it stops."""
    logger = logging.getLogger("pointsman.serve")
    logger.handle(logger.makeRecord(logger.name, logging.INFO, "", 0, message, (), None))


def log_request(logger: logging.Logger, admission: Admission, end: End) -> None:
    """One line of an ended request: names and numbers of ours, nothing that anybody wrote."""
    shown = end.attempts[end.delivered].deployment if end.delivered is not None else None
    fields = {
        "trace": admission.trace,
        "tenant": admission.tenant,
        "surface": admission.surface,
        "task": admission.task,
        "route": admission.decision.route,
        "status": end.status,
        "http_status": end.http_status,
        "deployment": shown,
        "attempts": [
            f"{each.deployment}: {each.failure.kind if each.failure else 'answered'}"
            for each in end.attempts
        ],
        "error_code": end.error,
        "total_ms": end.total_ms,
        "overhead_us": end.overhead_us,
        "cost_usd": usd(end.cost_usd_picos),
    }
    logger.info(
        "%s %s %s in %d ms", admission.trace, end.status, shown or "by none", end.total_ms,
        extra={FIELDS: fields},
    )  # fmt: skip


class _ToStderr(logging.StreamHandler[TextIO]):
    """To what stderr is when a line is written, not what it was when this was configured."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr  # a handler emits under its own lock
        super().emit(record)


class _Lines(logging.Formatter):
    """What both forms share."""

    def __init__(self, role: str | None) -> None:
        super().__init__()
        self._role = role

    def _message(self, record: logging.LogRecord) -> str:
        try:
            said = record.getMessage()
        except Exception:  # a wrong placeholder must not cost the line
            said = str(record.msg)
        if record.name == "asyncio":  # it shows objects below: of those nobody knows what they hold
            said = said.partition("\n")[0]
        if len(said) > _MOST_CHARS:
            said = said[:_MOST_CHARS] + "…"
        return said.encode("utf-8", "replace").decode()

    def _error(self, record: logging.LogRecord) -> tuple[str, list[str]] | None:
        """Class and frames, outermost first, of what was raised."""
        if not record.exc_info or record.exc_info[0] is None:
            return None
        kind, error, at = record.exc_info
        name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        if isinstance(error, OSError) and error.errno is not None:
            name += f" (errno {error.errno})"
        return name, _frames(at)


class _TextLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        role = f" {self._role} {record.process}:" if self._role else ""
        message = _CONTROL.sub(_escaped, self._message(record))
        lines = [f"{_at(record)} {record.levelname}{role} {message}"]
        error = self._error(record)
        if error is not None:
            lines += [f"  {frame}" for frame in error[1]]
            lines.append(f"  {error[0]}")
        return "\n".join(lines)


class _JsonLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": self._message(record),
        }
        if self._role:
            said["role"] = self._role
        fields = getattr(record, FIELDS, None)
        if isinstance(fields, Mapping):
            said |= {name: value for name, value in fields.items() if name not in said}
        error = self._error(record)
        if error is not None:
            said["error"] = {"type": error[0], "frames": error[1]}
        try:
            return msgspec.json.encode(said).decode()
        except (TypeError, ValueError, msgspec.MsgspecError):
            said = {name: str(value) for name, value in said.items() if name != "error"}
            return msgspec.json.encode(said).decode()


def _at(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _frames(at: TracebackType | None) -> list[str]:
    found = [(frame.f_code, line) for frame, line in traceback.walk_tb(at)][-_MOST_FRAMES:]
    return [
        f"{code.co_filename.removeprefix(_PACKAGES)}:{line} in {code.co_name}"
        for code, line in found
    ]


_PACKAGES = str(Path(__file__).absolute().parents[2]) + os.sep


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
