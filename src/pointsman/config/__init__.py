"""One closed-schema pointsman.yaml, with what it includes, to a resolved Configuration."""

from pointsman.config.digests import as_json
from pointsman.config.loading import load, parse
from pointsman.config.showing import show

__all__ = ["as_json", "load", "parse", "show"]
