"""One closed-schema pointsman.yaml, with what it includes, to a resolved Configuration.

What reads YAML is loaded when a file is read: a process that is handed a configuration needs none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointsman.config.digests import as_json
    from pointsman.config.loading import load, parse
    from pointsman.config.showing import show

_HOMES = {"as_json": "digests", "load": "loading", "parse": "loading", "show": "showing"}

__all__ = ["as_json", "load", "parse", "show"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
