"""A seal never cuts where whole records lie behind the damage."""

from pathlib import Path

import pytest
from journal_facts import numbered, segments, write

from pointsman.domain.errors import CheckFailed
from pointsman.journal import seal, verify


def damage(root: Path, at: float) -> None:
    [path] = segments(root)
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("at", [0.2, 0.5, 0.7])
def test_a_seal_refuses_a_segment_that_was_changed_in_the_middle(tmp_path: Path, at: float) -> None:
    write(tmp_path, numbered(40))
    damage(tmp_path, at)
    with pytest.raises(CheckFailed, match="records behind it are whole"):
        seal(tmp_path)
    assert not verify(tmp_path).ok
    assert len(segments(tmp_path)) == 1


def test_a_seal_cuts_a_record_that_its_writer_did_not_finish(tmp_path: Path) -> None:
    write(tmp_path, numbered(40))
    [path] = segments(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    report = seal(tmp_path)
    assert report.cut == (path.name,)
    assert 30 < report.records < 40
    assert verify(tmp_path).ok
