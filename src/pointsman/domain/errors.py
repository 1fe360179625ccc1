"""Every error we raise on purpose.

PointsmanError
├── UsageError                exit 2   400  the caller's words are off
├── ConfigurationError        exit 3   500  a file does not say what it must
├── CheckFailed               exit 4   500  a check said no: chain broken, gate failed
├── ExtraMissing              exit 3   500  an optional part is not installed
├── RequestError              exit 2
│   ├── InvalidRequest                 400  invalid_request_error
│   ├── Unauthenticated                401  authentication_error
│   ├── Forbidden                      403  permission_error
│   ├── NotFound                       404  model, task or trace unknown
│   ├── MethodNotAllowed               405
│   ├── RequestTooLarge                413
│   ├── RateLimited           exit 5   429  a rate: come back later
│   ├── PolicyBlocked                  400  a policy lets the request go no further
│   ├── AnswerHeld                     202  people look at the answer first
│   ├── DocumentRefused                400  a file is damaged, locked, too large or too slow
│   ├── BudgetExceeded                 403  the money of a day or month is spent
│   └── Overloaded            exit 5   503  with Retry-After
├── UpstreamError             exit 5   502  no deployment could answer
│   └── UpstreamTimeout       exit 5   504
├── JournalUnavailable        exit 1   503  a fact could not be written: nothing is answered
├── StateUnavailable          exit 1   503  keys, labels, leases or schedules cannot be reached
└── WorkerFailed              exit 1   503  a process of ours does not start or does not answer
"""

from typing import ClassVar, NamedTuple


class PointsmanError(Exception):
    """What happened, why, and what to do next; `code` is stable, documented and tested."""

    code: ClassVar[str] = "internal_error"
    error_type: ClassVar[str] = "server_error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        next: str = "",
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next = next
        self.param = param
        self.retry_after_s = retry_after_s
        self.head: tuple[tuple[bytes, bytes], ...] = ()  # more lines of the answer's head
        self.reported_code = code or type(self).code
        self.status = status or type(self).http_status

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"  why   {self.why}")
        if self.next:
            lines.append(f"  next  {self.next}")
        return "\n".join(lines)

    @property
    def sentence(self) -> str:
        """The error on one line, as a wire format carries it."""
        return " ".join(part.rstrip(".") + "." for part in (self.what, self.why, self.next) if part)


class UsageError(PointsmanError):
    """The command or call was used wrongly."""

    code = "usage"
    error_type = "invalid_request_error"
    http_status = 400
    exit_code = 2


class Problem(NamedTuple):
    """One thing that is wrong with a file; line and column count from 1."""

    file: str
    line: int
    column: int
    what: str


class ConfigurationError(PointsmanError):
    """A configuration does not say what it must; names file, line and the nearest match."""

    code = "configuration"
    exit_code = 3
    problems: tuple[Problem, ...] = ()  # each by itself, where they have places in a file


class CheckFailed(PointsmanError):
    """A check said no."""

    code = "check_failed"
    exit_code = 4


class ExtraMissing(PointsmanError):
    """An optional part is not installed; names the extra."""

    code = "extra_missing"
    exit_code = 3


class RequestError(PointsmanError):
    """The client's request cannot be answered as it stands."""

    error_type = "invalid_request_error"
    http_status = 400
    exit_code = 2


class InvalidRequest(RequestError):
    """The body is not what the surface takes."""

    code = "invalid_request"


class Unauthenticated(RequestError):
    """No key, or one that is not known."""

    code = "invalid_api_key"
    error_type = "authentication_error"
    http_status = 401


class Forbidden(RequestError):
    """The key may not do this, or the page that sent it may not."""

    code = "forbidden"
    error_type = "permission_error"
    http_status = 403


class NotFound(RequestError):
    """No such model, task, trace or path."""

    code = "not_found"
    http_status = 404


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    http_status = 405


class RequestTooLarge(RequestError):
    """The body is over the door's bound."""

    code = "request_too_large"
    http_status = 413


class RateLimited(RequestError):
    """A rate of the key or of the deployments is used up: come back after `retry_after_s`."""

    code = "rate_limit_exceeded"
    error_type = "rate_limit_error"
    http_status = 429
    exit_code = 5


class BudgetExceeded(RequestError):
    """A budget of the key, its team or its tenant is used up; the same again will not help.

    Not 429, which OpenAI's clients send again.
    """

    code = "budget_exceeded"
    error_type = "insufficient_quota"
    http_status = 403


class DocumentRefused(RequestError):
    """A file cannot be read: damaged, encrypted, too large, too slow, or of no known kind."""

    code = "document_refused"


class PolicyBlocked(RequestError):
    """A policy lets the request go no further; nothing of what it holds is repeated."""

    code = "content_filter"


class AnswerHeld(RequestError):
    """The answer waits for people; nothing failed, and it may be asked for again at its address."""

    code = "answer_held"
    http_status = 202


class Overloaded(RequestError):
    """Full: come back after `retry_after_s`."""

    code = "overloaded"
    error_type = "server_error"
    http_status = 503
    exit_code = 5


class UpstreamError(PointsmanError):
    """No deployment of the plan could answer."""

    code = "upstream_unavailable"
    error_type = "upstream_error"
    http_status = 502
    exit_code = 5


class UpstreamTimeout(UpstreamError):
    """Every deployment of the plan ran out of time."""

    code = "upstream_timeout"
    http_status = 504


class JournalUnavailable(PointsmanError):
    """A fact could not be written, so nothing may be answered."""

    code = "journal_unavailable"
    http_status = 503


class StateUnavailable(PointsmanError):
    """What must be mutable (keys, labels, leases, schedules) cannot be read or written."""

    code = "state_unavailable"
    http_status = 503


class WorkerFailed(PointsmanError):
    """A process of this gateway does not start, or does not answer the others."""

    code = "worker_failed"
    http_status = 503
