"""Archives that are small and unpack to much: told before anything is unpacked."""

import zipfile
from io import BytesIO

from pointsman.evidence.bounded_child import Refused

_MOST_ENTRIES = 10_000
_MOST_BYTES = 400 << 20  # unpacked, of all entries
_MOST_RATIO = 200  # of an entry that unpacks to more than a megabyte


def check_archive(content: bytes) -> None:
    """Nothing, where an archive may be unpacked.

    Raises: Refused for a bomb, what is encrypted, or what is no whole archive. What an entry says
    of its size is held to by the one who unpacks it, and this process's memory is bounded besides.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise Refused("cannot be read", why=f"its archive is broken: {error}") from error
    if len(entries) > _MOST_ENTRIES:
        raise Refused("unpacks to too much", why=f"{len(entries)} entries")
    if any(entry.flag_bits & 1 for entry in entries):
        raise Refused("is encrypted", next="save it without a password, and try again")
    total = sum(entry.file_size for entry in entries)
    if total > _MOST_BYTES:
        raise Refused("unpacks to too much", why=f"{total >> 20} MB of {len(content) >> 10} kB")
    for entry in entries:
        grown = entry.file_size
        if grown > 1 << 20 and grown > _MOST_RATIO * max(1, entry.compress_size):
            why = f"{entry.filename[:60]} grows to {grown >> 20} MB"
            raise Refused("unpacks to too much", why=why)
