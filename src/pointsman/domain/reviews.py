"""A held answer: what waits for people to look at it, and how it goes on. Values only."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from pointsman.domain.errors import AnswerHeld, InvalidRequest
from pointsman.domain.records import Attempt, BodyRef, End, ReviewRecord

HeldStatus = Literal["waiting", "approved", "edited", "rejected", "expired"]
_NOTE_CHARS = 500


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody read it and let it go."""

    by: str
    at_us: int
    principal: str | None = None  # who that is to their identity provider, whatever they are called
    digest: str = ""  # of the answer that they read


class Held(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer that a policy held. It goes forward once, to one end."""

    id: str
    trace: str
    tenant: str
    principal: str
    surface: str
    why: str  # policy and rule
    made_us: int
    expires_us: int  # from then on it is blocked
    request: BodyRef  # as the client sent it
    answer: BodyRef  # as it may be delivered, what policies redact taken out
    task: str | None = None
    operation: str = "chat"
    persons: int = 1  # who must approve it, different ones
    status: HeldStatus = "waiting"  # as was decided; what time does, `status_at` says
    approvals: tuple[Approval, ...] = ()
    decided_by: str | None = None
    decided_us: int | None = None
    note: str = ""
    edited: BodyRef | None = None
    delivered_us: int | None = None  # when its client first got it, beside its stream

    def status_at(self, now_us: int) -> HeldStatus:
        """How it stands: what nobody decided in time is blocked."""
        return "expired" if self.status == "waiting" and now_us >= self.expires_us else self.status

    @property
    def delivers(self) -> BodyRef | None:
        """What the client gets; None where it gets nothing, or not yet."""
        if self.status == "edited":
            return self.edited
        return self.answer if self.status == "approved" else None


def approve(
    held: Held, *, by: str, now_us: int, principal: str | None = None, digest: str | None = None
) -> Held:
    """With one more approval; approved once there are as many persons as it takes.

    Args: principal is who that is to their identity provider; digest is of the answer that they
    read: another is not approved by it.
    Raises: InvalidRequest where it is decided, out of time, the same person approved it, or it is
    not what they read.
    """
    _check_open(held, now_us)
    if digest is not None and digest != held.answer.digest:
        raise InvalidRequest(
            f"{held.id} is not the answer that you read",
            why="somebody put another text in its place",
            next="`pointsman held show` gives it as it is now",
            code="answer_changed",
        )
    if any(_same(each, by, principal) for each in held.approvals):
        raise InvalidRequest(
            f"{by} approved {held.id} already",
            why=f"it takes {held.persons} different persons",
            next="have another reviewer look at it",
            code="already_approved",
        )
    approval = Approval(by=by, at_us=now_us, principal=principal, digest=held.answer.digest)
    approvals = (*held.approvals, approval)
    if len(approvals) < held.persons:
        return msgspec.structs.replace(held, approvals=approvals)
    return msgspec.structs.replace(
        held, approvals=approvals, status="approved", decided_by=by, decided_us=now_us
    )


def edit(
    held: Held, *, by: str, now_us: int, edited: BodyRef, principal: str | None = None
) -> Held:
    """Another text in its place. It is a new text: whoever approved the old one did not read it.

    Where it takes several persons, the edited answer waits for them anew.
    Raises: as `approve`.
    """
    _check_open(held, now_us)
    if held.persons > 1:
        own = Approval(by=by, at_us=now_us, principal=principal, digest=edited.digest)
        return msgspec.structs.replace(held, answer=edited, approvals=(own,))
    return msgspec.structs.replace(
        held, edited=edited, status="edited", decided_by=by, decided_us=now_us
    )


def reject(held: Held, *, by: str, now_us: int, note: str = "") -> Held:
    """It is not delivered; one person is enough for that. Raises: as `approve`."""
    _check_open(held, now_us)
    return msgspec.structs.replace(
        held, status="rejected", decided_by=by, decided_us=now_us, note=note[:_NOTE_CHARS]
    )


def _same(approval: Approval, by: str, principal: str | None) -> bool:
    """Whether that is the same person, under another name as well."""
    return approval.by == by or (principal is not None and approval.principal == principal)


def delivered(held: Held, *, now_us: int) -> Held:
    """Its client has it. Only what people let go is."""
    assert held.delivers is not None, "what was let go is delivered"
    if held.delivered_us is not None:
        return held
    return msgspec.structs.replace(held, delivered_us=now_us)


def later_status(end: End | None, reviews: Iterable[ReviewRecord]) -> str | None:
    """How a request ended in the end: `held`, `delivered` or `refused` where its answer was held.

    The same as `journal/held.py` says of many at once.
    """
    if end is None or end.error != AnswerHeld.code:
        return end.status if end is not None else None
    seen = {each.status for each in reviews}
    return "delivered" if "delivered" in seen else "refused" if "rejected" in seen else "held"


def later_delivered(end: End | None, reviews: Iterable[ReviewRecord]) -> int | None:
    """The attempt whose answer the client got, then or later."""
    if end is None or later_status(end, reviews) != "delivered" or end.delivered is not None:
        return end.delivered if end is not None else None
    answered = [at for at, each in enumerate(end.attempts) if each.failure is None]
    held = [at for at in answered if _is_held(end.attempts[at])]
    return max(held or answered, default=None)


def _is_held(attempt: Attempt) -> bool:
    return attempt.policy is not None and attempt.policy.verdict == "hold"


def _check_open(held: Held, now_us: int) -> None:
    status = held.status_at(now_us)
    if status != "waiting":
        raise InvalidRequest(
            f"{held.id} is {status}",
            why="an answer is decided once",
            next="`pointsman held show` says by whom",
            code="already_decided",
        )
