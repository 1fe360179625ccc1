"""What is measured and what one question to it gave: the words that harness and shell share."""

from typing import Literal

import msgspec

from pointsman.domain.messages import Reply
from pointsman.domain.money import Usage
from pointsman.domain.records import Failure

SubjectKind = Literal["task", "route", "deployment", "prompt", "config", "imported"]


class Subject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a suite is run on: something that can be asked, and a digest of what is behind it."""

    kind: SubjectKind
    name: str  # as people write it: `support`, `support@thrifty`, `answer-v3`, `new.yaml`
    asks: str = ""  # the `model` of each request
    digest: str = ""  # of the part of the configuration that can change its answers
    config: str = ""  # digest of the whole configuration
    gateway: str | None = None  # its URL, where a running one was asked


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one request came to: an answer, or why there is none; what it cost either way."""

    reply: Reply | None = None
    failure: Failure | None = None  # set exactly where there is no reply
    trace: str | None = None
    deployments: tuple[str, ...] = ()  # asked, in order, each as often as it was
    attempts: int = 1
    usage: Usage | None = None  # of all attempts; None: nobody counted
    cost_usd_picos: int = 0  # of all attempts
    latency_ms: float = 0.0
    overhead_us: int | None = None  # ours within it; None: not known
    verdict: str | None = None  # what policies made of it, where there are any
    retry_after_s: float | None = None  # the gateway's own wish, where it was full
