"""A real llama.cpp on a free port in a process of its own, for what no script can say."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pointsman.embedded

SMALL = Path(pointsman.embedded.__file__).parent / "models" / "small-f16.gguf"
_CHILD = """
import sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, pooling = sys.argv[1:]
params.n_parallel, params.n_ctx, params.cpuparams.n_threads = 2, 1024, 1
params.endpoint_metrics, params.port = True, 0
if pooling:
    params.embedding = True
    params.pooling_type = getattr(xllamacpp.llama_pooling_type, "LLAMA_POOLING_TYPE_" + pooling)
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def llamacpp(pooling: str = "") -> Iterator[str]:
    """Its base URL. `pooling` MEAN gives vectors, RANK rankings, nothing text."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(SMALL), pooling],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        address = child.stdout.readline().strip()
        assert address.startswith("http://"), f"llama.cpp did not start: {child.wait(5)}"
        yield f"{address}/v1"
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            pipe.close()
