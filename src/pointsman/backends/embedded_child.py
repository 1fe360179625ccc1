"""The child process of an embedded deployment: one llama.cpp HTTP server and nothing else.

Run as `python -m pointsman.backends.embedded_child`. The order comes as one JSON line on standard
input, the report goes as one JSON line to standard output, the engine's log to standard error. The
child ends when standard input does. Only this process ever loads the engine.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from importlib.metadata import version
from typing import Any

import msgspec

_PR_SET_PDEATHSIG = 1
# The engine logs from a thread that an exit cuts off: on busy cores 1 in 150 refusals came without
# its reason.
_LOG_LAG_S = 0.25


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the child shall serve; travels on standard input, since it carries the key."""

    parent_pid: int
    gguf: str
    alias: str
    api_key: str
    threads: int
    http_threads: int
    parallel: int
    context: int  # tokens of each slot
    verbosity: int = 1  # llama.cpp's scale: 1 errors, 3 what it does


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the order: an origin that answers, or why there is none."""

    origin: str = ""  # `http://127.0.0.1:PORT`
    engine: str = ""  # `xllamacpp 2026.10.11549`
    error: str = ""


def main() -> None:
    """Serve until standard input ends or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which decides
    _ask_to_die_with_parent()
    order = msgspec.json.decode(_first_line(), type=Order)
    if os.getppid() != order.parent_pid:  # it died before the kernel was asked
        os._exit(1)
    reports = os.dup(1)
    os.dup2(2, 1)  # whatever the engine prints must not look like a report
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    try:
        server = serve(order)
    except Exception as error:
        time.sleep(_LOG_LAG_S)
        _send(reports, Report(error=f"{type(error).__name__}: {error}"))
        sys.exit(1)
    engine = f"xllamacpp {version('xllamacpp')}"
    _send(reports, Report(origin=server.listening_address, engine=engine))
    threading.Event().wait()


def serve(order: Order) -> Any:
    """Load the model and start listening on a free loopback port.

    Returns: xllamacpp's server, which already answers. The call holds the GIL while it loads.
    Raises: RuntimeError when the engine refuses; the reason is on standard error only.
    """
    # OpenMP's spinning workers made a request with two threads 7 to 17 times slower once other work
    # shared the two cores (65-153 ms against 9-28 ms). Read by libgomp when the engine is loaded.
    os.putenv("OMP_WAIT_POLICY", "PASSIVE")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = order.gguf
    params.model_alias = {order.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order.api_key]
    params.n_parallel = order.parallel
    params.n_ctx = order.context * order.parallel
    params.kv_unified = False  # a slot's context is its own
    params.fit_params = False  # never a smaller context than was asked for, silently
    params.cpuparams.n_threads = order.threads
    params.cpuparams_batch.n_threads = order.threads
    params.n_threads_http = order.http_threads
    params.cache_ram_mib = 0  # default: up to 8 GiB of old prompts
    params.warmup = True  # one empty batch; the parent bounds the whole start
    params.endpoint_metrics = True
    params.endpoint_slots = False  # would show prompts
    params.endpoint_props = False  # no changes over the wire; GET /props still answers
    params.ui = False
    params.verbosity = order.verbosity
    return xllamacpp.Server(params)


def _ask_to_die_with_parent() -> None:
    """On Linux the kernel kills us with the parent, also while the engine holds the GIL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _first_line() -> bytes:
    """Read byte by byte: a buffered reader would lock standard input against our exit."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(1)
        line += byte
    return line


def _exit_at_end_of_input() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def _send(reports: int, report: Report) -> None:
    os.write(reports, msgspec.json.encode(report) + b"\n")
    os.close(reports)


if __name__ == "__main__":
    main()
