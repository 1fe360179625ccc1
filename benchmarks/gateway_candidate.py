"""Serves Pointsman in front of one upstream, in the full form that the side-by-side harness
measures: task and route lookup, a verifier, journal with group fsync, metrics."""

import argparse
import os
import tempfile
from pathlib import Path

CONFIG = """\
deployments:
  mock:
    model: Qwen/Qwen3-8B
    served_name: Qwen/Qwen3-8B
    engine: vllm
    base_url: {upstream}/v1
    price: {{input_usd_per_mtok: 0.02, output_usd_per_mtok: 0.06}}
    limits: {{concurrency: 1024}}
tasks:
  work: {{route: main}}
routes:
  main: {{steps: [mock]}}
aliases: {{"Qwen/Qwen3-8B": "task:work"}}
server: {{host: 127.0.0.1, port: {port}}}
journal: {{path: {journal}}}
"""


def main() -> None:
    """Write a configuration into a scratch folder and become the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pointsman-bench-"))
    path = folder / "pointsman.yaml"
    path.write_text(
        CONFIG.format(upstream=args.upstream, port=args.port, journal=folder / "journal")
    )
    os.execlp("pointsman", "pointsman", "serve", "-c", str(path))


if __name__ == "__main__":
    main()
