"""A child that reads what strangers sent: whatever it does, the parent goes on."""

import os
import socket
from pathlib import Path

import msgspec
import pytest

from pointsman.domain.errors import DocumentRefused
from pointsman.evidence.bounded import USUAL, Bounds, work

MODULE = "tests.evidence.hostile_child"


@pytest.fixture(autouse=True)
def _child_finds_the_tests(monkeypatch):
    root = str(Path(__file__).parent.parent.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (root, os.getenv("PYTHONPATH")))))


def do(what, content=b"hello", bounds=USUAL, **more):
    said = work(MODULE, content, name="x.pdf", options={"do": what, **more}, bounds=bounds)
    return msgspec.json.decode(said)


def test_it_answers_with_what_it_made_of_the_bytes(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"of a file")
    assert do("echo") == "hello"
    assert do("echo", b"x" * 300_000) == "x" * 300_000
    with path.open("rb") as file:
        file.read(3)
        assert do("echo", file) == "of a file"


def test_what_a_library_prints_is_no_answer():
    assert do("print") == "said"


BOUNDS = Bounds(wall_s=30, cpu_s=20, memory_bytes=400 << 20, output_bytes=1 << 20)


@pytest.mark.parametrize(("what", "bounds", "said"), [
    ("hang", Bounds(wall_s=1.5), "takes too long"),
    ("spin", Bounds(cpu_s=1, wall_s=60), "takes too long"),
    ("grow", BOUNDS, "too much memory"),
    ("spew", BOUNDS, "holds too much"),
    ("crash", BOUNDS, "SIGABRT"),
    ("raise", BOUNDS, "KeyError"),
    ("refuse", BOUNDS, "is not right"),
    ("write", BOUNDS, "cannot be read"),
])  # fmt: skip
def test_a_child_that_misbehaves_is_refused_and_gone(what, bounds, said):
    with pytest.raises(DocumentRefused) as refused:
        do(what, bounds=bounds)
    assert said in str(refused.value)
    assert str(refused.value).startswith("x.pdf ")


def test_what_is_too_large_is_not_even_sent():
    with pytest.raises(DocumentRefused, match="too large"):
        do("echo", b"x" * 11, bounds=Bounds(input_bytes=10))


def test_it_gets_no_secret_of_the_environment(monkeypatch):
    monkeypatch.setenv("QWEN_KEY", "secret")
    assert "QWEN_KEY" not in do("environment")


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs the right to make one")
def test_it_reaches_no_network():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(DocumentRefused, match="unreachable"),
    ):
        do("connect", port=server.getsockname()[1])
