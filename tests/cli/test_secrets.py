"""Planted secrets are found nowhere but where they belong: not said, not logged, not recorded."""

import contextlib
import hashlib
import http.client
import io
import json
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import pytest
from tests.support.processes import ServeProcess, environment

from pointsman.cli import main
from pointsman.journal import iter_records, seal
from pointsman.testing import (
    Received,
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    cut,
    status_answer,
)

SECRETS = {
    "UPSTREAM_KEY": "sk-upstream-5Jq0v1",
    "CLIENT_KEY": "pk-client-8Rm2x7",
}
LITERAL = "sk-literal-3Wd9k4"
WRONG = "pk-wrong-6Tz5b2"
PASSWORD = "hunter2-7Yc1n8"
CONFIG = """\
deployments:
  small: {{model: small, base_url: "{small}", api_key: "${{UPSTREAM_KEY}}"}}
  large: {{model: large, base_url: "{large}", api_key: {literal}}}
routes:
  main: {{steps: [small, large]}}
tasks:
  work: {{route: main, verify: [{{regex: "[0-9]+"}}]}}
keys:
  one: {{key: "${{CLIENT_KEY}}"}}
journal: {{path: journal}}
"""
PLANTED = (*SECRETS.values(), LITERAL, WRONG, PASSWORD)


def repeating(status: int):
    """An engine that repeats the credential it was sent, as some do."""

    def script(request: Received):
        said = request.headers.get("authorization", "")
        error = {"message": f"bad credential: {said}", "type": "x", "param": None, "code": None}
        return status_answer(status, {"error": error})(request)

    return script


class Client:
    """Plain requests that keep every answer's head and body."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.heard: list[str] = []

    def send(self, method: str, path: str, body: object = None, **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, payload, named)
            response = connection.getresponse()
            try:
                data = response.read()
            except http.client.IncompleteRead as broken:
                data = broken.partial
            self.heard.append(f"{response.status} {response.getheaders()} {data!r}")
            return response.status
        finally:
            connection.close()


def chat(stream: bool) -> dict[str, object]:
    messages = [{"role": "user", "content": "how many?"}]
    return {"model": "task:work", "messages": messages, "stream": stream}


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A whole life of a gateway with everything it said, by where it said it."""
    folder = tmp_path_factory.mktemp("secrets")
    config = folder / "pointsman.yaml"
    said: dict[str, str] = {}
    with ScriptedUpstream() as small, ScriptedUpstream() as large:
        config.write_text(
            CONFIG.format(small=small.base_url, large=large.base_url, literal=LITERAL)
        )
        with ServeProcess(config, "--log-level", "debug", env=SECRETS) as gateway:
            client = Client(gateway.port)
            known = {"Authorization": f"Bearer {SECRETS['CLIENT_KEY']}"}
            small.then(chat_answer("42"), chat_stream("42"), chat_answer("none"))
            assert client.send("POST", "/v1/chat/completions", chat(False), **known) == 200
            assert client.send("POST", "/v1/chat/completions", chat(True), **known) == 200
            large.then(chat_answer("43"))
            assert client.send("POST", "/v1/chat/completions", chat(False), **known) == 200
            for status in (400, 401, 403, 404, 429, 500):
                small.then(repeating(status))
                large.then(repeating(status))
                client.send("POST", "/v1/chat/completions", chat(status == 401), **known)
            small.then(cut(chat_stream("1 2 3 4 5"), 900))
            large.then(cut(chat_stream("1 2 3 4 5"), 900))
            client.send("POST", "/v1/chat/completions", chat(True), **known)
            for headers in (
                {"Authorization": f"Bearer {WRONG}"},
                {"x_api_key": WRONG},
                {"Authorization": f"Basic {WRONG}"},
                {"Authorization": WRONG},
            ):
                assert client.send("POST", "/v1/chat/completions", chat(False), **headers) == 401
            client.send("POST", "/v1/chat/completions", {"model": 7}, **known)
            client.send("POST", "/v1/feedback", {"trace": "tr_x", "kind": "accepted"}, **known)
            for path in ("/metrics", "/readyz", "/healthz", "/v1/models", "/v1/nosuch"):
                client.send("GET", path, **known)
            said["answers to clients"] = "\n".join(client.heard)
            gateway.terminate()
            assert gateway.ended() == 0
            assert gateway.process.stdout is not None
            said["stdout of serve"] = gateway.process.stdout.read()
            said["stderr of serve"] = "\n".join(gateway.said)
        # they did arrive where they belong
        assert small.requests[0].headers["authorization"] == f"Bearer {SECRETS['UPSTREAM_KEY']}"
        assert large.requests[0].headers["authorization"] == f"Bearer {LITERAL}"
        sent = [f"{each.headers} {each.body!r}" for each in (*small.requests, *large.requests)]
        said["requests to engines"] = "\n".join(sent)
    files = [path for path in (folder / "journal").rglob("*") if path.is_file()]
    said["journal files"] = "\n".join(path.read_bytes().decode("latin-1") for path in files)
    said |= commands(folder)
    seal(folder / "journal")
    said["records after sealing"] = "\n".join(map(repr, iter_records(folder / "journal")))
    return said


def commands(folder: Path) -> dict[str, str]:
    said = {}
    _, rows = pointsman("trace", "list", "--json", folder=folder, env=SECRETS)
    traces = [json.loads(row)["trace"] for row in rows.splitlines()]
    assert len(traces) == 10
    verbs = [
        ("check", "--offline"), ("check", "--offline", "--json"), ("config", "show"),
        ("config", "show", "--json"), ("config", "show", "--origins"),
        ("config", "show", "--with-defaults"), ("portfolio", "show"),
        ("portfolio", "show", "--json"), ("report",), ("report", "--json"), ("trace", "list"),
        ("trace", "list", "--json"), ("journal", "verify"),
        *(("trace", "show", trace) for trace in traces),
        *(("trace", "show", trace, "--json") for trace in traces),
    ]  # fmt: skip
    for verb in verbs:
        code, text = pointsman(*verb, folder=folder, env=SECRETS)
        assert code == 0, text
        said[" ".join(verb)] = text
    return said


def pointsman(*words: str, folder: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """The exit code of a command in this process, and all it said."""
    said = io.StringIO()
    with (
        mock.patch.dict("os.environ", environment(env), clear=True),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        pytest.raises(SystemExit) as left,
    ):
        main(words)
    return int(left.value.code or 0), said.getvalue()


@pytest.mark.parametrize("secret", [SECRETS["CLIENT_KEY"], WRONG])
def test_a_clients_credential_is_nowhere(life, secret: str) -> None:
    assert [where for where, text in life.items() if secret in text] == []


@pytest.mark.parametrize("secret", [SECRETS["UPSTREAM_KEY"], LITERAL])
def test_an_engines_credential_goes_to_that_engine_only(life, secret: str) -> None:
    found = [where for where, text in life.items() if secret in text]
    assert found == ["requests to engines"]


def test_a_credential_cannot_be_guessed_from_what_is_shown(life) -> None:
    """A short key is found from its hash by trying; so the hash is not told either."""
    digest = hashlib.sha256(SECRETS["CLIENT_KEY"].encode()).hexdigest()
    assert [where for where, text in life.items() if digest in text] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "deployments: {a: {model: m, base_url: 'http://x/v1', api_key: [SECRET]}}",
        "deployments: {a: {model: m, base_url: 'http://x/v1', api_key: {k: SECRET}}}",
        "deployments: {a: {model: m, base_url: 'http://x/v1', apikey: SECRET}}",
        "deployments: {a: {model: m, base_url: 'http://me:SECRET@x/v1'}}",
        "deployments: {a: {model: m, base_url: 'http://x/v1'}}\nkeys: {one: SECRET}",
        "deployments: {a: {model: m, base_url: 'http://x/v1'}}\nkeys: {one: {key: [SECRET]}}",
        "deployments: {a: {model: m, base_url: 'http://x/v1', api_key: \"SECRET\\n\"}}",
    ],
)
def test_a_configuration_error_does_not_repeat_a_secret(tmp_path: Path, wrong: str) -> None:
    for text, env in (
        (wrong.replace("SECRET", PASSWORD), {}),
        (wrong.replace("SECRET", "${PLANTED}"), {"PLANTED": PASSWORD}),
    ):
        (tmp_path / "pointsman.yaml").write_text(text)
        for verb in (("check", "--offline"), ("config", "show"), ("portfolio", "show")):
            _, said = pointsman(*verb, folder=tmp_path, env=env)
            assert said
            assert PASSWORD not in said, (verb, text)


def test_asking_with_a_key_does_not_repeat_it(tmp_path: Path) -> None:
    for words, env in ((("--key", PASSWORD), {}), ((), {"POINTSMAN_API_KEY": PASSWORD})):
        for url in ("http://127.0.0.1:9/v1", "ftp://x", "http://127.0.0.1:9/v1\n"):
            code, said = pointsman("ask", "hi", *words, "--url", url, folder=tmp_path, env=env)
            assert code in (2, 5)
            assert PASSWORD not in said
        _, said = pointsman("ask", *words, "--help", folder=tmp_path, env=env)
        assert PASSWORD not in said
