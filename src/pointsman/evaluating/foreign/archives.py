"""Files of a zip archive that others wrote: bounded, and with Zstandard where the standard library
has none.
"""

import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pointsman.domain.errors import UsageError

MOST_FILES = 200_000
MOST_BYTES_OF_ONE = 256 << 20
MOST_BYTES = 8 << 30  # unpacked, of one archive
_ZSTANDARD = 93
_KNOWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, _ZSTANDARD)
_LOCAL = struct.Struct("<HH")  # lengths of name and extra field, at 26 of the local header


def unpacked(path: Path, wanted: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file whose name begins with `wanted`, in the archive's order.

    Raises: UsageError for what is no archive, is packed in another way, or would unpack to more
    than is allowed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check(path, entries)
            for entry in entries:
                if not entry.filename.startswith(wanted):
                    continue
                if entry.compress_type == _ZSTANDARD:
                    yield entry.filename, _zstandard(path, entry)
                else:
                    with archive.open(entry) as file:
                        yield entry.filename, _read(file.read(MOST_BYTES_OF_ONE + 1), entry)
    except (zipfile.BadZipFile, EOFError, OSError, struct.error) as error:
        raise UsageError(f"{path} is no archive that can be read", why=str(error)) from error


def _check(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    total = sum(entry.file_size for entry in entries)
    largest = max((entry.file_size for entry in entries), default=0)
    if len(entries) > MOST_FILES or total > MOST_BYTES or largest > MOST_BYTES_OF_ONE:
        raise UsageError(
            f"{path} would unpack to more than is taken",
            why=f"{len(entries)} files, {total} bytes, the largest {largest}",
            next=f"at most {MOST_FILES} files, {MOST_BYTES} bytes, {MOST_BYTES_OF_ONE} in one",
        )
    for entry in entries:
        if entry.compress_type not in _KNOWN or entry.flag_bits & 1:
            raise UsageError(
                f"{path} packs {entry.filename[:80]!r} in a way that is not read here",
                next="convert the log to JSON, and import that",
            )


def _read(data: bytes, entry: zipfile.ZipInfo) -> bytes:
    if len(data) > MOST_BYTES_OF_ONE:
        raise zipfile.BadZipFile(f"{entry.filename} is longer than it says")
    return data


def _zstandard(path: Path, entry: zipfile.ZipInfo) -> bytes:
    """Through DuckDB, which is there anyway and unpacks JSON documents; others are none of ours."""
    import duckdb

    with path.open("rb") as file:
        file.seek(entry.header_offset + 26)
        name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
        file.seek(name + extra, 1)
        packed = file.read(entry.compress_size)
    with tempfile.NamedTemporaryFile(suffix=".json.zst") as scratch:
        scratch.write(packed)
        scratch.flush()
        connection = duckdb.connect(":memory:")
        try:
            row = connection.execute(
                "SELECT json FROM read_json_objects(?, format = 'unstructured', "
                "compression = 'zstd', maximum_object_size = ?)",
                [scratch.name, MOST_BYTES_OF_ONE],
            ).fetchone()
        except duckdb.Error as error:
            raise zipfile.BadZipFile(str(error).splitlines()[0]) from error
        finally:
            connection.close()
    if row is None:
        raise zipfile.BadZipFile(f"{entry.filename} holds no JSON")
    return str(row[0]).encode()
