"""Quantiles of the normal, Student t and beta distributions in plain Python; no data here."""

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

_STANDARD = NormalDist()
_EPSILON = 1e-16
_TINY = 1e-300
_MAX_TERMS = 10_000  # the fraction needs about sqrt(max(a, b)) terms; this covers a, b <= 1e7


def normal_quantile(p: float) -> float:
    """The z with P(Z <= z) = p for a standard normal Z.

    Raises: ValueError unless p is in (0, 1).
    """
    _check_open(p)
    return _STANDARD.inv_cdf(p)


@lru_cache(maxsize=4096)
def student_t_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = p for Student's T; right to 1e-9 relative for df >= 1.

    Args: p in (0, 1); df > 0 degrees of freedom.
    Source: the beta quantile through T² / (df + T²) ~ Beta(1/2, df/2), Abramowitz and Stegun
    26.7.1; both tails are taken from the smaller one, so no digits cancel. Over 1000 degrees of
    freedom their expansion 26.7.5 around the normal quantile.
    """
    _check_open(p)
    if not df > 0:
        raise ValueError(f"df must be positive, got {df}")
    if p == 0.5:
        return 0.0
    if df > 1000:
        return _expanded_t(_STANDARD.inv_cdf(p), df)
    tail = min(p, 1.0 - p)
    if tail > 0.25:  # near the centre T² is small: take the quantile of that
        y = beta_quantile(1.0 - 2.0 * tail, 0.5, df / 2.0)
        t = math.sqrt(df * y / (1.0 - y))
    else:  # df / (df + T²) ~ Beta(df/2, 1/2) is small in the tails
        x = beta_quantile(2.0 * tail, df / 2.0, 0.5)
        t = math.sqrt(df * _complement(x, 2.0 * tail, df) / x)
    return t if p > 0.5 else -t


def student_t_two_sided(t: float, df: float) -> float:
    """P(|T| >= |t|) for Student's T; df > 0 degrees of freedom.

    Source: Abramowitz and Stegun 26.7.1, through the beta distribution.
    """
    if not df > 0:
        raise ValueError(f"df must be positive, got {df}")
    square = t * t
    if df > 1e6:
        return math.erfc(abs(t) / math.sqrt(2.0))
    return beta_cdf(df / (df + square), df / 2.0, 0.5) if square else 1.0


def _expanded_t(z: float, df: float) -> float:
    s = z * z
    terms = (
        (s + 1) / 4,
        ((5 * s + 16) * s + 3) / 96,
        (((3 * s + 19) * s + 17) * s - 15) / 384,
        ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160,
    )
    return z * (1.0 + sum(term / df**k for k, term in enumerate(terms, 1)))


def _complement(x: float, twice_tail: float, df: float) -> float:
    """1 - x without cancellation: the quantile of the mirrored beta where x is near one."""
    return 1.0 - x if x < 0.9 else beta_quantile(1.0 - twice_tail, 0.5, df / 2.0)


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), in [0, 1].

    Args: a and b positive; x outside [0, 1] gives 0 or 1.
    Source: continued fraction 26.5.8 of Abramowitz and Stegun, by Lentz's method.
    """
    if not (a > 0 and b > 0):
        raise ValueError(f"a and b must be positive, got {a} and {b}")
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(_log_beta_kernel(x, a, b))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def beta_quantile(p: float, a: float, b: float) -> float:
    """The x with I_x(a, b) = p; 0 for p = 0 and 1 for p = 1."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p must lie in [0, 1], got {p}")
    if p in (0.0, 1.0):
        return p
    return _bracketed_newton(
        lambda x: beta_cdf(x, a, b) - p,
        lambda x: math.exp(_log_beta_kernel(x, a, b)) / (x * (1.0 - x)),
    )


def _bracketed_newton(excess: Callable[[float], float], slope: Callable[[float], float]) -> float:
    """The root of an increasing function on (0, 1): Newton, halving whenever it would leave."""
    low, high, x = 0.0, 1.0, 0.5
    for _ in range(1100):  # halvings reach the smallest double from any start
        gap = excess(x)
        if gap == 0.0:
            return x
        low, high = (low, x) if gap > 0 else (x, high)
        rise = slope(x) if 0.0 < x < 1.0 else 0.0
        step = x - gap / rise if rise > 0 else -1.0
        after = step if low < step < high else (low + high) / 2.0
        if abs(after - x) <= 4.0 * _EPSILON * x or after in (low, high):
            return after
        x = after
    return x


def _log_beta_kernel(x: float, a: float, b: float) -> float:
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return a * math.log(x) + b * math.log1p(-x) - log_beta


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    h = d
    for m in range(1, _MAX_TERMS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            c = 1.0 + numerator / c
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            h *= d * c
        if abs(d * c - 1.0) < _EPSILON * 10:
            break
    return h


def _check_open(p: float) -> None:
    if not 0.0 < p < 1.0:
        raise ValueError(f"p must lie in (0, 1), got {p}")
