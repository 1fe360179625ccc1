"""What changes things says first what it would do, and erases nothing unasked."""

import hashlib
from pathlib import Path

import pytest

from pointsman.journal import JournalWriter, seal

BODY = b"what somebody wrote, and is kept until yesterday"


def fingerprint(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def overdue(lived):
    """A journal with a body that is past its retention."""
    with JournalWriter(lived.journal) as writer:
        writer.put_body(BODY, until_us=1_000_000)
    assert holds(lived, BODY)
    return lived


def holds(lived, body: bytes) -> bool:
    return any(body in pack.read_bytes() for pack in lived.journal.rglob("*.pack"))


def test_a_seal_is_told_before_it_is_done(run, overdue) -> None:
    before = fingerprint(overdue.journal)
    told = run("journal", "seal", "--dry-run", "--json").json
    assert told["segments"] == len(overdue.segments)
    assert told["raw_bytes"] == sum(path.stat().st_size for path in overdue.segments)
    assert (told["due_bodies"], told["live"]) == (1, 0)
    assert "erase 1 bodies" in run("journal", "seal", "--dry-run").out
    assert fingerprint(overdue.journal) == before
    done = run("journal", "seal", "--yes", "--json").json
    assert done["segments"] == told["segments"]
    assert done["bodies_erased"] == told["due_bodies"]
    assert not holds(overdue, BODY)
    again = run("journal", "seal", "--dry-run", "--json").json
    assert (again["segments"], again["due_bodies"]) == (0, 0)


def test_nothing_is_erased_or_sealed_where_nobody_can_be_asked(run, overdue) -> None:
    before = fingerprint(overdue.journal)
    refused = run("journal", "seal")
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    assert fingerprint(overdue.journal) == before


def test_a_segment_in_use_is_not_counted_and_goes_on(run, lived) -> None:
    with JournalWriter(lived.journal) as writer:
        writer.put_body(b"x")
        told = run("journal", "seal", "--dry-run", "--json").json
        assert told["live"] == 1
        assert told["segments"] == len(lived.segments) - 1


def test_compacting_is_told_before_it_is_done(run, lived) -> None:
    seal(lived.journal)
    for kind in ("accepted", "edited"):
        assert run("feedback", "add", lived.traces["plain"], kind).code == 0
        seal(lived.journal)
    before = fingerprint(lived.journal)
    told = run("journal", "compact", "--dry-run", "--json").json
    assert (told["files"], told["into"]) == (3, 1)
    assert told["raw_bytes"] > 0
    assert "3 files" in run("journal", "compact", "--dry-run").out
    assert fingerprint(lived.journal) == before
    fewer = run("journal", "compact", "--json").json["files_fewer"]
    assert fewer == told["files"] - told["into"]
    assert run("journal", "compact", "--dry-run", "--json").json["files"] == 0


def test_an_import_is_checked_and_records_nothing(run, lived) -> None:
    plain = lived.traces["plain"]
    Path("outcomes.csv").write_text(
        f"trace,kind,key\n{plain},accepted,k1\ntr_unknown,accepted,\n{plain},edited,k1\n"
    )
    before = fingerprint(lived.journal)
    ran = run("feedback", "import", "outcomes.csv", "--dry-run", "--json")
    assert ran.code == 4
    assert (ran.json["recorded"], ran.json["would_record"]) == (0, 1)
    assert [row["line"] for row in ran.json["refused"]] == [3, 4]
    assert fingerprint(lived.journal) == before
    done = run("feedback", "import", "outcomes.csv", "--json")
    assert done.json["recorded"] == 1
    assert done.json["refused"] == ran.json["refused"]


def test_a_dry_run_makes_no_journal(run, empty: Path) -> None:
    for verb in ("seal", "compact"):
        assert run("journal", verb, "--dry-run").code == 0
    assert not (empty / "journal").exists()
