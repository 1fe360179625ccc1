"""How often the garbage collector of a serving process looks, and at what."""

import gc

# A request makes some hundred objects and leaves none in a cycle; Python's own 700 had a look
# every few requests, 13 % of the time (perf, 1 KiB JSON). What is in cycles waits this long.
_YOUNG = 20_000
_OLDER = 20


def settle() -> None:
    """Called once everything is built: what is there now stays, and is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
