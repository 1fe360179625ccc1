"""Personal identifiers and common secrets by form alone: what streams are kept clean of exactly.

No checksum and no context, so that every span is known from the text up to it.
"""

from pointsman.policy.gating.standard import STANDARD
from pointsman.policy.regular import Regular


class PlainForms(Regular):
    """Finds the spans of the gate's standard rules; streams are let through under them."""

    def __init__(self) -> None:
        super().__init__("plain", STANDARD)
