"""Pointsman: the self-hosted control plane for portfolios of open models.

The names a program types, loaded when first used: `Client` speaks to a running gateway,
`Workspace` reads its journal.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Client", "Workspace", "__version__"]

if TYPE_CHECKING:
    from pointsman.client import Client, Workspace


def __getattr__(name: str) -> Any:
    if name in ("Client", "Workspace"):
        from pointsman import client

        return getattr(client, name)
    raise AttributeError(f"module 'pointsman' has no attribute {name!r}")
