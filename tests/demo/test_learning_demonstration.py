"""The specialist exam: told which answers were accepted and nothing of tasks, a route learns that
one model is for one task; on the real embedded models."""

import json

import pytest
from tests.support.processes import run_pointsman

from pointsman.demo.learning import Settled, learning_page
from pointsman.stats.proportions import wilson


@pytest.mark.deep
@pytest.mark.needs_engine
@pytest.mark.timeout(500)
@pytest.mark.parametrize("seed", [3, 11])
def test_the_specialist_gets_its_own_task_and_nothing_else(tmp_path, seed):
    options = ("--cases", "20", "--seed", str(seed), "--learn", "900", "--json")
    ran = run_pointsman("demo", "--dir", "here", *options, folder=tmp_path, timeout_s=400)
    assert ran.returncode == 0, ran.stderr
    learned = json.loads(ran.stdout)["learned"]
    own = learned.pop("sums")
    told = own["plans"]
    asked = sum(n for plan, n in told.items() if plan.split(" → ")[0] == "specialist")
    assert asked >= 0.95 * sum(told.values())
    assert own["accepted"]["value"] > 0.9
    for task, each in learned.items():
        assert not [plan for plan in each["plans"] if "specialist" in plan], (task, each)


def test_its_page_fits_a_terminal():
    each = Settled(task="sums", requests=40, plans={"specialist": 25, "small → large": 2},
                   explored=13, accepted=wilson(26, 27))  # fmt: skip
    page = learning_page([each], width=80)
    assert "specialist 25, small → large 2" in page
    assert "96 % [82, 99]" in page
    assert max(map(len, page.splitlines())) <= 80
