"""The table `records` in DuckDB: its columns, and how payloads become rows of it."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from pointsman.journal.frames import Frame, Header

if TYPE_CHECKING:
    import duckdb

# What DuckDB reads of a payload; anything else stays in the payload itself.
_SHAPE: dict[str, Any] = {
    "kind": "VARCHAR",
    "at_us": "BIGINT",
    "trace": "VARCHAR",
    "tenant": "VARCHAR",
    "principal": "VARCHAR",
    "surface": "VARCHAR",
    "asked": "VARCHAR",
    "task": "VARCHAR",
    "prompt": "VARCHAR",
    "config": "VARCHAR",
    "stream": "BOOLEAN",
    "session": "VARCHAR",
    "decision": {"route": "VARCHAR"},
    "status": "VARCHAR",
    "http_status": "BIGINT",
    "attempts": "JSON",
    "delivered": "BIGINT",
    "cost_usd_picos": "BIGINT",
    "first_byte_ms": "BIGINT",
    "held_ms": "BIGINT",
    "total_ms": "BIGINT",
    "overhead_us": "BIGINT",
    "error": "VARCHAR",
    "id": "VARCHAR",
    "outcome": "VARCHAR",
    "value": "JSON",
    "source": "VARCHAR",
    "key": "VARCHAR",
    "digest": "VARCHAR",
    "version": "VARCHAR",
    "text": "VARCHAR",
    "tags": "JSON",
    "policy": {"policies": ["VARCHAR"]},
}


def _minted_ms(trace: str) -> str:
    """SQL for the milliseconds in a trace id: when its request was admitted."""
    digits = (
        f"(instr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', {trace}[{at + 4}]) - 1) * {32 ** (9 - at)}"
        for at in range(10)
    )
    return " + ".join(digits)


# `day` is that of the request a record is about (days since 1970): an outcome that comes weeks
# later belongs to it too. Defaults that records leave out are put back, so that a column means
# one thing.
_SELECT = """
SELECT writer, seq, ordinal, unhex(chain) AS chain, p.kind, p.at_us, p.trace,
  CASE WHEN p.kind = 'outcome' THEN coalesce(p.tenant, 'default') ELSE p.tenant END AS tenant,
  p.principal, p.surface, p.asked, p.task, p.decision.route AS route, p.prompt, p.config,
  CASE WHEN p.kind = 'admission' THEN coalesce(p.stream, false) END AS stream, p.session,
  p.status, p.http_status, p.attempts::VARCHAR AS attempts,
  CASE WHEN p.kind = 'end' THEN coalesce(json_array_length(p.attempts), 0)::BIGINT END
    AS attempt_count,
  CASE WHEN p.kind = 'end' THEN list_filter(
    json_extract_string(p.attempts, '$[*].response_id'), lambda x: x IS NOT NULL) END
    AS response_ids,
  p.delivered,
  CASE WHEN p.kind IN ('end', 'outcome') THEN coalesce(p.cost_usd_picos, 0) END AS cost_usd_picos,
  p.first_byte_ms, p.held_ms,
  CASE WHEN p.kind = 'end' THEN coalesce(p.total_ms, 0) END AS total_ms,
  CASE WHEN p.kind = 'end' THEN coalesce(p.overhead_us, 0) END AS overhead_us,
  p.error, p.id, p.outcome, p.value::VARCHAR AS value,
  CASE WHEN p.kind = 'outcome' THEN coalesce(p.source, 'api') END AS source,
  p.key, p.digest, p.version, p.text,
  array_to_string(list_transform(json_keys(p.tags),
    lambda k: k || '=' || json_extract_string(p.tags, '$."' || k || '"')), ', ') AS segment,
  array_to_string(p.policy.policies, ', ') AS policies,
  CASE WHEN p.kind = 'admission' THEN p.at_us // 86400000000
    WHEN regexp_full_match(p.trace, 'tr_[0-9A-HJKMNP-TV-Z]{26}')
    THEN (<minted_ms>) // 86400000 END AS day,
  payload
FROM (SELECT *, from_json(payload, '<shape>') AS p FROM read_json('<path>',
  format = 'newline_delimited', maximum_object_size = 16777216, columns = {writer: 'VARCHAR',
    seq: 'BIGINT', ordinal: 'BIGINT', chain: 'VARCHAR', payload: 'VARCHAR'}))
""".replace("<shape>", json.dumps(_SHAPE)).replace("<minted_ms>", _minted_ms("p.trace"))


# The sums of days: which there are, and an empty table of the shape of their files.
ROLLED_COLUMNS = (
    "day BIGINT, latest_us BIGINT, rules VARCHAR, stale BOOLEAN, final BOOLEAN, form BIGINT"
)
_ROLLUP: dict[str, str] = {
    "day": "BIGINT",
    "part": "VARCHAR",
    "tenant": "VARCHAR",
    "task": "VARCHAR",
    "route": "VARCHAR",
    "status": "VARCHAR",
    "acceptance": "VARCHAR",
    "n": "BIGINT",
    "picos": "BIGINT",
    "usd_2": "DOUBLE",
    "usd_3": "DOUBLE",
    "first_us": "BIGINT",
    "last_us": "BIGINT",
    "metric": "VARCHAR",
    "ms": "DOUBLE",
    "step": "BIGINT",
    "deployment": "VARCHAR",
    "reached": "BIGINT",
    "failed": "BIGINT",
    "passed": "BIGINT",
    "escalated": "BIGINT",
    "gated": "BIGINT",
    "gave": "BIGINT",
    "gave_accepted": "BIGINT",
    "gave_rejected": "BIGINT",
    "gave_undecided": "BIGINT",
    "tokens": "BIGINT",
    "failure_kind": "VARCHAR",
    "segment": "VARCHAR",
    "dimension": "VARCHAR",
    "name": "VARCHAR",
    "answer_picos": "BIGINT",
    "step_picos": "BIGINT",
    "retry_picos": "BIGINT",
    "judge_picos": "BIGINT",
    "looks": "BIGINT",
}
ROLLED_NOTHING = (
    "SELECT " + ", ".join(f"NULL::{kind} AS {name}" for name, kind in _ROLLUP.items()) + " LIMIT 0"
)


def select_rows(path: Path) -> str:
    """SQL for the rows of `records` in a file that `write_rows` wrote."""
    return _SELECT.replace("<path>", quoted(path))


def write_rows(out: BinaryIO, header: Header, frames: Iterable[Frame]) -> int:
    """Write frames as JSON lines for DuckDB and return how many; payloads travel unchanged."""
    encode, count = msgspec.json.encode, 0
    head = b'{"writer":%b,"seq":%d,"ordinal":' % (encode(header.writer), header.seq)
    for frame in frames:
        out.write(
            b'%b%d,"chain":"%b","payload":%b}\n'
            % (
                head,
                frame.ordinal,
                frame.chain.hex().encode(),
                encode(frame.payload.decode("utf-8")),
            )
        )
        count += 1
    return count


def connect(
    *, readable: Iterable[Path], scratch: Path, threads: int, memory_mb: int
) -> "duckdb.DuckDBPyConnection":
    """A DuckDB in memory that sees only these directories and loads no extension.

    Args: threads >= 1; memory_mb bounds its memory, over it DuckDB spills to `scratch`.
    """
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": str(threads),
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": str(scratch / "spill"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        },
    )
    allowed = ", ".join(f"'{quoted(path)}/'" for path in (*readable, scratch))
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET parquet_metadata_cache = true")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def parquet_files(paths: Iterable[Path]) -> str:
    """Sealed files as one table expression of SQL; what an older one lacks is null there."""
    names = [f"'{quoted(path)}'" for path in paths]
    more = ", union_by_name = true" if len(names) > 1 else ""
    return f"read_parquet([{', '.join(names)}]{more})"


def quoted(path: Path) -> str:
    """A path as the inside of an SQL string."""
    return str(path.absolute()).replace("'", "''")


def scratch_directory(parent: Path | None = None) -> "tempfile.TemporaryDirectory[str]":
    """A private directory for row files and spilled memory, removed at the end."""
    return tempfile.TemporaryDirectory(prefix="pointsman-", dir=parent)
