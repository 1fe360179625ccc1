"""Code of a model runs closed off: no network, no files but its own, under every limit, or not."""

import asyncio
import shutil
import sys

import pytest
from tests.evals.scoring_kit import score

from pointsman.domain.errors import ExtraMissing
from pointsman.evaluating import sandbox as room
from pointsman.evaluating.means import OwnMeans
from pointsman.evaluating.sandbox import Sandbox, works

LIMITS = {"wall_s": 20.0, "cpu_s": 5.0, "memory_mb": 256, "output_kb": 64, "processes": 8}
_BEGIN, _END = "import sys; word = sys.stdin.readline()\n", "\nprint(); print(word, end='')"


def _ways():
    if sys.platform != "linux":
        return []
    found = ["namespaces"]
    return [*found, "bubblewrap"] if shutil.which("bwrap") else found


@pytest.fixture(scope="module", params=_ways() or ["none"])
def closed(request):
    if request.param == "none" or not works(Sandbox(request.param)):
        pytest.skip(f"no sandbox by {request.param} here")
    return Sandbox(request.param)


def run(closed, code, **limits):
    files = {"main.py": _BEGIN + code + _END}
    ran = closed.run(files, ["python", "main.py"], limits={**LIMITS, **limits})
    return asyncio.run(ran)


def test_a_program_that_comes_to_its_end_is_finished(closed):
    ran = run(closed, "print(6 * 7)")
    assert (ran.exit_code, ran.finished, ran.stopped, ran.output.strip()) == (0, True, None, "42")


def test_a_program_that_leaves_early_is_not_finished_whatever_it_exits_with(closed):
    ran = run(closed, "import os; os._exit(0)")
    assert (ran.exit_code, ran.finished) == (0, False)


def test_there_is_no_network(closed):
    code = (
        "import socket\n"
        "for address in (('127.0.0.1', 5432), ('192.0.2.1', 80)):\n"
        "    try:\n        socket.create_connection(address, 1); print('OPEN')\n"
        "    except OSError: pass\n"
    )
    ran = run(closed, code)
    assert ran.finished
    assert "OPEN" not in ran.output


def test_no_file_of_this_machine_is_read_or_written(closed, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    code = (
        "import os\n"
        f"for path in ({str(secret)!r}, '/etc/passwd', '/etc/shadow', '/home', '/var'):\n"
        "    print(path, os.path.exists(path))\n"
        "try: open('/usr/made', 'w'); print('WROTE')\n"
        "except OSError: pass\n"
    )
    ran = run(closed, code)
    assert ran.finished
    assert "True" not in ran.output
    assert "WROTE" not in ran.output


def test_no_setting_of_the_machine_can_be_written(closed):
    code = (
        "import os\n"
        "for name in ('kernel/core_pattern', 'kernel/hostname', 'vm/drop_caches'):\n"
        "    try:\n        os.close(os.open(f'/proc/sys/{name}', os.O_WRONLY)); print('OPEN')\n"
        "    except OSError: pass\n"
        "print([line.split()[1] for line in open('/proc/self/status') if line[:6] == 'CapEff'])\n"
    )
    ran = run(closed, code)
    assert ran.finished
    assert "OPEN" not in ran.output
    assert "['0000000000000000']" in ran.output


def test_who_watches_it_cannot_be_read_or_written_to(closed):
    code = (
        "import os\n"
        "for one in filter(str.isdigit, os.listdir('/proc')):\n"
        "    told = open(f'/proc/{one}/cmdline', 'rb').read()\n"
        "    if b'sandbox_child' not in told or b'bwrap' in told: continue\n"
        "    for name in ('mem', 'environ', 'fd/0', 'fd/1'):\n"
        "        try:\n            os.close(os.open(f'/proc/{one}/{name}', os.O_RDONLY))\n"
        "            print('OPEN', name)\n"
        "        except OSError: print('shut')\n"
    )
    ran = run(closed, code)
    assert ran.finished, ran.output
    assert ran.output.split() == ["shut"] * 4


@pytest.mark.parametrize(
    ("code", "limits", "stopped"),
    [
        ("while True: pass", {"cpu_s": 1.0}, {"cpu", "time"}),
        ("import time; time.sleep(60)", {"wall_s": 1.0}, {"time"}),
        ("while True: print('x' * 1000)", {}, {"output"}),
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
         {"wall_s": 2.0}, {"processes", "time", "cpu"}),
    ],
)  # fmt: skip
def test_it_is_stopped_by_its_limits(closed, code, limits, stopped):
    ran = run(closed, code, **limits)
    assert (ran.exit_code, ran.finished) == (None, False)
    assert ran.stopped in stopped


def test_memory_and_disk_are_bounded(closed):
    assert "MemoryError" in run(closed, "x = bytearray(1 << 30)").output
    assert not run(closed, "open('big', 'wb').write(bytes(200 << 20))").finished


def test_nothing_of_it_is_left(closed):
    marked = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(987654)\n"
    assert run(closed, marked).exit_code is not None
    assert not [each for each in _commands() if "main.py" in each and "987654" in each]


def _commands():
    from pathlib import Path

    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


def test_code_of_an_answer_is_scored_by_the_tests_of_its_case(closed, monkeypatch):
    monkeypatch.setattr(room, "_found", lambda: closed)
    tests = "assert add(2, 3) == 5\nassert add(-1, 1) == 0\n"
    good = "```python\ndef add(a, b):\n    return a + b\n```"

    def scored(answer):
        return score("code", answer, tests, means=OwnMeans(None, day="2026-11-24"), timeout_s=20)

    assert scored(good).passed is True
    wrong = scored(good.replace("+", "-"))
    assert (wrong.passed, wrong.detail) == (False, "AssertionError")
    assert scored("```python\nimport sys; sys.exit(0)\n```").passed is False


def test_without_a_sandbox_nothing_runs_and_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(room, "_found", lambda: None)
    with pytest.raises(ExtraMissing, match="no sandbox"):
        room.sandbox()
    found = score("code", "x = 1", "assert x", means=OwnMeans(None, day="2026-11-24"))
    assert (found.status, found.passed) == ("failed", None)
    assert "bubblewrap" in found.detail
