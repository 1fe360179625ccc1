"""Text in pictures, through a port: tesseract where it is installed, `unjudged` where it is not."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import Protocol

import msgspec

from pointsman.evidence.images.fitting import Corners

_TIMEOUT_S = 60.0
_MEMORY_BYTES = 2 << 30
_MOST_BYTES = 16 << 20
_LEAST_SURE = 30.0  # of tesseract's 100


class OcrWord(msgspec.Struct, frozen=True):
    """A word, where it stands in the picture's pixels, and how sure it is, from 0 to 1."""

    text: str
    box: Corners
    confidence: float


class OcrRead(msgspec.Struct, frozen=True):
    """What was read; `unjudged` says why nothing could be looked at, and then words say nothing."""

    words: tuple[OcrWord, ...] = ()
    unjudged: str = ""

    @property
    def text(self) -> str:
        """The words, in their order."""
        return " ".join(word.text for word in self.words)

    @property
    def text_px(self) -> float | None:
        """How high the smallest tenth of its words is, for `fitting.fit`; None without words."""
        heights = sorted(word.box[3] - word.box[1] for word in self.words)
        return heights[len(heights) // 10] if heights else None


class Ocr(Protocol):
    """Whatever reads a PNG or JPEG."""

    def read(self, picture: bytes) -> OcrRead:
        """The words of a picture that `preparing` has cleaned."""
        ...


class Tesseract:
    """Debian's tesseract as a child with bounds of time and memory."""

    def __init__(self, languages: str = "eng", *, program: str = "tesseract") -> None:
        self._languages = languages
        self._program = shutil.which(program)

    def read(self, picture: bytes) -> OcrRead:
        """The words; unjudged where tesseract is absent, fails or takes too long."""
        if self._program is None:
            return OcrRead(unjudged="tesseract is not installed: apt install tesseract-ocr")
        process = subprocess.Popen(  # noqa: S603  # a program found on the path, with our arguments
            [self._program, "stdin", "stdout", "-l", self._languages, "--psm", "11", "tsv"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "OMP_THREAD_LIMIT": "1"},
            start_new_session=True,
        )  # fmt: skip
        _bound(process.pid)
        try:
            out, _ = process.communicate(picture, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return OcrRead(unjudged=f"tesseract took more than {_TIMEOUT_S:g} s")
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode != 0:
            return OcrRead(unjudged=f"tesseract ended with {process.returncode}")
        return OcrRead(words=_words(out[:_MOST_BYTES].decode("utf-8", "replace")))


def _bound(pid: int) -> None:
    import resource

    if hasattr(resource, "prlimit"):
        with suppress(OSError, ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


def _words(tsv: str) -> tuple[OcrWord, ...]:
    found = []
    for line in tsv.splitlines()[1:]:
        fields = line.split("\t")
        if len(fields) != 12 or not fields[11].strip():
            continue
        left, top, width, height = (float(field) for field in fields[6:10])
        sure = float(fields[10])
        if sure >= _LEAST_SURE:
            box = (left, top, left + width, top + height)
            found.append(OcrWord(fields[11].strip(), box, round(min(sure, 100.0) / 100, 3)))
    return tuple(found)
