"""Numbers measured of a machine are ok, warn or bad, and what is not ok says what to do."""

from typing import Any

import pytest

from pointsman.discovery import host
from pointsman.discovery.host import Line


@pytest.mark.parametrize(
    ("line", "state"),
    [
        (host.python_line((3, 11, 7), "Linux", "x86_64"), "ok"),
        (host.python_line((3, 10, 9), "Linux", "x86_64"), "bad"),
        (host.python_line((3, 12, 0), "Darwin", "arm64"), "warn"),
        (host.python_line((3, 12, 0), "Linux", "riscv64"), "warn"),
        (host.python_line((3, 12, 0), "Windows", "AMD64"), "bad"),
        (host.extras_line((), needs_local=False), "ok"),
        (host.extras_line((), needs_local=True), "bad"),
        (host.extras_line(("local",), needs_local=True), "ok"),
        (host.files_line(65_536, connections=4096, upstream=128), "ok"),
        (host.files_line(1024, connections=4096, upstream=128), "warn"),
        (host.files_line(100, connections=4096, upstream=128), "bad"),
        (host.space_line(5 * 10**9, "/x"), "ok"),
        (host.space_line(5 * 10**8, "/x"), "warn"),
        (host.space_line(5 * 10**7, "/x"), "bad"),
        (host.sync_line(2.0, "/x"), "ok"),
        (host.sync_line(80.0, "/x"), "warn"),
        (host.sync_line(900.0, "/x"), "bad"),
        (host.unwritable_line("/x", "Permission denied"), "bad"),
        (host.clock_line(1.8e9, disk_s=1.8e9, newest_s=None), "ok"),
        (host.clock_line(1.8e9, disk_s=1.8e9 + 30, newest_s=None), "warn"),
        (host.clock_line(1.8e9, disk_s=None, newest_s=1.8e9 + 60), "warn"),
        (host.clock_line(0.0, disk_s=0.0, newest_s=None), "bad"),
        (host.port_line("h", 1, answers=None, why=None), "ok"),
        (host.port_line("h", 1, answers="Pointsman", why=None), "ok"),
        (host.port_line("h", 1, answers="vLLM", why=None), "bad"),
        (host.port_line("h", 1, answers=None, why="not permitted"), "bad"),
    ],
    ids=lambda value: value.said[:40] if isinstance(value, Line) else str(value),
)
def test_a_line_is_judged(line: Line, state: Any) -> None:
    assert line.state == state
    assert bool(line.next) == (state != "ok")
    assert line.said
