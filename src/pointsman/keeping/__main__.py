"""The keeper's own process: its configuration on stdin, what it did on stdout, until stdin ends.

That it ends with its parent, however that dies, is what stdin is for.
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from pointsman.domain.errors import PointsmanError
from pointsman.domain.ids import ulid
from pointsman.domain.task import Configuration
from pointsman.journal import open_master_key
from pointsman.keeping.jobs import Work
from pointsman.keeping.keeper import Keeper, Told, run, stays
from pointsman.state import open_state

_NICE = 10  # traffic goes first


def main() -> int:
    """Exit 1, with the reason said, where there is no state to hold a lease in."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for our parent, and we end with it
    with suppress(OSError):
        os.nice(_NICE)
    config = msgspec.json.decode(sys.stdin.buffer.readline(), type=Configuration)
    stop = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(stop,), daemon=True).start()
    try:
        state = open_state(config.state_url, wrapper=open_master_key(config))
    except PointsmanError as error:
        _say(Told(role="standby", at_us=_wall_us(), errors={"state": error.sentence}))
        return 1
    with state:
        work = Work(
            root=Path(config.journal_path),
            tasks=config.tasks,
            keys=state.subject_keys,
            keep_records_days=config.journal.keep_records_days,
            allowed=lambda: False,
            wall_us=_wall_us,
            audit=config.audit,
            drift=config.drift,
            alerts=config.alerts,
        )
        every_s = config.keeping.every_s
        keeper = Keeper(
            work,
            state.leases,
            state.schedules,
            holder=f"{ulid(_wall_us() // 1000, os.urandom(10))}-{os.getpid()}",
            every_s=every_s,
            stop=stop,
        )
        with suppress(BrokenPipeError):
            # what reads the journal takes 80 MB: kept between rounds only where they follow closely
            pause_s = every_s if stays(every_s) else None
            run(keeper, stop=stop, pause_s=pause_s, say=_say)
    return 0


def _wait_for_the_end(stop: threading.Event) -> None:
    while os.read(0, 4096):  # not by `sys.stdin`, whose lock it would hold when we end first
        pass
    stop.set()


def _say(told: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def _wall_us() -> int:
    return time.time_ns() // 1000


if __name__ == "__main__":
    raise SystemExit(main())
