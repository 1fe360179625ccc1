"""One key is one fact, whoever recorded it; kinds that decide nothing are told of."""

import msgspec
import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman import Workspace
from pointsman.domain.records import OutcomeRecord
from pointsman.domain.task import AcceptanceRule
from pointsman.journal import JournalWriter, iter_records
from pointsman.testing import ScriptedUpstream, chat_answer

RULE = {"acceptance": AcceptanceRule(accepted="outcome.kind == 'sent'", rejected="false")}


@pytest.fixture
def small():
    with ScriptedUpstream() as one:
        yield one


def gateway_for(tmp_path, small, **more) -> RunningGateway:
    return RunningGateway(
        a_config(tmp_path, [a_deployment("small", small.base_url)], gate=None, **more)
    )


def post(gateway: RunningGateway, **said):
    return gateway.request("POST", "/v1/feedback", said)


def recorded(tmp_path) -> int:
    root = a_config(tmp_path, [a_deployment("small", "http://127.0.0.1:9/v1")]).journal_path
    return sum(isinstance(each, OutcomeRecord) for each in iter_records(root))


def test_a_key_is_one_fact_after_a_restart_too(tmp_path, small) -> None:
    small.then(chat_answer("ok"))
    with gateway_for(tmp_path, small) as gateway:
        trace = gateway.chat().headers["x-pointsman-trace"]
        first = post(gateway, trace=trace, kind="accepted", key="k1")
    for _ in range(2):
        with gateway_for(tmp_path, small) as gateway:
            again = post(gateway, trace=trace, kind="accepted", key="k1")
            assert (again.status, again.json["id"]) == (200, first.json["id"])
            other = post(gateway, trace=trace, kind="rejected", key="k1")
            assert (other.status, other.json["error"]["code"]) == (400, "key_reused")
            assert len(gateway.rows("outcomes")) == 1
            assert recorded(tmp_path) == 1


def test_an_import_that_is_repeated_records_nothing_more(tmp_path, small) -> None:
    small.then(chat_answer("ok"), chat_answer("ok"))
    config = a_config(tmp_path, [a_deployment("small", small.base_url)], gate=None)
    with RunningGateway(config) as gateway:
        traces = [gateway.chat().headers["x-pointsman-trace"] for _ in range(2)]
        rows = [{"trace": each, "kind": "accepted", "key": each} for each in traces]
        with Workspace(config) as workspace:
            assert workspace.add_feedback(rows) == (2, [])
            assert workspace.add_feedback(rows) == (2, [])
            assert len(workspace.trace(traces[0])["outcomes"]) == 1
    assert recorded(tmp_path) == 2


def test_a_kind_that_no_rule_mentions_is_recorded_with_a_warning(tmp_path, small) -> None:
    small.then(chat_answer("ok"))
    with gateway_for(tmp_path, small, task=RULE) as gateway:
        trace = gateway.chat().headers["x-pointsman-trace"]
        told = post(gateway, trace=trace, kind="thumbs")
        assert told.status == 200
        assert "'thumbs'" in told.json["warning"]
        assert "sent" in told.json["warning"]
        assert "warning" not in post(gateway, trace=trace, kind="sent").json
        assert {row["outcome"] for row in gateway.rows("outcomes")} == {"thumbs", "sent"}


def test_a_rule_that_reads_values_warns_of_nothing(tmp_path, small) -> None:
    small.then(chat_answer("ok"))
    rule = AcceptanceRule(accepted="outcome.value == true", rejected="outcome.value == false")
    with gateway_for(tmp_path, small, task={"acceptance": rule}) as gateway:
        trace = gateway.chat().headers["x-pointsman-trace"]
        assert "warning" not in post(gateway, trace=trace, kind="thumbs", value=True).json


def test_facts_that_were_written_twice_are_shown_once(tmp_path, small) -> None:
    small.then(chat_answer("ok"))
    config = a_config(tmp_path, [a_deployment("small", small.base_url)], gate=None)
    with RunningGateway(config) as gateway:
        trace = gateway.chat().headers["x-pointsman-trace"]
        post(gateway, trace=trace, kind="accepted", key="k1")
    [fact] = [each for each in iter_records(config.journal_path) if isinstance(each, OutcomeRecord)]
    with JournalWriter(config.journal_path) as writer:  # as two workers may
        writer.append(msgspec.structs.replace(fact, id="oc_later", at_us=fact.at_us + 1))
    with Workspace(config) as workspace:
        assert [each["id"] for each in workspace.trace(trace)["outcomes"]] == [fact.id]
