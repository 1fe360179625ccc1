"""A run on disk: what was kept is there, once, whatever died when; a sealed one never changes."""

import os
import signal
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.domain.errors import CheckFailed, NotFound, PointsmanError, UsageError
from pointsman.domain.evaluations import Subject
from pointsman.domain.ids import run_id
from pointsman.evals.case import Case
from pointsman.evals.sample import Run, Sample, Score
from pointsman.evaluating.store import RunStore

CASES = [Case(id=f"c{i}", messages=({"role": "user", "content": f"{i}?"},)) for i in range(3)]


def a_run(at_ms=1, **more):
    return Run(
        id=run_id(at_ms, bytes(10)), suite="sums", suite_digest="d",
        subject=Subject(kind="task", name="sum", asks="task:sum"), version="0", cases=3,
        planned=3, **more,
    )  # fmt: skip


def a_sample(case="c0", **more):
    return Sample(**{"case": case, "cluster": case, "answer": "4", **more})


def test_what_was_appended_is_read_again_with_its_cases(tmp_path):
    store = RunStore(tmp_path / "evals")
    writer = store.begin(a_run(), CASES)
    samples = [
        a_sample("c0", scores=(Score(name="exact", passed=True, value=1.0),)),
        a_sample("c1", status="missing", reason="full", answer=""),
    ]
    writer.append(samples)
    writer.close()
    assert list(store.samples("latest")) == samples
    assert list(store.cases("latest")) == CASES
    assert not store.read("latest").sealed


def test_a_torn_tail_is_passed_over_and_cut_when_the_run_is_resumed(tmp_path):
    store = RunStore(tmp_path)
    writer = store.begin(a_run(), CASES)
    writer.append([a_sample("c0")])
    writer.close()
    with store.files("latest").samples.open("ab") as file:
        file.write(b'{"case": "c1", "ans')
    assert [each.case for each in store.samples("latest")] == ["c0"]
    writer, had = store.resume("latest")
    assert [each.case for each in had] == ["c0"]
    writer.append([a_sample("c1")])
    writer.close()
    assert [each.case for each in store.samples("latest")] == ["c0", "c1"]


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(min_value=0, max_value=400))
def test_any_cut_of_the_file_leaves_a_run_that_can_be_resumed(tmp_path_factory, cut):
    store = RunStore(tmp_path_factory.mktemp("runs"))
    writer = store.begin(a_run(), CASES)
    wrote = [a_sample("c0"), a_sample("c1", transcript=({"role": "tool", "content": "ä"},))]
    writer.append(wrote)
    writer.close()
    path = store.files("latest").samples
    os.truncate(path, min(cut, path.stat().st_size))
    writer, had = store.resume("latest")
    assert had == wrote[: len(had)]
    writer.append([a_sample("c2")])
    writer.close()
    assert list(store.samples("latest")) == [*had, a_sample("c2")]


def test_a_sealed_run_is_not_added_to_and_a_change_of_it_is_found(tmp_path):
    store = RunStore(tmp_path)
    writer = store.begin(a_run(), CASES)
    writer.append([a_sample("c0"), a_sample("c1", status="missing", reason="gone", answer="")])
    writer.seal(status="complete", ended_us=9)
    run = store.read("latest")
    assert (run.status, run.ended_us, run.samples, run.missing) == ("complete", 9, 2, 1)
    store.verify("latest")
    with pytest.raises(UsageError, match="sealed"):
        store.resume("latest")
    path = store.files("latest").samples
    path.write_bytes(path.read_bytes().replace(b'"4"', b'"5"', 1))
    with pytest.raises(CheckFailed, match="not what it was"):
        store.verify("latest")


def test_two_writers_of_one_run_are_refused(tmp_path):
    store = RunStore(tmp_path)
    writer = store.begin(a_run(), CASES)
    with pytest.raises(UsageError, match="another process"):
        store.resume("latest")
    writer.close()
    again, _ = store.resume("latest")
    again.close()


def test_runs_are_found_by_the_beginning_of_their_id_and_listed_newest_first(tmp_path):
    store = RunStore(tmp_path)
    for at_ms in (1, 2, 3 << 30):
        store.begin(a_run(at_ms), CASES).close()
    ids = store.ids()
    assert [run.id for run in store.list()] == ids[::-1]
    assert store.find("latest") == ids[-1]
    assert store.find(ids[-1][:12]) == ids[-1]
    with pytest.raises(UsageError, match="begin with"):
        store.find(ids[0][:10])
    with pytest.raises(NotFound):
        store.find("run_unknown")
    with pytest.raises(NotFound):
        store.find("../../etc/passwd")


def test_a_line_that_is_no_sample_is_named_with_its_place(tmp_path):
    store = RunStore(tmp_path)
    store.begin(a_run(), CASES).close()
    store.files("latest").samples.write_bytes(b'{"case": 7}\n')
    with pytest.raises(PointsmanError, match=r"samples\.jsonl:1"):
        list(store.samples("latest"))


def test_files_of_a_run_are_for_their_owner_alone(tmp_path):
    store = RunStore(tmp_path)
    store.begin(a_run(), CASES).close()
    files = store.files("latest")
    assert files.folder.stat().st_mode & 0o077 == 0
    assert files.samples.stat().st_mode & 0o077 == 0


_WRITER = """
import sys, msgspec
from pointsman.evals.sample import Sample
from pointsman.evaluating.store import RunStore
writer, had = RunStore(sys.argv[1]).resume("latest")
for i in range(len(had), 10**6):
    writer.append([Sample(case=f"c{i}", cluster="x", answer="y" * (i % 5000))])
    print(i, flush=True)
"""


def test_what_a_killed_process_had_kept_is_there_once(tmp_path):
    store = RunStore(tmp_path)
    store.begin(a_run(), CASES).close()
    told = -1
    for upto in (50, 120, 121):
        child = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE
        )
        for line in child.stdout:
            told = int(line)
            if told >= upto:
                break
        child.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in child.stdout if line.endswith(b"\n"))])
        child.wait()
        cases = [each.case for each in store.samples("latest")]
        assert cases[: told + 1] == [f"c{i}" for i in range(told + 1)]
        assert len(set(cases)) == len(cases)


def test_a_run_of_a_later_version_with_fields_more_is_read(tmp_path):
    store = RunStore(tmp_path)
    store.begin(a_run(), CASES).close()
    head = store.files("latest").head
    said = msgspec.json.decode(head.read_bytes())
    head.write_bytes(msgspec.json.encode({**said, "new": 1}))
    assert store.read("latest").suite == "sums"
