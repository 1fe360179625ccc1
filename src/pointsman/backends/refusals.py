"""What a status that is no answer says: whose fault, in which words, when to come back."""

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from pointsman.backends.incoming import error_code, error_message, parse
from pointsman.domain.records import Failure, FailureKind

DETAIL_CHARS = 500  # of an engine's own error text, in a record or to a client
# Statuses below 500 that concern our own address, key or account, or the engine's own trouble
# (408, and 424, TGI's "generation failed"): not the client's fault.
_OURS = frozenset({401, 402, 403, 404, 405, 407, 408, 410, 424})
_LONGEST_RETRY_S = 86_400.0


def refused(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Failure:
    """The failure that a status other than 200 stands for."""
    detail, code = _own_words(body)
    if status == 429:
        retry_s = _retry_after_s(headers)
        return Failure(kind="rate_limited", detail=detail, status=status, retry_after_s=retry_s)
    ours = status >= 500 or status in _OURS or status < 400
    kind: FailureKind = "server_error" if ours else "client_error"
    return Failure(kind=kind, detail=detail, status=status, code=code)


def _own_words(body: bytes) -> tuple[str, str | None]:
    """What an engine said of its error and its code; the body where that is not found."""
    try:
        answer = parse(body)
        said, code = error_message(answer), error_code(answer)
    except msgspec.MsgspecError:
        said, code = None, None
    return (said or body[:DETAIL_CHARS].decode("utf-8", "replace"))[:DETAIL_CHARS], code


def _retry_after_s(headers: Mapping[bytes, bytes]) -> float | None:
    """When to come back: OpenAI's milliseconds, seconds, or a date by the upstream's own clock."""
    for name, per_second in ((b"retry-after-ms", 1000.0), (b"retry-after", 1.0)):
        try:
            wait_s = float(headers.get(name, b"")) / per_second
        except ValueError:
            continue
        if math.isfinite(wait_s):
            return min(max(0.0, wait_s), _LONGEST_RETRY_S)
    try:
        then, now = (
            parsedate_to_datetime(headers.get(name, b"").decode("latin-1"))
            for name in (b"retry-after", b"date")
        )
        wait_s = (then - now).total_seconds()
    except (ValueError, TypeError):  # no date, or one with and one without its zone
        return None
    return min(max(0.0, wait_s), _LONGEST_RETRY_S)
