"""Settings every test shares: Hypothesis profiles, and skips that CI does not accept."""

import os

# One thread of linear algebra a process: tests run in several processes already, and some fork,
# after which OpenBLAS's own threads were seen to wait for a lock that nobody holds any more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fast", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

_REQUIRED = set(os.environ.get("POINTSMAN_REQUIRE", "").split())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that needs the embedded engine skips with the reason where it is not installed."""
    try:
        import xllamacpp  # noqa: F401
    except ImportError:
        missing = pytest.mark.skip(reason='no embedded engine: pip install "pointsman[local]"')
        for item in items:
            if item.get_closest_marker("needs_engine"):
                if "engine" in _REQUIRED:
                    pytest.fail("the embedded engine is required here and not installed")
                item.add_marker(missing)


@pytest.fixture
def skip_or_fail():
    """Skip for a missing part, or fail where POINTSMAN_REQUIRE names it."""

    def decide(part: str, reason: str) -> None:
        if part in _REQUIRED:
            pytest.fail(f"{part} is required here: {reason}")
        pytest.skip(reason)

    return decide
