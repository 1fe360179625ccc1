"""Quantiles against printed tables and identities."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.quantiles import (
    beta_cdf,
    beta_quantile,
    normal_quantile,
    student_t_quantile,
)


@pytest.mark.parametrize(
    ("p", "df", "expected"),
    [
        (0.975, 1, 12.706204736432095),
        (0.975, 2, 4.302652729911275),
        (0.975, 5, 2.570581835636314),
        (0.975, 10, 2.2281388519649385),
        (0.975, 30, 2.0422724563012373),
        (0.975, 99, 1.9842169515086827),
        (0.975, 399, 1.965927295920883),
        (0.6, 7, 0.26316686135850056),
        (0.9995, 3, 12.923978636687485),
        (0.995, 1000, 2.5807546980659506),
    ],
)
def test_student_t_agrees_with_tables(p: float, df: float, expected: float) -> None:
    assert student_t_quantile(p, df) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("p", [0.6, 0.9, 0.975, 0.999])
def test_student_t_has_closed_forms_at_one_and_two_degrees(p: float) -> None:
    assert student_t_quantile(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-9)
    two = (2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p)))
    assert student_t_quantile(p, 2) == pytest.approx(two, rel=1e-9)


@given(st.floats(0.001, 0.999), st.floats(1, 1e6))
def test_student_t_is_symmetric(p: float, df: float) -> None:
    assert student_t_quantile(p, df) == pytest.approx(
        -student_t_quantile(1 - p, df), rel=1e-6, abs=1e-9
    )


def test_student_t_does_not_jump_where_its_method_changes() -> None:
    below, above = student_t_quantile(0.999, 1000.0), student_t_quantile(0.999, 1000.001)
    assert below == pytest.approx(above, rel=1e-8)


def test_student_t_tends_to_the_normal() -> None:
    assert student_t_quantile(0.975, 1e12) == pytest.approx(normal_quantile(0.975), rel=1e-9)


@given(st.floats(0.0001, 0.9999), st.floats(0.3, 500), st.floats(0.3, 500))
def test_the_beta_quantile_inverts_the_beta_distribution(p: float, a: float, b: float) -> None:
    assert beta_cdf(beta_quantile(p, a, b), a, b) == pytest.approx(p, abs=1e-9)


def test_the_uniform_and_the_arcsine_law_are_special_cases() -> None:
    assert beta_quantile(0.3, 1, 1) == pytest.approx(0.3, rel=1e-12)
    assert beta_quantile(0.3, 0.5, 0.5) == pytest.approx(math.sin(0.15 * math.pi) ** 2, rel=1e-12)
    assert beta_quantile(0.0, 2, 3) == 0.0
    assert beta_quantile(1.0, 2, 3) == 1.0


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, float("nan")])
def test_a_quantile_of_a_certain_event_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="p must lie"):
        student_t_quantile(p, 5)
    with pytest.raises(ValueError, match="p must lie"):
        normal_quantile(p)
