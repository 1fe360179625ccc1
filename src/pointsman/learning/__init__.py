"""Routers learned from recorded outcomes: files, features, estimators, the artefact, its score.

Needs the extra `learn` (NumPy; scikit-learn where a router is fitted, never where it decides).
"""

import importlib

from pointsman.domain.errors import ExtraMissing


def need(package: str) -> None:
    """Make sure that a package of the extra is there. Raises: ExtraMissing."""
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise ExtraMissing(
            f"learning needs {package}, which is not installed",
            why=str(error),
            next="pip install 'pointsman[learn]'",
        ) from error
