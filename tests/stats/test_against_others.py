"""The same numbers as libraries that others keep give, to stated tolerances."""

import math
import random

import pytest

from pointsman.stats.clusters import few_clusters_error, totals_of
from pointsman.stats.delta import delta_ratio
from pointsman.stats.detectors import alarms_of, change_point
from pointsman.stats.means import mcnemar, mean, standard_error
from pointsman.stats.power import cases_needed, power_of
from pointsman.stats.ppi import ppi_mean
from pointsman.stats.proportions import clopper_pearson, newcombe_difference, wilson
from pointsman.stats.sequences import benjamini_hochberg, holm
from pointsman.stats.testing import false_discovery_adjusted, holm_adjusted

np = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def clustered():
    dice = random.Random(3)
    values, clusters = [], []
    for name in range(40):
        shift = dice.gauss(0, 0.7)
        for _ in range(dice.randrange(1, 9)):
            values.append(shift + dice.gauss(0, 1))
            clusters.append(name)
    return values, clusters


def test_clustered_errors_are_those_of_statsmodels(clustered):
    ols = pytest.importorskip("statsmodels.api").OLS
    values, clusters = clustered
    fitted = ols(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(clusters)}
    )
    assert standard_error(values, clusters) == pytest.approx(fitted.bse[0], rel=1e-10)
    assert mean(values, clusters=clusters).value == pytest.approx(fitted.params[0], rel=1e-10)


def test_the_error_for_few_clusters_is_the_general_form(clustered):
    """CR2 and its degrees of freedom by matrices, of which ours is the case of a mean alone."""
    values, clusters = clustered
    n = len(values)
    names = sorted(set(clusters))
    x, hat = np.ones((n, 1)), np.full((n, n), 1 / n)
    residuals = np.array(values) - np.mean(values)
    square, pulls = 0.0, []
    for name in names:
        its = np.array([one == name for one in clusters])
        left = (np.eye(n) - hat)[np.ix_(its, its)]
        roots, vectors = np.linalg.eigh(left)
        adjust = vectors @ np.diag(roots**-0.5) @ vectors.T
        square += float((x[its].T @ adjust @ residuals[its]).item()) ** 2 / n**2
        pulls.append((np.eye(n) - hat)[:, its] @ adjust @ x[its][:, 0] / n)
    moments = np.array(pulls) @ np.array(pulls).T
    freedom = np.trace(moments) ** 2 / np.trace(moments @ moments)
    said = few_clusters_error(totals_of(values, clusters))
    assert said.error == pytest.approx(math.sqrt(square), rel=1e-9)
    assert said.freedom == pytest.approx(freedom, rel=1e-9)


def test_rates_and_tables():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    for yes, n in ((0, 9), (3, 9), (88, 90), (400, 1000)):
        low, high = proportion.proportion_confint(yes, n, method="wilson")
        said = wilson(yes, n)
        assert (said.low, said.high) == pytest.approx((low, high), abs=1e-12)
        low, high = proportion.proportion_confint(yes, n, method="beta")
        said = clopper_pearson(yes, n)
        assert (said.low, said.high) == pytest.approx((low, high), abs=1e-10)
    low, high = proportion.confint_proportions_2indep(30, 100, 22, 90, method="newcomb")
    said = newcombe_difference(22, 90, 30, 100)
    assert (said.low, said.high) == pytest.approx((low, high), abs=1e-10)
    for b, c in ((0, 0), (3, 9), (40, 61)):
        wanted = tables.mcnemar([[10, b], [c, 5]], exact=True).pvalue
        assert mcnemar(b, c) == pytest.approx(wanted, abs=1e-12)


def test_many_statements():
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    dice = random.Random(5)
    p_values = [dice.random() ** 3 for _ in range(30)]
    fallen, adjusted, *_ = multipletests(p_values, alpha=0.05, method="holm")
    assert holm(p_values) == list(fallen)
    assert holm_adjusted(p_values) == pytest.approx(adjusted)
    fallen, adjusted, *_ = multipletests(p_values, alpha=0.05, method="fdr_bh")
    assert benjamini_hochberg(p_values) == list(fallen)
    assert false_discovery_adjusted(p_values) == pytest.approx(adjusted)


def test_power():
    """Theirs is Student's t, ours normal: within a case in a hundred."""
    tested = pytest.importorskip("statsmodels.stats.power").TTestPower()
    for effect in (0.1, 0.25):
        wanted = tested.solve_power(effect_size=effect, alpha=0.05, power=0.8)
        assert cases_needed(shift=effect, spread=1.0) == pytest.approx(wanted, rel=0.03)
        assert power_of(200, shift=effect, spread=1.0) == pytest.approx(
            tested.power(effect, 200, 0.05), abs=0.01
        )


def test_few_labels_and_many_judgements():
    """The estimate is theirs to 1e-6; they take the normal, we Student's t."""
    theirs = pytest.importorskip("ppi_py")
    dice = random.Random(7)
    labelled = [(float(dice.random() < 0.6), dice.random()) for _ in range(120)]
    labelled = [(y, 0.6 * y + 0.4 * f) for y, f in labelled]
    others = [0.6 * (dice.random() < 0.6) + 0.4 * dice.random() for _ in range(900)]
    human, judged = [y for y, _ in labelled], [f for _, f in labelled]
    said = ppi_mean(human, judged, others, level=0.9)
    wanted = theirs.ppi_mean_pointestimate(
        np.array(human), np.array(judged), np.array(others), lam=said.weight
    )
    assert said.corrected.value == pytest.approx(float(np.ravel(wanted)[0]), abs=1e-6)
    low, high = theirs.ppi_mean_ci(
        np.array(human), np.array(judged), np.array(others), alpha=0.1, lam=said.weight
    )
    assert (said.corrected.low, said.corrected.high) == pytest.approx(
        (float(np.ravel(low)[0]), float(np.ravel(high)[0])), abs=0.002
    )
    tuned = theirs.ppi_mean_pointestimate(np.array(human), np.array(judged), np.array(others))
    assert said.corrected.value == pytest.approx(float(np.ravel(tuned)[0]), abs=0.002)


def test_a_change_lies_where_ruptures_puts_it():
    ruptures = pytest.importorskip("ruptures")
    for seed in range(5):
        dice = random.Random(seed)
        where = dice.randrange(40, 160)
        values = [float(dice.random() < (0.85 if at < where else 0.4)) for at in range(200)]
        found = ruptures.Binseg(model="l2", min_size=1, jump=1).fit(np.array(values)).predict(1)
        assert change_point(values)[0] == found[0]


def test_changes_that_adwin_finds_are_found_sooner():
    """ADWIN (delta .002), which has no stated run length, is the second opinion."""
    drift = pytest.importorskip("river.drift")
    ours, theirs = [], []
    for seed in range(12):
        dice = random.Random(seed)
        values = [float(dice.random() < (0.84 if at < 800 else 0.5)) for at in range(1200)]
        alarms = [each.at for each in alarms_of(values, arl=40_000, reference=500)]
        ours.append(alarms[0] - 800)
        adwin = drift.ADWIN(delta=0.002)
        for at, value in enumerate(values):
            adwin.update(value)
            if adwin.drift_detected and at >= 800:
                theirs.append(at - 800)
                break
    assert min(ours) >= 0
    assert sorted(ours)[6] < sorted(theirs)[6]


def test_the_delta_method_is_a_regression_of_the_residuals(clustered):
    ols = pytest.importorskip("statsmodels.api").OLS
    values, clusters = clustered
    tops = [math.exp(value) for value in values]
    bottoms = [1.0 if value > -0.5 else 0.0 for value in values]
    said = delta_ratio(tops, bottoms, clusters=clusters)
    terms = (np.array(tops) - said.value * np.array(bottoms)) / np.mean(bottoms)
    fitted = ols(terms, np.ones(len(terms))).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(clusters)}, use_t=True
    )
    low, high = fitted.conf_int()[0]
    assert (said.low, said.high) == pytest.approx((said.value + low, said.value + high), rel=1e-9)
