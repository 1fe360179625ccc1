"""`check` asks every deployment what it serves, and looks at every model file."""

import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.engines import an_engine
from tests.discovery.engines import VLLM, listing
from tests.transport.certificates import Authority, server_context

from pointsman.testing import free_port, silence


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write the configuration of a new working folder."""
    monkeypatch.chdir(tmp_path)

    def text(*deployments: str, tail: str = "") -> Path:
        path = Path("pointsman.yaml")
        path.write_text("deployments:\n" + "".join(f"  {each}\n" for each in deployments) + tail)
        return path

    return text


def served(name: str, port: int, more: str = "engine: vllm", model: str = "Qwen/Qwen3-4B") -> str:
    price = "price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}"
    return f"{name}: {{model: {model}, base_url: 'http://127.0.0.1:{port}/v1', {more}, {price}}}"


def test_a_deployment_that_serves_its_model_is_well(run, write) -> None:
    with an_engine(VLLM) as vllm:
        write(served("a", vllm.port))
        ran, document = run("check"), run("check", "--json").json
    assert ran.code == 0
    assert "serves Qwen/Qwen3-4B" in ran.out
    [found] = document["deployments"]
    assert document["ok"] is True
    assert (found["state"], found["context"]) == ("ok", 32768)
    assert found["latency_ms"] > 0
    assert all(request.method == "GET" for request in vllm.requests)


def test_a_deployment_that_cannot_be_reached_exits_5(run, write) -> None:
    with an_engine(VLLM) as vllm:
        write(served("a", vllm.port), served("gone", free_port()))
        ran, document = run("check"), run("check", "--json")
    assert (ran.code, document.code) == (5, 5)
    assert "holds" in ran.out
    assert "gone cannot be reached" in ran.err
    assert document.json["ok"] is False


def test_a_model_that_is_not_served_exits_3_with_the_nearest_match(run, write) -> None:
    with an_engine(VLLM) as vllm:
        write(served("a", vllm.port, model="Qwen/Qwen3-4b"), served("gone", free_port()))
        ran = run("check")
    assert ran.code == 3
    assert "did you mean 'Qwen/Qwen3-4B'?" in ran.err


def test_a_refused_key_exits_3_and_is_not_repeated(run, write) -> None:
    with an_engine(VLLM, key="right") as vllm:
        write(served("a", vllm.port, "api_key: wrong-key-value"))
        ran = run("check")
    assert ran.code == 3
    assert "the key is refused (401)" in ran.err
    assert "wrong-key-value" not in ran.out + ran.err


class _Secure(http.server.BaseHTTPRequestHandler):
    """Lists one model, over whatever the server speaks."""

    def do_GET(self) -> None:
        body = b'{"object":"list","data":[{"id":"Qwen/Qwen3-4B","object":"model"}]}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """Port and CA file of an engine behind a certificate that no system trusts."""
    authority = Authority(tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Secure)
    context = server_context(authority.issue("127.0.0.1"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1], authority.ca
    server.shutdown()
    server.server_close()


def test_a_deployment_is_probed_by_the_way_it_is_served(run, write, secure) -> None:
    port, ca = secure
    address = f"base_url: 'https://127.0.0.1:{port}/v1', engine: vllm"
    price = "price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}"
    one = f"{{model: Qwen/Qwen3-4B, {address}, {price}"
    write(f"trusted: {one}, tls: {{ca: '{ca}'}}}}", f"unknown: {one}}}")
    document = run("check", "--json").json
    states = {each["deployment"]: each["state"] for each in document["deployments"]}
    assert states == {"trusted": "ok", "unknown": "unreachable"}


def test_a_proxy_that_is_away_is_why_a_deployment_cannot_be_reached(run, write) -> None:
    away = free_port()
    with an_engine(VLLM) as vllm:
        write(served("a", vllm.port, f"engine: vllm, proxy: 'http://127.0.0.1:{away}'"))
        ran = run("check")
    assert ran.code == 5
    assert f"127.0.0.1:{away}" in ran.err
    assert vllm.requests == []


def test_a_certificate_that_cannot_be_read_is_the_files_fault(run, write) -> None:
    write(served("a", 9, "engine: vllm, tls: {ca: /nowhere/ca.pem}").replace("http:", "https:"))
    ran = run("check")
    assert ran.code == 3
    assert "/nowhere/ca.pem" in ran.err


def test_offline_asks_nobody(run, write) -> None:
    with an_engine(VLLM) as vllm:
        write(served("a", vllm.port), served("gone", free_port()))
        assert run("check", "--offline").code == 0
        assert vllm.requests == []
    assert run("check", "--offline", "--json").json["deployments"] is None


def test_deployments_are_asked_at_once(run, write, monkeypatch: pytest.MonkeyPatch) -> None:
    from time import monotonic

    monkeypatch.setattr("pointsman.cli.probing.TOTAL_S", 1.0)
    with an_engine({}) as mute:
        mute.default = silence()
        write(*(served(f"d{number}", mute.port) for number in range(8)))
        started = monotonic()
        ran = run("check")
        took = monotonic() - started
    assert ran.code == 5
    assert "no answer within 1 s" in ran.err
    assert took < 6


def test_an_engine_that_is_not_named_is_a_remark(run, write) -> None:
    with an_engine(VLLM) as vllm:
        write(served("a", vllm.port, "logprobs: true"))
        ran = run("check")
    assert ran.code == 0
    assert "write engine: vllm" in ran.out


def test_a_name_that_steers_a_terminal_is_shown_without(run, write) -> None:
    with an_engine({"/v1/models": listing("\x1b[31mred")}) as strange:
        write(served("a", strange.port, "logprobs: true"))
        ran = run("check")
    assert "\x1b" not in ran.out + ran.err


def test_a_model_file_must_be_there_and_be_one(run, write, monkeypatch) -> None:
    monkeypatch.setattr("pointsman.cli.probing.require_extra", lambda: None)
    Path("no.gguf").write_text("not a model")
    Path("yes.gguf").write_bytes(b"GGUF" + bytes(60))
    for name, code, said in (
        ("lost.gguf", 3, "No such file"),
        ("no.gguf", 3, "is no GGUF file"),
        ("yes.gguf", 0, "yes.gguf, 0.0 MB"),
        ("embedded:nosuch", 3, "no embedded model is called"),
        ("hub:Owner/Repo/file.gguf", 0, "downloaded when the gateway starts"),
    ):
        write(f"a: {{model: m, embedded: {{gguf: '{name}'}}}}")
        ran = run("check")
        assert (name, ran.code) == (name, code)
        assert said in ran.out + ran.err


def test_a_shipped_file_is_held_against_its_checksum(
    run, write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "small.gguf"
    shipped.write_bytes(b"GGUF" + bytes(60))
    right = hashlib.sha256(shipped.read_bytes()).hexdigest()
    monkeypatch.setattr("pointsman.cli.probing.require_extra", lambda: None)
    monkeypatch.setattr("pointsman.cli.probing.shipped_path", lambda name: shipped)
    write("a: {model: m, embedded: {gguf: embedded:small}}")

    def facts(sha256: str) -> Any:
        return lambda: {"models": {"small": {"file": "small.gguf", "sha256": sha256}}}

    monkeypatch.setattr("pointsman.demo.portfolio.facts", facts(right))
    well = run("check")
    monkeypatch.setattr("pointsman.demo.portfolio.facts", facts("0" * 64))
    changed = run("check")
    assert (well.code, changed.code) == (0, 3)
    assert "its checksum holds" in well.out
    assert "is not the file that was shipped" in changed.err


def test_without_the_engine_an_embedded_deployment_is_wrong(run, write, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    write("a: {model: m, embedded: {gguf: x.gguf}}")
    ran = run("check")
    assert ran.code == 3
    assert 'pip install "pointsman[local]"' in ran.err


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_secret_in_a_file_that_everyone_reads_is_warned_of(run, write, mode: int) -> None:
    path = write(served("a", 9, "api_key: literal-secret"), served("b", 9, "api_key: '${K}'"))
    os.environ["K"] = "value"
    path.chmod(mode)
    ran = run("check", "--offline")
    assert ran.code == 0
    assert ("deployments.a.api_key is a secret that stands in" in ran.err) == (mode == 0o644)
    assert "deployments.b" not in ran.err
    assert "literal-secret" not in ran.out + ran.err


def test_progress_is_shown_only_when_it_takes_long(monkeypatch, capsys) -> None:
    from pointsman.cli import probing

    monkeypatch.setattr(probing, "_LATE_S", 0.01)
    late = probing._LateProgress(2, "probing")
    while late._shown is None:
        late._over.wait(0.005)
    late.step()
    late.close()
    assert "probing: 2 in" in capsys.readouterr().err
    monkeypatch.setattr(probing, "_LATE_S", 60.0)
    probing._LateProgress(2, "probing").close()
    assert capsys.readouterr().err == ""
