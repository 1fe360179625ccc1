"""Forests decide without scikit-learn exactly as it does, one row or many."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from pointsman.learning.fitting_members import grown, linear
from pointsman.learning.forest import DEPTH, Forest


def a_world(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(n, 5)).astype(np.float32)
    return x, np.stack([x[:, 0] > 0, x[:, 1] + x[:, 2]], axis=1).astype(float)


def test_a_forest_is_what_scikit_learn_predicts() -> None:
    x, y = a_world()
    model = ExtraTreesRegressor(20, min_samples_leaf=4, max_depth=DEPTH, random_state=0).fit(x, y)
    [found] = Forest.of(model.estimators_).predict(x)
    np.testing.assert_allclose(found, model.predict(x), atol=1e-5)


def test_one_row_is_what_many_are() -> None:
    x, y = a_world()
    forest = grown(x, y, trees=10, leaf=5)
    [many] = forest.predict(x)
    for i in range(0, len(x), 25):
        np.testing.assert_allclose(forest.predict(x[i : i + 1])[0][0], many[i], rtol=1e-6)


def test_joined_forests_add_up_and_groups_stay_apart() -> None:
    x, y = a_world()
    a, b = grown(x, y, trees=6, leaf=5), grown(x, y, trees=9, leaf=30)
    turn = np.array([[0.0, 1.0], [2.0, 0.0]])
    first, second = a.times(turn).and_more(b).beside(b.times(turn)).predict(x)
    np.testing.assert_allclose(first, a.predict(x)[0] @ turn + b.predict(x)[0], atol=1e-5)
    np.testing.assert_allclose(second, b.predict(x)[0] @ turn, atol=1e-5)


def test_trees_that_do_not_fit_are_refused() -> None:
    x, y = a_world()
    arrays = grown(x, y, trees=2, leaf=20).dump()
    for name in ("feature", "threshold", "value0"):
        with pytest.raises(ValueError, match="of the router"):
            Forest.restore({**arrays, name: arrays[name][:1]})
    with pytest.raises(ValueError, match="not whole"):
        Forest.restore({**arrays, "feature": arrays["feature"] - 1})


def test_conjugate_gradients_solve_the_ridge() -> None:
    from scipy.sparse import csr_matrix

    x, y = a_world(60)
    found = linear(csr_matrix(x.astype(float)), y, 3.0)
    exact = np.linalg.solve(x.T @ x + 3.0 * np.eye(5), x.T @ y)
    np.testing.assert_allclose(found, exact, rtol=2e-2, atol=2e-3)
