"""Answers in parts: whole rows are found again, torn ones are not, and each is given back once."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.batches.lines import Line, answered, unasked
from pointsman.batches.parts import Part, check, done, write_files
from pointsman.batches.store import Store
from tests.batches.batch_kit import chat_body, lines

CHAT = "/v1/chat/completions"
BATCH = "batch_" + "0" * 26
INPUT = "file-" + "0" * 26
COUNT = 6


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "files")
    growing = made.begin()
    growing.write(lines(*(chat_body(f"{at}") for at in range(COUNT))))
    made.keep(growing, INPUT)
    return made


def row(number: int, says: str) -> bytes:
    line = Line(number, f"line-{number - 1}", b"{}")
    return answered(BATCH, line, status=200, request_id="tr", body=json.dumps(says).encode())


def written(store: Store, *, with_rest: bool) -> tuple[list[str], list[str]]:
    """Custom ids in the output, and in the errors."""

    def rest(line: Line) -> bytes:
        return unasked(BATCH, line, code="batch_expired", message="late")

    found = write_files(store, BATCH, file=INPUT, endpoint=CHAT, rest=rest if with_rest else None)
    ids = []
    for growing in (found.output, found.errors):
        data = b"" if growing is None else growing.path.read_bytes()
        ids.append([json.loads(each)["custom_id"] for each in data.splitlines()])
        if growing is not None:
            growing.abandon()
    assert (len(ids[0]), len(ids[1])) == (found.completed, found.failed)
    return ids[0], ids[1]


def test_a_row_that_two_runners_wrote_is_taken_once_and_the_first_of_them(store):
    for turn, says in ((2, "second"), (10, "third"), (1, "first")):
        part = Part(store.part(BATCH, turn))
        part.append(3, row(3, says), good=True)
        part.append(turn % 4 + 3, row(turn % 4 + 3, says), good=False)
        part.close()
    found = done(store, BATCH)
    assert found.numbers == {3, 4, 5}
    result = write_files(store, BATCH, file=INPUT, endpoint=CHAT, rest=None)
    assert result.output is not None
    [said] = result.output.path.read_bytes().splitlines()
    assert json.loads(said)["response"]["body"] == "first"
    assert (result.completed, result.failed) == (1, 2)


@given(cut=st.integers(0, 600), data=st.data())
def test_whatever_was_cut_off_only_whole_rows_are_there_and_the_rest_is_told(
    tmp_path_factory, cut, data
):
    store = Store(tmp_path_factory.mktemp("parts"))
    growing = store.begin()
    growing.write(lines(*(chat_body(f"{at}") for at in range(COUNT))))
    store.keep(growing, INPUT)
    order = data.draw(st.permutations(range(1, COUNT + 1)))
    path = store.part(BATCH, 1)
    part = Part(path)
    ends = []
    for number in order:
        part.append(number, row(number, "x" * number), good=number % 2 == 0)
        ends.append(os.path.getsize(path))
    part.close()
    cut = min(cut, ends[-1])
    os.truncate(path, cut)
    whole = {number for number, end in zip(order, ends, strict=True) if end <= cut}
    assert done(store, BATCH).numbers == whole
    again = Part(path)  # the same turn goes on behind what was torn
    left = [number for number in order if number not in whole]
    if left:
        again.append(left[0], row(left[0], "again"), good=True)
        whole.add(left[0])
    again.close()
    assert done(store, BATCH).numbers == whole
    good, bad = written(store, with_rest=True)
    assert sorted(good + bad) == [f"line-{at}" for at in range(COUNT)]
    good, bad = written(store, with_rest=False)
    assert sorted(good + bad) == sorted(f"line-{number - 1}" for number in whole)
    assert good == sorted(good)


def test_a_giant_line_is_one_line_and_those_behind_it_keep_their_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("pointsman.batches.parts.LINE_MOST", 100)
    monkeypatch.setattr("pointsman.batches.lines.LINE_MOST", 100)
    store = Store(tmp_path)
    growing = store.begin()
    growing.write(b"{" + b"x" * 1000 + b"}\n" + b"y" * 101 + b"\nnonsense\n" + b"z" * 5000)
    store.keep(growing, INPUT)
    found = [(each.code, each.line) for each in check(store, INPUT, CHAT, most=9).problems]
    assert found == [
        ("line_too_large", 1), ("line_too_large", 2), ("invalid_json_line", 3),
        ("line_too_large", 4),
    ]  # fmt: skip


def test_what_killed_processes_left_is_swept_and_what_is_on_its_way_is_not(store, tmp_path):
    folder = tmp_path / "files"
    orphan, other = "file-" + "1" * 26, "batch_" + "1" * 26
    for name in (orphan, f"{BATCH}.1.part", f"{other}.1.part", "new-abc", "alien"):
        (folder / name).write_text("x")
    young = "file-" + "2" * 26
    for path in folder.iterdir():
        os.utime(path, (1000, 1000))
    (folder / young).write_text("x")
    asked: list[tuple[str, ...]] = []

    def known(ids: tuple[str, ...]) -> frozenset[str]:
        asked.append(ids)
        return frozenset({INPUT})

    gone = store.sweep(files=known, open_batches=frozenset({BATCH}), before_s=2000)
    assert gone == 3
    left = {path.name for path in folder.iterdir()}
    assert left == {"store", INPUT, young, f"{BATCH}.1.part", "alien"}
    assert sorted(asked[0]) == sorted((INPUT, orphan))


def test_a_store_has_one_id_whoever_opens_it(tmp_path):
    first = Store(tmp_path / "a")
    assert Store(tmp_path / "a").id == first.id != Store(tmp_path / "b").id
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    growing = first.begin()
    assert growing.path.stat().st_mode & 0o777 == 0o600
    growing.abandon()
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"store"}
