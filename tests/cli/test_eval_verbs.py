"""`pointsman eval`: a suite on a configuration and on a gateway, its gate, and what came of it."""

import json

import pytest
from tests.support.gateway import RunningGateway

from pointsman.config import load
from pointsman.testing import ScriptedUpstream, chat_answer

CONFIG = """\
deployments:
  small:
    model: small@q4
    base_url: "{url}"
    price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}
tasks: {{work: {{route: main, prompt: work@v1}}}}
prompts:
  work:
    versions: {{v1: {{system: "Say it again."}}, v2: {{system: "Say it again, loudly."}}}}
    labels: {{live: v1}}
routes: {{main: {{steps: [small]}}}}
journal: {{path: journal}}
"""
SUITE = """\
name: echoes
subject: task:work
cases:
  - {id: a, input: alpha, expected: alpha, tags: {kind: greek}}
  - {id: b, input: beta, expected: gamma}
  - {id: c, input: delta, expected: delta}
scorers: [{exact: {match: contains}}]
gate: {accepted_at_least: %s}
"""


def say_again(received):
    said = json.loads(received.body)["messages"][-1]["content"]
    return chat_answer(said)(received)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ScriptedUpstream(default=say_again) as upstream:
        (tmp_path / "pointsman.yaml").write_text(CONFIG.format(url=upstream.base_url))
        (tmp_path / "suite.yaml").write_text(SUITE % "0.1")
        (tmp_path / "strict.yaml").write_text(SUITE % "0.9")
        yield tmp_path


@pytest.fixture
def cli(folder, run):
    def call(*words):
        return run("eval", *words)

    return call


def test_a_run_is_told_listed_shown_and_goes_into_no_journal_of_the_product(cli, folder, run):
    ran = cli("run", "suite.yaml", "--json")
    assert ran.code == 0, ran.err
    told = ran.json
    assert (told["run"]["status"], told["run"]["subject"]["kind"]) == ("complete", "task")
    assert told["summary"]["primary"]["estimate"]["value"] == pytest.approx(2 / 3)
    assert told["gate"]["passed"] is True
    [listed] = cli("list", "--json").lines
    assert listed["id"] == told["run"]["id"]
    assert cli("show", "--json").json == told
    shown = cli("show", told["run"]["id"]).out
    assert "66.7 %" in shown
    failed = cli("show", "--samples", "failed", "--json").lines
    assert [sample["case"] for sample in failed] == ["b"]
    case = cli("show", "--case", "b").out
    assert "expected: gamma" in case
    assert "exact: failed" in case
    assert not list((folder / "journal" / "journal").glob("**/*.pj"))


def test_the_gate_decides_the_exit_code_and_what_was_asked_is_not_asked_again(cli):
    assert cli("run", "suite.yaml").code == 0
    strict = cli("run", "strict.yaml", "--json")
    assert strict.code == 4
    assert "accepted_at_least" in strict.err
    assert strict.json["summary"]["cached"] == 3
    assert cli("run", "suite.yaml", "--fresh", "--json").json["summary"]["cached"] == 0
    repeated = cli("run", "suite.yaml", "--epochs", "2", "--json").json
    assert repeated["summary"]["cached"] == 0
    assert repeated["summary"]["samples"] == 6


def test_a_gate_that_names_a_run_compares_with_it(cli):
    assert cli("run", "suite.yaml").code == 0
    assert "baseline" not in cli("list").out
    assert cli("baseline", "latest").code == 0
    assert cli("list").out.rstrip().endswith("baseline")
    against = cli("run", "suite.yaml", "--against", "baseline", "--json")
    bounds = {check["bound"] for check in against.json["gate"]["checks"]}
    assert bounds == {"accepted_at_least", "not_worse_than"}


def test_another_prompt_version_is_another_subject(cli, folder):
    first = cli("run", "suite.yaml", "--json").json
    other = cli("run", "suite.yaml", "--prompt", "v2", "--json").json
    assert other["run"]["subject"]["kind"] == "prompt"
    assert other["run"]["subject"]["digest"] != first["run"]["subject"]["digest"]
    assert other["summary"]["cached"] == 0


def test_a_spend_limit_stops_and_the_run_goes_on(cli):
    stopped = cli("run", "suite.yaml", "--spend-limit", "0.000000001")
    assert stopped.code == 4
    assert "spend limit" in stopped.err
    assert cli("list", "--json").lines[0]["status"] == "partial"
    resumed = cli("run", "--resume", "latest", "--json")
    assert (resumed.code, resumed.json["summary"]["samples"]) == (0, 3)


def test_a_run_does_not_go_on_where_its_subject_is_another(cli, folder):
    cli("run", "suite.yaml", "--spend-limit", "0.000000001")
    path = folder / "pointsman.yaml"
    path.write_text(path.read_text().replace("Say it again.", "Say something else."))
    refused = cli("run", "--resume", "latest")
    assert refused.code == 2
    assert "not what it was" in refused.err


def test_a_run_that_was_changed_is_not_believed(cli, folder):
    cli("run", "suite.yaml")
    [samples] = folder.glob("journal/evals/run_*/samples.jsonl")
    samples.write_text(samples.read_text().replace('"passed":false', '"passed":true'))
    changed = cli("show")
    assert changed.code == 4
    assert "not what it was" in changed.err


def test_a_running_gateway_is_asked_over_its_wire_and_says_what_it_cost(cli, folder):
    own = cli("run", "suite.yaml", "--json").json
    with RunningGateway(load(folder / "pointsman.yaml", env={})) as gateway:
        told = cli("run", "suite.yaml", "--gateway", gateway.url, "--json")
    assert told.code == 0, told.err
    assert told.json["run"]["subject"]["gateway"] == gateway.url
    assert told.json["summary"]["primary"] == own["summary"]["primary"]
    assert told.json["summary"]["cost_usd"] == pytest.approx(own["summary"]["cost_usd"])
    assert told.json["summary"]["cost_usd"] > 0
    nobody = cli("run", "suite.yaml", "--gateway", gateway.url, "--fresh")
    assert nobody.code == 5
    assert "--resume" in nobody.err


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("run",), 2, "name a suite file"),
        (("run", "suite.yaml", "--subject", "task:wrok"), 2, "did you mean 'task:work'"),
        (("run", "suite.yaml", "--subject", "small", "--prompt", "v2"), 2, "no task"),
        (("run", "missing.yaml"), 3, "cannot read"),
        (("show", "run_nothing"), 2, "there is no run"),
        (("run", "suite.yaml", "--resume", "latest"), 2, "name a suite file"),
    ],
)
def test_what_is_asked_wrongly_is_told(cli, words, code, what):
    ran = cli(*words)
    assert (ran.code, what in ran.err) == (code, True), ran.err


def test_the_schema_is_printed(cli):
    assert json.loads(cli("schema").out)["title"] == "a suite of Pointsman"


def test_cases_come_from_requests_that_were_accepted(cli, folder, run):
    with RunningGateway(load(folder / "pointsman.yaml", env={})) as gateway:
        traces = [gateway.chat(text).headers["x-pointsman-trace"] for text in ("one", "two")]
    assert run("feedback", "add", traces[0], "accepted").code == 0
    (folder / "traffic.yaml").write_text(
        "name: traffic\nsubject: task:work\ncases: [{journal: {task: work}}]\n"
        "scorers: [{exact: {}}]\n"
    )
    told = cli("run", "traffic.yaml", "--json")
    assert told.code == 0, told.err
    assert told.json["summary"]["samples"] == 1
    assert told.json["summary"]["primary"]["estimate"]["value"] == 1.0
