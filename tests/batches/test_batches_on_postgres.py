"""The same on PostgreSQL, with two gateways on one state, each with a folder of its own."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from pointsman.domain.task import StateSettings
from pointsman.testing import ScriptedUpstream
from tests.batches.batch_kit import asked, batch_config, begin, chat_body, lines, rows, until
from tests.support.gateway import RunningGateway, a_deployment
from tests.support.postgres import fresh_postgres, own_database, postgres_engine, postgres_url

__all__ = ["fresh_postgres", "own_database", "postgres_engine", "postgres_url"]


def test_each_gateway_runs_what_lies_in_its_folder_and_says_what_does_not(
    tmp_path: Path, fresh_postgres: Callable[[], str]
) -> None:
    state = StateSettings(url=fresh_postgres())
    with ScriptedUpstream() as upstream:
        engines = [a_deployment("only", upstream.base_url)]
        configs = [
            msgspec.structs.replace(batch_config(tmp_path / name, engines), state=state)
            for name in ("one", "two")
        ]
        with RunningGateway(configs[0]) as one, RunningGateway(configs[1]) as two:
            made = [
                begin(gateway, lines(*(chat_body(f"{name} {at}") for at in range(9))))
                for name, gateway in (("one", one), ("two", two))
            ]
            for batch, here, there in ((made[0], one, two), (made[1], two, one)):
                # the state is one: both know of it; the bytes lie with one of them
                found = until(there, batch["id"])
                assert found["request_counts"] == {"total": 9, "completed": 9, "failed": 0}
                assert len(rows(here, found)) == 9
                path = f"/v1/files/{found['output_file_id']}"
                assert there.request("GET", path).status == 200
                elsewhere = there.request("GET", f"{path}/content")
                assert elsewhere.status == 503
                assert elsewhere.json["error"]["code"] == "file_content_missing"
                body = {"input_file_id": batch["input_file_id"], "completion_window": "1h"}
                body["endpoint"] = "/v1/chat/completions"
                refused = there.request("POST", "/v1/batches", body)
                assert refused.json["error"]["code"] == "file_content_missing"
                # deleted through either, its bytes go with the next sweep of their own gateway
                assert there.request("DELETE", path).status == 200
                assert here.request("GET", f"{path}/content").status == 404
        texts = asked(upstream)
        assert len(texts) == len(set(texts)) == 18
