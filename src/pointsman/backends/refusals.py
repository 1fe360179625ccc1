"""What a status that is no answer says: whose fault, in which words, when to come back."""

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from pointsman.backends.dialects import ENGINES
from pointsman.backends.incoming import error_code, error_message, parse
from pointsman.domain.records import Failure, FailureKind

DETAIL_CHARS = 500  # of an engine's own error text, in a record or to a client
# Statuses below 500 that concern our own address, key or account, or the engine's own trouble
# (408, and 424, TGI's "generation failed"): not the client's fault.
_OURS = frozenset({401, 402, 403, 404, 405, 407, 408, 410, 424})
_LONGEST_RETRY_S = 86_400.0
# Which engine is behind a name is not always known: the words of all are looked for. OpenAI alone
# has a code for a prompt that is too long, which is what clients look at.
_OVERFLOW_STATUSES = frozenset({400, 413, 422})
_OVERFLOW_WORDS = frozenset(words for each in ENGINES.values() for words in each.overflow)
_OVERFLOW_5XX = frozenset(words for each in ENGINES.values() for words in each.overflow_5xx)
_ACCOUNT = frozenset(code for each in ENGINES.values() for code in each.account)
_OVERFLOW = "context_length_exceeded"


def refused(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Failure:
    """The failure that a status other than 200 stands for."""
    detail, code = _own_words(body)
    if status == 429:
        retry_s = _retry_after_s(headers)
        return Failure(kind="rate_limited", detail=detail, status=status, retry_after_s=retry_s)
    if _too_long(status, detail):
        return Failure(kind="client_error", detail=detail, status=status, code=_OVERFLOW)
    ours = status >= 500 or status in _OURS or status < 400 or code in _ACCOUNT
    kind: FailureKind = "server_error" if ours else "client_error"
    retry_s = _retry_after_s(headers) if status == 503 else None
    return Failure(kind=kind, detail=detail, status=status, code=code, retry_after_s=retry_s)


def refused_late(detail: str) -> Failure | None:
    """The failure of a prompt that is too long where it is told in a good answer, as an event.

    Some engines count a prompt only once the answer's head is out (SGLang, vLLM at times).
    """
    if not any(words in detail for words in _OVERFLOW_WORDS | _OVERFLOW_5XX):
        return None
    detail = detail[:DETAIL_CHARS]
    return Failure(kind="client_error", detail=detail, status=400, code=_OVERFLOW)


def _too_long(status: int, detail: str) -> bool:
    """Whether an engine says that the prompt is too long for it."""
    if status in _OVERFLOW_STATUSES:
        return any(words in detail for words in _OVERFLOW_WORDS)
    return status >= 500 and any(words in detail for words in _OVERFLOW_5XX)


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
