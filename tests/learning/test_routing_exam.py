"""The benchmark of routers on recorded outcomes, held to what it reached."""

import subprocess
import sys

import pytest
from benchmarks.routing import DATA, EXAMS, ROOT, routed, transfers

pytestmark = [pytest.mark.deep, pytest.mark.timeout(1800)]
if not DATA.is_dir():
    pytest.skip(f"the recorded outcomes are not at {DATA}: set POINTSMAN_DATA",
                allow_module_level=True)  # fmt: skip


def test_ninety_four_tasks_keep_their_score_for_less() -> None:
    [gym] = [exam for exam in EXAMS if exam.name == "gym"]
    found = routed(gym, True, 1)
    assert found["of_best"] >= 0.99
    assert found["cost"] <= 0.85
    assert found["points"] > found["length_points"]


def test_the_open_models_save_a_fifth_near_the_score_of_the_largest() -> None:
    [qwen] = [exam for exam in EXAMS if exam.name == "qwen"]
    found = routed(qwen, True, 1)
    assert found["of_best"] >= 0.97
    assert found["cost"] <= 0.85


def test_out_of_its_domain_a_router_is_level_with_prompt_length() -> None:
    for each in transfers(True):
        assert each["router"] >= each["length"] - 0.01, each


def test_every_row_of_the_table_is_printed() -> None:
    rows = ("gym", "replay", "shift", "certificate", "specialist", "decision")
    done = subprocess.run(
        [sys.executable, "benchmarks/routing.py", *rows, "--repeats", "1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert all(f"{row}:" in done.stdout for row in rows)
