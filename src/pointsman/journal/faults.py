"""A fault in a journal: which file, where, and what is wrong; raised by nobody, reported."""

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """The first thing wrong in a file."""

    file: str  # its name
    offset: int  # bytes in a segment, rows in a sealed file
    reason: str

    def __str__(self) -> str:
        return f"{self.file} at {self.offset}: {self.reason}"
