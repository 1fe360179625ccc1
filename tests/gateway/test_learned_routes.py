"""A route that learns, over HTTP: who gets which task's requests, what is recorded, what stays."""

import json
import random
from pathlib import Path

import duckdb
import msgspec
import pytest
from click.testing import CliRunner
from tests.support.gateway import RunningGateway

from pointsman.answering.replaying import replay
from pointsman.cli import cli
from pointsman.config import load, parse
from pointsman.domain.messages import Features
from pointsman.domain.plan import Decision
from pointsman.domain.records import Admission
from pointsman.journal import JournalReader
from pointsman.learning.router import Router
from pointsman.testing import Play, Received, ScriptedUpstream, chat_answer, chat_stream

# How often each model is right on each task; prices per token are 1, 3 and 10.
RIGHT = {
    "small": {"sums": 0.1, "dates": 0.5},
    "specialist": {"sums": 1.0, "dates": 0.0},
    "large": {"sums": 0.6, "dates": 1.0},
}
FILE = """
deployments:
  small:
    model: small
    base_url: "{url}"
    price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}
  specialist:
    model: specialist
    base_url: "{url}"
    price: {{input_usd_per_mtok: 3, output_usd_per_mtok: 3}}
  large:
    model: large
    base_url: "{url}"
    price: {{input_usd_per_mtok: 10, output_usd_per_mtok: 10}}
tasks:
  sums: {{route: learned}}
  dates: {{route: learned}}
routes:
  learned:
    steps: [small, specialist, large]
    objective: {{{objective}}}
    stream: direct
    learn: {{explore: {{share: {share}}}, least_outcomes: 8, session: {{{session}}}}}
server: {{port: 0}}
journal: {{path: "{journal}"}}
"""


class Models:
    """What stands behind the upstream: right as often as the table says, and who was asked."""

    def __init__(self) -> None:
        self.dice = random.Random(7)
        self.right = {name: dict(tasks) for name, tasks in RIGHT.items()}

    def __call__(self, request: Received) -> Play:
        body = request.json
        task = body["messages"][-1]["content"].split()[0]
        good = self.dice.random() < self.right[body["model"]][task]
        answer = chat_stream if body.get("stream") else chat_answer
        return answer("right" if good else "wrong", model=body["model"])(request)


@pytest.fixture
def upstream():
    with ScriptedUpstream(default=Models()) as running:
        yield running


class Seeded(RunningGateway):
    """Its draws are the same in every run."""

    def __enter__(self):
        super().__enter__()
        self.app.clock.draw = random.Random(11).random
        return self


def learning(
    tmp_path, upstream, *, share=0.4, objective="value_usd: 0.01", session="enabled: false"
):
    text = FILE.format(
        url=upstream.base_url, journal=tmp_path / "journal", share=share, objective=objective,
        session=session,
    )  # fmt: skip
    return Seeded(parse(text))


def ask(gateway, task: str, number: int, **fields) -> str:
    """One request of a task and the word of the product on its answer; who answered."""
    answer = gateway.chat(f"{task} {number}", model=f"task:{task}", **fields)
    right = answer.json["choices"][0]["message"]["content"] == "right"
    fact = {"trace": answer.headers["x-pointsman-trace"],
            "kind": "accepted" if right else "rejected"}  # fmt: skip
    assert gateway.request("POST", "/v1/feedback", fact).status == 200
    return answer.headers["x-pointsman-deployment"]


def admissions(tmp_path) -> list[Admission]:
    """Every request's, the oldest first."""
    with JournalReader(tmp_path / "journal") as reader:
        rows = reader.query("decisions")
    return [msgspec.json.decode(row["admission"], type=Admission) for row in reversed(rows)]


def test_the_specialist_gets_its_own_tasks_requests_and_nothing_else(tmp_path, upstream):
    with learning(tmp_path, upstream) as gateway:
        for number in range(160):
            ask(gateway, ("sums", "dates")[number % 2], number)
    decisions = [(each.task, each.decision) for each in admissions(tmp_path)][110:]
    best = {
        task: {step.deployment for of, each in decisions if of == task and not each.explored
               for step in each.plan.steps[:1]}
        for task in ("sums", "dates")
    }  # fmt: skip
    assert best == {"sums": {"specialist"}, "dates": {"large"}}
    for _, decision in decisions:
        chances = [each.propensity for each in decision.candidates]
        assert sum(chances) == pytest.approx(1.0)
        assert 0 < decision.propensity <= 1


def test_every_decision_is_taken_again_from_its_record_alone(tmp_path, upstream):
    with learning(tmp_path, upstream) as gateway:
        for number in range(40):
            ask(gateway, ("sums", "dates")[number % 2], number)
    with JournalReader(tmp_path / "journal") as reader:
        text = reader.query("configs")[0]["text"]
        for admission in admissions(tmp_path):
            features = Features(**json.loads(reader.content(admission.request).features))
            told = replay(admission, features, text)
            assert told.status == "same", told


def test_after_a_shift_the_requests_go_elsewhere(tmp_path, upstream):
    with learning(tmp_path, upstream, share=0.3) as gateway:
        for number in range(70):
            ask(gateway, "sums", number)
        upstream.default.right["specialist"]["sums"] = 0.0
        for number in range(100):
            ask(gateway, "sums", number)
    late = [each.decision for each in admissions(tmp_path)][-30:]
    assert {each.plan.steps[0].deployment for each in late if not each.explored} == {"large"}


def test_a_conversation_stays_with_its_arm_and_is_not_explored_with(tmp_path, upstream):
    turns = [{"role": "user", "content": "sums 1"}]
    with learning(tmp_path, upstream, session="switch_usd: 1.0") as gateway:
        for number in range(60):
            ask(gateway, "sums", number)
        places = set()
        for _ in range(8):
            answer = gateway.chat(model="task:sums", messages=turns, prompt_cache_key="one")
            places.add(answer.headers["x-pointsman-deployment"])
    told = [each.decision for each in admissions(tmp_path)][-7:]
    assert len(places) == 1
    assert all(each.learned.stay is not None and each.propensity == 1.0 for each in told)


def test_a_floor_without_a_certificate_is_answered_by_the_strong_arm(tmp_path, upstream):
    with learning(tmp_path, upstream, objective="acceptance: 0.9", share=0) as gateway:
        for number in range(30):
            assert ask(gateway, "sums", number) == "large"
    decision = admissions(tmp_path)[-1].decision
    assert isinstance(decision, Decision)
    assert decision.reason == "the strong arm: there is no router's file, so nothing is certified"


def test_the_days_money_for_exploring_is_the_most_that_is_spent(tmp_path, upstream):
    text = FILE.format(
        url=upstream.base_url, journal=tmp_path / "journal", share="0.5, usd_per_day: 0.0000001",
        objective="value_usd: 0.01", session="enabled: false",
    )  # fmt: skip
    with Seeded(parse(text.replace("[small, specialist, large]", "[large, small]"))) as gw:
        for number in range(40):
            ask(gw, "dates", number)
    decisions = [each.decision for each in admissions(tmp_path)]
    assert sum(each.explored for each in decisions) == 1
    assert "the day's money for exploring is spent" in decisions[-1].reason
    assert decisions[-1].propensity == 1.0


def test_a_decision_is_explained_in_words_and_as_json(tmp_path, upstream):
    text = FILE.format(
        url=upstream.base_url, journal=tmp_path / "journal", share=0.4,
        objective="value_usd: 0.01", session="enabled: false",
    )  # fmt: skip
    (tmp_path / "pointsman.yaml").write_text(text)
    with Seeded(load(tmp_path / "pointsman.yaml", env={})) as gateway:
        for number in range(80):
            ask(gateway, "sums", number)
        trace = gateway.chat("sums 1", model="task:sums").headers["x-pointsman-trace"]
    verb = ["route", "explain", "-c", str(tmp_path / "pointsman.yaml"), trace]
    told = CliRunner().invoke(cli, verb)
    assert told.exit_code == 0, told.output
    assert "replayed  the same decision, bit for bit" in told.output
    assert "worth most" in told.output
    assert "router    none: outcomes alone" in told.output
    assert max(map(len, told.output.splitlines())) <= 100
    document = json.loads(CliRunner().invoke(cli, [*verb, "--json"]).output)
    assert document["replay"]["status"] == "same"
    assert document["replay"]["decision"] == document["decision"]
    beliefs = {each["arm"]: each for each in document["decision"]["learned"]["beliefs"]}
    assert beliefs["specialist"]["accepted"] > 0.8 > beliefs["small"]["accepted"]


def test_a_gateway_that_starts_again_knows_what_it_knew(tmp_path, upstream):
    with learning(tmp_path, upstream) as gateway:
        for number in range(90):
            ask(gateway, "sums", number)
        before = dict(gateway.app.learner.evidence.cells)
        gateway.app._memory.tell(gateway.app._memory.read())  # its own requests change nothing
        assert dict(gateway.app.learner.evidence.cells) == before
    with learning(tmp_path, upstream, share=0) as gateway:
        after = dict(gateway.app.learner.evidence.cells)
        assert {ask(gateway, "sums", number) for number in range(5)} == {"specialist"}
    assert after.keys() == before.keys()
    for key, cell in before.items():
        assert after[key].n == pytest.approx(cell.n, abs=0.5)
        assert after[key].accepted == pytest.approx(cell.accepted, abs=0.5)
        assert after[key].cost == pytest.approx(cell.cost)


def exported(tmp_path, upstream) -> Path:
    """A configuration whose journal holds 120 requests of which it is known what came of them."""
    text = FILE.format(
        url=upstream.base_url, journal=tmp_path / "journal", share=0.4,
        objective="value_usd: 0.01", session="enabled: false",
    )  # fmt: skip
    config = tmp_path / "pointsman.yaml"
    config.write_text(text)
    with Seeded(load(config, env={})) as gateway:
        for number in range(120):
            ask(gateway, ("sums", "dates")[number % 2], number)
        gateway.chat("sums 1", model="task:sums")  # nobody says what came of it
    return config


def test_the_journal_is_exported_with_what_each_arm_was_asked_with(tmp_path, upstream):
    config, out = exported(tmp_path, upstream), tmp_path / "outcomes.parquet"
    verb = ["route", "export", "-c", str(config), "--out", str(out), "--json"]
    told = CliRunner().invoke(cli, verb, catch_exceptions=False)
    assert json.loads(told.stdout) == {"out": str(out), "rows": 120}
    rows = duckdb.sql(f"SELECT * FROM '{out}'").fetchall()
    names = [name for name, *_ in duckdb.sql(f"DESCRIBE SELECT * FROM '{out}'").fetchall()]
    first = dict(zip(names, rows[0], strict=True))
    assert first["prompt"] == "sums 0"
    assert {row[names.index("model")] for row in rows} == {"small", "specialist", "large"}
    assert all(0 < row[names.index("propensity")] <= 1 for row in rows)


@pytest.mark.deep
def test_a_router_is_fitted_from_the_journal(tmp_path, upstream):
    config, router = exported(tmp_path, upstream), tmp_path / "my.router"
    verb = ["route", "fit", "--from-journal", str(config), "--split", "all", "--value-usd", "0.01",
            "--out", str(router), "--json"]  # fmt: skip
    told = CliRunner().invoke(cli, verb, catch_exceptions=False)
    assert json.loads(told.stdout)["models"] == ["large", "small", "specialist"]
    estimates = {each.arm: each for each in Router.load(router).estimate("sums 7", "sums")}
    assert estimates["specialist"].accepted > estimates["small"].accepted


def test_the_tasks_own_checks_teach_where_its_rule_reads_them(tmp_path, upstream):
    text = FILE.format(
        url=upstream.base_url, journal=tmp_path / "journal", share=0.4,
        objective="value_usd: 0.01", session="enabled: false",
    )  # fmt: skip
    rule = '{accepted: "outcome.kind == \'verified\' && outcome.value == true", rejected: "false"}'
    checked = f"{{route: learned, verify: [{{regex: right}}], acceptance: {rule}}}"
    with Seeded(parse(text.replace("sums: {route: learned}", f"sums: {checked}"))) as gateway:
        for number in range(60):
            gateway.chat(f"sums {number}", model="task:sums", stream=number % 2 == 1)
        cells = gateway.app.learner.evidence.cells
    small, specialist = cells["sums", "small"], cells["sums", "specialist"]
    assert specialist.accepted == pytest.approx(specialist.n)
    assert small.accepted < 0.5 * small.n  # refused by the gate, which reads the same check


def test_a_stream_behind_a_learned_gate_is_held_and_the_best_single_arm_is_not(tmp_path, upstream):
    text = FILE.format(
        url=upstream.base_url, journal=tmp_path / "journal", share=0.4,
        objective="value_usd: 0.01", session="enabled: false",
    ).replace("    stream: direct\n", "")  # fmt: skip
    with Seeded(parse(text)) as gateway:
        for number in range(50):
            ask(gateway, "sums", number)
        for number in range(12):
            answer = gateway.chat(f"sums {number}", model="task:sums", stream=True)
            assert answer.events[-1] == "[DONE]"
    streamed = [each.decision for each in admissions(tmp_path) if each.stream]
    assert {each.plan.held for each in streamed} == {True, False}
    assert all(each.plan.held == (each.plan.steps[0].gate is not None) for each in streamed)
