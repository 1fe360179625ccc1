"""The SQL of the named queries; what each gives, and its parameters, say `queries.py`."""

# ruff: noqa: S608 - SQL is put together from the constants of this file; values are bound.

from pointsman.journal.held import ended_in_the_end

# A wall clock may step back between an admission and its end; a request is far shorter than this.
_SLACK_US = 3_600_000_000

ADMITTED = """
admitted AS (
  SELECT * FROM records
  WHERE kind = 'admission' AND at_us >= $since_us AND at_us < $until_us
    AND ($tenant::VARCHAR IS NULL OR tenant = $tenant) AND ($task::VARCHAR IS NULL OR task = $task)
)"""
# Which end of a trace counts, should there be two: the first. Only ends of the traces asked for
# are compared, or a page of a hundred would sort the whole journal.
ENDED = f"""
first_ends AS (
  SELECT * FROM records
  WHERE kind = 'end' AND at_us >= $since_us - {_SLACK_US}
    AND trace IN (SELECT trace FROM asked)
  QUALIFY row_number() OVER (PARTITION BY trace ORDER BY at_us, writer, seq, ordinal) = 1
),
{ended_in_the_end("first_ends")}"""

REQUESTS = f"""
WITH {ADMITTED},
asked AS (SELECT * FROM admitted ORDER BY at_us DESC, trace DESC LIMIT $limit),
{ENDED}
SELECT a.trace, a.at_us, a.tenant, a.principal, a.task, a.route, a.asked, a.prompt, a.config,
  a.stream, a.session, e.status, e.http_status, e.cost_usd_picos, e.first_byte_ms, e.held_ms,
  e.total_ms, e.overhead_us, e.attempts, e.attempt_count, e.delivered,
  json_extract_string(e.attempts, '$[' || e.delivered || '].deployment') AS deployment, e.error,
  a.segment, a.policies AS policy, a.writer
FROM asked a LEFT JOIN ended e ON e.trace = a.trace
ORDER BY a.at_us DESC, a.trace DESC
"""

REQUESTS_EDGE = """
SELECT coalesce(min(at_us), $since_us) FROM (
  SELECT at_us FROM records
  WHERE kind = 'admission' AND at_us >= $since_us AND at_us < $until_us
    AND ($tenant::VARCHAR IS NULL OR tenant = $tenant) AND ($task::VARCHAR IS NULL OR task = $task)
  ORDER BY at_us DESC LIMIT $limit)
"""

ATTEMPTS = f"""
WITH {ADMITTED},
tried AS (SELECT DISTINCT trace FROM records WHERE kind = 'end' AND attempt_count > 0),
asked AS (
  SELECT trace, at_us, tenant, task, route FROM admitted WHERE trace IN (SELECT trace FROM tried)
  ORDER BY at_us DESC, trace DESC LIMIT $limit
),
{ENDED},
tries AS (
  SELECT e.trace, e.delivered, unnest(range(e.attempt_count)) AS attempt,
    unnest(json_extract(e.attempts, '$[*]')) AS t
  FROM ended e
)
SELECT a.trace, a.at_us, a.tenant, a.task, a.route, t.attempt,
  (t->>'$.step')::BIGINT AS step, t->>'$.deployment' AS deployment, t->>'$.arm' AS arm,
  t->>'$.model' AS model,
  t->>'$.failure.kind' AS failure, t->>'$.gate.verdict' AS gate, t->>'$.gate.reason' AS gate_reason,
  coalesce((t->>'$.cost_usd_picos')::BIGINT, 0) AS cost_usd_picos,
  CASE WHEN json_exists(t, '$.usage')
    THEN coalesce((t->>'$.usage.prompt_tokens')::BIGINT, 0) END AS prompt_tokens,
  CASE WHEN json_exists(t, '$.usage')
    THEN coalesce((t->>'$.usage.completion_tokens')::BIGINT, 0) END AS completion_tokens,
  CASE WHEN json_exists(t, '$.usage')
    THEN coalesce((t->>'$.usage.cached_tokens')::BIGINT, 0) END AS cached_tokens,
  CASE WHEN json_exists(t, '$.usage')
    THEN coalesce(t->>'$.usage.source', 'reported') END AS usage_source,
  coalesce((t->>'$.started_ms')::BIGINT, 0) AS started_ms,
  coalesce((t->>'$.queued_ms')::BIGINT, 0) AS queued_ms,
  (t->>'$.first_token_ms')::BIGINT AS first_token_ms,
  coalesce((t->>'$.total_ms')::BIGINT, 0) AS total_ms,
  t->>'$.response_id' AS response_id,
  coalesce(t.attempt = t.delivered, false) AS delivered
FROM asked a JOIN tries t ON t.trace = a.trace
ORDER BY a.at_us DESC, a.trace DESC, t.attempt LIMIT $limit
"""

DECISIONS = f"""
WITH {ADMITTED},
asked AS (SELECT * FROM admitted ORDER BY at_us DESC, trace DESC LIMIT $limit),
{ENDED}
SELECT a.trace, a.at_us, a.tenant, a.task, a.route, a.payload AS admission, e.payload AS "end",
  e.status, e.delivered
FROM asked a LEFT JOIN ended e ON e.trace = a.trace
ORDER BY a.at_us DESC, a.trace DESC
"""

OUTCOMES = """
SELECT trace, outcome, value, source, at_us, key, tenant, id FROM records
WHERE kind = 'outcome' AND ($tenant::VARCHAR IS NULL OR tenant = $tenant)
QUALIFY at_us >= $since_us AND at_us < $until_us
  AND ($trace::VARCHAR IS NULL OR trace = $trace) AND (key IS NULL OR
  row_number() OVER (PARTITION BY tenant, key ORDER BY at_us, writer, seq, ordinal) = 1)
ORDER BY at_us, id LIMIT $limit
"""

TRACE = """
SELECT kind, at_us, payload, lower(hex(chain)) AS chain, writer, seq, ordinal FROM records
WHERE trace = $trace AND ($tenant::VARCHAR IS NULL OR EXISTS (
  SELECT 1 FROM records a WHERE a.kind = 'admission' AND a.trace = $trace AND a.tenant = $tenant))
ORDER BY CASE kind WHEN 'admission' THEN 0 WHEN 'end' THEN 1 ELSE 2 END,
  at_us, writer, seq, ordinal
"""

BY_RESPONSE = """
WITH found AS (
  SELECT trace, at_us FROM records
  WHERE kind = 'end' AND list_contains(response_ids, $response_id)
  ORDER BY at_us DESC, trace DESC LIMIT 1
)
SELECT f.trace, a.tenant, f.at_us FROM found f
JOIN records a ON a.kind = 'admission' AND a.trace = f.trace LIMIT 1
"""

FIND = """
WITH named AS (SELECT unnest($references::VARCHAR[]) AS reference),
ends AS (
  SELECT trace, at_us, unnest(response_ids) AS response_id FROM records
  WHERE kind = 'end' AND len(list_intersect(response_ids, $references::VARCHAR[])) > 0
),
found AS (
  SELECT reference, reference AS trace FROM named WHERE starts_with(reference, 'tr_')
  UNION ALL
  SELECT n.reference, arg_max(e.trace, e.at_us) FROM named n
  JOIN ends e ON e.response_id = n.reference GROUP BY n.reference
)
SELECT f.reference, f.trace, a.tenant, a.at_us FROM found f
JOIN records a ON a.kind = 'admission' AND a.trace = f.trace
QUALIFY row_number() OVER (PARTITION BY f.reference ORDER BY a.at_us DESC) = 1
"""

KEYED_FACTS = """
SELECT payload FROM records
WHERE kind = 'outcome' AND key IS NOT NULL AND list_contains($traces::VARCHAR[], trace)
QUALIFY row_number() OVER (PARTITION BY tenant, key ORDER BY at_us, writer, seq, ordinal) = 1
ORDER BY at_us, id LIMIT 100000
"""

SERVED = """
SELECT payload FROM records
WHERE kind = 'served' AND list_contains($ids::VARCHAR[], id)
QUALIFY row_number() OVER (PARTITION BY id ORDER BY at_us, writer, seq, ordinal) = 1
ORDER BY at_us, id LIMIT 10000
"""

OUTCOME_KINDS = """
SELECT outcome, count(*) AS outcomes, max(at_us) AS last_us FROM records
WHERE kind = 'outcome' AND source NOT LIKE 'verifier%' AND source NOT LIKE 'judge:%'
  AND source NOT LIKE 'rater:%'
GROUP BY outcome ORDER BY outcomes DESC, outcome LIMIT $limit
"""

OPINIONS = """
WITH said AS (
  SELECT trace, source, at_us, payload, writer, seq, ordinal FROM records
  WHERE kind = 'outcome' AND (source LIKE 'judge:%' OR source LIKE 'rater:%')
  QUALIFY key IS NULL OR
    row_number() OVER (PARTITION BY tenant, key ORDER BY at_us, writer, seq, ordinal) = 1
)
SELECT s.trace, s.source, s.at_us, s.payload, a.task, a.tenant, a.session, a.at_us AS asked_us
FROM said s JOIN records a ON a.kind = 'admission' AND a.trace = s.trace
WHERE a.at_us >= $since_us AND a.at_us < $until_us
  AND ($tenant::VARCHAR IS NULL OR a.tenant = $tenant)
  AND ($task::VARCHAR IS NULL OR a.task = $task)
ORDER BY s.at_us, s.writer, s.seq, s.ordinal LIMIT $limit
"""

SAMPLINGS = """
SELECT payload FROM records WHERE kind = 'sampling'
  AND ($task::VARCHAR IS NULL OR task = $task)
ORDER BY at_us, id
"""

ERASURES = """
SELECT payload FROM records WHERE kind = 'erasure' ORDER BY at_us, id
"""

ROLLED_DAYS = """
SELECT day, latest_us, rules, form,
  final OR NOT (stale OR EXISTS (SELECT 1 FROM tail t WHERE t.trace IS NOT NULL
    AND (t.day = rolled.day OR t.day IS NULL))) AS fresh
FROM rolled WHERE day >= $since_day AND day < $until_day ORDER BY day
"""

ROLLUPS = """
SELECT * FROM rollups
WHERE day >= $since_day AND day < $until_day
  AND ($days::BIGINT[] IS NULL OR list_contains($days::BIGINT[], day))
  AND ($tenant::VARCHAR IS NULL OR tenant = $tenant) AND ($task::VARCHAR IS NULL OR task = $task)
  AND list_contains($parts::VARCHAR[], part)
  AND (dimension IS NULL OR list_contains($dimensions::VARCHAR[], dimension))
ORDER BY day, part, dimension, tenant, task, route, name
"""

ROLLED_TIMES = """
SELECT day, part, tenant, task, route, segment, dimension, name, metric, list(ms) AS ms,
  list(n) AS n
FROM rollups
WHERE day >= $since_day AND day < $until_day
  AND ($days::BIGINT[] IS NULL OR list_contains($days::BIGINT[], day))
  AND ($tenant::VARCHAR IS NULL OR tenant = $tenant) AND ($task::VARCHAR IS NULL OR task = $task)
  AND list_contains($parts::VARCHAR[], part)
  AND (dimension IS NULL OR list_contains($dimensions::VARCHAR[], dimension))
GROUP BY ALL ORDER BY day, part, dimension, tenant, task, route, segment, name, metric
"""

ALARMS = """
SELECT payload FROM records WHERE kind IN ('alarm', 'acknowledgement', 'alert')
  AND at_us >= $since_us
ORDER BY at_us, writer, seq, ordinal
"""

IDENTITIES = """
SELECT payload FROM records WHERE kind = 'served' AND at_us >= $since_us AND at_us < $until_us
ORDER BY at_us, writer, seq, ordinal
"""

CONFIGS = """
SELECT at_us, digest, version, text FROM records
WHERE kind = 'config' AND at_us >= $since_us AND at_us < $until_us
ORDER BY at_us DESC, writer DESC, seq DESC, ordinal DESC LIMIT $limit
"""

CONFIGS_USED = f"""
WITH {ADMITTED}
SELECT task, config, count(*) AS requests FROM admitted GROUP BY ALL ORDER BY task, config
"""

SPENT = f"""
WITH asked AS (
  SELECT trace, at_us, tenant, principal, payload->>'$.team' AS team FROM records
  WHERE kind = 'admission' AND at_us >= $since_us AND at_us < $until_us
    AND ($writer::VARCHAR IS NULL OR writer = $writer)
),
{ENDED}
SELECT a.at_us // 86400000000 AS day, a.tenant, a.principal, a.team, count(*) AS requests,
  sum((SELECT coalesce(sum(coalesce((t->>'$.usage.prompt_tokens')::BIGINT, 0)
      + coalesce((t->>'$.usage.completion_tokens')::BIGINT, 0)), 0)
    FROM (SELECT unnest(json_extract(e.attempts, '$[*]')) AS t)))::BIGINT AS tokens,
  sum(e.cost_usd_picos)::BIGINT AS cost_usd_picos
FROM asked a JOIN ended e ON e.trace = a.trace
GROUP BY ALL ORDER BY day, tenant, principal, team
"""

COUNTS = """
SELECT kind, count(*) AS records, min(at_us) AS first_us, max(at_us) AS last_us FROM records
WHERE at_us >= $since_us AND at_us < $until_us GROUP BY kind ORDER BY kind
"""

LATENCY = f"""
WITH {ADMITTED}, asked AS (SELECT trace, task, route FROM admitted), {ENDED}
SELECT a.task, a.route, count(*) AS n,
  quantile_cont(e.total_ms, 0.5) AS total_ms_p50, quantile_cont(e.total_ms, 0.95) AS total_ms_p95,
  quantile_cont(e.first_byte_ms, 0.5) AS first_byte_ms_p50,
  quantile_cont(e.first_byte_ms, 0.95) AS first_byte_ms_p95,
  quantile_cont(e.overhead_us, 0.5) AS overhead_us_p50,
  quantile_cont(e.overhead_us, 0.95) AS overhead_us_p95
FROM asked a JOIN ended e ON e.trace = a.trace
WHERE e.status = 'delivered' AND e.http_status <> 202 -- one that people let go took their time
GROUP BY ALL ORDER BY n DESC, a.task, a.route
"""
