"""`doctor` looks at the machine, changes nothing on it, and exits 4 when something is bad."""

import socket
from pathlib import Path

import pytest
from tests.cli.engines import an_engine
from tests.discovery.engines import POINTSMAN, VLLM

from pointsman.testing import free_port


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def text(deployment: str, *, port: int = 0, tail: str = "") -> None:
        Path("pointsman.yaml").write_text(
            f"deployments: {{a: {deployment}}}\nserver: {{port: {port}, max_connections: 8}}\n"
            f"journal: {{path: journal}}\n{tail}"
        )

    return text


def served(port: int) -> str:
    return f"{{model: Qwen/Qwen3-4B, base_url: 'http://127.0.0.1:{port}/v1', engine: vllm}}"


def lines(ran) -> dict[str, tuple[str, str]]:
    return {each["what"]: (each["state"], each["said"]) for each in ran.json["lines"]}


def test_a_sound_machine_is_well_and_nothing_is_left_behind(run, write, tmp_path: Path) -> None:
    with an_engine(VLLM) as vllm:
        write(served(vllm.port))
        ran, document = run("doctor"), run("doctor", "--json")
    assert ran.code == 0, ran.out
    assert document.json["ok"] is True
    found = lines(document)
    assert set(found) == {
        "configuration", "python", "extras", "open files", "disk", "fsync", "clock", "port",
        "journal", "deployment a",
    }  # fmt: skip
    assert {state for state, _ in found.values()} <= {"ok", "warn"}
    assert [path.name for path in tmp_path.iterdir()] == ["pointsman.yaml"]


def test_what_is_bad_exits_4_and_says_what_to_do(run, write) -> None:
    write(served(free_port()))
    ran = run("doctor")
    assert ran.code == 4
    assert "bad   deployment a" in ran.out or "bad  deployment a" in ran.out
    assert "next  start the engine" in ran.err
    assert run("doctor", "--offline").code == 0


def test_without_a_file_the_machine_is_looked_at_all_the_same(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("doctor", "--json")
    assert ran.code == 4
    found = lines(ran)
    assert found["configuration"][0] == "bad"
    assert found["disk"][0] in ("ok", "warn")
    assert "deployment a" not in found


def test_a_file_that_does_not_hold_is_told_with_its_line(run, write) -> None:
    write("{model: m, bas_url: x}")
    found = lines(run("doctor", "--json"))
    assert "pointsman.yaml:1" in found["configuration"][1]


def test_a_port_that_another_program_has_is_bad(run, write) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        write(served(9), port=taken.getsockname()[1])
        found = lines(run("doctor", "--offline", "--json"))
    assert found["port"][0] == "bad"
    assert "taken by another program" in found["port"][1]


@pytest.mark.parametrize(
    ("engine", "state", "who"), [(POINTSMAN, "ok", "ours"), (VLLM, "bad", "vLLM")]
)
def test_who_has_the_port_is_recognised(run, write, engine, state: str, who: str) -> None:
    with an_engine(engine) as other:
        write(served(9), port=other.port)
        found = lines(run("doctor", "--offline", "--json"))
    assert found["port"][0] == state
    assert who in found["port"][1]


def test_a_journal_is_walked(run, lived) -> None:
    well = lines(run("doctor", "--offline", "--json"))
    assert "records, whole" in well["journal"][1]
    segment = max(lived.segments, key=lambda path: path.stat().st_size)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    ran = run("doctor", "--offline", "--json")
    assert ran.code == 4
    assert lines(ran)["journal"][0] == "bad"
    assert segment.name in lines(ran)["journal"][1]


def test_a_journal_that_is_large_is_not_walked(run, lived, monkeypatch) -> None:
    monkeypatch.setattr("pointsman.cli.doctor._QUICK_BYTES", 10)
    found = lines(run("doctor", "--offline", "--json"))
    assert found["journal"][0] == "ok"
    assert "not walked here" in found["journal"][1]


def test_a_folder_that_takes_no_file_is_bad(run, write, monkeypatch) -> None:
    import os

    real = os.open

    def refuse(path, *arguments, **options):
        if ".pointsman-doctor-" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    write(served(9))
    monkeypatch.setattr(os, "open", refuse)
    ran = run("doctor", "--offline", "--json")
    assert ran.code == 4
    assert lines(ran)["journal folder"][0] == "bad"


@pytest.mark.needs_engine
def test_embedded_engines_are_started_and_stopped(run, write) -> None:
    from tests.support.processes import children

    write("{model: m, embedded: {gguf: embedded:small-f16, context: 256}}")
    import os

    before = children(os.getpid())
    found = lines(run("doctor", "--json"))
    assert found["engine a"][0] == "ok", found
    assert "starts in" in found["engine a"][1]
    assert children(os.getpid()) == before


@pytest.mark.needs_engine
def test_an_engine_that_does_not_start_is_bad(run, write) -> None:
    Path("broken.gguf").write_bytes(b"GGUF" + bytes(64))
    write("{model: m, embedded: {gguf: broken.gguf}}")
    ran = run("doctor", "--json")
    assert ran.code == 4
    assert lines(ran)["engine a"][0] == "bad"
