"""What a client names by URL reaches an engine as data, or the request is refused."""

import base64
import json
import urllib.error
import urllib.request

import msgspec
import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.backends import fetching
from pointsman.domain.task import MediaSettings
from pointsman.testing import ScriptedUpstream, chat_answer, raw_answer

GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"


@pytest.fixture
def engine():
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def pictures():
    with ScriptedUpstream() as upstream:
        yield upstream


def running(engine, tmp_path, **media):
    config = a_config(tmp_path / "j", [a_deployment("only", engine.base_url)], gate=None)
    return RunningGateway(msgspec.structs.replace(config, media=MediaSettings(**media)))


def ask(gateway, url, path="/chat/completions", **changes):
    parts = [{"type": "text", "text": "what?"},
             {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]  # fmt: skip
    body = {"model": "task:work", "messages": [{"role": "user", "content": parts, "x": 1.0}]}
    if path == "/responses":
        parts = [{"type": "input_image", "image_url": url}]
        body = {"model": "task:work", "input": [{"role": "user", "content": parts}]}
    data = json.dumps(body | changes).encode()
    asked = urllib.request.Request(gateway.url + path, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=20) as said:
            return said.status, json.load(said)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("path", ["/chat/completions", "/responses"])
def test_the_engine_gets_the_data_and_no_url(engine, pictures, tmp_path, monkeypatch, path):
    monkeypatch.setattr(fetching, "is_public", lambda _: True)
    engine.then(chat_answer("a dot"))
    pictures.then_read(
        raw_answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(GIF) + GIF)
    )
    with running(engine, tmp_path, plain_http=True, hosts=("127.0.0.1",)) as gateway:
        status, _ = ask(gateway, f"http://127.0.0.1:{pictures.port}/a.gif", path)
    assert status == 200
    sent = json.loads(engine.requests[-1].body)
    message = sent["messages"][-1]
    image = next(p["image_url"] for p in message["content"] if p["type"] == "image_url")
    assert image["url"] == "data:image/gif;base64," + base64.b64encode(GIF).decode()
    assert b"http://" not in engine.requests[-1].body
    if path == "/chat/completions":
        assert (image["detail"], message["x"]) == ("low", 1.0)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/x", "https://127.0.0.1/x", "file:///etc/passwd", "a.png", "",
     "HTTPS://[::1]/x", "https://169.254.169.254/latest/meta-data"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/chat/completions", "/responses"])
def test_this_network_is_not_looked_into_for_a_client(engine, pictures, tmp_path, url, path):
    with running(engine, tmp_path) as gateway:
        status, said = ask(gateway, url.format(port=pictures.port), path)
    assert (status, said["error"]["code"]) == (400, "url_refused")
    assert not engine.requests
    assert not pictures.requests


def test_refusing_and_forwarding_are_settings(engine, tmp_path):
    with running(engine, tmp_path, urls="refuse") as gateway:
        assert ask(gateway, "https://example.org/a.png")[0] == 400
        status, _ = ask(gateway, "data:image/png;base64,aGk=")
        assert status == 200
    with running(engine, tmp_path, urls="forward") as gateway:
        assert ask(gateway, "https://example.org/a.png")[0] == 200
    assert b"https://example.org/a.png" in engine.requests[-1].body


def test_more_files_than_are_fetched_are_refused(engine, tmp_path):
    parts = [{"type": "image_url", "image_url": {"url": f"https://a.test/{n}"}} for n in range(3)]
    with running(engine, tmp_path, max_count=2) as gateway:
        status, said = ask(gateway, "", messages=[{"role": "user", "content": parts}])
    assert (status, said["error"]["param"]) == (400, "messages[0].content[2].image_url")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/embeddings", {"input": [{"image_url": "http://169.254.169.254/"}]}),
        ("/embeddings", {"input": "x", "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]}]}),
        ("/rerank", {"query": "x", "documents": [{"content": [
            {"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]}]}),
        ("/chat/completions", {"messages": [{"role": "user", "content": [
            {"type": "image", "image": "http://169.254.169.254/"}]}]}),
        ("/chat/completions", {"messages": [{"role": "user", "content": [
            {"type": "video", "video": ["file:///etc/passwd"]}]}]}),
    ],
)  # fmt: skip
def test_no_other_way_of_naming_a_file_reaches_an_engine(engine, tmp_path, path, body):
    with running(engine, tmp_path) as gateway:
        status, said = ask(gateway, "", path, **{"messages": None, **body})
    assert status == 400, said
    assert not engine.requests
