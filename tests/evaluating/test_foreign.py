"""Runs of other harnesses as runs of ours, from the files that they write."""

import io
import json
import struct
import zipfile

import pytest
from tests.evals.two_runs import a_case, an_arm

from pointsman.domain.errors import UsageError
from pointsman.domain.ids import run_id
from pointsman.evaluating.exporting.bundle import bundle
from pointsman.evaluating.exporting.inspect_logs import inspect_archive, inspect_json
from pointsman.evaluating.exporting.lm_eval import lm_eval_samples
from pointsman.evaluating.foreign.archives import unpacked
from pointsman.evaluating.foreign.imported import keep
from pointsman.evaluating.foreign.inspect_logs import read_inspect
from pointsman.evaluating.foreign.lm_eval import read_lm_eval
from pointsman.evaluating.store import RunStore

LOG = {
    "version": 2, "status": "success",
    "eval": {"task": "sums", "model": "vllm/qwen", "created": "2026-05-01T10:00:00+00:00"},
    "stats": {"started_at": "2026-05-01T10:00:00+00:00",
              "completed_at": "2026-05-01T10:05:00+00:00"},
    "results": {"total_samples": 4},
    "samples": [
        {"id": 1, "epoch": 1, "input": "1+1?", "target": "2", "metadata": {"kind": "sum", "x": []},
         "messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}],
         "output": {"model": "qwen", "completion": "2", "choices": [{"stop_reason": "max_tokens"}],
                    "usage": {"input_tokens": 5, "output_tokens": 1}},
         "scores": {"match": {"value": "C", "explanation": "it is"}, "rubric": {"value": 0.7}},
         "total_time": 1.5, "attachments": {}},
        {"id": 1, "epoch": 2, "input": "1+1?", "target": "2", "metadata": {"kind": "sum"},
         "output": {"completion": "3", "choices": [{"stop_reason": "stop"}]},
         "scores": {"match": {"value": "I"}, "rubric": {"value": "0.2"}}},
        {"id": "two", "epoch": 1, "target": ["a", "b"],
         "input": [{"role": "system", "content": "be kind"},
                   {"role": "user", "content": [{"type": "text", "text": "attachment://h"},
                                                {"type": "image"}]}],
         "attachments": {"h": "a long text"}, "output": {"choices": []}, "scores": {},
         "error": {"message": "it broke"}},
    ],
}  # fmt: skip


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def kept(store, found):
    name = run_id(1_000 + len(store.ids()), b"0123456789")
    return keep(store, found, name, origin="a file", now_us=7)


def written(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_an_inspect_log_becomes_a_run(tmp_path, store):
    found = read_inspect(written(tmp_path, "log.json", json.dumps(LOG).encode()))
    run = kept(store, found)
    assert (run.suite, run.subject.name, run.epochs, run.planned) == ("sums", "vllm/qwen", 2, 4)
    assert (run.required, run.primary, run.status) == (("match",), "accepted", "complete")
    assert run.started_us == 1_777_629_600_000_000
    first, second, broken = store.samples(run.id)
    assert [each.accepted(run.required) for each in (first, second, broken)] == [True, False, None]
    assert (first.case, first.epoch, first.answer, first.latency_ms) == ("1", 0, "2", 1500)
    assert (first.usage.prompt_tokens, first.finish_reason) == (5, "length")
    assert first.tags == {"kind": "sum"}
    assert [score.value for score in second.scores] == [0.0, 0.2]
    assert second.scores[1].passed is None
    assert (broken.status, broken.reason) == ("missing", "it broke")
    _, two = store.cases(run.id)
    assert two.messages[1]["content"] == "a long text\n(image)"
    assert two.expected == ["a", "b"]
    store.verify(run.id)


def _archived(files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_an_archive_is_the_same_log(tmp_path, store):
    files = {"header.json": json.dumps({**LOG, "samples": None})}
    for at, sample in enumerate(LOG["samples"]):
        files[f"samples/{at}.json"] = json.dumps(sample)
    found = read_inspect(written(tmp_path, "log.eval", _archived(files)))
    assert found == read_inspect(written(tmp_path, "log.json", json.dumps(LOG).encode()))


def test_an_archive_packed_with_zstandard_is_read(tmp_path):
    """As newer versions write them: method 93, of which the standard library knows nothing."""
    import duckdb

    packed = tmp_path / "one.json.zst"
    text = json.dumps({"id": "ß", "n": list(range(50))})
    source = written(tmp_path, "one.json", text.encode())
    duckdb.sql(
        f"COPY (SELECT content FROM read_text('{source}')) TO '{packed}' "
        "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIM '\x01', COMPRESSION zstd)"
    )
    data = bytearray(_archived({"a.json": packed.read_bytes()}, zipfile.ZIP_STORED))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        central = archive.start_dir
    struct.pack_into("<H", data, 8, 93)
    struct.pack_into("<H", data, central + 10, 93)
    path = written(tmp_path, "packed.eval", bytes(data))
    ((name, content),) = unpacked(path, "")
    assert name == "a.json"
    assert json.loads(content) == json.loads(text)


def test_archives_that_are_none_or_too_much_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="no archive"):
        read_inspect(written(tmp_path, "no.eval", b"PK nothing"))
    whole = _archived({"samples/1.json": "{}" + " " * 5000, "header.json": "{}"})
    monkeypatch.setattr("pointsman.evaluating.foreign.archives.MOST_BYTES_OF_ONE", 1000)
    with pytest.raises(UsageError, match="unpack to more"):
        read_inspect(written(tmp_path, "big.eval", whole))


def test_files_that_are_no_logs_are_refused(tmp_path, store):
    for content, said in ((b"[]", "no JSON object"), (b"{", "no log"), (b"{}", "has no 'eval'")):
        with pytest.raises(UsageError) as refused:
            read_inspect(written(tmp_path, "log.json", content))
        assert said in str(refused.value)
    empty = json.dumps({**LOG, "samples": []}).encode()
    with pytest.raises(UsageError, match="holds no sample"):
        kept(store, read_inspect(written(tmp_path, "log.json", empty)))
    for content, said in ((b"{}\n", "no sample of"), (b"x\n", "no JSON")):
        with pytest.raises(UsageError, match=said):
            read_lm_eval(written(tmp_path, "samples_x.jsonl", content))


def test_lm_eval_samples_become_a_run(tmp_path, store):
    folder = tmp_path / "org__model"
    folder.mkdir()
    lines = [
        {"doc_id": 0, "doc": {"question": "q", "level": 3}, "target": "4", "filter": "strict",
         "arguments": {"gen_args_0": {"arg_0": "2+2?", "arg_1": {}}}, "resps": [["4 it is"]],
         "filtered_resps": ["4"], "metrics": ["exact_match"], "exact_match": 1.0},
        {"doc_id": 0, "doc": {"question": "q", "level": 3}, "target": "4", "filter": "loose",
         "arguments": {"gen_args_0": {"arg_0": "2+2?", "arg_1": {}}}, "resps": [["4 it is"]],
         "filtered_resps": ["4 it is"], "metrics": ["exact_match"], "exact_match": 0.0},
        {"doc_id": 1, "doc": {}, "target": 2, "filter": "strict", "arguments": [["c?", " a"]],
         "resps": [[[-1.5, False]], [[-0.5, True]]],
         "filtered_resps": [[-1.5, False], [-0.5, True]],
         "metrics": ["acc"], "acc": 1.0},
    ]  # fmt: skip
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    path = written(folder, "samples_sums_2026-05-01T10-00-00.123.jsonl", data)
    run = kept(store, read_lm_eval(path))
    assert (run.suite, run.subject.name, run.cases) == ("sums", "org/model", 2)
    first, second = store.samples(run.id)
    assert {score.name: score.passed for score in first.scores} == {
        "exact_match,strict": True, "exact_match,loose": False,
    }  # fmt: skip
    assert (first.answer, first.tags) == ("4", {"level": "3"})
    assert json.loads(second.answer) == [[-1.5, False], [-0.5, True]]
    case = next(store.cases(run.id))
    assert case.messages[0]["content"] == "2+2?"


@pytest.mark.parametrize(
    ("write", "name", "read"),
    [(inspect_json, "a.json", read_inspect), (inspect_archive, "a.eval", read_inspect),
     (lm_eval_samples, "samples_demo.jsonl", read_lm_eval)],
)  # fmt: skip
def test_what_is_written_is_read_again(write, name, read, tmp_path, store):
    arm = an_arm("A", [True, False, True, False])
    given = bundle(arm.run, [a_case(at, expected="x") for at in range(4)], arm.samples)
    run = kept(store, read(written(tmp_path, name, write(given))))
    samples = list(store.samples(run.id))
    assert [each.accepted(run.required) for each in samples] == [True, False, True, False]
    assert [each.answer for each in samples] == ["said"] * 4
    assert [case.expected for case in store.cases(run.id)] == ["x"] * 4
