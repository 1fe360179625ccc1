"""A log over a real journal: what is added when, what every forgery meets, receipts offline."""

import json
import os
import random
import re
import shutil
import subprocess

import msgspec
import pytest
from tests.journal.journal_facts import (
    a_config,
    an_admission,
    an_attempt,
    an_end,
    an_outcome,
    write,
)

from pointsman.audit import (
    AnchorFailed,
    AuditLog,
    anchor,
    consistency_between,
    make_receipt,
    new_signer,
    parse_notes,
    parse_receipt,
    verify_journal,
    verify_receipt,
)
from pointsman.audit.exporting import export_log
from pointsman.domain.errors import CheckFailed, JournalUnavailable, NotFound
from pointsman.domain.identity import Found, identity_id, identity_of
from pointsman.domain.records import (
    BodyRef,
    DroppedRun,
    Failure,
    RetentionRecord,
    ReviewRecord,
    ServedRecord,
)
from pointsman.domain.task import AnchorSettings
from pointsman.journal import JournalWriter, backup, compact, drop_records, restore, seal
from pointsman.journal.dropping import without
from pointsman.journal.frames import (
    NO_CHAIN,
    Header,
    closing_mark,
    encode_frame,
    encode_header,
)
from pointsman.journal.layout import layout, parse_segment_name
from pointsman.journal.manifest import publish, read_manifest
from pointsman.journal.recovery import read_segment

pytest.importorskip("nacl")


def requests(count, start=0):
    for at in range(start, start + count):
        yield an_admission(f"tr_{at}", at_us=at * 10, config="abc")
        yield an_end(f"tr_{at}", at_us=at * 10 + 5)


@pytest.fixture
def root(tmp_path):
    write(tmp_path, [a_config(), *requests(20), an_outcome(1, trace="tr_3")])
    write(tmp_path, requests(20, start=20))
    return tmp_path


def checkpointed(root, signer=None):
    log = AuditLog(root)
    log.extend()
    return log, log.checkpoint(origin="test", signer=signer)


def test_every_record_becomes_an_entry_once_wherever_it_lies(root):
    log = AuditLog(root)
    assert log.extend().added == 82
    assert log.extend().added == 0
    with JournalWriter(root) as writer:
        writer.append(an_admission("tr_live"))
        assert log.extend().added == 1  # while it is written to
        writer.append(an_end("tr_live"))
        assert log.extend().added == 1
    seal(root)
    assert log.extend().added == 0
    write(root, requests(3, start=100))
    seal(root)
    compact(root)
    assert log.extend() == (6, 90, bytes.fromhex(log.files.head().root))
    report = verify_journal(root)
    assert (report.ok, report.records, report.entries, report.later) == (True, 90, 90, 0)


def test_records_of_after_the_last_extension_are_told_and_no_fault(root):
    checkpointed(root)
    write(root, requests(2, start=50))
    report = verify_journal(root)
    assert (report.ok, report.later) == (True, 4)


def test_what_retention_took_stays_proven(root):
    log, made = checkpointed(root)
    seal(root)
    report = verify_journal(root, checkpoints=[made])
    assert report.ok
    manifest = layout(root).manifest
    said = json.loads(manifest.read_bytes())
    for file in said["files"]:
        file["unrolled"] = []
    manifest.write_text(json.dumps(said))
    assert drop_records(root, before_us=10**9).records == 82
    report = verify_journal(root, checkpoints=[made])
    assert (report.ok, report.dropped) == (True, 82), report.faults
    assert log.extend().added == 2  # the configuration, carried on, and that the rest went
    write(root, requests(2, start=60))
    seal(root)
    log.extend()
    manifest.write_text(re.sub(r'"unrolled":\[[^]]*\]', '"unrolled":[]', manifest.read_text()))
    assert drop_records(root, before_us=10**18).records == 6  # that record of retention as well
    report = verify_journal(root, checkpoints=[made])
    assert (report.ok, report.dropped) == (True, 88), report.faults


def test_what_no_record_of_retention_took_is_missed_whatever_the_manifest_says(root):
    _, made = checkpointed(root)
    seal(root)
    where = layout(root)
    said = read_manifest(where)
    forged = without(said, said.files)
    publish(where, forged, lambda: True)
    report = verify_journal(root, checkpoints=[made])
    assert not report.ok
    assert "no record of retention says so" in report.faults[0]
    assert report.dropped == 0


def test_retention_that_took_more_than_it_says_is_found(root):
    _, made = checkpointed(root)
    seal(root)
    where = layout(root)
    said = read_manifest(where)
    publish(where, without(said, said.files), lambda: True)
    segments = [each for file in said.files for each in file.segments]
    few = RetentionRecord(
        id="rt_1", at_us=1, before_us=1,
        dropped=tuple(
            DroppedRun(writer=each.writer, first_seq=each.seq, last_seq=each.seq, records=1)
            for each in segments
        ),
    )  # fmt: skip
    write(root, [few])
    report = verify_journal(root, checkpoints=[made])
    assert any("retention says that it took 1 records" in each for each in report.faults)


def test_a_killed_extension_leaves_nothing_half_done(root):
    log, _ = checkpointed(root)
    head = log.files.head()
    write(root, requests(300, start=50))
    log.extend()
    log.files.replace_head(head)  # as if it had been killed before its last step
    assert AuditLog(root).extend().added == 600
    assert verify_journal(root).ok


def test_a_backup_taken_while_the_log_grows_agrees_with_itself(root, tmp_path_factory):
    to, back = tmp_path_factory.mktemp("b") / "copy", tmp_path_factory.mktemp("r") / "back"
    _, made = checkpointed(root)
    write(root, requests(3, start=60))
    backup(root, to)
    restore(to, back)
    for place in (to, back):
        report = verify_journal(place, checkpoints=[made])
        assert (report.ok, report.entries, report.later) == (True, 82, 6), report.faults
    assert AuditLog(back).extend().added == 6


def test_one_process_extends_at_a_time(root):
    import fcntl

    log, _ = checkpointed(root)
    with log.files.lock.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(JournalUnavailable, match="another process"):
            log.extend()


# Forgeries


def rewritten(path, change):
    """The segment again with changed payloads: checksums and chains all made to match."""
    name = path.name
    writer, seq = parse_segment_name(name)
    with read_segment(path) as reader:
        payloads = [frame.payload for frame in reader]
        chain = reader.header.chain
    data = encode_header(Header(writer, seq, chain))
    for payload in change(payloads):
        frame, chain = encode_frame(chain, payload)
        data += frame
    path.write_bytes(data + closing_mark(chain)[0])


def changed(payloads, random):
    at = random.randrange(len(payloads))
    data = payloads[at].replace(b'"at_us":', b'"at_us":1')
    return [*payloads[:at], data, *payloads[at + 1 :]]


def removed(payloads, random):
    at = random.randrange(len(payloads))
    return payloads[:at] + payloads[at + 1 :]


def swapped(payloads, random):
    at = random.randrange(len(payloads) - 1)
    return [*payloads[:at], payloads[at + 1], payloads[at], *payloads[at + 2 :]]


def truncated(payloads, random):
    return payloads[: random.randrange(len(payloads))]


FORGERIES = {each.__name__: each for each in (changed, removed, swapped, truncated)}


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("seed", range(4))
def test_a_forger_who_makes_every_checksum_match_is_found(root, name, seed):
    checkpointed(root)
    dice = random.Random(seed)
    path = layout(root).segments / dice.choice(layout(root).segment_names())
    rewritten(path, lambda payloads: FORGERIES[name](payloads, dice))
    report = verify_journal(root)
    assert not report.ok
    assert any("entr" in fault for fault in report.faults)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forger_who_makes_the_log_anew_meets_the_checkpoint_elsewhere(root, name):
    signer = new_signer("elsewhere")
    _, made = checkpointed(root, signer)
    dice = random.Random(name)
    path = layout(root).segments / layout(root).segment_names()[0]
    rewritten(path, lambda payloads: FORGERIES[name](payloads, dice))
    shutil.rmtree(layout(root).home / "audit")
    checkpointed(root)
    assert verify_journal(root).ok  # here alone nothing is left to see it by
    report = verify_journal(root, checkpoints=[made], keys=[signer.public])
    assert not report.ok
    assert "what was signed" in report.faults[0] or "its end is missing" in report.faults[0]


@pytest.mark.parametrize(
    "edits", [40, pytest.param(1000, marks=[pytest.mark.deep, pytest.mark.timeout(1800)])]
)
@pytest.mark.parametrize("sealed", [False, True])
def test_every_edit_is_found(root, sealed, edits):
    """Single bits, bytes that are gone, bytes that changed places, ends that are cut off."""
    _, made = checkpointed(root)
    if sealed:
        seal(root)
        files = sorted(layout(root).sealed.glob("*.parquet"))
    else:
        files = [layout(root).segments / name for name in layout(root).segment_names()]
    assert verify_journal(root, checkpoints=[made]).ok
    dice = random.Random(7)
    for number in range(edits):
        path = dice.choice(files)
        before = path.read_bytes()
        path.write_bytes(edited(before, number % 4, dice))
        found = not verify_journal(root, checkpoints=[made]).ok
        path.write_bytes(before)
        assert found, (path.name, number)
    assert verify_journal(root, checkpoints=[made]).ok


def edited(data, kind, dice):
    at = dice.randrange(len(data))
    if kind == 0:
        return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[at + dice.randrange(1, 200) :]
    if kind == 2:
        other = next(o for o in dice.sample(range(len(data)), 500) if data[o] != data[at])
        swapped = bytearray(data)
        swapped[at], swapped[other] = swapped[other], swapped[at]
        return bytes(swapped)
    return data[:at]


@pytest.mark.parametrize("name", ["hashes.00", "hashes.08", "runs.ndjson"])
def test_a_changed_log_is_found_too(tmp_path, name):
    write(tmp_path, requests(200))
    log, _ = checkpointed(tmp_path)
    path = log.files.directory / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    try:
        report = verify_journal(tmp_path)
    except CheckFailed as caught:
        report = caught
    assert "cannot be read" in str(report) or not report.ok


def test_a_checkpoint_must_be_signed_where_a_key_is_given(root):
    signer, other = new_signer("a"), new_signer("a")
    log, made = checkpointed(root, signer)
    assert verify_journal(root, checkpoints=[made], keys=[signer.public]).ok
    assert not verify_journal(root, checkpoints=[made], keys=[other.public]).ok
    unsigned = msgspec.structs.replace(made, signatures=())
    assert not verify_journal(root, checkpoints=[unsigned], keys=[signer.public]).ok
    forged = msgspec.structs.replace(made, size=made.size - 1)
    assert "does not belong" in str(
        verify_journal(root, checkpoints=[forged], keys=[signer.public]).faults
    )
    assert log.files.kept_checkpoints() == [made]


def test_a_log_that_disowns_records_is_found(root):
    """The hashes stay, so that the checkpoint agrees; what says which record is which does not."""
    log, made = checkpointed(root)
    head = log.files.head()
    for path in (layout(root).segments / name for name in layout(root).segment_names()):
        rewritten(path, lambda payloads: changed(payloads, random.Random(1)))
    log.files.replace_head(msgspec.structs.replace(head, runs_bytes=0, writers={}))
    assert not verify_journal(root, checkpoints=[made]).ok


def test_a_writer_whose_end_and_runs_are_cut_off_is_found(root):
    log, made = checkpointed(root)
    head = log.files.head()
    *kept, last = log.files.runs(head)
    path = next(p for p in layout(root).segments.iterdir()
                if parse_segment_name(p.name) == (last.writer, last.seq))  # fmt: skip
    rewritten(path, lambda payloads: payloads[:5])
    start = log.files.append_runs(msgspec.structs.replace(head, runs_bytes=0), [
        *kept, msgspec.structs.replace(last, count=5)])  # fmt: skip
    reached = msgspec.structs.replace(head.writers[last.writer], ordinal=5)
    log.files.replace_head(msgspec.structs.replace(
        head, runs_bytes=start, writers={**head.writers, last.writer: reached}))  # fmt: skip
    assert not verify_journal(root, checkpoints=[made]).ok


# Receipts


def test_a_receipt_is_proven_with_nothing_but_itself(root):
    signer = new_signer("k")
    log, made = checkpointed(root, signer)
    receipt = make_receipt(log, root, "tr_3")
    again = parse_receipt(msgspec.json.encode(receipt))
    believed, said = verify_receipt(again, checkpoint=made, keys=[signer.public])
    assert believed == made
    assert (said.trace, said.status, said.version) == ("tr_3", "delivered", "0.1.0")
    assert len(receipt.records) == 4  # configuration, admission, end, outcome
    for at, each in enumerate(receipt.records):
        forged = msgspec.structs.replace(each, record=each.record.replace(":", ": ", 1))
        records = (*receipt.records[:at], forged, *receipt.records[at + 1 :])
        with pytest.raises(CheckFailed, match="does not hold"):
            verify_receipt(msgspec.structs.replace(receipt, records=records))


def test_a_receipt_says_what_served_as_far_as_anybody_knew(tmp_path):
    told = Found(quantisation="Q4_0", weights_sha256="a" * 64)
    identity = identity_of("m", "embedded", read=told)
    id = identity_id("small", identity)
    other = identity_of("m", "vllm")
    attempts = (an_attempt(failure=Failure(kind="cut")), an_attempt(), an_attempt("large"))
    served = {"small": id, "large": "sv_gone"}
    write(tmp_path, [
        ServedRecord(id=identity_id("other", other), at_us=1, deployment="other", identity=other),
        ServedRecord(id=id, at_us=1, deployment="small", identity=identity),
        an_admission(), an_end(attempts=attempts, served=served),
        an_admission("tr_2"), an_end("tr_2", attempts=attempts[1:2]),
    ])  # fmt: skip
    log, _ = checkpointed(tmp_path)
    receipt = make_receipt(log, tmp_path, "tr_1")
    assert len(receipt.records) == 3
    _, said = verify_receipt(receipt)
    failed, answered, unknown = said.attempts
    assert "served" not in failed
    assert answered["served"]["weights_sha256"] == "a" * 64
    assert answered["served"]["sources"]["quantisation"] == "file"
    assert answered["served"]["chat_template_sha256"] is None  # and said so
    assert unknown["served"] == {"id": "sv_gone", "record": None}
    assert verify_receipt(make_receipt(log, tmp_path, "tr_2"))[1].attempts[0]["served"] is None


def test_an_identity_that_is_not_what_its_id_says_does_not_hold(tmp_path):
    lie = ServedRecord(
        id="sv_1", at_us=1, deployment="small", identity=identity_of("m", "vllm")
    )  # fmt: skip
    end = an_end(attempts=(an_attempt(),), served={"small": "sv_1"})
    write(tmp_path, [lie, an_admission(), end])
    log, _ = checkpointed(tmp_path)
    with pytest.raises(CheckFailed, match="not the digest"):
        verify_receipt(make_receipt(log, tmp_path, "tr_1"))


def test_a_receipt_whose_record_begins_elsewhere_does_not_hold(root):
    log, made = checkpointed(root)
    receipt = make_receipt(log, root, "tr_3")
    first = receipt.records[0]
    moved = msgspec.structs.replace(
        first, before=first.before + first.record[:1].encode().hex(), record=first.record[1:]
    )
    forged = msgspec.structs.replace(receipt, records=(moved, *receipt.records[1:]))
    with pytest.raises(CheckFailed, match="does not hold"):
        verify_receipt(forged, checkpoint=made)


def test_a_receipt_under_an_older_checkpoint_needs_the_proof_between(root):
    log, old = checkpointed(root)
    receipt = make_receipt(log, root, "tr_3")
    write(root, requests(30, start=70))
    _, new = checkpointed(root)
    with pytest.raises(CheckFailed, match="entries"):
        verify_receipt(receipt, checkpoint=new)
    between = consistency_between(log, old, new)
    assert verify_receipt(receipt, checkpoint=new, consistency=between)[0] == new
    with pytest.raises(CheckFailed, match="another log"):
        verify_receipt(receipt, checkpoint=new, consistency=between[::-1])
    assert verify_receipt(make_receipt(log, root, "tr_3", checkpoint=old), checkpoint=old)


def test_a_receipt_without_an_end_says_that_nobody_knows_it(root):
    write(root, [an_admission("tr_lost", config="abc")])
    log, _ = checkpointed(root)
    _, said = verify_receipt(make_receipt(log, root, "tr_lost"))
    assert said.status == "unknown"
    assert "died before it wrote one" in said.missing
    whole = make_receipt(log, root, "tr_3")
    cut = tuple(each for each in whole.records if '"kind":"end"' not in each.record)
    _, said = verify_receipt(msgspec.structs.replace(whole, records=cut))
    assert (said.status, bool(said.missing)) == ("unknown", True)


def test_a_request_that_runs_has_no_receipt_yet(root):
    with JournalWriter(root) as writer:
        writer.append(an_admission("tr_live"))
        log, _ = checkpointed(root)
        with pytest.raises(CheckFailed, match="has not ended yet"):
            make_receipt(log, root, "tr_live")


def test_a_receipt_says_who_let_a_held_answer_go_and_which_one(root):
    read = BodyRef(digest="d" * 64, size=9)
    facts = [
        an_admission("tr_held"),
        an_end("tr_held", status="refused", http_status=202, error="answer_held"),
        ReviewRecord(
            id="held_1", at_us=9, trace="tr_held", tenant="default", by="admin:ada@example.org",
            action="approve", status="approved", answer=read, principal="https://id#7",
        ),
    ]  # fmt: skip
    write(root, facts)
    log, _ = checkpointed(root)
    _, said = verify_receipt(make_receipt(log, root, "tr_held"))
    (review,) = said.reviews
    assert (review["principal"], review["digest"]) == ("https://id#7", "d" * 64)


def test_receipts_that_cannot_be_made_say_why(root):
    log = AuditLog(root)
    with pytest.raises(CheckFailed, match="no checkpoint"):
        make_receipt(log, root, "tr_3")
    checkpointed(root)
    with pytest.raises(NotFound):
        make_receipt(log, root, "tr_none")
    write(root, requests(1, start=90))
    with pytest.raises(CheckFailed, match="not under a checkpoint yet"):
        make_receipt(log, root, "tr_90")


# Keeping checkpoints elsewhere


def test_a_file_and_a_git_remote_take_checkpoints(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    _, first = checkpointed(root)
    file, remote, work = out / "kept.txt", out / "remote.git", out / "work"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    to_git = AnchorSettings(git=str(remote))
    for settings in (AnchorSettings(file=str(file)), to_git):
        anchor(first, settings, work=work)
    write(root, requests(1, start=90))
    _, second = checkpointed(root)
    shutil.rmtree(work)  # another machine, or a lost clone
    for settings in (AnchorSettings(file=str(file)), to_git):
        anchor(second, settings, work=work)
    assert list(parse_notes(file.read_text())) == [first, second]
    shown = subprocess.run(
        ["git", "--git-dir", str(remote), "show", "checkpoints:checkpoints.txt"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert list(parse_notes(shown)) == [first, second]


def test_an_anchor_that_is_away_says_so(root, tmp_path):
    _, made = checkpointed(root)
    away = tmp_path / "not-mounted" / "kept.txt"
    with pytest.raises(AnchorFailed, match="mounted"):
        anchor(made, AnchorSettings(file=str(away)), work=tmp_path / "w")
    with pytest.raises(AnchorFailed, match="git"):
        anchor(made, AnchorSettings(git=str(tmp_path / "none.git")), work=tmp_path / "w")


def test_an_export_is_checked_by_its_own_recipe(root, tmp_path):
    from hashlib import sha256

    log, _ = checkpointed(root)
    said = export_log(log, root, tmp_path / "out")
    assert (said.records, said.entries, said.checkpoints) == (82, 82, 1)
    entries = (tmp_path / "out" / "entries").read_bytes()
    for line in (tmp_path / "out" / "records.ndjson").read_text().splitlines():
        row = json.loads(line)
        chain = sha256(bytes.fromhex(row["before"]) + row["record"].encode()).digest()
        head = f"pointsman record 1\n{row['writer']} {row['seq']} {row['ordinal']}\n".encode()
        at = row["index"] * 32
        assert sha256(b"\x00" + head + chain).digest() == entries[at : at + 32]
    assert NO_CHAIN  # the first record of a writer goes on from nothing
    assert os.stat(tmp_path / "out").st_mode & 0o077 == 0
