"""How requests whose answers were held ended in the end, as SQL; of one, `domain/reviews.py` says.

The end of such a request is written when its client is told to come back: 202, nothing delivered.
What became of it is in `review` records, the fetching of what was let go among them.
"""

# ruff: noqa: S608 - SQL is put together from the constants of this file; values are bound.

_AT = "json_extract_string(e.attempts, '$[' || i || '].{}')"
# The answer that was held: the last that a policy held, else the last there was.
_INDEX = f"""coalesce(
      list_max(list_filter(range(e.attempt_count), lambda i:
        {_AT.format("policy.verdict")} = 'hold' AND {_AT.format("failure")} IS NULL)),
      list_max(list_filter(range(e.attempt_count), lambda i: {_AT.format("failure")} IS NULL)))"""


def ended_in_the_end(ends: str) -> str:
    """The table `ended`: that of `ends`, with what held answers came to in status and delivered.

    `held`: nobody decided yet, or nobody fetched it; `delivered`: its client has it; `refused`.
    """
    return f"""reviewed AS (
  SELECT trace, bool_or(status = 'delivered') AS given, bool_or(status = 'rejected') AS declined
  FROM records
  WHERE kind = 'review' AND trace IN (SELECT trace FROM {ends} WHERE error = 'answer_held')
  GROUP BY trace
),
ended AS (
  SELECT e.* REPLACE (
    CASE WHEN e.error IS DISTINCT FROM 'answer_held' THEN e.status WHEN r.given THEN 'delivered'
      WHEN r.declined THEN 'refused' ELSE 'held' END AS status,
    CASE WHEN e.error = 'answer_held' AND r.given THEN {_INDEX} ELSE e.delivered END AS delivered)
  FROM {ends} e LEFT JOIN reviewed r ON r.trace = e.trace
)"""
