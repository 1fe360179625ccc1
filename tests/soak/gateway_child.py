"""`pointsman serve` with a window: on SIGUSR1 it says on stdout how many tasks there are."""

import asyncio
import gc
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import msgspec
import uvloop

from pointsman.answering import feedback
from pointsman.backends import http_wire
from pointsman.config.loading import load
from pointsman.domain.task import Configuration
from pointsman.gateway.serving import serve


def main(path: str) -> None:
    """Serve the file's configuration on a free port until SIGTERM."""

    def read() -> Configuration:
        config = load(Path(path), env=os.environ)
        return msgspec.structs.replace(
            config, server=msgspec.structs.replace(config.server, port=0)
        )

    async def live() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _tell)
        await serve(read(), ready=lambda addresses: _say({"port": addresses[0][1]}), load=read)

    # Bounded as ever, and full before memory is compared, however slow the machine.
    feedback._REMEMBERED = 10_000
    # An upstream that closes without a word does so late where it shares two cores with all this:
    # a request that was sent meanwhile has not been at work there.
    http_wire._RACE_S = 5.0
    uvloop.run(live())


def _tell() -> None:
    gc.collect()
    tasks = Counter(
        getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks()
    )  # fmt: skip
    _say({"tasks": dict(tasks), "objects": len(gc.get_objects())})


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
