"""An answer that a policy holds: put before people, and what a client is told meanwhile."""

from pointsman.answering.asked import Asked, Clock
from pointsman.domain.ids import held_id
from pointsman.domain.ports import Completion, Holds, SubjectKey
from pointsman.domain.records import BodyRef
from pointsman.domain.reviews import Held
from pointsman.governing.held import answer_of
from pointsman.policy.evaluating import Decided

_NOT_YET = BodyRef(digest="", size=0)  # the desk says where bodies lie


def held_told(held: Held) -> dict[str, object]:
    """What a client is told of its held answer: nothing of what is in it, or why."""
    return {
        "object": "held_answer",
        "id": held.id,
        "status": held.status,
        "trace": held.trace,
        "url": f"/v1/held/{held.id}",
        "expires_at": held.expires_us // 1_000_000,
    }


async def put_before_people(
    holds: Holds, asked: Asked, decided: Decided, body: bytes,
    *, trace: str, clock: Clock, key: SubjectKey | None,
) -> Held:  # fmt: skip
    """Keep an answer for them. Raises: StateUnavailable, JournalUnavailable."""
    now_us, task = clock.now_us(), asked.target.task
    wanted = Held(
        id=held_id(now_us // 1000, clock.entropy(10)),
        trace=trace,
        tenant=asked.tenant,
        principal=asked.principal,
        surface=asked.surface,
        why=decided.why,
        made_us=now_us,
        expires_us=now_us + round(decided.hold.hours * 3_600_000_000),
        request=_NOT_YET,
        answer=_NOT_YET,
        task=task.name if task else None,
        operation=asked.request.operation,
        persons=decided.hold.persons,
    )
    return await holds.keep(wanted, request=asked.body, answer=body, key=key)


def whole_of(said: Completion, operation: str, created: int) -> bytes:
    """What a stream said, as one answer."""
    return answer_of(
        said.replies, id=said.response_id, model=said.model, usage=said.usage,
        operation=operation, created=created,
    )  # fmt: skip
