"""What was appended since a reader last looked: whole requests, by positions and not by clocks.

An outcome may be told late, with an earlier time; a position in a writer's segments grows with
every record, whatever its time says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pointsman.journal.reader import JournalReader

Cursor = Mapping[str, tuple[int, int]]  # by writer: segment and ordinal of the last one seen


def fresh_requests(
    reader: JournalReader,
    cursor: Cursor,
    *,
    since_us: int,
    most: int,
    closing: Sequence[tuple[str | None, int, int]] = (),
) -> tuple[list[dict[str, Any]], dict[str, tuple[int, int]], int]:
    """Requests with an end or outcome that the cursor does not know, and those that are asked for.

    Args: since_us: records before it count as seen; most: records that are looked at, the latest
    where there are more; closing: requests of a task admitted in [from, to) besides.
    Returns: rows in the order of their admission, the cursor after them, and how many records were
    passed over. `facts` are the outcomes in order, each with `fresh`.
    """
    params = {
        "writers": list(cursor),
        "seqs": [seq for seq, _ in cursor.values()],
        "ordinals": [ordinal for _, ordinal in cursor.values()],
        "since_us": since_us,
    }
    with reader.connected() as (connection, _):
        after = connection.execute(_POSITIONS, {"since_us": since_us}).fetchall()
        positions = {writer: (seq, ordinal) for writer, seq, ordinal in after}
        if positions == dict(cursor) and not closing:
            return [], positions, 0
        connection.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {_FRESH}", params)
        (found,) = connection.execute("SELECT count(*) FROM fresh").fetchone() or (0,)
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE asked AS {_ASKED}",
            {
                "most": most,
                "tasks": [task or "" for task, _, _ in closing],
                "starts": [start for _, start, _ in closing],
                "ends": [end for _, _, end in closing],
            },
        )
        first = connection.execute(_FIRST).fetchone()
        first_us = first[0] if first is not None and first[0] is not None else 0
        rows = connection.execute(_ROWS, {"first_us": min([first_us, *(c[1] for c in closing)])})
        columns = [column[0] for column in rows.description]
        made = [dict(zip(columns, row, strict=True)) for row in rows.fetchall()]
        connection.execute("DROP TABLE fresh")
        connection.execute("DROP TABLE asked")
    return made, positions, max(0, found - most)


_POSITIONS = """
SELECT writer, max(seq) AS seq, arg_max(ordinal, (seq, ordinal)) AS ordinal FROM records
WHERE at_us >= $since_us GROUP BY writer
"""
_FRESH = """
WITH seen AS (
  SELECT unnest($writers::VARCHAR[]) AS writer, unnest($seqs::BIGINT[]) AS seq,
    unnest($ordinals::BIGINT[]) AS ordinal
)
SELECT r.trace, r.kind, r.id, r.at_us, r.writer, r.seq, r.ordinal,
  coalesce(r.day, 0) * 86400000000 AS day_us
FROM records r LEFT JOIN seen s ON s.writer = r.writer
WHERE r.kind IN ('end', 'outcome') AND r.at_us >= $since_us
  AND (s.writer IS NULL OR r.seq > s.seq OR (r.seq = s.seq AND r.ordinal > s.ordinal))
"""
_ASKED = """
WITH latest AS (SELECT * FROM fresh ORDER BY at_us DESC LIMIT $most),
closing AS (
  SELECT unnest($tasks::VARCHAR[]) AS task, unnest($starts::BIGINT[]) AS start_us,
    unnest($ends::BIGINT[]) AS end_us
)
SELECT DISTINCT trace FROM latest
UNION
SELECT a.trace FROM records a JOIN closing c
  ON c.task = coalesce(a.task, '') AND a.at_us >= c.start_us AND a.at_us < c.end_us
WHERE a.kind = 'admission'
"""
# From when on records of the requests asked for can be: what is older need not be read.
_FIRST = "SELECT min(day_us) FROM fresh"
_ROWS = """
WITH ended AS (
  SELECT trace, at_us, status, delivered, attempts, cost_usd_picos, writer, seq, ordinal
  FROM records WHERE kind = 'end' AND at_us >= $first_us - 3600000000
    AND trace IN (SELECT trace FROM asked)
  QUALIFY row_number() OVER (PARTITION BY trace ORDER BY at_us, writer, seq, ordinal) = 1
),
told AS (
  SELECT r.trace, r.at_us, r.id, {outcome: r.outcome, value: r.value, source: r.source,
    at_us: r.at_us, fresh: f.id IS NOT NULL} AS fact
  FROM records r LEFT JOIN fresh f ON f.kind = 'outcome' AND f.id = r.id
  WHERE r.kind = 'outcome' AND r.at_us >= $first_us AND r.trace IN (SELECT trace FROM asked)
  QUALIFY r.key IS NULL OR row_number()
    OVER (PARTITION BY r.tenant, r.key ORDER BY r.at_us, r.writer, r.seq, r.ordinal) = 1
),
facts AS (
  SELECT trace, to_json(list(fact ORDER BY at_us, id))::VARCHAR AS facts FROM told GROUP BY trace
)
SELECT a.trace, a.at_us, a.tenant, a.task, e.status, e.delivered, e.at_us AS ended_us,
  coalesce(e.cost_usd_picos, 0) AS cost_usd_picos, f.trace IS NOT NULL AS ended_fresh, t.facts,
  json_extract_string(e.attempts, '$[' || e.delivered || '].deployment') AS deployment
FROM records a LEFT JOIN ended e ON e.trace = a.trace LEFT JOIN facts t ON t.trace = a.trace
LEFT JOIN fresh f ON f.kind = 'end' AND f.writer = e.writer AND f.seq = e.seq
  AND f.ordinal = e.ordinal
WHERE a.kind = 'admission' AND a.at_us >= $first_us AND a.trace IN (SELECT trace FROM asked)
ORDER BY a.at_us, a.trace
"""
