"""Serves Pointsman in front of one upstream, in the full form that the side-by-side harness
measures: task and route lookup, a budget reserved and settled, places, breaker and retry budget,
policies over prompt and answer, journal with group fsync, metrics. The harness sends no key, so the
door is open to this machine."""

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
tenants:
  default: {{limits: {{usd_per_month: 1000000}}}}
tasks:
  work: {{route: main}}
routes:
  main: {{steps: [mock]}}
aliases: {{"Qwen/Qwen3-8B": "task:work"}}
server: {{host: 127.0.0.1, port: {port}}}
journal: {{path: {journal}}}
"""
# What a policy of the task looks for in every prompt and every answer, and takes out.
RULES = {
    "none": None,
    "small": r"""{regex: '\b(?:AKIA|ASIA)[A-Z2-7]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,255}"""
    r"""|\bsk-[A-Za-z0-9_-]{20,}'}""",
    "default": "{use: plain}",  # the eleven standard rules: secrets and personal data
}
POLICY = """\
id: bench
detectors:
  found: {rules}
rules:
  - id: found
    stages: [request, response]
    verdict: redact
    detectors: [found]
"""
BINDING = "policies: {bench: {files: [policy.yaml], tasks: [work]}}\n"


def main() -> None:
    """Write a configuration into a scratch folder and become the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--rules", choices=sorted(RULES), default="small")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pointsman-bench-"))
    path = folder / "pointsman.yaml"
    text = CONFIG.format(upstream=args.upstream, port=args.port, journal=folder / "journal")
    rules = RULES[args.rules]
    if rules is not None:
        (folder / "policy.yaml").write_text(POLICY.format(rules=rules))
        text += BINDING
    path.write_text(text)
    os.execlp("pointsman", "pointsman", "serve", "-c", str(path))


if __name__ == "__main__":
    main()
