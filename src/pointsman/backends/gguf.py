"""What a GGUF file says of itself, and its SHA-256; nothing is loaded."""

import hashlib
import os
import re
import struct
import threading
from collections import OrderedDict
from io import BufferedReader
from pathlib import Path
from typing import Any

from pointsman.domain.identity import Found

_MAGIC = b"GGUF"
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q",
            11: "<q", 12: "<d"}  # fmt: skip
_STRING, _ARRAY = 8, 9
_MOST_ENTRIES = 100_000
_MOST_KEY = 64 * 1024
_MOST_TEXT = 16 * 1024 * 1024  # of a value that is kept; templates are some 10 kB
_MOST_DEPTH = 4  # of arrays in arrays
_MOST_PASSED = 8_000_000  # values passed over one by one; vocabularies have some 300,000
_WANTED = frozenset({"general.file_type", "tokenizer.chat_template"})
# llama.cpp's numbers for how most tensors of a file are stored.
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M",
    30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip
_PART = re.compile(r"(?P<name>.+)-\d{5}-of-(?P<parts>\d{5})\.gguf")
_MOST_PARTS = 1000
_CACHED = 64  # files whose digest is remembered

Stamp = tuple[int, int, int, int]  # device, inode, time of change, size
_digests: OrderedDict[Stamp, str] = OrderedDict()
_lock = threading.Lock()


class BadGguf(Exception):
    """The file is not what it says it is."""


def found_in(path: Path) -> Found:
    """Digest, quantisation and template of a model file, or of all parts of it. Blocks: a file is
    read once; then its digest is remembered as long as inode, size and time of change stay.

    Raises: OSError; BadGguf where it is no GGUF or changes while it is read.
    """
    said = read_header(path)
    kind, template = said.get("general.file_type"), said.get("tokenizer.chat_template")
    return Found(
        weights=path.name,
        weights_sha256=_sha256_of(parts_of(path)),
        quantisation=_FILE_TYPES.get(kind, f"type {kind}") if isinstance(kind, int) else None,
        chat_template_sha256=_hex(template) if isinstance(template, str) else None,
    )


def parts_of(path: Path) -> tuple[Path, ...]:
    """All files of a split model in order; of any other the one."""
    match = _PART.fullmatch(path.name)
    if match is None or not 1 <= int(match["parts"]) <= _MOST_PARTS:
        return (path,)
    count = int(match["parts"])
    return tuple(
        path.with_name(f"{match['name']}-{number:05}-of-{count:05}.gguf")
        for number in range(1, count + 1)
    )


def read_header(path: Path) -> dict[str, Any]:
    """The entries of a file's metadata that say how it is stored and how it is asked.

    Raises: OSError; BadGguf.
    """
    found: dict[str, Any] = {}
    with path.open("rb") as file:
        reader = _Reader(file, os.fstat(file.fileno()).st_size)
        if reader.take(4) != _MAGIC or not 2 <= reader.number("<I") <= 3:
            raise BadGguf("not a GGUF file of version 2 or 3")
        reader.number("<Q")  # tensors
        entries = reader.number("<Q")
        if entries > _MOST_ENTRIES:
            raise BadGguf(f"{entries} entries of metadata")
        for _ in range(entries):
            name = reader.text(_MOST_KEY)
            kind = reader.number("<I")
            if name in _WANTED and kind != _ARRAY:
                found[name] = reader.text(_MOST_TEXT) if kind == _STRING else reader.scalar(kind)
            else:
                reader.skip(kind, 0)
            if len(found) == len(_WANTED):
                break
    return found


class _Reader:
    """Values one after another; whatever a file says, no more is read than it has."""

    def __init__(self, file: BufferedReader, size: int) -> None:
        self._file, self._left = file, size
        self._passed = 0

    def take(self, count: int) -> bytes:
        self._claim(count)
        data = self._file.read(count)
        if len(data) != count:
            raise BadGguf("it ends too early")
        return data

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def scalar(self, kind: int) -> Any:
        form = _SCALARS.get(kind)
        if form is None:
            raise BadGguf(f"a value of kind {kind}")
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, most: int) -> str:
        length = self.number("<Q")
        if length > most:
            raise BadGguf(f"a text of {length} bytes")
        return self.take(length).decode("utf-8", "replace")

    def skip(self, kind: int, depth: int) -> None:
        self._passed += 1
        if self._passed > _MOST_PASSED:
            raise BadGguf("more values than any vocabulary has")
        if kind == _STRING:
            self._pass(self.number("<Q"))
        elif kind != _ARRAY:
            self.scalar(kind)
        elif depth == _MOST_DEPTH:
            raise BadGguf("arrays in arrays in arrays")
        else:
            of, count = self.number("<I"), self.number("<Q")
            if of in _SCALARS:
                self._pass(count * struct.calcsize(_SCALARS[of]))
                return
            if count > self._left // 8:  # an entry has 8 bytes at least
                raise BadGguf("it ends too early")
            for _ in range(count):
                self.skip(of, depth + 1)

    def _pass(self, count: int) -> None:
        self._claim(count)
        self._file.seek(count, os.SEEK_CUR)

    def _claim(self, count: int) -> None:
        if count > self._left:
            raise BadGguf("it ends too early")
        self._left -= count


def _sha256_of(paths: tuple[Path, ...]) -> str:
    if len(paths) == 1:
        with paths[0].open("rb") as file:
            return _remembered(file)
    total = hashlib.sha256()
    for path in paths:  # `cat` of the parts has this digest; too rare to be worth remembering
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                total.update(piece)
    return total.hexdigest()


def _remembered(file: BufferedReader) -> str:
    before = _stamp(file)
    with _lock:
        known = _digests.get(before)
    if known is not None:
        return known
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    if _stamp(file) != before:
        raise BadGguf("it changed while it was read")
    with _lock:
        _digests[before] = digest
        while len(_digests) > _CACHED:
            _digests.popitem(last=False)
    return digest


def stamp_of(path: Path) -> Stamp:
    """What tells whether a file is still the one it was. Raises: OSError."""
    return _stamp_of(path.stat())


def _stamp(file: BufferedReader) -> Stamp:
    return _stamp_of(os.fstat(file.fileno()))


def _stamp_of(said: os.stat_result) -> Stamp:
    return said.st_dev, said.st_ino, max(said.st_mtime_ns, said.st_ctime_ns), said.st_size


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
