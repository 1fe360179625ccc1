"""The router as one file: the same after a round trip, refused when it is not one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.learning.worlds import rows, write

from pointsman.domain.errors import UsageError
from pointsman.learning.artefact import pack, unpack
from pointsman.learning.blending import blend
from pointsman.learning.choosing import Goal
from pointsman.learning.estimators import LEAST
from pointsman.learning.fitting import fit, out_of_fold
from pointsman.learning.outcomes import Outcomes, read_outcomes
from pointsman.learning.router import Router

PROMPTS = ("prove the integral converges", "add two numbers", "", "ünbekannt 文 \x00")
TASKS = ("proofs", "sums", "", "never seen")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    path = write(tmp_path_factory.mktemp("world") / "a.jsonl", rows(300))
    return read_outcomes(path, replies=False)


@pytest.fixture(scope="module")
def fitted(outcomes: Outcomes) -> Router:
    return fit(outcomes, Goal("quality", 0.98))


def test_a_round_trip_changes_nothing(fitted: Router, tmp_path: Path) -> None:
    fitted.save(tmp_path / "r")
    loaded = Router.load(tmp_path / "r")
    assert loaded.models == fitted.models
    assert loaded.points == fitted.points
    assert loaded.notes == fitted.notes
    before, after = fitted.estimate_many(PROMPTS, TASKS), loaded.estimate_many(PROMPTS, TASKS)
    for name in ("accepted", "score", "cost_usd", "output_tokens", "doubt"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "r").read_bytes()
    assert len(loaded.digest) == 64


_ALONE = """
import sys
for name in ("sklearn", "scipy", "matplotlib"):
    sys.modules[name] = None
from pathlib import Path
from pointsman.learning.router import Router
router = Router.load(Path(sys.argv[1]))
print(*[round(arm.accepted, 9) for arm in router.estimate("prove that 12 converges", "proofs")])
"""


def test_deciding_needs_nothing_that_fitted(fitted: Router, tmp_path: Path) -> None:
    fitted.save(tmp_path / "r")
    ran = subprocess.run(
        [sys.executable, "-c", _ALONE, str(tmp_path / "r")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    here = fitted.estimate("prove that 12 converges", "proofs")
    assert ran.stdout.split() == [str(round(arm.accepted, 9)) for arm in here]


@pytest.mark.deep
def test_the_same_outcomes_give_the_same_bytes(
    outcomes: Outcomes, fitted: Router, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "one")
    fit(outcomes, Goal("quality", 0.98)).save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_any_changed_byte_is_noticed(fitted: Router, tmp_path: Path) -> None:
    fitted.save(tmp_path / "r")
    data = (tmp_path / "r").read_bytes()
    for at in (0, 9, 40, len(data) // 2, len(data) - 1):
        broken = bytearray(data)
        broken[at] ^= 1
        (tmp_path / "broken").write_bytes(broken)
        with pytest.raises(UsageError):
            Router.load(tmp_path / "broken")
    (tmp_path / "broken").write_bytes(data[:-7])
    with pytest.raises(UsageError):
        Router.load(tmp_path / "broken")


@given(st.binary(max_size=200))
def test_other_bytes_are_no_router(data: bytes) -> None:
    with pytest.raises(UsageError):
        unpack(data, name="x")


def test_objects_are_not_packed() -> None:
    with pytest.raises(ValueError, match="kind"):
        pack({}, {"a": np.array([object()])})


def test_one_estimate_agrees_with_many(fitted: Router) -> None:
    many = fitted.estimate_many(PROMPTS, TASKS)
    for i, (prompt, task) in enumerate(zip(PROMPTS, TASKS, strict=True)):
        for j, arm in enumerate(fitted.estimate(prompt, task)):
            assert arm.arm == fitted.models[j]
            assert arm.accepted == pytest.approx(many.accepted[i, j])
            assert 0.0 <= arm.low <= arm.accepted <= arm.high <= 1.0
            assert arm.cost_usd_picos == pytest.approx(many.cost_usd[i, j] * 1e12, abs=1)


def test_what_is_folded_is_the_blend_of_the_members(outcomes: Outcomes) -> None:
    held = out_of_fold(outcomes, outcomes.tasks)
    every = np.arange(len(outcomes))
    members, logs = held.world.held_out(every, every)
    weights = held.weights
    blended = blend(members, weights.members, weights.constant, 3)
    folded = held.world.fitted(every, weights)
    found = folded.estimate(outcomes.prompts, outcomes.tasks)
    assert weights.length == 0.0  # the members know this world
    expected = np.clip(blended, LEAST, 1 - LEAST)
    np.testing.assert_allclose(found["accepted"], expected, atol=1e-4)
    rest = (1 - weights.cost.sum()) * held.world.log_cost.mean(axis=0)
    cost = np.exp(weights.cost[0] * logs[0] + weights.cost[1] * logs[1] + rest)
    np.testing.assert_allclose(found["cost_usd"], (cost * weights.cost_scale)[:, :3], rtol=1e-4)


def test_far_from_the_training_the_longer_prompt_has_more_to_gain(fitted: Router) -> None:
    strange = ["qqq ww eee", "qqq ww eee " * 40, "zzz yy xxx " * 400]
    assert fitted.support(strange, ["new"] * 3).tolist() == [0.0] * 3
    found = fitted.estimate_many(strange, ["new"] * 3).accepted
    small, large = fitted.models.index("small"), fitted.models.index("large")
    gain = found[:, large] - found[:, small]
    assert gain[0] < gain[1] < gain[2]
    assert fitted.support(strange, ["sums"] * 3).tolist() == [1.0] * 3


def test_what_was_never_seen_gets_sane_estimates(fitted: Router) -> None:
    unknown = fitted.estimate_many(["zzz qqq"], ["never seen"])
    assert np.isfinite(unknown.accepted).all()
    assert ((unknown.accepted > 0) & (unknown.accepted < 1)).all()


def test_the_small_model_gets_what_it_can_do(fitted: Router) -> None:
    prompts = [
        "please add two short numbers for my list 7",
        "prove that integral over the manifold converges uniformly 8",
    ]
    found = fitted.estimate_many(prompts, ["sums", "proofs"])
    small, large = fitted.models.index("small"), fitted.models.index("large")
    chosen = fitted.choose(found, fitted.point())
    assert chosen[0] == small
    assert found.accepted[1, large] - found.accepted[1, small] > 0.4
