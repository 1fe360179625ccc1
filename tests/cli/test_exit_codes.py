"""Every expected trouble: its exit code, what to try next, and never a traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment
from tests.support.processes import PROGRAM, environment, run_pointsman

from pointsman.testing import ScriptedUpstream, chat_answer, chat_stream, free_port

VERBS = [
    (), ("demo",), ("check",), ("serve",), ("ask",), ("report",), ("trace",), ("trace", "list"),
    ("trace", "show"), ("feedback",), ("feedback", "add"), ("feedback", "import"), ("config",),
    ("config", "show"), ("portfolio",), ("portfolio", "show"), ("journal",),
    ("journal", "verify"), ("journal", "seal"),
]  # fmt: skip
READ_JOURNAL = [
    ("report",),
    ("trace", "list"),
    ("trace", "show", "tr_x"),
    ("portfolio", "show"),
    ("journal", "verify"),
]
USE_JOURNAL = [*READ_JOURNAL, ("journal", "seal"), ("feedback", "add", "tr_x", "accepted")]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_opens_with_examples(run, verb) -> None:
    ran = run(*verb, "--help")
    assert ran.code == 0
    before_options = ran.out.partition("Options:")[0]
    assert (
        before_options.count("\n    pointsman")
        + before_options.count("| pointsman")
        + (before_options.count("DEMO_SEED=7"))
        >= 2
    )
    assert run(*verb, "-h").out == ran.out


def test_version_is_data(run) -> None:
    ran = run("--version")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("pointsman, version ")


@pytest.mark.parametrize(
    "words",
    [
        ("nosuch",),
        ("report", "--nosuch"),
        ("report", "--hours", "soon"),
        ("report", "--hours", "nan"),
        ("report", "--hours", "-1"),
        ("report", "--task", "unknown"),
        ("trace", "list", "--limit", "0"),
        ("trace", "show", "tr_unknown"),
        ("feedback", "add", "tr_unknown", "accepted"),
        ("feedback", "add", "PLAIN", "no word"),
        ("feedback", "add", "PLAIN", "accepted", "--value", "x" * 5000),
        ("feedback", "add", "PLAIN", "accepted", "--key", "k" * 513),
        ("feedback", "import", "nosuch.csv"),
        ("ask", "hello", "--url", "ftp://x"),
        ("ask", "hello", "--url", "http://[::1/v1"),
        ("ask", "hello", "--url", "http://127.0.0.1:99999/v1"),
    ],
    ids=lambda words: " ".join(words)[:50],
)
def test_words_that_are_off_exit_2(run, lived, words) -> None:
    ran = run(*(lived.traces["plain"] if word == "PLAIN" else word for word in words))
    assert (ran.code, ran.out) == (2, "")
    assert "error" in ran.err.lower()


@pytest.mark.parametrize("key", ["two\nlines", "ключ"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(run, key: str) -> None:
    ran = run("ask", "hello", "--key", key)
    assert ran.code == 2
    assert key not in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no pointsman.yaml"),
        ("", "pointsman.yaml"),
        ("deployments: [", "pointsman.yaml:1"),
        ("\udcff\udcfe", "not UTF-8"),
        ("deployments: {a: {model: m, bas_url: 'http://x/v1'}}", "base_url"),
        (
            "deployments: {a: {model: m, base_url: 'http://x/v1', api_key: '${NOT_SET_X}'}}",
            "NOT_SET_X",
        ),
    ],
)
@pytest.mark.parametrize("verb", [("check",), ("report",), ("serve", "--port", "0")], ids=" ".join)
def test_a_configuration_that_does_not_hold_exits_3(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb, text: str | None, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("pointsman.yaml").write_bytes(text.encode(errors="surrogateescape"))
    ran = run(*verb)
    assert (ran.code, ran.out) == (3, "")
    assert said in ran.err


def test_a_configuration_that_may_not_be_read_exits_3(empty: Path, run, monkeypatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    ran = run("check")
    assert ran.code == 3
    assert "Permission denied" in ran.err


def test_a_port_that_is_taken_exits_3(empty: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run_pointsman("serve", "--port", str(taken.getsockname()[1]), folder=empty)
    assert (ran.returncode, ran.stdout) == (3, "")
    assert "cannot listen on 127.0.0.1" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_open_door_to_the_network_exits_3(empty: Path) -> None:
    ran = run_pointsman("serve", "--host", "0.0.0.0", "--port", "0", folder=empty)
    assert ran.returncode == 3
    assert "anyone could ask" in ran.stderr


@pytest.mark.parametrize("verb", USE_JOURNAL, ids=" ".join)
def test_a_journal_that_is_a_file_is_an_error_with_its_path(run, empty: Path, verb) -> None:
    Path("journal").write_text("not a directory")
    ran = run(*verb)
    assert (ran.code, ran.out) == (1, "")
    assert "journal.path" in ran.err


def test_a_changed_byte_makes_verify_exit_4_and_name_the_place(run, lived) -> None:
    segment = max(lived.segments, key=lambda path: path.stat().st_size)
    damage(segment, segment.stat().st_size // 2)
    ran = run("journal", "verify")
    assert (ran.code, ran.out) == (4, "")
    assert segment.name in ran.err
    assert "backup" in ran.err
    report = run("journal", "verify", "--json")
    assert (report.code, report.json["ok"]) == (4, False)
    assert report.json["fault"]["file"] == segment.name


def test_a_short_answer_of_a_damaged_journal_says_so(run, lived) -> None:
    segment = max(lived.segments, key=lambda path: path.stat().st_size)
    damage(segment, segment.stat().st_size // 2)
    for verb in (("report",), ("trace", "list"), ("portfolio", "show")):
        ran = run(*verb)
        assert ran.code == 0
        assert ran.out
        assert "not all of the journal could be read" in ran.err
        assert segment.name in ran.err


def test_a_damaged_sealed_file_makes_verify_exit_4(run, lived) -> None:
    assert run("journal", "seal").code == 0
    [sealed] = lived.journal.rglob("*.parquet")
    sealed.chmod(0o600)
    damage(sealed, sealed.stat().st_size // 2)
    ran = run("journal", "verify")
    assert ran.code == 4
    assert sealed.name in ran.err


@pytest.mark.parametrize("verb", READ_JOURNAL, ids=" ".join)
def test_a_manifest_that_cannot_be_read_exits_4(run, lived, verb) -> None:
    assert run("journal", "seal").code == 0
    [manifest] = lived.journal.rglob("manifest.json")
    manifest.write_text("{")
    ran = run(*verb)
    assert (ran.code, ran.out) == (4, "")


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_asking_where_nothing_listens_exits_5(run, stream: str) -> None:
    ran = run("ask", "hello", "--url", f"http://127.0.0.1:{free_port()}/v1", stream)
    assert (ran.code, ran.out.strip()) == (5, "")
    assert "pointsman serve" in ran.err


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_asking_what_does_not_speak_the_protocol_exits_5(run, stream: str) -> None:
    from pointsman.testing import raw_answer

    strange = raw_answer(b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n<html>\n</html>")
    with ScriptedUpstream(default=strange) as other:
        ran = run("ask", "hello", "--url", other.base_url, stream)
    assert (ran.code, ran.out.strip()) == (5, "")


def test_an_answer_goes_to_stdout_and_its_trace_to_stderr(run, tmp_path: Path) -> None:
    with (
        ScriptedUpstream(chat_answer("42"), chat_stream("4 2"), chat_stream("4 2")) as small,
        RunningGateway(a_config(tmp_path, [a_deployment("small", small.base_url)])) as gateway,
    ):
        plain = run("ask", "hello", "--url", gateway.url)
        streamed = run("ask", "hello", "--url", gateway.url, "--stream")
        lines = run("ask", "hello", "--url", gateway.url, "--stream", "--json").lines
        unknown = run("ask", "hello", "--url", gateway.url, "-m", "task:wrk")
    assert (plain.code, plain.out) == (0, "42\n")
    assert plain.err.startswith("small · pointsman trace show tr_")
    assert (streamed.code, streamed.out) == (0, "4 2\n")
    assert streamed.err.startswith("small · pointsman trace show tr_")
    assert lines[0]["x_trace"].startswith("tr_")
    assert (unknown.code, unknown.out) == (2, "")
    assert "task:work" in unknown.err


def test_asking_while_every_deployment_is_down_exits_5(run, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    with RunningGateway(a_config(tmp_path, [a_deployment("small", nowhere)])) as gateway:
        ran = run("ask", "hello", "--url", gateway.url)
    assert (ran.code, ran.out) == (5, "")
    assert "small: refused" in ran.err


def test_a_question_that_is_not_text_exits_2(empty: Path) -> None:
    ran = subprocess.run(
        [*PROGRAM, "ask", "-", "--url", f"http://127.0.0.1:{free_port()}/v1"],
        input=b"\xff\xfe",
        capture_output=True,
        env=environment(),
        timeout=30,
    )
    assert ran.returncode == 2
    assert b"not UTF-8" in ran.stderr
    assert b"Traceback" not in ran.stderr


def test_a_reader_that_goes_away_is_no_error(lived) -> None:
    writer = subprocess.Popen(
        [*PROGRAM, "trace", "list", "--json", "--limit", "5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=lived.folder,
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.close()  # as `| head -0` does
    said = writer.stderr.read()
    writer.stderr.close()
    assert (writer.wait(30), said) == (0, b"")


def test_a_terminal_that_cannot_show_a_letter_gets_a_question_mark(lived) -> None:
    ran = run_pointsman("report", "--full", folder=lived.folder, env={"PYTHONIOENCODING": "ascii"})
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "everything up to" in ran.stdout


def test_the_module_is_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pointsman.cli", "nosuch"],
        capture_output=True,
        env=environment(),
        timeout=30,
    )
    assert ran.returncode == 2


def damage(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x40]))
        os.fsync(file.fileno())


@pytest.mark.parametrize("text", ["raise KeyboardInterrupt", "exec('raise KeyboardInterrupt')"])
def test_ctrl_c_exits_130_wherever_it_was_met(tmp_path: Path, text: str) -> None:
    """A class that is being made from text is one such place: CPython then kills itself."""
    (tmp_path / "program.py").write_text(
        "from pointsman import cli\n"
        f"cli.cli.main = lambda **options: exec(compile({text!r}, 'text', 'exec'))\n"
        "cli.main([])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "program"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "interrupted\n")
