"""`pointsman audit`, as a person and as a program use it."""

import json
import os
import shutil

import pytest
from click.testing import CliRunner
from tests.journal.journal_facts import a_config, an_admission, an_end, write

from pointsman.cli import cli
from pointsman.domain.errors import CheckFailed
from pointsman.journal import iter_records
from pointsman.journal.layout import layout

pytest.importorskip("nacl")

FILE = """
deployments:
  small: {model: qwen3-0.6b, base_url: http://127.0.0.1:1/v1}
journal:
  path: facts
  audit: {origin: test/journal, key_file: audit.key, anchors: [{file: kept.txt}]}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pointsman.yaml").write_text(FILE)
    (tmp_path / "public").write_text(run("key", "--name", "test", "--out", tmp_path / "audit.key"))
    facts = [a_config()]
    for at in range(5):
        facts += [an_admission(f"tr_{at}", config="abc"), an_end(f"tr_{at}")]
    write(tmp_path / "facts", facts)
    return tmp_path


def run(*words, code=0, folder=None):
    given = ["--config", str(folder / "pointsman.yaml")] if folder is not None else []
    done = CliRunner().invoke(cli, ["audit", *map(str, words), *given])
    if code == 0 and done.exception is not None:
        raise done.exception
    assert (done.exit_code != 0) == (code != 0), done.output
    return done.stdout


def test_from_a_key_to_a_receipt_that_an_auditor_checks(folder, tmp_path_factory):
    assert os.stat(folder / "audit.key").st_mode & 0o777 == 0o600
    said = json.loads(run("anchor", "--json", folder=folder))
    assert said["anchored"] == 1
    kept, public = folder / "kept.txt", folder / "public"
    out = folder / "receipt.json"
    run("prove", "tr_2", "--out", out, folder=folder)
    auditors = tmp_path_factory.mktemp("auditor")
    for path in (kept, public, out):
        shutil.copy(path, auditors)
    told = json.loads(
        run("verify", "--receipt", auditors / out.name, "--checkpoint", auditors / kept.name,
            "--key", auditors / public.name, "--json")
    )  # fmt: skip
    assert (told["ok"], told["trace"], told["size"]) == (True, "tr_2", 11)
    assert [record.kind for record in _accesses(folder)] == ["audit.prove"]
    whole = json.loads(
        run("verify", "--checkpoint", kept, "--key", public, "--json", folder=folder)
    )
    assert (whole["ok"], whole["records"], whole["later"]) == (True, 12, 1)
    assert whole["checkpoints"][-1]["signed_by"] == ["test"]


def _accesses(folder):
    class Told:
        def __init__(self, record):
            self.kind = record.action

    return [Told(each) for each in iter_records(folder / "facts") if hasattr(each, "action")]


def test_a_changed_journal_is_exit_4(folder):
    run("checkpoint", folder=folder)
    where = layout(folder / "facts")
    path = where.segments / where.segment_names()[0]
    path.write_bytes(path.read_bytes().replace(b"tr_3", b"tr_4", 1))
    done = CliRunner().invoke(
        cli, ["audit", "verify", "--json", "--config", str(folder / "pointsman.yaml")]
    )
    assert json.loads(done.stdout)["ok"] is False
    assert getattr(done.exception, "exit_code", done.exit_code) == 4


def test_status_and_export(folder):
    run("checkpoint", folder=folder)
    said = json.loads(run("status", "--json", folder=folder))
    assert (said["entries"], said["signed"], said["anchors"]) == (11, True, 1)
    told = json.loads(run("export", "--to", folder / "out", "--json", folder=folder))
    assert told["records"] == 11
    run("export", "--to", folder / "out", folder=folder, code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify", "--checkpoint", "pointsman.yaml"), "no checkpoint"),
        (("verify", "--key", "nonsense"), "public key"),
        (("prove", "tr_none"), "no trace"),
        (("key", "--name", "two words", "--out", "k"), "cannot be called"),
        (("key", "--name", "again", "--out", "audit.key"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_says_why(folder, monkeypatch, words, said):
    monkeypatch.chdir(folder)
    CliRunner().invoke(cli, ["audit", "checkpoint"])
    done = CliRunner().invoke(cli, ["audit", *words])
    assert said in str(done.exception)


def test_an_open_key_file_signs_nothing(folder):
    (folder / "audit.key").chmod(0o644)
    done = CliRunner().invoke(
        cli, ["audit", "checkpoint", "--config", str(folder / "pointsman.yaml")]
    )
    assert "open to others" in str(done.exception)
    assert "PRIVATE" not in str(done.exception) + done.output


def test_a_receipt_without_an_end_is_not_called_fine(folder):
    write(folder / "facts", [an_admission("tr_lost")])
    run("checkpoint", folder=folder)
    out = folder / "lost.json"
    run("prove", "tr_lost", "--out", out, folder=folder)
    done = CliRunner().invoke(cli, ["audit", "verify", "--receipt", str(out), "--json"])
    assert isinstance(done.exception, CheckFailed)
    said = json.loads(done.stdout)
    assert (said["ok"], said["status"]) == (False, "unknown")
    assert "died before it wrote one" in said["missing"]
