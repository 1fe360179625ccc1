"""A journal in which everything has happened once, and the command line beside it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.gateway import RunningGateway
from tests.support.processes import environment

from pointsman.config import load
from pointsman.domain.records import Admission
from pointsman.journal import JournalWriter, iter_records
from pointsman.testing import ScriptedUpstream, chat_answer, chat_stream, status_answer

CONFIG = """\
deployments:
  small:
    model: small@q4
    base_url: "{small}"
    price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}
  large:
    model: large@f16
    base_url: "{large}"
    price: {{input_usd_per_mtok: 10, output_usd_per_mtok: 20}}
    retries: {{most: 0}}
prompts:
  work: {{system: "Answer with digits."}}
routes:
  main: {{steps: [small, large]}}
tasks:
  work:
    route: main
    prompt: work@v1
    verify: [{{regex: "[0-9]+"}}]
journal: {{path: journal}}
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Lived:
    """A folder with a configuration, a journal, and the traces of what happened in it."""

    folder: Path
    traces: dict[str, str]
    response_id: str  # of the escalated one

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def segments(self) -> list[Path]:
        return sorted(self.journal.rglob("*.pj"))


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`pointsman ARGUMENTS` in this process."""
    monkeypatch.setattr("os.environ", environment({"COLUMNS": "100"}))

    def command(*arguments: str) -> Ran:
        from pointsman.cli import main

        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Ran(int(left.value.code or 0), said.out, said.err)

    return command


@pytest.fixture
def lived(once_lived: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lived:
    """A copy of that folder, which is the working folder."""
    folder = tmp_path / "lived"
    shutil.copytree(once_lived.folder, folder)
    monkeypatch.chdir(folder)
    return Lived(folder, once_lived.traces, once_lived.response_id)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a configuration and nothing else."""
    folder = tmp_path / "empty"
    folder.mkdir()
    nowhere = "http://127.0.0.1:9/v1"
    (folder / "pointsman.yaml").write_text(CONFIG.format(small=nowhere, large=nowhere))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def once_lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("lived")
    with ScriptedUpstream() as small, ScriptedUpstream() as large:
        traces, response_id = _live(folder, small, large)
    traces["running"] = _an_admission_without_an_end(folder / "journal")
    return Lived(folder, traces, response_id)


def _live(
    folder: Path, small: ScriptedUpstream, large: ScriptedUpstream
) -> tuple[dict[str, str], str]:
    config = folder / "pointsman.yaml"
    config.write_text(CONFIG.format(small=small.base_url, large=large.base_url))
    loaded = load(config, env={})
    settings = msgspec.structs.replace(loaded.journal, path=str(folder / "journal"))
    with RunningGateway(msgspec.structs.replace(loaded, journal=settings)) as gateway:
        small.then(chat_answer("42"))
        plain = gateway.chat("six times seven")
        small.then(chat_answer("no digits \x1b[31m"))
        large.then(chat_answer("43"))
        escalated = gateway.chat("is it red?")
        small.then(chat_stream("44"))
        streamed = gateway.chat("streamed", stream=True)
        small.then(status_answer(500))
        large.then(status_answer(500))
        failed = gateway.chat("to nobody")
        assert [each.status for each in (plain, escalated, streamed, failed)] == [
            200,
            200,
            200,
            502,
        ]
        known = {
            "plain": plain, "escalated": escalated, "streamed": streamed, "failed": failed,
        }  # fmt: skip
        traces = {name: each.headers["x-pointsman-trace"] for name, each in known.items()}
        told = {"trace": traces["plain"], "kind": "accepted", "value": True}
        assert gateway.request("POST", "/v1/feedback", told).status == 200
        return traces, escalated.json["id"]


def _an_admission_without_an_end(root: Path) -> str:
    """What a killed gateway leaves."""
    admission = next(each for each in iter_records(root) if isinstance(each, Admission))
    trace = admission.trace[:-4] + "ZZZZ"
    with JournalWriter(root) as writer:
        writer.append(
            msgspec.structs.replace(admission, trace=trace, at_us=admission.at_us + 1_000_000)
        )
    return trace
