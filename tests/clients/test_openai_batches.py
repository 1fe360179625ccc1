"""The official Python client, unmodified: files and batches, as its documentation shows them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from tests.batches.batch_kit import batch_config, chat_body, lines
from tests.support.gateway import RunningGateway, a_deployment

from pointsman.testing import ScriptedUpstream


@pytest.fixture
def client(tmp_path: Path) -> Iterator[openai.OpenAI]:
    with ScriptedUpstream() as upstream:
        engines = [a_deployment("only", upstream.base_url)]
        config = batch_config(tmp_path, engines, while_in_flight=100)
        with (
            RunningGateway(config) as gateway,
            openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0) as made,
        ):
            yield made


def test_a_file_is_left_listed_read_and_deleted(client: openai.OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "input.jsonl"
    path.write_bytes(lines(chat_body("a")))
    with path.open("rb") as opened:
        file = client.files.create(
            file=opened,
            purpose="batch",
            expires_after={"anchor": "created_at", "seconds": 7200},
        )
    assert (file.filename, file.bytes, file.purpose) == (path.name, path.stat().st_size, "batch")
    assert file.expires_at == file.created_at + 7200
    more = [client.files.create(file=b"{}", purpose="batch").id for _ in range(3)]
    # the client asks for page after page by itself
    assert [each.id for each in client.files.list(limit=2, order="asc")] == [file.id, *more]
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == path.read_bytes()
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)
    with pytest.raises(openai.BadRequestError, match="purpose"):
        client.files.create(file=b"{}", purpose="fine-tune")


def test_a_batch_is_made_watched_and_read(client: openai.OpenAI) -> None:
    content = lines(chat_body("a"), chat_body("b", model="nobody"))
    file = client.files.create(file=("night.jsonl", content), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"for": "tests"},
    )
    assert batch.metadata == {"for": "tests"}
    deadline = time.monotonic() + 60
    while batch.status != "completed":
        assert time.monotonic() < deadline, batch
        time.sleep(0.05)
        batch = client.batches.retrieve(batch.id)
    assert batch.request_counts is not None
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (2, 1, 1)
    assert batch.output_file_id is not None
    assert batch.error_file_id is not None
    good = json.loads(client.files.content(batch.output_file_id).text)
    answer = openai.types.chat.ChatCompletion.model_validate(good["response"]["body"])
    assert answer.choices[0].message.content == "ok"
    bad = json.loads(client.files.content(batch.error_file_id).text)
    assert bad["custom_id"] == "line-1"
    assert [each.id for each in client.batches.list()] == [batch.id]
    with pytest.raises(openai.BadRequestError):
        client.batches.cancel(batch.id)


def test_a_bad_input_tells_its_lines(client: openai.OpenAI) -> None:
    file = client.files.create(file=b"nonsense", purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h"
    )
    deadline = time.monotonic() + 60
    while batch.status != "failed":
        assert time.monotonic() < deadline, batch
        time.sleep(0.05)
        batch = client.batches.retrieve(batch.id)
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert [(each.code, each.line) for each in batch.errors.data] == [("invalid_json_line", 1)]
