"""The demonstration as a person runs it: its files, its result, its end; accuracies elsewhere."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.processes import PROGRAM, alive, children, environment, run_pointsman

from pointsman.analytics.compare import ArmCase, compare_arms
from pointsman.demo.asking import Result, ask_all
from pointsman.demo.page import page
from pointsman.demo.result import arms_of, tasks_of
from pointsman.domain.errors import UpstreamError
from pointsman.embedded.cases import cases
from pointsman.journal import verify
from pointsman.testing import ScriptedUpstream, free_port, status_answer

WAYS = ("small", "large", "cascade", "portfolio")
ESTIMATE = {"value", "low", "high", "n", "level"}


def demo(folder: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run_pointsman("demo", "--dir", "here", *options, folder=folder, env=env)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run of forty cases, in a folder that the other tests find it in."""
    folder = tmp_path_factory.mktemp("demo")
    ran = demo(folder, "--cases", "40", DEMO_SEED="1", DEMO_JSON="first.json")
    assert ran.returncode == 0, ran.stderr
    return folder, ran


@pytest.mark.needs_engine
def test_its_result_has_the_documented_shape(first) -> None:
    folder, _ = first
    result = json.loads((folder / "first.json").read_text())
    assert set(result) == {*WAYS, "seed"}
    assert result["seed"] == 1
    for way in WAYS:
        arm = result[way]
        against = {"against_large"} if way != "large" else set()
        assert set(arm) == {
            "n", "accepted", "cost_usd", "cost_per_accepted", "escalated", *against,
        }  # fmt: skip
        assert arm["n"] == 40
        assert set(arm["accepted"]) == set(arm["cost_per_accepted"]) == ESTIMATE
        assert 0 <= arm["escalated"] <= 1
        assert arm["cost_usd"] > 0
        for difference in arm.get("against_large", {}).values():
            assert set(difference) == ESTIMATE
    assert result["small"]["escalated"] == result["large"]["escalated"] == 0


@pytest.mark.needs_engine
def test_its_page_tells_every_way_and_how_to_go_on(first) -> None:
    folder, ran = first
    for way in WAYS:
        assert f"\n{way} " in ran.stdout
    assert "serve -c here/pointsman.yaml" in ran.stdout
    assert "seed 1" in ran.stderr
    assert "160 in " in ran.stderr
    assert "\r" not in ran.stdout + ran.stderr
    assert max(map(len, ran.stdout.splitlines())) <= 120
    shown = ran.stdout.partition("one escalation\n")[2].splitlines()
    if shown:
        assert run_pointsman(*shown[0].split()[1:], folder=folder).returncode == 0


@pytest.mark.needs_engine
def test_its_journal_holds_every_answer_with_its_outcome(first) -> None:
    folder, _ = first
    report = verify(folder / "here" / "journal")
    assert report.ok
    assert report.unclosed == ()
    rows = run_pointsman(
        "trace", "list", "-c", "here/pointsman.yaml", "--limit", "1000", "--json", folder=folder
    ).stdout.splitlines()
    assert len(rows) >= 160
    assert {json.loads(row)["status"] for row in rows} == {"delivered"}


@pytest.mark.needs_engine
def test_a_second_run_keeps_a_file_changed_by_hand_and_the_journal(first) -> None:
    folder, _ = first
    config = folder / "here" / "pointsman.yaml"
    config.write_text(config.read_text().replace("default: task:ticket", "default: task:sums"))
    changed = config.read_text()
    ran = demo(folder, "--cases", "20", "--seed", "1", "--json")
    assert ran.returncode == 0
    assert "was changed by hand" in ran.stderr
    assert config.read_text() == changed
    assert json.loads(ran.stdout)["small"]["n"] == 20
    config.unlink()
    assert verify(folder / "here" / "journal").ok


@pytest.mark.needs_engine
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_it_soon_and_leaves_nobody_behind(tmp_path: Path, times: int) -> None:
    process = start_in_the_middle(tmp_path)
    family = descendants(process.pid)
    assert len(family) >= 4  # the gateway and three engines
    began = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert time.monotonic() - began < 15
    assert "Traceback" not in said
    if times == 1:
        assert "they are in the journal" in said
    wait_until_gone(family)
    if times == 1:
        assert verify(tmp_path / "here" / "journal").unclosed == ()


@pytest.mark.needs_engine
@pytest.mark.deep
@pytest.mark.parametrize("seed", range(40))
def test_ctrl_c_at_any_moment_ends_it(tmp_path: Path, seed: int) -> None:
    process = start(tmp_path)
    try:
        deadline = time.monotonic() + 60
        configured = tmp_path / "here" / "pointsman.yaml"
        started = seed % 5  # of the gateway and its three engines
        while not configured.exists() or len(descendants(process.pid)) < started:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(random.Random(seed).uniform(0.0, 1.5))  # the moment is the point of this test
        family = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
    wait_until_gone(family)


@pytest.mark.needs_engine
def test_killing_it_leaves_nobody_behind(tmp_path: Path) -> None:
    process = start_in_the_middle(tmp_path)
    family = descendants(process.pid)
    process.kill()
    process.wait()
    wait_until_gone(family)


@pytest.mark.needs_engine
def test_a_file_that_does_not_hold_any_more_exits_3(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "pointsman.yaml").write_text("deployments: {}\n")
    ran = demo(tmp_path, "--cases", "20")
    assert ran.returncode == 3
    assert "pointsman.yaml" in ran.stderr


@pytest.mark.needs_engine
def test_a_result_that_could_not_be_written_is_told_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    ran = demo(tmp_path, "--cases", "20", "--json-to", "nosuch/result.json")
    assert ran.returncode == 2
    assert not (tmp_path / "here").exists()


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    hide = tmp_path / "sitecustomize.py"
    hide.write_text("import sys\nsys.modules['xllamacpp'] = None\nsys.modules['openai'] = None\n")
    ran = demo(tmp_path, PYTHONPATH=str(tmp_path))
    assert (ran.returncode, ran.stdout) == (3, "")
    assert 'pip install "pointsman[local]"' in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_same_seed_gives_the_same_cases() -> None:
    assert cases(1, 40) == cases(1, 40)
    assert cases(1, 40) != cases(2, 40)


def test_an_answer_that_does_not_come_is_an_error_of_ours() -> None:
    pytest.importorskip("openai")
    drawn = cases(1, 20)
    with (
        ScriptedUpstream(default=status_answer(502)) as upstream,
        pytest.raises(UpstreamError, match="did not answer"),
    ):
        list(ask_all(upstream.base_url, drawn, progress=lambda done: None))
    with pytest.raises(UpstreamError):
        list(ask_all(f"http://127.0.0.1:{free_port()}/v1", drawn, progress=lambda done: None))


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("accepted", [0, 13, 40])
def test_its_page_fits_the_width(width: int, accepted: int) -> None:
    def arm(cost_usd: float) -> list[ArmCase]:
        return [
            ArmCase(case_id=str(n), cost_usd=cost_usd, accepted=n < accepted, escalated=n % 2 == 0)
            for n in range(40)
        ]

    arms = {way: arm(1e-7 * (at + 1)) for at, way in enumerate(WAYS)}
    text = page(compare_arms(arms, baseline="large"), width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "arm" not in text
    for way in WAYS:
        assert f"\n{way}" in text


def test_each_task_has_its_share_without_large_its_acceptance_and_its_cost() -> None:
    drawn = cases(3, 60)
    names = sorted({each.task for each in drawn})
    results, traces = [], {}
    for at, case in enumerate(drawn):
        for way in WAYS:
            trace = f"tr_{at}_{way}"
            lucky = way == "large" or case.task != names[0]
            results.append(Result(case=case, way=way, trace=trace, accepted=lucky))
            by_large = way == "large" or case.task == names[1]
            traces[trace] = {
                "cost_usd_picos": 300_000 if by_large else 100_000,
                "attempt_count": 1,
                "deployment": "large" if by_large else "small",
            }
    found = {each.task: each for each in tasks_of(results, traces)}
    assert sorted(found) == names
    assert sum(each.cases for each in found.values()) == 60
    assert [found[name].small.value for name in names[:3]] == [1.0, 0.0, 1.0]
    assert [found[name].accepted.value for name in names[:3]] == [0.0, 1.0, 1.0]
    assert found[names[0]].cost_per_accepted_usd.value is None
    assert found[names[2]].cost_per_accepted_usd.value == pytest.approx(1e-7)
    assert found[names[2]].ratio is not None
    assert found[names[2]].ratio.value == pytest.approx(1 / 3)
    for width in (80, 100, 140):
        comparison = compare_arms(arms_of(results, traces), baseline="large")
        lines = page(comparison, list(found.values()), width=width).splitlines()
        assert max(map(len, lines)) <= width
        for name in names:
            assert any(line.startswith((name, f"the portfolio {name}")) for line in lines)
    assert list(tasks_of([], {})) == []


def start(folder: Path) -> "subprocess.Popen[str]":
    """A long demonstration."""
    return subprocess.Popen(
        [*PROGRAM, "demo", "--dir", "here", "--cases", "5000"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background jobs ignore it, and so would their children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def start_in_the_middle(folder: Path) -> "subprocess.Popen[str]":
    """A long demonstration that has begun to ask."""
    process = start(folder)
    packs = folder / "here" / "journal"
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 40_000 for path in packs.rglob("*.pj")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def descendants(pid: int) -> list[int]:
    found = children(pid)
    for child in found:
        found = [*found, *descendants(child)]
    return found


def wait_until_gone(pids: list[int]) -> None:
    """Nobody is told of the end of a grandchild."""
    deadline = time.monotonic() + 15
    while left := alive(pids):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.02)


@pytest.mark.deep
@pytest.mark.needs_engine
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_shows_what_it_promises(tmp_path: Path, seed: int) -> None:
    """The small model alone is not enough, the cascade is as good as the large one for less, and
    the portfolio beats both."""
    ran = demo(tmp_path, "--seed", str(seed), "--json")
    assert ran.returncode == 0, ran.stderr
    ways = json.loads(ran.stdout)
    accepted = {name: ways[name]["accepted"]["value"] for name in ("small", "large", "cascade")}
    assert accepted["small"] <= 0.85 * accepted["large"]
    assert accepted["cascade"] >= 0.98 * accepted["large"]
    assert 0.10 <= ways["cascade"]["escalated"] <= 0.60
    assert ways["cascade"]["against_large"]["cost_per_accepted"]["high"] < 0
    assert ways["portfolio"]["accepted"]["value"] > max(accepted.values())
    costs = {name: ways[name]["cost_per_accepted"]["value"] for name in ways if name != "seed"}
    assert costs["portfolio"] < min(costs["large"], costs["cascade"])
