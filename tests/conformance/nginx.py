"""nginx as a plain proxy before the suite's upstream: what forwarding alone does not do."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pointsman.testing import free_port
from tests.conformance.bench import Bench
from tests.conformance.upstream import Upstream

_CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 4m; proxy_buffering off; proxy_request_buffering off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream engine {{ server 127.0.0.1:{upstream}; keepalive 16; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_read_timeout 3s; proxy_connect_timeout 3s;
    }}
  }}
}}
"""


def installed() -> bool:
    """Whether there is an nginx to be examined."""
    return _program() is not None


@contextmanager
def nginx(folder: Path, upstream: Upstream) -> Iterator[Bench]:
    """A bench with nginx on it; ended with the block."""
    program, port = _program(), free_port()
    assert program is not None
    file = folder / "nginx.conf"
    file.write_text(_CONFIG.format(folder=folder, port=port, upstream=upstream.port))
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(file)])
    bench = Bench(url=f"http://127.0.0.1:{port}/v1", upstream=upstream)
    try:
        _wait(bench, process)
        yield bench
    finally:
        process.terminate()
        process.wait(10)


def _program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def _wait(bench: Bench, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(400):
        assert process.poll() is None, "nginx ended at once"
        try:
            bench.line().close()
        except ConnectionError:
            try:
                process.wait(0.025)
            except subprocess.TimeoutExpired:
                continue
        return
    raise TimeoutError("nginx does not listen")
