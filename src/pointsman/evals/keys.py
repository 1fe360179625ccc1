"""The key of one sample's content: equal keys are the same question to the same thing."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from pointsman.domain.evaluations import Subject
from pointsman.evals.case import Case


def content_key(
    case: Case, subject: Subject, *, fields: Mapping[str, Any], seed: int | None, epoch: int
) -> str:
    """32 hex digits over all that can change the answers: what is asked, of whom, which repeat."""
    asked = {
        "messages": case.first_messages,
        "request": case.request,
        "tools": case.tools,
        "turns": case.turns,
        "max_turns": case.max_turns,
        "fields": fields,
        "seed": seed,
        "asks": subject.asks,
        "subject": subject.digest,
        "config": subject.config,
        "gateway": subject.gateway,
        "epoch": epoch,
    }
    return sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()[:32]
