#!/usr/bin/env bash
# Pointsman beside nginx and real peers, in one interleaved run; options are passed on to the
# harness, e.g. --peers nginx,vllm-router --cells n32-1k --rounds 3 --json out.json
# RULES=none|small|default says what our policy looks for in every prompt and answer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bench=${POINTSMAN_BENCH:-$here/../../shared/bench}
[ -x "$bench/gateway/gwbench.py" ] || {
  echo "the side-by-side harness is not at $bench; set POINTSMAN_BENCH" >&2; exit 3; }
export GWBENCH_WORK=${GWBENCH_WORK:-${TMPDIR:-/tmp}/gwbench}
export PATH="$here/../.venv/bin:$PATH"
mkdir -p "$GWBENCH_WORK"
exec "$bench/gateway/gwbench.py" run \
  --candidate "pointsman=$here/../.venv/bin/python $here/gateway_candidate.py --port {port} --upstream http://127.0.0.1:{upstream} --rules ${RULES:-small}" \
  "$@"
