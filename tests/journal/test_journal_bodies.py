"""Bodies: kept, checked, and erased for ever without touching the chain."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_facts import an_admission, flip

from pointsman.domain.errors import CheckFailed
from pointsman.domain.records import BodyRef
from pointsman.journal import JournalReader, JournalWriter, seal, verify
from pointsman.journal.bodies import encode_entry, erase_body, read_content, remove_empty_packs
from pointsman.journal.envelopes import Wrapped
from pointsman.journal.layout import layout


def read_body(root: Path, ref: BodyRef) -> bytes | None:
    content = read_content(layout(root), ref)
    return None if content is None else content.body


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_bodies_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes]
) -> None:
    root = tmp_path_factory.mktemp("bodies")
    with JournalWriter(root, segment_bytes=400) as writer:
        refs = [writer.put_body(body) for body in bodies]
    assert [read_body(root, ref) for ref in refs] == bodies
    assert [ref.size for ref in refs] == [len(body) for body in bodies]


def test_an_erased_body_is_gone_from_the_disk_and_the_chain_stays_whole(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer, JournalReader(tmp_path) as reader:
        kept, secret = writer.put_body(b"keep me"), writer.put_body(b"the secret words" * 99)
        writer.append(an_admission(request=secret))
        assert reader.erase_body(secret)
        assert reader.body(secret) is None
        assert reader.body(kept) == b"keep me"
        later = writer.put_body(b"still open")
        assert reader.body(later) == b"still open"
    for pack in layout(tmp_path).bodies.iterdir():
        assert b"secret" not in pack.read_bytes()
    assert verify(tmp_path).ok


def test_erasing_twice_is_erasing_once(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        ref = writer.put_body(b"body")
    where = layout(tmp_path)
    assert erase_body(where, ref)
    assert not erase_body(where, ref)
    assert read_body(tmp_path, ref) is None


def test_a_body_whose_erasure_was_interrupted_reads_as_erased(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        ref = writer.put_body(b"body")
    assert ref.pack is not None
    flip(layout(tmp_path).bodies / ref.pack, ref.offset + 4)  # the flag, and no zeros yet
    assert read_body(tmp_path, ref) is None
    assert erase_body(layout(tmp_path), ref)
    assert b"body" not in (layout(tmp_path).bodies / ref.pack).read_bytes()


def test_many_are_erased_and_an_empty_pack_gives_its_space_back(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, segment_bytes=500) as writer, JournalReader(tmp_path) as reader:
        refs = [writer.put_body(b"%d" % n * 100) for n in range(10)]
        packs = {ref.pack for ref in refs}
        assert len(packs) > 2
        asyncio.run(writer.durable())  # flushed, so that full packs are let go
        kept = refs.pop(0)
        assert reader.erase_bodies(refs) == len(refs)
        assert set(seal(tmp_path).removed) < packs
        left = {path.name for path in layout(tmp_path).bodies.iterdir()}
        assert left == {kept.pack, max(pack for pack in packs if pack)}
        assert reader.body(kept) == b"0" * 100
        assert [reader.body(ref) for ref in refs] == [None] * len(refs)
        assert reader.erase_bodies(refs) == 0


def test_a_pack_with_a_killed_writers_part_is_removed_once_the_rest_is_erased(
    tmp_path: Path,
) -> None:
    with JournalWriter(tmp_path) as writer:
        ref = writer.put_body(b"body")
    assert ref.pack is not None
    pack = layout(tmp_path).bodies / ref.pack
    pack.write_bytes(
        pack.read_bytes() + encode_entry(Wrapped(b"", b"x" * 50, bytes(32), 0)) + b"x" * 20
    )
    assert remove_empty_packs(layout(tmp_path)) == ()
    assert erase_body(layout(tmp_path), ref)
    assert remove_empty_packs(layout(tmp_path)) == (ref.pack,)


def test_a_digest_without_a_pack_is_a_body_never_kept(tmp_path: Path) -> None:
    ref = BodyRef(digest="0" * 64, size=3)
    assert read_body(tmp_path, ref) is None
    assert not erase_body(layout(tmp_path), ref)


def test_a_damaged_body_is_never_given_out(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        ref = writer.put_body(b"body")
    assert ref.pack is not None
    flip(layout(tmp_path).bodies / ref.pack, ref.offset + 100)
    with pytest.raises(CheckFailed, match="not what its record says"):
        read_body(tmp_path, ref)


@pytest.mark.parametrize("pack", ["../../manifest.json", "/etc/passwd", "x.pack", ""])
def test_a_forged_pack_name_reads_and_erases_nothing(tmp_path: Path, pack: str) -> None:
    ref = BodyRef(digest="0" * 64, size=1, pack=pack)
    assert read_body(tmp_path, ref) is None
    assert not erase_body(layout(tmp_path), ref)


def test_a_ref_with_another_offset_erases_nothing(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        ref = writer.put_body(b"body")
    forged = BodyRef(digest=ref.digest, size=ref.size, pack=ref.pack, offset=ref.offset + 1)
    with pytest.raises(CheckFailed):
        erase_body(layout(tmp_path), forged)
    assert read_body(tmp_path, ref) == b"body"
