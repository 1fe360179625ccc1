"""Weights of `features` before anything was seen of a model.

Fitted to the counts of one 151,643-token vocabulary on texts of many kinds: code, prose, figures
and translations of programs into 14 languages with other scripts.
"""

PRIOR: tuple[float, ...] = (
    0.78, 0.109, 0.35, 0.106, 0.506, 1.097, 0.05, 0.935, 0.284, 0.91, 0.797, 0.803, 0.66, 0.879,
    0.884, 0.6, 0.692, 1.998,
)  # fmt: skip
