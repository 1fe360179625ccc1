"""The demonstration's gateway process: `python -m pointsman.demo.child CONFIGURATION`.

It serves on a free port until its standard input ends, so that it never outlives who started it.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pointsman.config import load
from pointsman.domain.errors import PointsmanError
from pointsman.gateway.serving import run

SERVING = "serving on "


def main() -> None:
    """Serve, say where on standard error, and drain at the end of standard input."""
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    try:
        config = load(Path(sys.argv[1]), env=os.environ)
        server = msgspec.structs.replace(config.server, host="127.0.0.1", port=0)
        run(msgspec.structs.replace(config, server=server), ready=_tell)
    except PointsmanError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _tell(addresses: Sequence[tuple[str, int]]) -> None:
    print(f"{SERVING}http://127.0.0.1:{addresses[0][1]}/v1", file=sys.stderr, flush=True)


def _stop_at_end_of_input() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
