"""Tells a record that was never finished from one that was changed: only the first may be cut."""

from pathlib import Path

from pointsman.domain.errors import CheckFailed
from pointsman.journal.frames import FRAME, FRAME_BYTES, MAX_RECORD_BYTES, crc_matches
from pointsman.journal.recovery import SegmentReader

_PAYLOAD = b'{"kind":'  # how every record begins


def refuse_damaged(segment: Path) -> None:
    """Do nothing to a segment that is whole or ends in an unfinished record.

    Raises: CheckFailed where whole records lie behind one that does not match: a killed writer
        cannot leave that, and cutting there would lose records that a client was told of.
    """
    with SegmentReader(segment) as reader:
        for _ in reader:
            pass
        stop = reader.stop
    assert stop is not None, "a segment that was read to its end says why it ended"
    if stop.good or stop.kind == "header":
        return
    data = segment.read_bytes()
    if _whole_record_behind(data, stop.offset + 1):
        raise CheckFailed(
            f"{segment.name} is damaged at byte {stop.offset}: records behind it are whole",
            why=f"{stop.kind}: {stop.detail}",
            next="keep the file as it is and restore it from a backup; `pointsman journal verify`",
        )


def _whole_record_behind(data: bytes, start: int) -> bool:
    at = data.find(_PAYLOAD, start + FRAME_BYTES - 1)
    while at >= 0:
        length, crc, _ = FRAME.unpack_from(data, at - FRAME_BYTES)
        end = at + length
        if 0 < length <= MAX_RECORD_BYTES and end <= len(data) and crc_matches(data[at:end], crc):
            return True
        at = data.find(_PAYLOAD, at + 1)
    return False
