"""Erasing a person: nothing of what they said is left, everybody else's is, and the chain holds."""

import os
from pathlib import Path

import msgspec
import pytest
from keeping_kit import DAY_US, FakeKeys, admitted

from pointsman.domain.records import ErasureRecord
from pointsman.journal import (
    Cipher,
    JournalReader,
    JournalWriter,
    iter_records,
    seal,
    verify,
)
from pointsman.journal.layout import layout
from pointsman.keeping.erasure import Eraser, Unfinished


def packed(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in layout(root).bodies.iterdir())


def eraser(root: Path, keys: FakeKeys, reader: JournalReader) -> Eraser:
    return Eraser(root, reader, keys, now_us=lambda: 5)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_what_a_person_said_is_gone_and_everybody_elses_is_not(
    tmp_path: Path, encrypted: bool
) -> None:
    keys, cipher = FakeKeys(), Cipher() if encrypted else None
    with JournalWriter(tmp_path, cipher=cipher) as writer:
        hers = admitted(writer, keys, "tr_1")
        other = admitted(writer, keys, "tr_2", subject="bob", body=b"what bob said")
        namesake = admitted(writer, keys, "tr_3", tenant="other", body=b"another ada")
        nobody = admitted(writer, keys, "tr_4", subject=None, body=b"who knows")
    assert (b"what ada said" in packed(tmp_path)) is not encrypted
    with JournalReader(tmp_path, keys=keys, cipher=cipher) as reader:
        assert reader.body(hers.request) == b"what ada said"
        report = eraser(tmp_path, keys, reader).erase_subject("acme", "ada")
        assert (report.done, report.bodies) == (True, 1)
        assert reader.body(hers.request) is None
        assert reader.content(hers.request) is None
        assert reader.body(other.request) == b"what bob said"
        assert reader.body(namesake.request) == b"another ada"
        assert reader.body(nobody.request) == b"who knows"
    assert b"what ada said" not in packed(tmp_path)
    assert b'"text_chars":412' not in packed(tmp_path)[: hers.request.offset + 300]
    assert verify(tmp_path).ok


def test_the_order_is_a_record_that_names_nobody(tmp_path: Path) -> None:
    keys = FakeKeys()
    with JournalWriter(tmp_path) as writer:
        hers = admitted(writer, keys, "tr_1")
    with JournalReader(tmp_path, keys=keys) as reader:
        eraser(tmp_path, keys, reader).erase_subject("acme", "ada")
    (order,) = (each for each in iter_records(tmp_path) if isinstance(each, ErasureRecord))
    assert (order.keys, order.bodies, order.tenant) == ((hers.request.key,), 1, "acme")
    assert b"ada" not in msgspec.json.encode(order)


def test_the_digest_of_an_erased_text_cannot_be_made_again(tmp_path: Path) -> None:
    keys = FakeKeys()
    with JournalWriter(tmp_path) as writer:
        before = writer.digest_body(b"yes", key=keys.key("acme", "s:ada"))
        same = writer.digest_body(b"yes", key=keys.key("acme", "s:ada"))
        bobs = writer.digest_body(b"yes", key=keys.key("acme", "s:bob"))
        keys.destroy("acme", "s:ada")
        after = writer.digest_body(b"yes", key=keys.key("acme", "s:ada"))
    assert before == same
    assert len({before.digest, bobs.digest, after.digest}) == 3


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    keys = FakeKeys()
    with JournalWriter(tmp_path) as writer:
        hers = admitted(writer, keys, "tr_1")
    before = packed(tmp_path)
    with JournalReader(tmp_path, keys=keys) as reader:
        plan = eraser(tmp_path, keys, reader).plan_subject("acme", "ada")
        assert (plan.done, plan.bodies, plan.keys) == (False, 1, (hers.request.key,))
        assert reader.body(hers.request) == b"what ada said"
    assert packed(tmp_path) == before


def test_one_request_is_erased_alone(tmp_path: Path) -> None:
    keys = FakeKeys()
    with JournalWriter(tmp_path) as writer:
        first = admitted(writer, keys, "tr_1")
        second = admitted(writer, keys, "tr_2", body=b"later words")
    with JournalReader(tmp_path, keys=keys) as reader:
        assert eraser(tmp_path, keys, reader).erase_trace("tr_1").bodies == 1
        assert reader.body(first.request) is None
        assert reader.body(second.request) == b"later words"


class Killed(Exception):
    pass


@pytest.mark.parametrize("moment", ["destroyed", "half overwritten"])
def test_an_erasure_that_was_killed_is_finished_by_the_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    from pointsman.keeping import erasure

    keys = FakeKeys()
    with JournalWriter(tmp_path) as writer:
        hers = admitted(writer, keys, "tr_1")

    def killed(*given: object, only_count: bool = False) -> erasure.Erased:
        if only_count:
            return erasure.Erased(bodies=1)
        if moment == "half overwritten":
            path = layout(tmp_path).bodies / (hers.request.pack or "")
            with path.open("r+b") as file:
                file.seek(hers.request.offset + 4)
                file.write(b"\x01")
        raise Killed

    with JournalReader(tmp_path, keys=keys) as reader:
        monkeypatch.setattr(erasure, "erase_keys", killed)
        with pytest.raises(Killed):
            eraser(tmp_path, keys, reader).erase_subject("acme", "ada")
        monkeypatch.undo()
        assert reader.body(hers.request) is None  # the key is gone: nobody reads
        assert b"what ada said" in packed(tmp_path)
        Unfinished(tmp_path).finish(reader, keys, now_us=5)
        assert b"what ada said" not in packed(tmp_path)


def test_what_is_written_late_under_a_destroyed_key_is_erased_too(tmp_path: Path) -> None:
    keys = FakeKeys()
    with JournalWriter(tmp_path) as writer, JournalReader(tmp_path, keys=keys) as reader:
        admitted(writer, keys, "tr_1")
        held = keys.key("acme", "s:ada")  # as a running request holds it
        eraser(tmp_path, keys, reader).erase_subject("acme", "ada")
        late = writer.put_body(b"an answer in flight", key=held)
        unfinished = Unfinished(tmp_path)
        assert unfinished.finish(reader, keys, now_us=5) == 1
        assert reader.body(late) is None
        assert b"in flight" not in packed(tmp_path)


def test_an_order_whose_key_lives_erases_nothing(tmp_path: Path) -> None:
    keys = FakeKeys()
    with JournalWriter(tmp_path) as writer:
        hers = admitted(writer, keys, "tr_1")
        writer.append(ErasureRecord(id="er_1", at_us=1, tenant="acme", keys=("sk_1",)))
    with JournalReader(tmp_path, keys=keys) as reader:
        assert Unfinished(tmp_path).finish(reader, keys, now_us=5) == 0
        assert reader.body(hers.request) == b"what ada said"


def test_a_lost_store_of_keys_erases_nothing(tmp_path: Path) -> None:
    keys = FakeKeys()
    with JournalWriter(tmp_path) as writer:
        hers = admitted(writer, keys, "tr_1")
    with JournalReader(tmp_path) as reader:
        assert Unfinished(tmp_path).finish(reader, FakeKeys(), now_us=5) == 0
        assert reader.body(hers.request) == b"what ada said"


def test_an_encrypted_body_is_read_by_nobody_without_its_key(tmp_path: Path) -> None:
    from pointsman.domain.errors import CheckFailed

    keys = FakeKeys()
    with JournalWriter(tmp_path, cipher=Cipher()) as writer:
        hers = admitted(writer, keys, "tr_1", body=os.urandom(32).hex().encode())
    for reader in (JournalReader(tmp_path), JournalReader(tmp_path, keys=keys)):
        with reader, pytest.raises(CheckFailed, match="not what its record says"):
            reader.body(hers.request)


def test_a_body_moved_under_another_record_is_not_given_out(tmp_path: Path) -> None:
    from pointsman.domain.errors import CheckFailed

    keys = FakeKeys()
    with JournalWriter(tmp_path) as writer:
        one = admitted(writer, keys, "tr_1").request
        two = admitted(writer, keys, "tr_2", subject="bob", body=b"other words").request
    forged = msgspec.structs.replace(one, key=two.key)
    with JournalReader(tmp_path, keys=keys) as reader, pytest.raises(CheckFailed):
        reader.body(forged)


def test_sealing_keeps_what_is_erased_erased(tmp_path: Path) -> None:
    keys = FakeKeys()
    with JournalWriter(tmp_path) as writer:
        admitted(writer, keys, "tr_1", at_us=DAY_US)
    with JournalReader(tmp_path, keys=keys) as reader:
        eraser(tmp_path, keys, reader).erase_subject("acme", "ada")
        seal(tmp_path)
        assert reader.body(next(iter_records(tmp_path)).request) is None  # type: ignore[union-attr]
        assert verify(tmp_path).ok
